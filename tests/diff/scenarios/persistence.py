# SPDX-License-Identifier: GPL-2.0-only
"""Persistence templates (section 2.5), relations of control (2.7), and one-packet scheduling (2.4)."""

from harness.addresses import CLIENT, FAMILIES, RS1, RS2, VIP
from harness.model import (DIRECT, ONE_PACKET, TUNNEL, AddServer, AddService, Answer, DeleteServer, DeleteService, EditServer, EditService,
                           FromClient, FromServer, Look, Server, Sysctl, UntilGone, mark_service, sctp_service, scenario, tcp_service,
                           udp_service)
from harness.wire import ACK, FIN, RST, SYN, chunk, sctp, tcp, udp


def _syn(f, port, client=None, to=None, dport=80):
    return tcp(client or f.CLIENT, port, to or f.VIP, dport, SYN)


def _templates(f):
    servers = Server(f.RS1, 8080), Server(f.RS2, 8080)
    web = tcp_service(f.VIP, 80, *servers, persistent=300)
    anything = tcp_service(f.VIP, 0, Server(f.RS1, 0), Server(f.RS2, 0), persistent=300)
    mask = 64 if f.number == 6 else "255.255.255.0"
    return [
        scenario(f"a persistent service sends all connections of a client to one server over {f.word}",
                 "§2.5 packet dport == VS port; §2.5 TPL timeout; §3.5 persist", web,
                 FromClient(_syn(f, 1), _syn(f, 2), _syn(f, 3), _syn(f, 1, f.CLIENT2), _syn(f, 2, f.CLIENT2)), Answer(SYN | ACK)),
        scenario(f"a template becomes assured when a connection is established over {f.word}", "§2.5 TPL state", web,
                 FromClient(_syn(f, 1)), Look(), Answer(SYN | ACK), FromClient(tcp(f.CLIENT, 1, f.VIP, 80, ACK)),
                 expects={"step 2 Look connections": "NONE", "end connections": "ASSURED"}),
        scenario(f"a template of UDP becomes assured when the server answers over {f.word}", "§2.5 TPL state",
                 udp_service(f.VIP, 53, Server(f.RS1, 5353), persistent=300), FromClient(udp(f.CLIENT, 1, f.VIP, 53, b"request")), Look(),
                 Answer(data=b"answer"), expects={"step 2 Look connections": "NONE", "end connections": "ASSURED"}),
        scenario(f"a template of SCTP becomes assured when the association is established over {f.word}", "§2.5 TPL state",
                 sctp_service(f.VIP, 9, Server(f.RS1, 9), persistent=300), FromClient(sctp(f.CLIENT, 1, f.VIP, 9, chunk(1, bytes(16)))),
                 Look(), Answer(chunks=(chunk(2, bytes(16)),)), FromClient(sctp(f.CLIENT, 1, f.VIP, 9, chunk(10, bytes(16)))),
                 Answer(chunks=(chunk(11),))),
        scenario(f"a netmask lets neighbours share a template over {f.word}", "§2.5 client part", web.but(netmask=mask),
                 FromClient(_syn(f, 1), _syn(f, 1, f.CLIENT2), _syn(f, 1, f.CLIENT3), _syn(f, 1, f.far_client(1)),
                            _syn(f, 1, f.far_client(2)))),
        scenario(f"a service of all ports keeps a client at one server and its ports over {f.word}", "§2.5 port-0 VS; §6.2 RS port 0",
                 anything, FromClient(_syn(f, 1), _syn(f, 2, dport=443), _syn(f, 3, f.CLIENT2), _syn(f, 4, f.CLIENT2, dport=22)),
                 Answer(SYN | ACK)),
        scenario(f"a service of all ports gives way to one of a port over {f.word}", "§5.2 exact; §5.2 port-0",
                 [anything, tcp_service(f.VIP, 443, Server(f.RS3, 8443))],
                 FromClient(_syn(f, 1), _syn(f, 2, dport=443), _syn(f, 3, dport=444))),
        scenario(f"a port of a server does not matter for other ports of a service of all ports over {f.word}",
                 "§2.5 New connection under a TPL", anything.but(servers=(Server(f.RS1, 8080),)),
                 FromClient(_syn(f, 1), _syn(f, 2, dport=443))),
        scenario(f"a service of all ports by direct routing and through a tunnel over {f.word}", "§2.5 port-0 VS",
                 anything.but(servers=(Server(f.RS1, 0, DIRECT), Server(f.RS2, 0, TUNNEL))),
                 FromClient(_syn(f, 1), _syn(f, 2, dport=443), _syn(f, 3, f.CLIENT2), _syn(f, 4, f.CLIENT2, dport=22))),
        scenario(f"UDP of all ports over {f.word}", "§2.5 port-0 VS", udp_service(f.VIP, 0, Server(f.RS1, 0), persistent=300),
                 FromClient(udp(f.CLIENT, 1, f.VIP, 53, b"a"), udp(f.CLIENT, 1, f.VIP, 54, b"b")), Answer(data=b"answer")),
        scenario(f"a template holds for a server of weight 0 over {f.word}", "§2.5 TPL usable; §5.4 Weight 0", web, FromClient(_syn(f, 1)),
                 EditServer(web, servers[0].but(weight=0)), EditServer(web, servers[1].but(weight=0)),
                 FromClient(_syn(f, 2), _syn(f, 1, f.CLIENT2))),
        scenario(f"expire_quiescent_template gives the client another server over {f.word}", "§2.5 TPL usable expire_quiescent_template",
                 web, FromClient(_syn(f, 1)), EditServer(web, servers[1].but(weight=0)), FromClient(_syn(f, 2), _syn(f, 1)), Look(),
                 EditServer(web, servers[1]), FromClient(_syn(f, 3)), sysctls={"expire_quiescent_template": 1},
                 expects={"step 4 Look connections": " 65535 NONE"}),
        scenario(f"a template of a removed server is replaced over {f.word}", "§2.5 TPL usable AVAILABLE", web, FromClient(_syn(f, 1)),
                 DeleteServer(web, servers[1]), FromClient(_syn(f, 2)), expects={"end connections": " 65535 NONE"}),
        scenario(f"a template comes back to life with its server over {f.word}", "§2.5 TPL usable AVAILABLE; §5.5 NEW_DEST", web,
                 FromClient(_syn(f, 1)), DeleteServer(web, servers[1]), AddServer(web, servers[1]), FromClient(_syn(f, 2))),
        scenario(f"a template holds for a server at its threshold over {f.word}", "§2.5 TPL usable; §4.2 existing TPL",
                 web.but(servers=(Server(f.RS1, 8080, upper=1), Server(f.RS2, 8080, upper=1))),
                 FromClient(_syn(f, 1), _syn(f, 2), _syn(f, 3), _syn(f, 1, f.CLIENT2), _syn(f, 1, f.CLIENT3))),
        scenario(f"a new netmask strands old templates over {f.word}", "§5.4 SET_SERVICE netmask", web, FromClient(_syn(f, 1)),
                 EditService(web.but(netmask=mask)), FromClient(_syn(f, 2), _syn(f, 3, f.CLIENT2))),
        scenario(f"a service becomes persistent and stops being so over {f.word}", "§5.4 SET_SERVICE flags; §5.1 flags",
                 web.but(persistent=None), FromClient(_syn(f, 1), _syn(f, 2)), EditService(web), FromClient(_syn(f, 3), _syn(f, 4)),
                 EditService(web.but(persistent=None)), FromClient(_syn(f, 5), _syn(f, 6))),
        scenario(f"a new persistence timeout holds from the next connection on over {f.word}", "§5.4 SET_SERVICE timeout; §2.5 TPL timeout",
                 web, FromClient(_syn(f, 1)), EditService(web.but(persistent=600)), Look(), FromClient(_syn(f, 2))),
        scenario(f"a template without connections ends with its timeout over {f.word}", "§2.5 TPL timeout; §2.7 controller",
                 udp_service(f.VIP, 53, Server(f.RS1), flags=ONE_PACKET, persistent=2),
                 FromClient(udp(f.CLIENT, 1, f.VIP, 53, b"request")), Look(), UntilGone(), needs=("timers",)),
        scenario(f"a persistence timeout of 0 gives templates that end at once over {f.word}", "§5.3 not validated",
                 web.but(persistent=0), FromClient(_syn(f, 1)), FromClient(_syn(f, 2)), ignore=("*connections", "*servers of*"),
                 needs=("timers",)),
        scenario(f"TCP and UDP services have templates of their own over {f.word}", "§2.5 TPL protocol",
                 [web, udp_service(f.VIP, 80, *servers, persistent=300)],
                 FromClient(_syn(f, 1), udp(f.CLIENT, 1, f.VIP, 80, b"a"), _syn(f, 2), udp(f.CLIENT, 2, f.VIP, 80, b"a"))),
        scenario(f"templates of two ports differ over {f.word}", "§2.5 packet dport == VS port",
                 [web, tcp_service(f.VIP, 443, *servers, persistent=300)],
                 FromClient(_syn(f, 1), _syn(f, 2, dport=443), _syn(f, 3, f.CLIENT2), _syn(f, 4, f.CLIENT2, dport=443))),
        scenario(f"connections of a template are not made anew by a SYN over {f.word}", "§2.7 is_new_conn; §2.6 controlled", web,
                 FromClient(_syn(f, 1)), Answer(SYN | ACK), FromClient(tcp(f.CLIENT, 1, f.VIP, 80, RST), _syn(f, 1))),
        scenario(f"expire_nodest_conn ends connections and their template over {f.word}", "§2.7 Forced deletion; §5.5 background sweep",
                 web, FromClient(_syn(f, 1)), DeleteServer(web, servers[0]), DeleteServer(web, servers[1]), UntilGone(),
                 sysctls={"expire_nodest_conn": 1}, expects={"step 4 UntilGone": "fewer than 1"}),
        scenario(f"expire_nodest_conn spares an assured template over {f.word}", "§2.7 Forced deletion; §2.5 TPL state", web,
                 FromClient(_syn(f, 1)), Answer(SYN | ACK), FromClient(tcp(f.CLIENT, 1, f.VIP, 80, ACK)),
                 DeleteServer(web, servers[0]), DeleteServer(web, servers[1]), UntilGone(1.0), sysctls={"expire_nodest_conn": 1}),
    ]


