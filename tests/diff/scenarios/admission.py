# SPDX-License-Identifier: GPL-2.0-only
"""Who may make a connection (section 3.6), and what a short header brings; ESP and AH, which never make one (section 3.4)."""

from harness.addresses import CLIENT, FAMILIES, RS1, VIP
from harness.model import (DIRECT, NAT, TUNNEL, Answer, FromClient, FromDirector, FromServer, Server, scenario, sctp_service,
                           tcp_service, udp_service)
from harness.wire import (ACK, AH, ESP, RST, SCTP, SYN, TCP, UDP, chunk, echo, fragments, icmp_error, ip, sctp, tcp, udp)


def _both(f):
    web = tcp_service(f.VIP, 80, Server(f.RS1, 8080))
    dns = udp_service(f.VIP, 53, Server(f.RS1, 5353))
    assoc = sctp_service(f.VIP, 36412, Server(f.RS1, 36412))
    isakmp = [udp_service(f.VIP, 500, Server(f.RS1, 500))]
    spi = b"\0\0\1\1\0\0\0\1" + bytes(16)
    header = bytes([59, 4, 0, 0]) + spi
    ike = udp(f.CLIENT, 500, f.VIP, 500, b"isakmp")

    def short(protocol, segment, length):
        return ip(f.CLIENT, f.VIP, protocol, segment.payload[:length])

    return [
        scenario(f"a TCP header cut short makes no connection over {f.word}", "§3.6 TCP full header; §3.6 Header too short", web,
                 FromClient(*(short(TCP, tcp(f.CLIENT, 40000, f.VIP, 80, SYN), length) for length in (4, 7, 8, 13, 14, 19)))),
        scenario(f"a UDP header cut short makes no connection over {f.word}", "§3.6 UDP; §3.6 Header too short", dns,
                 FromClient(*(short(UDP, udp(f.CLIENT, 4000, f.VIP, 53, b"abc"), length) for length in (1, 3, 4, 7)))),
        scenario(f"an SCTP header cut short makes no association over {f.word}", "§3.6 SCTP; §3.6 Header too short", assoc,
                 FromClient(*(short(SCTP, sctp(f.CLIENT, 4000, f.VIP, 36412, chunk(1)), length) for length in (4, 11, 12, 15)))),
        scenario(f"a TCP header cut short of a connection there is goes on over {f.word}", "§3.1 truncated header", web,
                 FromClient(tcp(f.CLIENT, 40000, f.VIP, 80, SYN), short(TCP, tcp(f.CLIENT, 40000, f.VIP, 80, RST), 12))),
        scenario(f"a SYN with RST makes no connection over {f.word}", "§3.6 TCP RST clear", web,
                 FromClient(tcp(f.CLIENT, 40000, f.VIP, 80, SYN | RST))),
        scenario(f"an empty UDP datagram makes a connection over {f.word}", "§3.6 UDP", dns,
                 FromClient(udp(f.CLIENT, 4000, f.VIP, 53)), Answer()),
        scenario(f"sloppy_tcp lets data make a connection, but no RST, over {f.word}", "§3.6 TCP sloppy_tcp", web,
                 FromClient(tcp(f.CLIENT, 40000, f.VIP, 80, RST | ACK), tcp(f.CLIENT, 40001, f.VIP, 80, ACK, b"data")),
                 sysctls={"sloppy_tcp": 1}, expects={"end connections": "ESTABLISHED"}),
        scenario(f"an association is made by INIT only over {f.word}", "§3.6 SCTP", assoc,
                 FromClient(sctp(f.CLIENT, 1, f.VIP, 36412, chunk(0, bytes(12))), sctp(f.CLIENT, 2, f.VIP, 36412, chunk(6)),
                            sctp(f.CLIENT, 3, f.VIP, 36412, chunk(1, bytes(16)))),
                 expects={"end connections": "INIT1"}),
        scenario(f"an SCTP association is masqueraded to another port, with its checksum, over {f.word}",
                 "§6.2 SCTP; §3.3 NO I init", sctp_service(f.VIP, 36412, Server(f.RS1, 9999)),
                 FromClient(sctp(f.CLIENT, 4000, f.VIP, 36412, chunk(1, bytes(16)))), Answer(chunks=(chunk(2, bytes(16)),)),
                 FromClient(sctp(f.CLIENT, 4000, f.VIP, 36412, chunk(10, bytes(16)))), Answer(chunks=(chunk(11),)),
                 FromClient(sctp(f.CLIENT, 4000, f.VIP, 36412, chunk(0, bytes(100)))), expects={"end connections": "ESTABLISHED"}),
        scenario(f"an SCTP association keeps its port and checksum over {f.word}", "§6.2 SCTP", assoc,
                 FromClient(sctp(f.CLIENT, 4000, f.VIP, 36412, chunk(1, bytes(16)))), Answer(chunks=(chunk(2, bytes(16)),))),
        scenario(f"an SCTP association by direct routing and through a tunnel over {f.word}", "§6.4 DROUTE; §6.5 IPIP",
                 sctp_service(f.VIP, 36412, Server(f.RS1, method=DIRECT), Server(f.RS2, method=TUNNEL)),
                 FromClient(*(sctp(f.CLIENT, port, f.VIP, 36412, chunk(1, bytes(16))) for port in (1, 2)))),
        scenario(f"nothing from source port 20 makes a connection over {f.word}", "§3.6 source port 20", [web, dns, assoc],
                 FromClient(tcp(f.CLIENT, 20, f.VIP, 80, SYN), udp(f.CLIENT, 20, f.VIP, 53, b"request"),
                            sctp(f.CLIENT, 20, f.VIP, 36412, chunk(1, bytes(16)))), expects={"end connections": "nothing"}),
        scenario(f"source port 0 makes a connection over {f.word}", "§2.2 source port 0", [web, dns],
                 FromClient(tcp(f.CLIENT, 0, f.VIP, 80, SYN), udp(f.CLIENT, 0, f.VIP, 53, b"request"),
                            tcp(f.CLIENT, 0, f.VIP, 80, ACK))),
        scenario(f"the director's own answer to a connection makes none over {f.word}", "§3.6 Packets from this host",
                 [web, tcp_service(f.CLIENT, 40000, Server(f.RS2, 8080))],
                 FromClient(tcp(f.CLIENT, 40000, f.VIP, 80, SYN)), FromDirector(tcp(f.RS1, 8080, f.CLIENT, 40000, SYN | ACK))),
        scenario(f"ESP without ISAKMP is left alone over {f.word}", "§3.4 AH / ESP", isakmp, FromClient(ip(f.CLIENT, f.VIP, ESP, spi))),
        scenario(f"ESP and AH follow a masqueraded ISAKMP connection over {f.word}", "§3.4 AH / ESP; §2.1 AH and ESP; §6.2 AH/ESP",
                 isakmp, FromClient(ike, ip(f.CLIENT, f.VIP, ESP, spi), ip(f.CLIENT, f.VIP, AH, header)),
                 FromServer(ip(f.RS1, f.CLIENT, ESP, spi), ip(f.RS1, f.CLIENT, AH, header)), needs=("esp",)),
        scenario(f"ESP in fragments follows its connection over {f.word}", "§1.4 AH/ESP", isakmp,
                 FromClient(ike, *fragments(ip(f.CLIENT, f.VIP, ESP, spi + bytes(600)), 256)),
                 FromServer(*fragments(ip(f.RS1, f.CLIENT, ESP, spi + bytes(600)), 256)), needs=("esp",)),
        scenario(f"ESP follows a direct-routed ISAKMP connection over {f.word}", "§3.4 AH / ESP",
                 udp_service(f.VIP, 500, Server(f.RS1, method=DIRECT)), FromClient(ike, ip(f.CLIENT, f.VIP, ESP, spi)), needs=("esp",)),
        scenario(f"ESP follows a tunneled ISAKMP connection over {f.word}", "§3.4 AH / ESP",
                 udp_service(f.VIP, 500, Server(f.RS1, method=TUNNEL)), FromClient(ike, ip(f.CLIENT, f.VIP, ESP, spi)), needs=("esp",)),
        scenario(f"ESP from another client is left alone over {f.word}", "§3.4 AH / ESP", isakmp,
                 FromClient(ike, ip(f.CLIENT2, f.VIP, ESP, spi))),
        scenario(f"schedule_icmp lets an error about an unknown flow make a connection over {f.word}",
                 "§3.6 ICMP error; §6.8 in, unknown flow",
                 web, FromClient(icmp_error(f.CLIENT, f.VIP, *((1, 4) if f.number == 6 else (3, 1)),
                                            tcp(f.VIP, 80, f.CLIENT, 40000, ACK))), sysctls={"schedule_icmp": 1}),
        scenario(f"schedule_icmp lets an error that quotes eight bytes make a connection over {f.word}", "§3.6 ICMP error",
                 dns, FromClient(icmp_error(f.CLIENT, f.VIP, *((1, 4) if f.number == 6 else (3, 3)),
                                            udp(f.VIP, 53, f.CLIENT, 4000, b"answer"), quote=48 if f.number == 6 else 28)),
                 sysctls={"schedule_icmp": 1}),
        scenario(f"without schedule_icmp an error about an unknown flow is left alone over {f.word}", "§6.8 in, unknown flow",
                 web, FromClient(icmp_error(f.CLIENT, f.VIP, *((1, 4) if f.number == 6 else (3, 1)),
                                            tcp(f.VIP, 80, f.CLIENT, 40000, ACK)), echo(f.CLIENT, f.VIP)),
                 expects={"end connections": "nothing"}),
    ]


SCENARIOS = [
    *(one for f in FAMILIES for one in _both(f)),
    scenario("TCP segments with URG, ECE and CWR only close", "§3.1 no event", tcp_service(VIP, 80, Server(RS1, 8080, NAT)),
             FromClient(tcp(CLIENT, 40000, VIP, 80, SYN)), Answer(SYN | ACK), FromClient(tcp(CLIENT, 40000, VIP, 80, ACK)),
             FromClient(tcp(CLIENT, 40000, VIP, 80, 0xE0)), expects={"end connections": "CLOSE,"}),
]
