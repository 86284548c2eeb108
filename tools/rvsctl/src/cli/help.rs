// SPDX-License-Identifier: GPL-2.0-only
//! What `--help` teaches below the options of a command: examples, and what words mean.

pub const GENERAL: &str = "\
Examples:
  Balance port 80 of 192.0.2.10 over two web servers:
    rvsctl service add tcp 192.0.2.10:80 --scheduler wlc
    rvsctl server add tcp 192.0.2.10:80 10.0.0.1:8080 --method masquerading
    rvsctl server add tcp 192.0.2.10:80 10.0.0.2:8080 --method masquerading
  See what is configured, and what it does:
    rvsctl service list
    rvsctl service list --rate
    rvsctl conn list --client 203.0.113.0/24
    rvsctl explain tcp 203.0.113.7:4711 192.0.2.10:80
    rvsctl stats

Exit status:
  0  done
  1  the kernel refused, or something else prevented it
  2  the command line or a file is wrong
  3  there is no such service, real server or network namespace
  4  there is such a service or real server already
  5  no permission: that takes CAP_NET_ADMIN in the network namespace
  6  the rvs module is not loaded
  7  the time given was over before what was waited for came
  8  `rvsctl diff` found a difference
  9  somebody else changed the configuration meanwhile: nothing was changed";

pub const SERVICE: &str = "\
A service is named by
  tcp|udp|sctp ADDRESS:PORT   tcp 192.0.2.10:80, udp [2001:db8::10]:53
  tcp|udp|sctp ADDRESS:any    every port of the address
  mark NUMBER [--ipv6]        packets that the firewall marked so
  NAME                        the name that it was given by --name

Examples:
  rvsctl service add tcp 192.0.2.10:80 --scheduler wlc
  rvsctl service set tcp 192.0.2.10:80 --scheduler rr
  rvsctl service list
  rvsctl service del tcp 192.0.2.10:80";

pub const SERVICE_ADD: &str = "\
Schedulers:
  rr     round robin: one server after the other
  wrr    weighted round robin: in proportion to the weights
  lc     least connections, whatever the weights
  wlc    weighted least connections: fewest connections per weight
  fo     failover: the heaviest server that is available
  ovf    overflow: the heaviest with no more connections than its weight
  lblc   locality: one server for each destination, until it is congested
  lblcr  locality with replication: a set of servers for each destination
  dh     destination hashing: by the address that is asked for
  sh     source hashing: by the client's address
  mh     Maglev hashing: by the client's address, few move on a change
  sed    shortest expected delay: fewest connections per weight with the new one
  nq     never queue: an idle server, else as sed
  twos   the less busy of two servers drawn by weight

Options of schedulers:
  sh-fallback, mh-fallback  where a client's server is not available (weight 0,
                            over its threshold), another takes over
  sh-port, mh-port          the client's port counts too, not only its address

Examples:
  rvsctl service add tcp 192.0.2.10:80 --scheduler wlc
  rvsctl service add sctp [2001:db8::10]:3868 --scheduler mh --option mh-port
  Each client stays at its server for ten minutes after it was there last, and
  so do all clients of a /24 together:
    rvsctl service add tcp 192.0.2.10:443 --persistent=600 --persistence-mask 24
  Every port of an address; that takes persistence:
    rvsctl service add tcp 192.0.2.10:any --persistent
  Whatever the firewall marks with 7, as by
  `nft add rule ip filter prerouting tcp dport { 80, 443 } meta mark set 7`:
    rvsctl service add mark 7 --persistent
    rvsctl service add mark 7 --ipv6 --persistent
  Each question to a name server by itself:
    rvsctl service add udp 192.0.2.10:53 --scheduler rr --one-packet

Then give it real servers with `rvsctl server add`.";

pub const SERVICE_SET: &str = "\
What is not named stays as it is; but options belong to their scheduler, and
another scheduler begins without any. `--persistent` without =SECONDS keeps the
timeout of a service that is persistent already.

Examples:
  rvsctl service set tcp 192.0.2.10:80 --scheduler sh --option sh-port
  rvsctl service set tcp 192.0.2.10:80 --no-option sh-port
  rvsctl service set tcp 192.0.2.10:443 --persistent=600
  rvsctl service set mark 7 --no-persistent";

pub const SERVICE_DEL: &str = "\
Examples:
  rvsctl service del tcp 192.0.2.10:80
  rvsctl service del mark 7 --ipv6";