def _ftp_ports(f):
    ftp = tcp_service(f.VIP, 21, Server(f.RS1, 21, DIRECT), Server(f.RS2, 21, DIRECT), persistent=300)
    return [
        scenario(f"an FTP service keeps control and data of a client together over {f.word}", "§2.5 port 21 (FTP); §5.2 port-21",
                 ftp, FromClient(_syn(f, 1, dport=21), _syn(f, 2, dport=20), _syn(f, 3, dport=2000), _syn(f, 4, dport=60000),
                                 _syn(f, 5, dport=1023), _syn(f, 6, dport=80))),
        scenario(f"the first unprivileged port is where an FTP service's data begin over {f.word}", "§5.2 port-21", ftp,
                 FromClient(_syn(f, 3, dport=2000), _syn(f, 4, dport=3000)), sysctls={"ipv4/ip_unprivileged_port_start": 2500}),
        scenario(f"UDP does not belong to an FTP service over {f.word}", "§5.2 port-21", ftp,
                 FromClient(udp(f.CLIENT, 1, f.VIP, 21, b"a"), udp(f.CLIENT, 1, f.VIP, 2000, b"a"))),
    ]


def _marks(f):
    marked = mark_service(5, Server(f.RS1, 0), Server(f.RS2, 0), family_of=f.VIP)
    persistent = marked.but(persistent=300)

    def syns(*ends, mark=5):
        return FromClient(*(tcp(client, port, to, dport, SYN) for client, port, to, dport in ends), mark=mark)
    return [
        scenario(f"a firewall mark decides on the service, whatever address and port, over {f.word}", "§5.1 fwmark VS; §5.2 mark; §6.2 RS port 0",
                 [marked, tcp_service(f.VIP, 80, Server(f.RS3, 80))],
                 syns((f.CLIENT, 1, f.VIP, 80), (f.CLIENT, 2, f.VIP2, 443)), FromClient(_syn(f, 3)),
                 syns((f.CLIENT, 4, f.VIP, 80), (f.CLIENT, 5, f.VIP2, 80), mark=6), lab="marks"),
        scenario(f"a mark counts for UDP and SCTP too over {f.word}", "§5.1 fwmark VS matches every protocol", marked,
                 FromClient(udp(f.CLIENT, 1, f.VIP, 53, b"a"), sctp(f.CLIENT, 1, f.VIP, 9, chunk(1, bytes(16))), mark=5), lab="marks",
                 needs=("sctp",)),
        scenario(f"a port of a server is used for a mark without persistence over {f.word}", "§2.5 non-persistent fwmark VS",
                 marked.but(servers=(Server(f.RS1, 8080),)), syns((f.CLIENT, 1, f.VIP, 80), (f.CLIENT, 2, f.VIP, 81)), Answer(SYN | ACK),
                 lab="marks"),
        scenario(f"a port of a server is not used for a mark with persistence over {f.word}", "§2.5 persistent fwmark VS",
                 persistent.but(servers=(Server(f.RS1, 8080),)), syns((f.CLIENT, 1, f.VIP, 80), (f.CLIENT, 2, f.VIP, 81)), lab="marks"),
        scenario(f"a persistent mark keeps a client's protocols, addresses and ports together over {f.word}", "§2.5 fwmark VS", persistent,
                 syns((f.CLIENT, 1, f.VIP, 80), (f.CLIENT, 2, f.VIP2, 443), (f.CLIENT2, 1, f.VIP, 80)),
                 FromClient(udp(f.CLIENT, 1, f.VIP, 53, b"a"), udp(f.CLIENT2, 1, f.VIP, 53, b"a"), mark=5), lab="marks"),
        scenario(f"services of the same mark in both families live together, as seen over {f.word}", "§5.1 same mark coexist",
                 [mark_service(5, Server(FAMILIES[0].RS1, 0), family_of="0.0.0.0"), mark_service(5, Server(FAMILIES[1].RS2, 0), family_of="::")],
                 syns((f.CLIENT, 1, f.VIP, 80)), lab="marks", needs=("ipv6",)),
        scenario(f"marked packets to somebody else's address are balanced where policy routing makes them local over {f.word}",
                 "§1.1 LOCAL_IN 99; §5.2 mark", mark_service(0x105, Server(f.RS1, 0), family_of=f.VIP),
                 syns((f.CLIENT, 1, f.INTERNET, 80), mark=0x105), FromServer(tcp(f.RS1, 80, f.CLIENT, 1, SYN | ACK)),
                 syns((f.CLIENT, 1, f.INTERNET, 80), mark=0x105), lab="transparent"),
        scenario(f"marked packets to somebody else's address are tunneled and directly routed over {f.word}", "§5.2 mark; §6.4 DROUTE; §6.5 IPIP",
                 mark_service(0x105, Server(f.RS1, 0, DIRECT), Server(f.RS2, 0, TUNNEL), family_of=f.VIP),
                 syns((f.CLIENT, 1, f.INTERNET, 80), (f.CLIENT, 2, f.INTERNET, 80), mark=0x105), lab="transparent"),
        scenario(f"a mark's packets of a removed service are the local stack's over {f.word}", "§5.4 DEL_SERVICE fwmark", marked,
                 syns((f.CLIENT, 1, f.VIP, 80)), DeleteService(marked), syns((f.CLIENT, 2, f.VIP, 80)), lab="marks"),
    ]


