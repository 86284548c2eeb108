# SPDX-License-Identifier: GPL-2.0-only
"""Where packets meet the module, which it leaves alone, and what it decides (sections 1.1 to 1.3 and 1.5)."""

import socket

from harness.addresses import CLIENT, DIRECTOR_OUTSIDE, FAMILIES, RS1, V4, V6, VIP
from harness.model import (DIRECT, NAT, TUNNEL, AddServer, AddService, Answer, DeleteServer, DeleteService, Flush, FromClient,
                           FromDirector, FromServer, Look, Server, Settle, scenario, tcp_service, udp_service)
from harness.wire import ACK, DESTINATION_OPTIONS, FIN, ROUTING, RST, SYN, echo, extended, ip, tcp, udp

_IP_NODEFRAG = 22


def _both(f):
    syn = tcp(f.CLIENT, 40000, f.VIP, 80, SYN)
    nat = tcp_service(f.VIP, 80, Server(f.RS1, 8080))
    request = udp(f.CLIENT, 4000, f.VIP, 53, b"request")
    return [
        scenario(f"a masqueraded {f.word} TCP connection is made by a SYN and goes on both ways until its end",
                 "§1.1 LOCAL_IN 99; §1.1 FORWARD 100; §1.5 4; §1.5 5; §6.2 in; §6.2 out; §6.2 TCP/UDP otherwise",
                 nat, FromClient(syn), Answer(SYN | ACK), FromClient(tcp(f.CLIENT, 40000, f.VIP, 80, ACK, seq=1001, ack=5001)),
                 FromClient(tcp(f.CLIENT, 40000, f.VIP, 80, ACK, b"GET / HTTP/1.0\r\n\r\n", seq=1001, ack=5001)),
                 Answer(ACK, b"HTTP/1.0 200 OK\r\n"), Answer(FIN | ACK), FromClient(tcp(f.CLIENT, 40000, f.VIP, 80, FIN | ACK)),
                 expects={"end connections": "TIME_WAIT"}),
        scenario(f"a masqueraded {f.word} UDP flow goes both ways", "§1.1 LOCAL_IN 99; §1.1 FORWARD 100; §3.2 UDP; §6.2 in; §6.2 out",
                 udp_service(f.VIP, 53, Server(f.RS1, 5353)), FromClient(request), Answer(data=b"answer"), FromClient(request),
                 expects={"end servers*": "active 0 inactive 1"}),
        scenario(f"an {f.word} SYN by direct routing reaches the server as it was", "§6.4 DROUTE; §2.3 NOOUTPUT",
                 tcp_service(f.VIP, 80, Server(f.RS1, method=DIRECT)), FromClient(syn)),
        scenario(f"an {f.word} SYN through a tunnel reaches the server inside a packet of the director", "§6.5 IPIP",
                 tcp_service(f.VIP, 80, Server(f.RS1, method=TUNNEL)), FromClient(syn)),
        scenario(f"UDP over {f.word} by direct routing and through a tunnel", "§6.4 DROUTE; §6.5 IPIP; §3.2 UDP",
                 udp_service(f.VIP, 53, Server(f.RS1, method=DIRECT), Server(f.RS2, method=TUNNEL)),
                 FromClient(request, udp(f.CLIENT2, 4000, f.VIP, 53, b"another"))),
        scenario(f"a connection of a client on the director itself is masqueraded over {f.word}",
                 "§1.1 LOCAL_OUT -98; §1.1 LOCAL_IN 98", nat,
                 FromDirector(tcp(f.DIRECTOR_OUTSIDE, 40000, f.VIP, 80, SYN)), Answer(SYN | ACK),
                 FromDirector(tcp(f.DIRECTOR_OUTSIDE, 40000, f.VIP, 80, ACK)), expects={"end connections": "ESTABLISHED"}),
        scenario(f"UDP of a client on the director itself is masqueraded over {f.word}", "§1.1 LOCAL_OUT -98; §1.1 LOCAL_IN 98",
                 udp_service(f.VIP, 53, Server(f.RS1, 5353)),
                 FromDirector(udp(f.DIRECTOR_OUTSIDE, 4000, f.VIP, 53, b"request")), Answer(data=b"answer")),
        scenario(f"a client on the director is tunneled and directly routed over {f.word}", "§1.1 LOCAL_OUT -98; §6.1 TUNNEL, DROUTE",
                 tcp_service(f.VIP, 80, Server(f.RS1, method=DIRECT), Server(f.RS2, method=TUNNEL)),
                 FromDirector(tcp(f.DIRECTOR_OUTSIDE, 40000, f.VIP, 80, SYN), tcp(f.DIRECTOR_OUTSIDE, 40001, f.VIP, 80, SYN))),
        scenario(f"what a local server answers over {f.word} comes from the virtual address", "§1.1 LOCAL_OUT -99; §6.1 MASQ N",
                 tcp_service(f.VIP, 80, Server(f.LOCAL, 8080)), FromClient(syn),
                 FromDirector(tcp(f.LOCAL, 8080, f.CLIENT, 40000, ACK))),
        scenario(f"packets of other protocols are left alone over {f.word}", "§1.3 L4 protocol", nat,
                 FromClient(ip(f.CLIENT, f.VIP, 253, b"some protocol"), echo(f.CLIENT, f.VIP))),
        scenario(f"frames for everybody are left alone over {f.word}", "§1.3 pkt_type", udp_service(f.VIP, 53, Server(f.RS1)),
                 FromClient(request, broadcast=True), FromClient(request)),
        scenario(f"after the last service of {f.word} its connections are left alone until a service comes again",
                 "§1.2 after the last VS; §5.5 DEL_SERVICE; §5.5 NEW_DEST", nat,
                 FromClient(syn), Answer(SYN | ACK), Settle(), DeleteService(nat), FromClient(tcp(f.CLIENT, 40000, f.VIP, 80, ACK)), Answer(ACK),
                 AddService(nat), FromClient(tcp(f.CLIENT, 40000, f.VIP, 80, ACK)), Answer(ACK),
                 expects={"end connections": "ESTABLISHED"}),
        scenario(f"a flush leaves {f.word} connections", "§1.2 after the last VS; §5.5 DEL_SERVICE", nat,
                 FromClient(syn), Settle(), Flush(), Look(), AddService(nat), FromClient(tcp(f.CLIENT, 40000, f.VIP, 80, ACK)),
                 expects={"step 4 Look connections": "SYN_RECV"}),
        scenario(f"a TCP segment of no connection is left to the local stack over {f.word}", "§1.5 non-SYN TCP; §3.6 TCP", nat,
                 FromClient(tcp(f.CLIENT, 40000, f.VIP, 80, ACK), tcp(f.CLIENT, 40000, f.VIP, 80, FIN | ACK),
                            tcp(f.CLIENT, 40000, f.VIP, 80, RST)),
                 expects={"end connections": "nothing"}),
        scenario(f"packets for no service are left to the local stack over {f.word}", "§1.5 4 no VS", nat,
                 FromClient(tcp(f.CLIENT, 40000, f.VIP, 81, SYN), udp(f.CLIENT, 40000, f.VIP, 80, b"udp"),
                            tcp(f.CLIENT, 40000, f.VIP2, 80, SYN))),
        scenario(f"packets of a connection whose server was removed are dropped over {f.word}", "§1.5 3; §5.5 packets dropped", nat,
                 FromClient(syn), Answer(SYN | ACK), DeleteServer(nat, Server(f.RS1, 8080)),
                 FromClient(tcp(f.CLIENT, 40000, f.VIP, 80, ACK), syn), Answer(ACK)),
        scenario(f"expire_nodest_conn ends connections of a removed {f.word} server and a SYN makes another",
                 "§1.5 3 expire_nodest_conn", nat, FromClient(syn), Answer(SYN | ACK),
                 AddServer(nat, Server(f.RS2, 8080)), DeleteServer(nat, Server(f.RS1, 8080)), FromClient(syn),
                 sysctls={"expire_nodest_conn": 1}),
        scenario(f"expire_nodest_conn leaves a TCP segment of a removed {f.word} server to the local stack",
                 "§1.5 3 expire_nodest_conn", nat, FromClient(syn), Answer(SYN | ACK), FromClient(tcp(f.CLIENT, 40000, f.VIP, 80, ACK)),
                 AddServer(nat, Server(f.RS2, 8080)), DeleteServer(nat, Server(f.RS1, 8080)),
                 FromClient(tcp(f.CLIENT, 40000, f.VIP, 80, ACK)), sysctls={"expire_nodest_conn": 1}),
        scenario(f"expire_nodest_conn lets a {f.word} UDP flow of a removed server go on to another", "§1.5 3 expire_nodest_conn",
                 udp_service(f.VIP, 53, Server(f.RS1)), FromClient(request),
                 AddServer(udp_service(f.VIP, 53), Server(f.RS2)), DeleteServer(udp_service(f.VIP, 53), Server(f.RS1)),
                 FromClient(request), sysctls={"expire_nodest_conn": 1}),
        scenario(f"an answer of no connection passes unchanged over {f.word}", "§6.2 out packets without entry", nat,
                 FromServer(tcp(f.RS1, 8080, f.CLIENT, 40000, SYN | ACK), udp(f.RS1, 8080, f.CLIENT, 1, b"a"))),
        scenario(f"the server's packets from another port are not those of the connection over {f.word}", "§2.1 out-lookup MASQ", nat,
                 FromClient(syn), FromServer(tcp(f.RS1, 8081, f.CLIENT, 40000, ACK), tcp(f.RS1, 8080, f.CLIENT, 40001, ACK),
                                             tcp(f.RS2, 8080, f.CLIENT, 40000, ACK))),
        scenario(f"answers from the virtual address belong to a direct-routed connection over {f.word}", "§2.1 out-lookup others",
                 tcp_service(f.VIP, 80, Server(f.RS1, method=DIRECT)), FromClient(syn),
                 FromServer(tcp(f.VIP, 80, f.CLIENT, 40000, SYN | ACK), tcp(f.RS1, 80, f.CLIENT, 40000, SYN | ACK))),
        scenario(f"TCP and UDP of the same ports are different connections over {f.word}", "§2.1 in-lookup key",
                 [nat, udp_service(f.VIP, 80, Server(f.RS2, 8080))],
                 FromClient(syn, udp(f.CLIENT, 40000, f.VIP, 80, b"udp"), tcp(f.CLIENT, 40000, f.VIP, 80, ACK))),
        scenario(f"clients, their ports and virtual addresses tell {f.word} connections apart", "§2.1 in-lookup key",
                 [tcp_service(vip, port, Server(f.RS1, 8080), Server(f.RS2, 8080)) for vip, port in
                  ((f.VIP, 80), (f.VIP, 81), (f.VIP2, 80))],
                 FromClient(*(tcp(client, cport, vip, port, SYN) for client in (f.CLIENT, f.CLIENT2) for cport in (1, 2)
                              for vip, port in ((f.VIP, 80), (f.VIP, 81), (f.VIP2, 80))))),
    ]