pub const SERVICE_LIST: &str = "\
Below a service and a server, in parentheses, stands what is not as usual.

Columns:
  ACTIVE    connections in use (TCP: from the first SYN until one side closes)
  INACTIVE  connections that wait for their timeout; all of UDP
  BOUND     clients that persistence binds to a server (its templates)
  IN, OUT   packets and bytes from clients to servers, and back
  Large figures are shortened: 12.3M is 12.3 million; --exact has all digits.

Examples:
  rvsctl service list
  rvsctl service list tcp 192.0.2.10:80 --stats
  rvsctl service list mark 7
  rvsctl service list --json | jq '.[].servers[].active_connections'";

pub const SERVER: &str = "\
Examples:
  rvsctl server add tcp 192.0.2.10:80 10.0.0.1:8080 --method nat --weight 5
  rvsctl server set tcp 192.0.2.10:80 10.0.0.1:8080 --weight 0
  rvsctl server drain tcp 192.0.2.10:80 10.0.0.1:8080 --timeout 30s
  rvsctl server list tcp 192.0.2.10:80
  rvsctl server del tcp 192.0.2.10:80 10.0.0.1:8080";

pub const SERVER_ADD: &str = "\
Methods:
  direct-routing  the packet goes to the server's MAC address as it is; the
                  server has the service's address and replies to the client
                  itself. Same network, same port.
  tunneling       the packet travels as it is inside another IP packet, and is
                  answered as with direct routing. Any network, same port.
  masquerading    addresses are rewritten; replies come back through this
                  machine. Any network, any port.
  Short: direct, tunnel, nat.
  A server of another address family than its service takes tunneling. A server
  on this machine takes masquerading or direct-routing: its packets are
  delivered here.

Thresholds:
  At --upper-threshold connections a server gets no new ones, until it has
  fewer than --lower-threshold; without that, than three quarters of the upper.

Tunnels:
  ipip  IP in IP, if nothing else is said
  gue   in UDP, so that networks spread flows and let them pass; the server
        takes it at --tunnel-port (`ip fou add port 6080 gue`)
  gre   generic routing encapsulation
  --tunnel-checksum full protects the inner packet once more; remote has the
  server complete checksums that clients left to their hardware (gue only).

Examples:
  rvsctl server add tcp 192.0.2.10:80 10.0.0.1:8080 --method nat --weight 5
  rvsctl server add tcp 192.0.2.10:80 10.0.0.1
  rvsctl server add tcp 192.0.2.10:80 198.51.100.9 --method tunneling
  rvsctl server add tcp 192.0.2.10:80 198.51.100.9 -m tunnel --tunnel-type gre
  rvsctl server add tcp 192.0.2.10:80 [2001:db8::9] --method tunneling
  rvsctl server add mark 7 10.0.0.1 --upper-threshold 1000";

pub const SERVER_DRAIN: &str = "\
The server gets no new connections, whatever its weight, and persistence no
longer keeps clients there. Flows of UDP go to other servers at once;
connections of TCP and SCTP may finish, until the deadline of --timeout if there
is one. How many are left is shown on one line on a terminal, on a line for each
change elsewhere, and with --json as a line of JSON for each. The kernel keeps
the deadline, so leaving the command changes nothing; `server undrain` does.
A drained server stays configured, unless --remove is given.

Listings show how far it is. To ipvsadm and other tools of LVS its weight is 0,
and what they set it to counts after `server undrain`.

Examples:
  rvsctl server drain tcp 192.0.2.10:80 10.0.0.1:8080
  rvsctl server drain tcp 192.0.2.10:80 10.0.0.1:8080 --timeout 30s --remove
  rvsctl server drain mark 7 10.0.0.1 --timeout 5m --drop --no-wait";

pub const SERVER_SET: &str = "\
What is not named stays as it is. Connections that exist keep their method.

Examples:
  Give a server twice its share:
    rvsctl server set tcp 192.0.2.10:80 10.0.0.1:8080 --weight 2
  Take a server out of service without breaking its connections:
    rvsctl server set tcp 192.0.2.10:80 10.0.0.1:8080 --weight 0
  No limit any more:
    rvsctl server set mark 7 10.0.0.1 --upper-threshold 0 --lower-threshold 0";