def _one_packet(f):
    dns = udp_service(f.VIP, 53, Server(f.RS1, 5353), Server(f.RS2, 5353), flags=ONE_PACKET)

    def ask(port=4000, client=None):
        return udp(client or f.CLIENT, port, f.VIP, 53, b"request")
    return [
        scenario(f"one-packet scheduling decides on every datagram and keeps nothing over {f.word}", "§2.4 OPS; §2.3 ONE_PACKET", dns,
                 FromClient(ask(), ask(), ask(), ask()), expects={"end connections": "nothing"}),
        scenario(f"answers under one-packet scheduling keep the server's address over {f.word}", "§2.4 no out-lookup", dns,
                 FromClient(ask()), Answer(data=b"answer")),
        scenario(f"one-packet scheduling by direct routing and through a tunnel over {f.word}", "§2.4 OPS",
                 dns.but(servers=(Server(f.RS1, 53, DIRECT), Server(f.RS2, 53, TUNNEL))), FromClient(ask(), ask(), ask(), ask())),
        scenario(f"one-packet scheduling does nothing for TCP over {f.word}", "§2.4 Effective for UDP only; §5.3 not validated",
                 tcp_service(f.VIP, 80, Server(f.RS1, 8080), Server(f.RS2, 8080), flags=ONE_PACKET),
                 FromClient(_syn(f, 1), _syn(f, 1), tcp(f.CLIENT, 1, f.VIP, 80, ACK))),
        scenario(f"one-packet scheduling with persistence keeps the template over {f.word}", "§2.4 With persistence", dns.but(persistent=300),
                 FromClient(ask(), ask(), ask(4001), ask(4000, f.CLIENT2))),
        scenario(f"a one-packet service of all ports over {f.word}", "§2.4 OPS; §5.3 port 0",
                 udp_service(f.VIP, 0, Server(f.RS1, 0), flags=ONE_PACKET, persistent=300), FromClient(ask(), ask(4001))),
        scenario(f"a flow goes over to one-packet scheduling when its service is edited over {f.word}", "§5.4 SET_SERVICE flags",
                 dns.but(flags=0), FromClient(ask()), EditService(dns), FromClient(ask(), ask(), ask(4001), ask(4001))),
        scenario(f"one-packet scheduling without a server tells the client over {f.word}", "§2.4 OPS; §4.1 no destination",
                 dns.but(servers=()), FromClient(ask())),
    ]


