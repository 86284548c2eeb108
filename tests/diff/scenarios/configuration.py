# SPDX-License-Identifier: GPL-2.0-only
"""Keys, validation, edits, removal and revival of services and servers (section 5)."""

from harness.addresses import CLIENT, DIRECTOR_INSIDE, FAMILIES, RS1, RS1_6, RS2, RS2_6, UNREACHABLE, V4, V6, VIP, VIP_6
from harness.model import (BYPASS, DIRECT, GRE, GUE, LOCAL_NODE, NAT, ONE_PACKET, TUNNEL, AddServer, AddService, Answer, DeleteServer,
                           DeleteService, EditServer, EditService, Flush, FromClient, Look, Server, Service, Settle, Timeouts, UntilGone, Zero,
                           mark_service, scenario, sctp_service, tcp_service, udp_service)
from harness.wire import ACK, SYN, tcp, udp


def _both(f):
    web = tcp_service(f.VIP, 80)
    one = Server(f.RS1, 8080)
    syn = tcp(f.CLIENT, 40000, f.VIP, 80, SYN)
    ack = tcp(f.CLIENT, 40000, f.VIP, 80, ACK)
    loaded = web.but(servers=(one, Server(f.RS2, 8080)))
    dns, ask = udp_service(f.VIP, 53, Server(f.RS1), flags=ONE_PACKET), udp(f.CLIENT, 1, f.VIP, 53, b"a")
    return [
        scenario(f"services of one address and port differ by protocol over {f.word}", "§5.1 key",
                 [web, udp_service(f.VIP, 80), tcp_service(f.VIP, 81), tcp_service(f.VIP2, 80)]),
        scenario(f"an SCTP service over {f.word}", "§5.1 key", sctp_service(f.VIP, 80, Server(f.RS1))),
        scenario(f"a service that exists cannot be added again over {f.word}", "§5.3 NEW on existing key", web, AddService(web)),
        scenario(f"a service that does not exist cannot be edited, zeroed or deleted over {f.word}", "§5.3 SET/DEL/ZERO unknown key", (),
                 EditService(web), Zero(web), DeleteService(web), AddServer(web, one), EditServer(web, one), DeleteServer(web, one)),
        scenario(f"a server that exists cannot be added again over {f.word}", "§5.3 NEW already present", web, AddServer(web, one),
                 AddServer(web, one), AddServer(web, one.but(method=DIRECT))),
        scenario(f"a server that does not exist cannot be edited or deleted over {f.word}", "§5.3 SET/DEL not present", web,
                 EditServer(web, one), DeleteServer(web, one)),
        scenario(f"servers of a service differ by address and port over {f.word}", "§5.3 RS key", web,
                 AddServer(web, one), AddServer(web, one.but(port=8081)), AddServer(web, Server(f.RS2, 8080))),
        scenario(f"a negative weight is refused over {f.word}", "§5.3 weight", web, AddServer(web, one.but(weight=-1)),
                 AddServer(web, one.but(weight=0x7FFFFFFF)), EditServer(web, one.but(weight=-2))),
        scenario(f"thresholds are checked over {f.word}", "§5.3 l_threshold; §5.3 u_threshold", web, AddServer(web, one.but(upper=1, lower=2)),
                 AddServer(web, one.but(upper=0x80000000)), AddServer(web, one.but(upper=0, lower=1)),
                 AddServer(web, one.but(upper=0x7FFFFFFF, lower=3)), EditServer(web, one.but(upper=5, lower=6))),
        scenario(f"a GUE tunnel without a port is refused over {f.word}", "§5.3 TUN_TYPE", web,
                 AddServer(web, Server(f.RS1, method=TUNNEL, tunnel=GUE)), AddServer(web, Server(f.RS1, tunnel=GUE)),
                 AddServer(web, Server(f.RS1, method=TUNNEL, tunnel=GUE, tunnel_port=6080)), needs=("tunnel gue",)),
        scenario(f"types of tunnel are kept and told over {f.word}", "§5.3 TUN_TYPE not range-checked; §8.3 DEST", web,
                 AddServer(web, Server(f.RS1, method=TUNNEL, tunnel=GRE, tunnel_flags=1)),
                 AddServer(web, Server(f.RS2, method=TUNNEL, tunnel=7)), needs=("tunnel gre",)),
        scenario(f"methods are masked with 7 and told over {f.word}", "§5.3 FWD_METHOD", web,
                 AddServer(web, Server(f.RS1, method=LOCAL_NODE)), AddServer(web, Server(f.RS2, method=BYPASS)),
                 AddServer(web, Server(f.RS3, method=8 + DIRECT)), needs=("method local node", "method bypass")),
        scenario(f"methods beyond those there are forward nothing over {f.word}", "§5.3 FWD_METHOD",
                 web.but(servers=(Server(f.RS1, method=5), Server(f.RS2, method=6), Server(f.RS3, method=7))),
                 FromClient(*(tcp(f.CLIENT, port, f.VIP, 80, SYN) for port in (1, 2, 3))), needs=("method bypass",)),
        scenario(f"a local-node server leaves the packet to the local stack over {f.word}", "§6.3 LOCALNODE",
                 web.but(servers=(Server(f.RS1, method=LOCAL_NODE),)), FromClient(syn), needs=("method local node",)),
        scenario(f"a server's method is edited and old connections keep theirs over {f.word}", "§5.4 SET_DEST", web.but(servers=(one,)),
                 FromClient(syn), EditServer(web, one.but(method=DIRECT)), FromClient(ack, tcp(f.CLIENT, 40001, f.VIP, 80, SYN)),
                 EditServer(web, one.but(method=TUNNEL)), FromClient(ack, tcp(f.CLIENT, 40002, f.VIP, 80, SYN)), alone=True),
        scenario(f"a server of weight 0 keeps its connections over {f.word}", "§5.4 Weight 0", loaded, FromClient(syn), Answer(SYN | ACK),
                 EditServer(web, Server(f.RS2, 8080, weight=0)), FromClient(ack, tcp(f.CLIENT, 40001, f.VIP, 80, SYN))),
        scenario(f"a removed server that returns finds its connections over {f.word}", "§5.5 NEW_DEST; §5.5 DEL_DEST", loaded,
                 FromClient(syn), Answer(SYN | ACK), FromClient(ack), Settle(), DeleteServer(web, Server(f.RS2, 8080)), FromClient(ack),
                 AddServer(web, Server(f.RS2, 8080)), FromClient(ack), Answer(ACK)),
        scenario(f"a removed server that returns with nothing bound to it goes on counting over {f.word}", "§5.5 NEW_DEST", dns,
                 FromClient(ask, ask), Settle(), DeleteServer(dns, dns.servers[0]), Settle(), AddServer(dns, dns.servers[0]),
                 FromClient(ask), Settle(), DeleteService(dns), AddService(dns), FromClient(ask)),
        scenario(f"a removed server that returns by another method keeps its old connections over {f.word}", "§5.5 NEW_DEST; §5.4 SET_DEST",
                 web.but(servers=(one,)), FromClient(syn), DeleteServer(web, one), AddServer(web, one.but(method=DIRECT)),
                 FromClient(ack, tcp(f.CLIENT, 40001, f.VIP, 80, SYN)), alone=True),
        scenario(f"a server of another service is not a removed server's return over {f.word}", "§5.5 NEW_DEST same VS identity",
                 [web.but(servers=(one,)), tcp_service(f.VIP, 81)], FromClient(syn), DeleteServer(web, one),
                 AddServer(tcp_service(f.VIP, 81), one), FromClient(ack), AddServer(web, Server(f.RS1, 8081)), FromClient(ack)),
        scenario(f"a deleted service's connections are dropped while another service is there over {f.word}", "§5.5 DEL_SERVICE",
                 [loaded, tcp_service(f.VIP2, 80)], FromClient(syn), Answer(SYN | ACK), Settle(), DeleteService(web), FromClient(ack), Answer(ACK),
                 AddService(loaded), FromClient(ack)),
        scenario(f"a background sweep ends connections of removed servers over {f.word}", "§5.5 background sweep", loaded, FromClient(syn),
                 DeleteServer(web, Server(f.RS2, 8080)), UntilGone(), sysctls={"expire_nodest_conn": 1},
                 expects={"step 3 UntilGone": "fewer than 1"}),
        scenario(f"a flush ends all services over {f.word}", "§8.4 FLUSH", [loaded, udp_service(f.VIP, 53, Server(f.RS1))], FromClient(syn),
                 Flush(), FromClient(ack), Look()),
        scenario(f"zero starts the counters of one service again over {f.word}", "§8.2 ZERO; §10 ZERO",
                 [loaded, udp_service(f.VIP, 53, Server(f.RS1))], FromClient(syn, udp(f.CLIENT, 1, f.VIP, 53, b"a")), Answer(SYN | ACK),
                 Settle(), Zero(web), FromClient(ack)),
        scenario(f"zero starts all counters again over {f.word}", "§8.2 ZERO; §10 ZERO",
                 [loaded, udp_service(f.VIP, 53, Server(f.RS1))], FromClient(syn, udp(f.CLIENT, 1, f.VIP, 53, b"a")), Settle(), Zero(),
                 FromClient(ack)),
        scenario(f"a server may be out of reach when it is added over {f.word}", "§5.3 address unicast; §6.1 No route", web,
                 AddServer(web, Server(f.UNREACHABLE)), FromClient(syn)),
        scenario(f"a server may be the director itself over {f.word}", "§5.3 address local; §6.3 local", web,
                 AddServer(web, Server(f.DIRECTOR_INSIDE, 8080)), FromClient(syn)),
        scenario(f"the counts of a server follow its connections over {f.word}", "§3.5 active; §3.5 total", web.but(servers=(one,)),
                 FromClient(syn), Look(), Answer(SYN | ACK), FromClient(ack), Look(), Answer(0x11), Look(),
                 FromClient(tcp(f.CLIENT, 40000, f.VIP, 80, 0x11)), Look(), FromClient(tcp(f.CLIENT, 40000, f.VIP, 80, 4))),
    ]