pub const APPLY: &str = "\
The kernel carries out all changes or none. Connections keep their servers. A
service in the file that nothing changed is not read further, so a change in a
large file is quick.

A file has a table for each service; all but its address can be left out:
  [[service]]
  name = \"web\"
  labels = { tier = \"front\" }
  protocol = \"tcp\"                  or: mark = 7, and family = \"ipv6\"
  address = \"192.0.2.10:80\"
  scheduler = \"mh\"                  [wlc]
  scheduler-options = [\"mh-port\"]
  persistent = 300                  seconds
  persistence-mask = \"24\"
  one-packet = false
  servers = [
    { name = \"web1\", address = \"10.0.0.1:8080\", method = \"masquerading\" },
    { address = \"10.0.0.2\", weight = 5, upper-threshold = 100 },
    { address = \"198.51.100.9\", method = \"tunneling\",
      tunnel = { type = \"gue\", port = 6080, checksum = \"full\" } },
  ]

On a terminal it asks before something is removed, unless --yes is given.
Elsewhere it never asks, and without --yes removes nothing.

Examples:
  rvsctl export > rvs.toml
  rvsctl apply rvs.toml --dry-run
  rvsctl apply rvs.toml
  ipvsadm -S -n | rvsctl apply - --yes

Exit status 9: somebody else changed the configuration meanwhile; nothing was
changed.";

pub const DIFF: &str = "\
+ will be added, ~ changed, - removed by `rvsctl apply`.

Exit status: 0 nothing differs, 8 something does, others as always.

Example:
  rvsctl diff rvs.toml || rvsctl apply rvs.toml";

pub const EXPORT: &str = "\
Examples:
  rvsctl export > rvs.toml
  rvsctl export > /etc/rvs/rvs.toml    for rvs.service, which applies it at boot";

pub const CONN: &str = "\
Examples:
  rvsctl conn list --client 203.0.113.0/24
  rvsctl conn kill --client 203.0.113.7";

pub const CONN_KILL: &str = "\
What is to be ended has to be said: by filters, or with --all. On a terminal
--all asks first, unless --yes is given; elsewhere it never asks and does
nothing without --yes.

Connections of TCP are reset at both ends. Each stays in the table in the state
CLOSE until no more packets come. Whatever comes of it until then is answered by
a reset, and goes on to the other end as one. So that silent ends speak, each
client is sent a SYN at once, and with masquerading each server; an end that is
connected answers that. A server behind direct-routing or tunneling whose client
is gone is not reached. With --silent nobody is told, and entries are gone at
once, as those of UDP and SCTP always are.

Ended templates no longer keep clients at their servers.

Examples:
  rvsctl conn kill --client 203.0.113.7
  rvsctl conn kill --service tcp 192.0.2.10:80 --server 10.0.0.1
  rvsctl conn kill --service mark 7 --min-idle 1h --state established
  rvsctl conn kill --all --yes";

pub const CONN_LIST: &str = "\
EXPIRES is the time until the entry goes away when no packet comes. STATE is
TEMPLATE where the entry is no connection but keeps a client, or a network of
clients, at its server; the port `any` is one that does not matter there.

The kernel looks at each entry once and hands out what filters select, however
the table changes meanwhile. A connection is of the service whose server it
has, even if that service or server was removed. A listing that is not sorted
needs no memory; one with --sort and --limit only for what it shows.

Examples:
  rvsctl conn list
  rvsctl conn list --service tcp 192.0.2.10:80 --server 10.0.0.1
  rvsctl conn list --client 203.0.113.0/24 --state established,fin_wait
  rvsctl conn list --service web --server web1
  rvsctl conn list --state template
  rvsctl conn list --service mark 7 --min-idle 5m --count
  The ten oldest:
    rvsctl conn list --sort age --reverse --limit 10 --times
  rvsctl conn list --json | jq '.[] | select(.template)'";

pub const STATS: &str = "\
Counters run since the module was loaded or since `rvsctl zero`. \"In\" is from
clients to servers, \"out\" the replies that pass this machine: with direct
routing and tunneling there are none.

Examples:
  rvsctl stats
  rvsctl stats --all
  rvsctl stats --json | jq '.drops[] | select(.count > 0)'";

pub const EXPLAIN: &str = "\
Asks the kernel, which goes through the steps of a packet that opens this flow
(or of the next one, if it is of a connection) and leaves no trace: no
connection is made, no server has had its turn. Between the ends may stand `to`,
or an arrow in quotes.

An answer holds for the moment: counts of connections change, and where the
scheduler draws lots, so may the server. What rules of the firewall do is not
known here; with --mark the packet has a mark.

Examples:
  rvsctl explain tcp 203.0.113.7:4711 192.0.2.10:80
  rvsctl explain tcp 203.0.113.7:4711 to 192.0.2.10:80 --mark 7
  rvsctl explain udp [2001:db8::7]:4711 '->' [2001:db8::10]:53 --json";

pub const DROPS: &str = "\
Every reason there is, with its name for programs and its meaning; those that
occurred stand in `rvsctl stats` too. Counts run since the first service was
added.

Examples:
  rvsctl drops
  rvsctl drops --json | jq -r '.[] | select(.count > 0) | .reason'";

pub const WATCH: &str = "\
Events:
  config   services and servers added, changed, removed, by whatever tool and
           by which process; counters zeroed, timeouts set
  servers  a server is at its upper threshold, has room again, or is drained
  defence  a defence against floods went on or off
  table    the connection table has twice the slots, or half of them
  drops    dropped packets with the reason: a sample, 20 a second at most
It ends with ^C, after --count events or after --timeout; with status 7 when
the time is over before --count events came. Where events were lost because
they came too fast, it says `events-lost` and lists what is configured.

Examples:
  rvsctl watch
  rvsctl watch --only drops,servers
  rvsctl watch --only config --list --json
  Wait for a server to be overloaded, but no longer than a minute:
    rvsctl watch --only servers --count 1 --timeout 1m";

pub const TOP: &str = "\
Rates are the increase of counters between two readings, by the kernel's own
clock. Keys: q quits, < and > choose the column to sort by, / filters, space
pauses, h shows all keys. Where the output is no terminal, --once or --json
prints the rates over one interval.

Examples:
  rvsctl top
  rvsctl top --filter 192.0.2.10 --interval 5s
  rvsctl top --once
  rvsctl top --json | jq '.drop_rates[] | select(.per_second > 0)'";

pub const METRICS: &str = "\
The figures are those of `stats`, `service list` and `server list`, as
OpenMetrics text. Labels name services, servers and reasons, never clients: how
many series there are does not grow with traffic. What has no series of its own
because of --limit is counted in rvs_left_out.

Names of services and servers are the labels service_name and server_name of all
of their series. What they are labelled with is told by rvs_service_info and
rvs_server_info, as service_label_KEY and server_label_KEY. Figures have it only
with --label KEY, since with each other value of a label new series begin: take
labels that seldom change. Other characters of KEY than letters and digits
become _.

Served, they are at /metrics; each request reads them fresh. With --netns, they
are those of that namespace, while the address is one of the present namespace.
Reading takes CAP_NET_ADMIN: run it as root, or give a service of systemd
`AmbientCapabilities=CAP_NET_ADMIN`.

Examples:
  rvsctl metrics
  rvsctl metrics --listen 127.0.0.1:9877 --label tier --label site
  rvsctl --netns blue metrics --listen [::]:9877";

pub const TIMEOUT: &str = "\
Examples:
  rvsctl timeout show
  rvsctl timeout set --tcp 3600 --udp 60";

pub const TIMEOUT_SET: &str = "\
A connection goes by the new timeout from its next packet on.

Example:
  rvsctl timeout set --tcp 3600 --udp 60";

pub const ZERO: &str = "\
Connections and their counts (active, inactive) are not touched.

Examples:
  rvsctl zero
  rvsctl zero tcp 192.0.2.10:80
  rvsctl zero mark 7";

pub const FLUSH: &str = "\
On a terminal it asks first, unless --yes is given. Elsewhere it never asks and
does nothing without --yes. Entries in the connection table live on until they
time out, but their packets have no server any more.

Examples:
  rvsctl flush
  rvsctl flush --yes";

pub const COMPLETIONS: &str = "\
Examples:
  rvsctl completions bash > /etc/bash_completion.d/rvsctl
  rvsctl completions zsh > /usr/share/zsh/vendor-completions/_rvsctl
  rvsctl completions fish > /etc/fish/completions/rvsctl.fish";

pub const MAN: &str = "\
Examples:
  rvsctl man > /usr/share/man/man8/rvsctl.8
  rvsctl man | man -l -";
