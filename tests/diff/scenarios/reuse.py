# SPDX-License-Identifier: GPL-2.0-only
"""A new-connection packet on a connection there is (section 2.6), timers (2.8) and the limit of connections (2.9)."""

from harness.addresses import CLIENT, FAMILIES, RS1, RS2, VIP
from harness.model import (DIRECT, AddServer, Answer, DeleteServer, EditServer, FromClient, FromServer, Look, Server, Sysctl, Timeouts,
                           UntilGone, scenario, sctp_service, tcp_service, udp_service)
from harness.wire import ACK, FIN, RST, SYN, chunk, sctp, tcp, udp

# How a masqueraded connection comes into a state: (from the server?, flags).
_WAYS = {
    "SYN_RECV": [], "ESTABLISHED": [(True, SYN | ACK), (False, ACK)], "FIN_WAIT": [(True, SYN | ACK), (False, ACK), (True, FIN | ACK)],
    "TIME_WAIT": [(True, SYN | ACK), (False, ACK), (True, FIN | ACK), (False, FIN | ACK)], "CLOSE": [(False, ACK), (False, RST)],
    "CLOSE_WAIT": [(False, ACK), (False, FIN | ACK)],
}


def _segment(f, from_server, flags):
    return FromServer(tcp(f.RS1, 8080, f.CLIENT, 40000, flags)) if from_server else FromClient(tcp(f.CLIENT, 40000, f.VIP, 80, flags))


def _syn_on(f, state, mode, direct=False):
    """A SYN on a connection in a state, where the scheduler would choose another server now."""
    service = tcp_service(f.VIP, 80, Server(f.RS1, 80, DIRECT) if direct else Server(f.RS1, 8080), scheduler="fo")
    other = Server(f.RS2, 80, DIRECT, 9) if direct else Server(f.RS2, 8080, weight=9)
    way = [(False, ACK), (False, FIN | ACK)] if direct and state == "FIN_WAIT" else _WAYS[state]
    return scenario(f"a SYN on {'a direct-routed' if direct else 'a'} connection in {state} with conn_reuse_mode {mode} over {f.word}",
                    f"§2.6 conn_reuse_mode {mode} {state}; §2.8 fresh entry", service, _segment(f, False, SYN),
                    *(_segment(f, *move) for move in way), Look(), AddServer(service, other),
                    _segment(f, False, SYN), _segment(f, False, ACK), sysctls={"conn_reuse_mode": mode},
                    expects={"step * Look connections": state + ","})


