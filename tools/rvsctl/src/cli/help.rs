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
    rvsctl conn list
    rvsctl stats

Exit status:
  0  done
  1  the kernel refused, or something else prevented it
  2  the command line is wrong
  3  there is no such service, real server or network namespace
  4  there is such a service or real server already
  5  no permission: that takes CAP_NET_ADMIN in the network namespace
  6  the rvs module is not loaded";

pub const SERVICE: &str = "\
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

Examples:
  rvsctl service add tcp 192.0.2.10:80 --scheduler wlc
  rvsctl service add udp 192.0.2.10:53 --scheduler rr

Then give it real servers with `rvsctl server add`.";

pub const SERVICE_LIST: &str = "\
Columns:
  ACTIVE    connections in use (TCP: from the first SYN until one side closes)
  INACTIVE  connections that wait for their timeout; all of UDP
  IN, OUT   packets and bytes from clients to servers, and back
  Large figures are shortened: 12.3M is 12.3 million; --exact has all digits.

Examples:
  rvsctl service list
  rvsctl service list tcp 192.0.2.10:80 --stats
  rvsctl service list --json | jq '.[].servers[].active_connections'";

pub const SERVER: &str = "\
Examples:
  rvsctl server add tcp 192.0.2.10:80 10.0.0.1:8080 --method nat --weight 5
  rvsctl server set tcp 192.0.2.10:80 10.0.0.1:8080 --weight 0
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

Examples:
  rvsctl server add tcp 192.0.2.10:80 10.0.0.1:8080 --method nat --weight 5
  rvsctl server add tcp 192.0.2.10:80 10.0.0.1
  rvsctl server add tcp 192.0.2.10:80 198.51.100.9 --method tunneling";

pub const SERVER_SET: &str = "\
What is not named stays as it is. Connections that exist keep their method.

Examples:
  Give a server twice its share:
    rvsctl server set tcp 192.0.2.10:80 10.0.0.1:8080 --weight 2
  Take a server out of service without breaking its connections:
    rvsctl server set tcp 192.0.2.10:80 10.0.0.1:8080 --weight 0";

pub const CONN_LIST: &str = "\
EXPIRES is the time until the entry goes away when no packet comes.

Examples:
  rvsctl conn list
  rvsctl conn list --json | jq '.[] | select(.server.address == \"10.0.0.1\")'";

pub const STATS: &str = "\
Counters run since the module was loaded or since `rvsctl zero`. \"In\" is from
clients to servers, \"out\" the replies that pass this machine: with direct
routing and tunneling there are none.

Examples:
  rvsctl stats
  rvsctl stats --all
  rvsctl stats --json | jq '.drops[] | select(.count > 0)'";

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
  rvsctl zero tcp 192.0.2.10:80";

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
