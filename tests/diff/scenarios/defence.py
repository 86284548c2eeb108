# SPDX-License-Identifier: GPL-2.0-only
"""Defences against floods (section 7): what is dropped, in which mode, and that the sysctls take what they should."""

from harness.addresses import CLIENT, FAMILIES, RS1, VIP
from harness.model import (ONE_PACKET, Answer, FromClient, FromServer, ReadSysctl, Server, Sysctl, Timeouts, UntilFewer, scenario,
                           sctp_service, tcp_service, udp_service)
from harness.wire import ACK, FIN, SYN, chunk, sctp, tcp, udp


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
    ]


def _drop_entry():
    """Which connections drop_entry ends: a few of many in each second, by chance."""
    web = tcp_service(VIP, 80, Server(RS1, 8080))
    ports = range(1000, 1064)
    clients = [FAMILIES[0].far_client(number) for number in range(64)]

    def segments(flags):
        return FromClient(*(tcp(CLIENT, port, VIP, 80, flags) for port in ports))
    chance = {"ignore": ("end *",), "needs": ("timers",)}
    return [
        scenario("drop_entry ends half-open connections", "§7 drop_entry SYN_RECV", web, segments(SYN), Sysctl("drop_entry", 3),
                 UntilFewer(len(ports), 20.0), expects={"* UntilFewer": "^fewer"}, **chance),
        scenario("drop_entry spares whoever is open, was closed, or came a moment ago",
                 "§7 drop_entry ESTABLISHED; §7 drop_entry other TCP states; §7 drop_entry UDP; §7 drop_entry controls others; "
                 "§7 drop_entry TPL ASSURED; §7 drop_entry TPL of an OPS service",
                 [web, udp_service(VIP, 53, Server(RS1, 5353), persistent=300),
                  udp_service(VIP, 54, Server(RS1), persistent=300, flags=ONE_PACKET)],
                 segments(SYN), segments(ACK), FromClient(*(tcp(CLIENT, port, VIP, 80, FIN | ACK) for port in ports[::2])),
                 FromClient(*(udp(client, 1, VIP, port, b"a") for client in clients for port in (53, 54))),
                 FromServer(*(udp(RS1, 5353, client, 1, b"a") for client in clients[::2])),
                 Sysctl("drop_entry", 3), UntilFewer(len(ports) + 3 * len(clients), 4.0), expects={"* UntilFewer": "^not fewer"}, **chance),
        scenario("drop_entry ends templates that are not assured", "§7 drop_entry TPL not ASSURED",
                 udp_service(VIP, 53, Server(RS1), persistent=300), Timeouts(0, 0, 1),
                 FromClient(*(udp(client, 1, VIP, 53, b"a") for client in clients)), UntilFewer(len(clients) + 1, 10.0),
                 Sysctl("drop_entry", 3), UntilFewer(len(clients), 20.0), expects={"* UntilFewer": "^fewer"}, **chance),
        scenario("drop_entry ends associations that have only been asked for", "§7 drop_entry INIT1, INIT", sctp_service(VIP, 9, Server(RS1, 9)),
                 *(FromClient(*(sctp(CLIENT, port, VIP, 9, chunk(1, bytes(16))) for port in ports)) for _ in range(2)),
                 Sysctl("drop_entry", 3), UntilFewer(len(ports), 20.0), expects={"* UntilFewer": "^fewer"}, **chance),
    ]


_SETTINGS = ("amemthresh am_droprate drop_entry drop_packet secure_tcp conntrack snat_reroute sync_version sync_ports sync_persist_mode "
             "sync_sock_size sync_threshold sync_refresh_period sync_retries cache_bypass expire_nodest_conn expire_quiescent_template "
             "sloppy_tcp sloppy_sctp nat_icmp_send pmtu_disc backup_only conn_reuse_mode schedule_icmp ignore_tunneled run_estimation "
             "est_cpulist est_nice svc_lfactor lblc_expiration lblcr_expiration conn_max").split()
_MODES = ("drop_entry", "drop_packet", "secure_tcp")

SCENARIOS = [
    *(one for f in FAMILIES for one in _both(f)), *_drop_entry(),
    *(scenario(f"{name} takes 0 to 3 and nothing else", "§7 Writes outside 0..3", (), *(Sysctl(name, value) for value in (0, 1, 2, 3, 4, -1)), shared="modes")
      for name in _MODES),
    *(scenario(f"{name} takes {values[0]}", f"§9.2 {name}", (), *(Sysctl(name, value) for value in values), shared="settings") for name, values in (
        ("am_droprate", (-1, 0, 1 << 30)), ("amemthresh", (-1, 0, 1 << 30)), ("conn_reuse_mode", (-1, 0, 7)), ("conn_max", (-1, 0, 1 << 30)),
        ("expire_nodest_conn", (2, 0)), ("sloppy_tcp", (2, 0)), ("schedule_icmp", (2, 0)), ("pmtu_disc", (2, 0)), ("snat_reroute", (2, 0)),
        ("nat_icmp_send", (2, 0)), ("cache_bypass", (2, 0)), ("ignore_tunneled", (2, 0)), ("backup_only", (2, 0)),
        ("expire_quiescent_template", (2, 0)), ("sloppy_sctp", (2, 0)), ("conntrack", (2, 0)))),
    scenario("secure_tcp turned on is on for the next segment", "§7 secure_tcp; §3.1 secure_tcp switches", tcp_service(VIP, 80, Server(RS1, 8080)),
             Sysctl("secure_tcp", 3), FromClient(tcp(CLIENT, 1, VIP, 80, SYN)), Answer(SYN | ACK), expects={"end connections": "SYNACK"}),
    scenario("secure_tcp waits for low memory in mode 1", "§7 mode 1", tcp_service(VIP, 80, Server(RS1, 8080)), Sysctl("secure_tcp", 1),
             FromClient(tcp(CLIENT, 1, VIP, 80, SYN)), Answer(SYN | ACK), expects={"end connections": "SYN_RECV"}),
    scenario("secure_tcp is on in mode 1 when memory is low", "§7 mode 1; §7 mode 2", udp_service(VIP, 53),
             Sysctl("amemthresh", 0x7FFFFFFF), Sysctl("secure_tcp", 1), ReadSysctl("secure_tcp"), Sysctl("amemthresh", 0),
             Sysctl("secure_tcp", 1), ReadSysctl("secure_tcp")),
    *(scenario(f"{name} in mode 1 shows mode 2 when memory is low", "§7 mode 1; §7 mode 2", (), Sysctl("amemthresh", 0x7FFFFFFF),
               Sysctl(name, 1), ReadSysctl(name), Sysctl(name, 3), ReadSysctl(name), Sysctl(name, 0), ReadSysctl(name)) for name in _MODES),
    *(scenario(f"{name} in mode 2 shows mode 1 when memory suffices", "§7 mode 2", (), Sysctl(name, 2), ReadSysctl(name)) for name in _MODES),
    scenario("the settings' defaults", "§9.2 Default", (), *(ReadSysctl(name) for name in _SETTINGS)),
]
