# SPDX-License-Identifier: GPL-2.0-only
"""Defences against floods (section 7): what is dropped, in which mode, and that the sysctls take what they should."""

from harness.addresses import CLIENT, FAMILIES, RS1, VIP
from harness.model import Answer, FromClient, Server, Sysctl, UntilGone, scenario, tcp_service, udp_service
from harness.wire import ACK, RST, SYN, tcp, udp


def _both(f):
    web = tcp_service(f.VIP, 80, Server(f.RS1, 8080))
    dns = udp_service(f.VIP, 53, Server(f.RS1, 5353))

    def syns(count, start=0):
        return FromClient(*(tcp(f.CLIENT, 40000 + number, f.VIP, 80, SYN) for number in range(start, start + count)))
    return [
        scenario(f"drop_packet drops one of so many new connections over {f.word}", "§7 drop_packet", web, syns(9),
                 sysctls={"am_droprate": 3, "drop_packet": 3}),
        scenario(f"drop_packet at rate 1 drops all new connections but none there are over {f.word}", "§7 drop_packet rate 1", web,
                 syns(1), Sysctl("am_droprate", 1), Sysctl("drop_packet", 3), syns(2, 1),
                 FromClient(tcp(f.CLIENT, 40000, f.VIP, 80, ACK), tcp(f.CLIENT, 40000, f.VIP, 80, SYN)), Answer(SYN | ACK),
                 Sysctl("drop_packet", 0), syns(2, 3)),
        scenario(f"drop_packet counts for UDP over {f.word}", "§7 drop_packet", dns,
                 FromClient(*(udp(f.CLIENT, port, f.VIP, 53, b"a") for port in range(1, 9))), sysctls={"am_droprate": 2, "drop_packet": 3}),
        scenario(f"drop_packet does not touch packets of no service over {f.word}", "§7 drop_packet", web,
                 FromClient(tcp(f.CLIENT, 1, f.VIP, 81, SYN), tcp(f.CLIENT, 1, f.VIP2, 80, SYN)),
                 sysctls={"am_droprate": 1, "drop_packet": 3}),
        scenario(f"drop_packet is off while memory suffices over {f.word}", "§7 mode 1", web, syns(4),
                 sysctls={"am_droprate": 1, "drop_packet": 1}),
        scenario(f"drop_packet in mode 1 goes to 2 when memory is low over {f.word}", "§7 mode 1; §7 mode 2", web, syns(4),
                 sysctls={"amemthresh": 0x7FFFFFFF, "drop_packet": 1}),
        scenario(f"drop_entry ends half-open connections over {f.word}", "§7 drop_entry SYN_RECV", web, syns(3), Sysctl("drop_entry", 3),
                 UntilGone(60.0), expects={"*UntilGone": "all are gone"}, needs=("timers",)),
        scenario(f"drop_entry spares connections that ended over {f.word}", "§7 drop_entry other TCP states", web, syns(1),
                 FromClient(tcp(f.CLIENT, 40000, f.VIP, 80, ACK), tcp(f.CLIENT, 40000, f.VIP, 80, RST)), Sysctl("drop_entry", 3),
                 UntilGone(2.0), expects={"*UntilGone": "some are left"}, needs=("timers",)),
        scenario(f"a template that is not assured ends by drop_entry over {f.word}", "§7 drop_entry TPL not ASSURED",
                 web.but(persistent=300), syns(2), Sysctl("drop_entry", 3), UntilGone(60.0), expects={"*UntilGone": "all are gone"},
                 needs=("timers",)),
    ]


_MODES = ("drop_entry", "drop_packet", "secure_tcp")

SCENARIOS = [
    *(one for f in FAMILIES for one in _both(f)),
    *(scenario(f"{name} takes 0 to 3 and nothing else", "§7 Writes outside 0..3", (), *(Sysctl(name, value) for value in (0, 1, 2, 3, 4, -1)))
      for name in _MODES),
    *(scenario(f"{name} takes {values[0]}", f"§9.2 {name}", (), *(Sysctl(name, value) for value in values)) for name, values in (
        ("am_droprate", (-1, 0, 1 << 30)), ("amemthresh", (-1, 0, 1 << 30)), ("conn_reuse_mode", (-1, 0, 7)), ("conn_max", (-1, 0, 1 << 30)),
        ("expire_nodest_conn", (2, 0)), ("sloppy_tcp", (2, 0)), ("schedule_icmp", (2, 0)), ("pmtu_disc", (2, 0)), ("snat_reroute", (2, 0)),
        ("nat_icmp_send", (2, 0)), ("cache_bypass", (2, 0)), ("ignore_tunneled", (2, 0)), ("backup_only", (2, 0)),
        ("expire_quiescent_template", (2, 0)), ("sloppy_sctp", (2, 0)), ("conntrack", (2, 0)))),
    scenario("secure_tcp turned on is on for the next segment", "§7 secure_tcp; §3.1 secure_tcp switches", tcp_service(VIP, 80, Server(RS1, 8080)),
             Sysctl("secure_tcp", 3), FromClient(tcp(CLIENT, 1, VIP, 80, SYN)), Answer(SYN | ACK), expects={"end connections": "SYNACK"}),
    scenario("secure_tcp waits for low memory in mode 1", "§7 mode 1", tcp_service(VIP, 80, Server(RS1, 8080)), Sysctl("secure_tcp", 1),
             FromClient(tcp(CLIENT, 1, VIP, 80, SYN)), Answer(SYN | ACK), expects={"end connections": "SYN_RECV"}),
    scenario("secure_tcp is on in mode 1 when memory is low", "§7 mode 1; §7 mode 2", udp_service(VIP, 53),
             Sysctl("amemthresh", 0x7FFFFFFF), Sysctl("secure_tcp", 1)),
]