def _both(f):
    web = tcp_service(f.VIP, 80, Server(f.RS1, 8080))
    assoc = sctp_service(f.VIP, 9, Server(f.RS1, 9))
    syn = tcp(f.CLIENT, 40000, f.VIP, 80, SYN)
    return [
        scenario(f"expire_nodest_conn sends a SYN on a quiesced server's connection to another over {f.word}", "§2.6 expire_nodest_conn", web,
                 FromClient(syn), Answer(SYN | ACK), FromClient(tcp(f.CLIENT, 40000, f.VIP, 80, ACK)),
                 EditServer(web, Server(f.RS1, 8080, weight=0)), AddServer(web, Server(f.RS2, 8080)), FromClient(syn),
                 sysctls={"expire_nodest_conn": 1}),
        scenario(f"without expire_nodest_conn a SYN on a quiesced server's connection stays there over {f.word}", "§2.6 otherwise", web,
                 FromClient(syn), Answer(SYN | ACK), FromClient(tcp(f.CLIENT, 40000, f.VIP, 80, ACK)),
                 EditServer(web, Server(f.RS1, 8080, weight=0)), AddServer(web, Server(f.RS2, 8080)), FromClient(syn)),
        scenario(f"an INIT on a closed association makes another over {f.word}", "§2.6 SCTP CLOSED", assoc,
                 FromClient(sctp(f.CLIENT, 1, f.VIP, 9, chunk(1, bytes(16))), sctp(f.CLIENT, 1, f.VIP, 9, chunk(6))),
                 AddServer(assoc, Server(f.RS2, 9)), FromClient(sctp(f.CLIENT, 1, f.VIP, 9, chunk(1, bytes(16))))),
        scenario(f"an INIT on an open association stays there over {f.word}", "§2.6 otherwise", assoc,
                 FromClient(sctp(f.CLIENT, 1, f.VIP, 9, chunk(1, bytes(16)))), Answer(chunks=(chunk(2, bytes(16)),)),
                 AddServer(assoc, Server(f.RS2, 9)), FromClient(sctp(f.CLIENT, 1, f.VIP, 9, chunk(1, bytes(16))))),
        scenario(f"a new connection of reused ports counts as another over {f.word}", "§2.6 reschedule; §3.5 total", web,
                 FromClient(syn, tcp(f.CLIENT, 40000, f.VIP, 80, ACK), tcp(f.CLIENT, 40000, f.VIP, 80, RST), syn), Answer(SYN | ACK),
                 FromClient(tcp(f.CLIENT, 40000, f.VIP, 80, ACK))),
        scenario(f"a reused port makes place for itself at a server that takes no more over {f.word}", "§2.6 reschedule; §4.2 total falls",
                 web.but(servers=(Server(f.RS1, 8080, upper=1),)),
                 FromClient(syn, tcp(f.CLIENT, 40000, f.VIP, 80, ACK), tcp(f.CLIENT, 40000, f.VIP, 80, RST), syn)),
        scenario(f"a reused port of a removed server is not sent there over {f.word}", "§2.6 reschedule; §1.5 3", web,
                 FromClient(syn, tcp(f.CLIENT, 40000, f.VIP, 80, ACK), tcp(f.CLIENT, 40000, f.VIP, 80, RST)),
                 AddServer(web, Server(f.RS2, 8080)), DeleteServer(web, Server(f.RS1, 8080)), FromClient(syn)),
        scenario(f"conn_max refuses what is beyond it over {f.word}", "§2.9 conn_max", web,
                 FromClient(*(tcp(f.CLIENT, 40000 + number, f.VIP, 80, SYN) for number in range(4))), sysctls={"conn_max": 2}),
        scenario(f"conn_max counts templates over {f.word}", "§2.9 conn_max", web.but(persistent=300),
                 FromClient(*(tcp(f.CLIENT, 40000 + number, f.VIP, 80, SYN) for number in range(4))), sysctls={"conn_max": 3}),
        scenario(f"conn_max 0 refuses all over {f.word}", "§2.9 conn_max", udp_service(f.VIP, 53, Server(f.RS1)),
                 FromClient(udp(f.CLIENT, 1, f.VIP, 53, b"a")), sysctls={"conn_max": 0}),
        scenario(f"timeouts that are set hold from a connection's next packet on over {f.word}", "§2.8 --set",
                 [web, udp_service(f.VIP, 53, Server(f.RS1))],
                 FromClient(syn, tcp(f.CLIENT, 40000, f.VIP, 80, ACK), udp(f.CLIENT, 1, f.VIP, 53, b"a")), Timeouts(600, 60, 30), Look(),
                 FromClient(tcp(f.CLIENT, 40000, f.VIP, 80, ACK), udp(f.CLIENT, 1, f.VIP, 53, b"a")), Look(),
                 FromServer(tcp(f.RS1, 8080, f.CLIENT, 40000, FIN | ACK)), Timeouts(0, 0, 90), FromClient(udp(f.CLIENT, 1, f.VIP, 53, b"a"))),
        scenario(f"a UDP connection ends with its timeout over {f.word}", "§2.8 timers; §3.2 UDP", udp_service(f.VIP, 53, Server(f.RS1)),
                 Timeouts(0, 0, 2), FromClient(udp(f.CLIENT, 1, f.VIP, 53, b"a")), Look(), UntilGone(), needs=("timers",),
                 expects={"step 4 UntilGone": "fewer than 1"}),
    ]


SCENARIOS = [
    *(_syn_on(f, state, mode) for f in FAMILIES for mode in (0, 1, 2, 3) for state in _WAYS),
    *(_syn_on(f, state, mode, direct=True) for f in FAMILIES for mode in (0, 1, 2, 3) for state in ("SYN_RECV", "FIN_WAIT")),
    *(one for f in FAMILIES for one in _both(f)),
    scenario("conn_max set later counts at once", "§2.9 conn_max", tcp_service(VIP, 80, Server(RS1), Server(RS2)),
             FromClient(tcp(CLIENT, 1, VIP, 80, SYN), tcp(CLIENT, 2, VIP, 80, SYN)), Sysctl("conn_max", 2),
             FromClient(tcp(CLIENT, 3, VIP, 80, SYN)), Sysctl("conn_max", 3), FromClient(tcp(CLIENT, 3, VIP, 80, SYN))),
    *(scenario(f"timeouts of {word} are refused", "§8.4 SET_CONFIG", (), Timeouts(100, 10, 10), Timeouts(*values))
      for word, values in (("more than the clock can count", (8589935, 0, 0)), ("minus one", (0, -1, 0)), ("2^31", (0, 0, 1 << 31)))),
]