SCENARIOS = [
    *(one for f in FAMILIES for one in _both(f)),
    scenario("what a socket of the director with IP_NODEFRAG sends is left alone", "§1.3 LOCAL_OUT NODEFRAG",
             udp_service(VIP, 53, Server(RS1, 5353)),
             FromDirector(udp(DIRECTOR_OUTSIDE, 4000, VIP, 53, b"request"), socket_options=((socket.IPPROTO_IP, _IP_NODEFRAG, 1),))),
    scenario("the NAT checksum of UDP without one", "§6.2 UDP with checksum 0", udp_service(VIP, 53, Server(RS1, 5353)),
             FromClient(udp(CLIENT, 4000, VIP, 53, b"request", summed=False)),
             FromServer(udp(RS1, 5353, CLIENT, 4000, b"answer", summed=False))),
    scenario("IPv4 services do not touch IPv6 packets and connections of IPv6 services no IPv4 packets", "§1.2 per family",
             [tcp_service(V4.VIP, 80, Server(V4.RS1))],
             FromClient(tcp(V6.CLIENT, 40000, V6.VIP, 80, SYN), tcp(V4.CLIENT, 40000, V4.VIP, 80, SYN))),
    scenario("destination options before the TCP header are skipped", "§1.3 IPv6 extension chain",
             tcp_service(V6.VIP, 80, Server(V6.RS1, 8080, NAT)),
             FromClient(extended(tcp(V6.CLIENT, 40000, V6.VIP, 80, SYN), (DESTINATION_OPTIONS, bytes([0, 1, 4, 0, 0, 0, 0]))))),
    scenario("two extension headers before the TCP header are skipped by direct routing", "§1.3 IPv6 extension chain",
             tcp_service(V6.VIP, 80, Server(V6.RS1, method=DIRECT)),
             FromClient(extended(tcp(V6.CLIENT, 40000, V6.VIP, 80, SYN), (DESTINATION_OPTIONS, bytes([0, 1, 4, 0, 0, 0, 0])),
                                 (DESTINATION_OPTIONS, bytes([0, 1, 4, 0, 0, 0, 0]))))),
    scenario("an IPv6 packet whose extension headers end early is left alone", "§1.3 IPv6 extension chain unparsable",
             tcp_service(V6.VIP, 80, Server(V6.RS1, 8080)),
             FromClient(ip(V6.CLIENT, V6.VIP, DESTINATION_OPTIONS, bytes([6, 200, 1, 4, 0, 0, 0, 0])),
                        ip(V6.CLIENT, V6.VIP, ROUTING, bytes([6, 0])))),
]