def _mixed(service, servers, client, vip):
    """Tunnels between the families."""
    word = "IPv6 over IPv4" if service.address == VIP_6 else "IPv4 over IPv6"
    web = service.but(servers=())
    for kind, name in ((0, "IPIP"), (GUE, "GUE"), (GRE, "GRE")):
        yield scenario(f"{word} by {name}", f"§5.3 mixed families; §6.5 {name}",
                       web.but(servers=(Server(servers[0], method=TUNNEL, tunnel=kind, tunnel_port=6080 if kind == GUE else 0),)),
                       FromClient(tcp(client, 40000, vip, 80, SYN)))
    yield scenario(f"{word} only through a tunnel", "§5.3 mixed families", web, AddServer(web, Server(servers[0])),
                   AddServer(web, Server(servers[0], method=DIRECT)), AddServer(web, Server(servers[1], method=TUNNEL)),
                   needs=("mixed families",))


SCENARIOS = [
    *(one for f in FAMILIES for one in _both(f)),
    *_mixed(tcp_service(VIP_6, 80), (RS1, RS2), V6.CLIENT, V6.VIP),
    *_mixed(tcp_service(VIP, 80), (RS1_6, RS2_6), V4.CLIENT, V4.VIP),
    scenario("addresses that are no server's are refused", "§5.3 address unicast", tcp_service(VIP, 80),
             *(AddServer(tcp_service(VIP, 80), Server(address, 80)) for address in
               ("224.0.0.1", "255.255.255.255", "10.1.0.255", "0.0.0.0", "127.0.0.1", DIRECTOR_INSIDE, UNREACHABLE))),
    scenario("IPv6 addresses that are no server's are refused", "§5.3 address unicast", tcp_service(VIP_6, 80),
             *(AddServer(tcp_service(VIP_6, 80), Server(address, 80)) for address in ("ff02::1", "::", "fe80::1", "::1"))),
    scenario("protocols that no packet has can have services", "§5.3 protocol not validated", (),
             AddService(Service(1, VIP, 80)), AddService(Service(50, VIP, 500)), AddService(Service(300, VIP, 80))),
    scenario("unknown flags of a service are kept and told", "§5.1 Unknown bits", (),
             AddService(tcp_service(VIP, 80, flags=0x40)), AddService(tcp_service(VIP, 81, flags=0x38))),
    scenario("the HASHED flag is told whatever was said", "§5.1 HASHED", tcp_service(VIP, 80, flags=2), EditService(tcp_service(VIP, 80)),
             expects={"end service*": "flags 0x2 "}),
    scenario("port 0 without persistence is accepted", "§5.3 port 0", (), AddService(tcp_service(VIP, 0)), needs=("all ports",)),
    scenario("a mark of 0 is not a mark", "§8.3 FWMARK 0", (), AddService(mark_service(0)), DeleteService(Service(6, "0.0.0.0", 0)),
             needs=("fwmark",)),
    scenario("the netmask of a service is kept and told", "§8.3 NETMASK", tcp_service(VIP, 80, netmask="255.255.0.0", persistent=100)),
    scenario("an unknown persistence engine is refused", "§5.3 scheduler or PE unknown", (),
             AddService(udp_service(VIP, 80, engine="nosuch"))),
    scenario("timeouts of 0 keep what was set", "§8.4 SET_CONFIG", udp_service(VIP, 53, Server(RS1)), Timeouts(0, 0, 60), Timeouts(0, 0, 0),
             FromClient(udp(CLIENT, 1, VIP, 53, b"a")), expects={"end connections": "ends at (59|60)"}),
    scenario("the newest server is the first of the list", "§4.1 RS list order", tcp_service(VIP, 80, Server(RS1), Server(RS2)),
             AddServer(tcp_service(VIP, 80), Server(V4.RS3)), DeleteServer(tcp_service(VIP, 80), Server(RS1)),
             AddServer(tcp_service(VIP, 80), Server(RS1)), expects={"end servers*": rf"^{RS1} "}),
    scenario("a masqueraded and a direct-routed server of the same address", "§5.3 RS key",
             tcp_service(VIP, 80, Server(RS1, 8080, NAT), Server(RS1, 80, DIRECT)),
             FromClient(*(tcp(CLIENT, port, VIP, 80, SYN) for port in (1, 2)))),
]