SCENARIOS = [
    *(one for f in FAMILIES for make in (_templates, _ftp_ports, _marks, _one_packet) for one in make(f)),
    scenario("a netmask of nothing makes one template for all clients", "§5.3 IPv4 netmask 0",
             tcp_service(VIP, 80, Server(RS1), Server(RS2), persistent=300, netmask="0.0.0.0"),
             FromClient(tcp(CLIENT, 1, VIP, 80, SYN), *(tcp(FAMILIES[0].far_client(70000 * number), 1, VIP, 80, SYN) for number in (0, 1)))),
    scenario("a prefix length of 0 or beyond 128 is refused", "§5.3 IPv6 netmask",
             (), AddService(tcp_service(FAMILIES[1].VIP, 80, persistent=300, netmask=0)),
             AddService(tcp_service(FAMILIES[1].VIP, 80, persistent=300, netmask=129)),
             AddService(tcp_service(FAMILIES[1].VIP, 80, persistent=300, netmask=1))),
    scenario("turning expire_quiescent_template on later counts for templates there are", "§2.5 TPL usable expire_quiescent_template",
             tcp_service(VIP, 80, Server(RS1), Server(RS2), persistent=300), FromClient(tcp(CLIENT, 1, VIP, 80, SYN)),
             EditServer(tcp_service(VIP, 80), Server(RS2, weight=0)), FromClient(tcp(CLIENT, 2, VIP, 80, SYN)),
             Sysctl("expire_quiescent_template", 1), FromClient(tcp(CLIENT, 3, VIP, 80, SYN | FIN))),
]
