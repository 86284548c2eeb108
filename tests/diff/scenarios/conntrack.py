# SPDX-License-Identifier: GPL-2.0-only
"""Balancing where connections are tracked: rules about their state, and what a confirmed connection of conntrack changes (2.6, 12.1)."""

from harness.addresses import FAMILIES
from harness.model import (DIRECT, TUNNEL, AddServer, Answer, DeleteServer, ErrorAbout, FromClient, FromServer, Server, Sysctl,
                           scenario, tcp_service, udp_service)
from harness.wire import ACK, FIN, RST, SYN, tcp, udp


def _rules(f, hook, text, kind="filter", priority=0):
    family = "ip6" if f.number == 6 else "ip"
    return f"table {family} {hook} {{\nchain c {{\ntype {kind} hook {hook} priority {priority}; {text}\n}}\n}}\n"


def _tracking(f):
    """Rules that look at every connection's state and let all pass."""
    return "".join(_rules(f, hook, "ct state invalid accept;") for hook in ("input", "forward", "output"))


def _both(f):
    web = tcp_service(f.VIP, 80, Server(f.RS1, 8080))
    dns = udp_service(f.VIP, 53, Server(f.RS1, 5353))
    syn = tcp(f.CLIENT, 40000, f.VIP, 80, SYN)
    ack = tcp(f.CLIENT, 40000, f.VIP, 80, ACK, seq=1001, ack=5001)
    opening = FromClient(syn), Answer(SYN | ACK), FromClient(ack)
    request = udp(f.CLIENT, 4000, f.VIP, 53, b"request")
    for value in (0, 1):
        word = f"with conntrack {value}"
        more = {"sysctls": {"conntrack": value}, "rules": _tracking(f)}
        yield scenario(f"a masqueraded connection {word} where connections are tracked over {f.word}", f"§12.1 conntrack {value}", web,
                       *opening, Answer(ACK, b"data"), **more)
        yield scenario(f"a masqueraded UDP flow {word} where connections are tracked over {f.word}", f"§12.1 conntrack {value}", dns,
                       FromClient(request), Answer(data=b"answer"), FromClient(request), **more)
        for name, method in (("tunneled", TUNNEL), ("direct-routed", DIRECT)):
            yield scenario(f"a {name} connection {word} where connections are tracked over {f.word}", f"§12.1 conntrack {value} Non-MASQ",
                           tcp_service(f.VIP, 80, Server(f.RS1, 80, method)), FromClient(syn, ack), **more)
        yield scenario(f"an error about a masqueraded flow {word} over {f.word}", f"§12.1 conntrack {value}; §6.8 out", dns,
                       FromClient(request), ErrorAbout("inside", *((1, 4) if f.number == 6 else (3, 3))), **more)
        yield scenario(f"a reused port {word} where connections are tracked over {f.word}", "§2.6 confirmed conntrack", web, *opening,
                       FromClient(tcp(f.CLIENT, 40000, f.VIP, 80, RST | ACK, seq=1001, ack=5001)), AddServer(web, Server(f.RS2, 8080)),
                       FromClient(tcp(f.CLIENT, 40000, f.VIP, 80, SYN, seq=90000)), FromClient(tcp(f.CLIENT, 40000, f.VIP, 80, SYN, seq=90000)),
                       **more)
        yield scenario(f"a removed server {word} and expire_nodest_conn where connections are tracked over {f.word}",
                       "§1.5 3 confirmed conntrack", web, *opening, AddServer(web, Server(f.RS2, 8080)),
                       DeleteServer(web, Server(f.RS1, 8080)), Sysctl("expire_nodest_conn", 1), FromClient(syn), **more)
        yield scenario(f"masquerading behind the balancer {word} over {f.word}", "§12.1 POSTROUTING SNAT", web, *opening[:1],
                       FromServer(tcp(f.RS1, 8080, f.DIRECTOR_INSIDE, 40000, SYN | ACK, seq=5000, ack=1001)), FromClient(ack),
                       sysctls={"conntrack": value},
                       rules=_rules(f, "postrouting", "oifname eth1 masquerade;", "nat", 100))
        yield scenario(f"a rule that drops what is untracked in the output hook {word} over {f.word}", f"§12.1 conntrack {value} untracked", web,
                       *opening, sysctls={"conntrack": value},
                       rules=_rules(f, "output", "ct state untracked drop;"))
        yield scenario(f"a rule that drops new connections in the output hook {word} over {f.word}", f"§12.1 conntrack {value}", web, *opening,
                       sysctls={"conntrack": value}, rules=_rules(f, "output", "ct state new drop;"))
        yield scenario(f"a rule that drops answers that are not known in the forward hook {word} over {f.word}", f"§12.1 conntrack {value}",
                       web, *opening, Answer(FIN | ACK), sysctls={"conntrack": value},
                       rules=_rules(f, "forward", f"{'ip6' if f.number == 6 else 'ip'} saddr {f.RS1} ct state new,invalid drop;"))


SCENARIOS = [one for f in FAMILIES for one in _both(f)]
