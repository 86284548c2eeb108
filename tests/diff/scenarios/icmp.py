# SPDX-License-Identifier: GPL-2.0-only
"""ICMP and ICMPv6 errors about balanced flows, from both sides, about tunnels, cut short and corrupted (section 6.8)."""

from harness.addresses import (CLIENT, DIRECTOR_INSIDE, FAMILIES, GUE_PORT, INTERNET, ROUTER_INSIDE, RS1, VIP, V4)
from harness.model import (DIRECT, GRE, GUE, SUM, TUNNEL, Answer, DeleteServer, ErrorAbout, FromClient, FromDirector, FromServer,
                           Server, mark_service, scenario, sctp_service, tcp_service, udp_service)
from harness.wire import ACK, SYN, chunk, echo, fragments, icmp_error, ip, sctp, tcp, udp

# kind, code, second word, words
_ERRORS_4 = [(3, 0, 0, "network unreachable"), (3, 1, 0, "host unreachable"), (3, 3, 0, "port unreachable"),
             (3, 4, 1200, "fragmentation needed"), (3, 13, 0, "prohibited"), (4, 0, 0, "source quench"), (11, 0, 0, "time exceeded"),
             (11, 1, 0, "reassembly time exceeded"), (12, 0, 0, "parameter problem"), (5, 1, 0, "redirect")]
_ERRORS_6 = [(1, 0, 0, "no route"), (1, 3, 0, "address unreachable"), (1, 4, 0, "port unreachable"), (2, 0, 1300, "packet too big"),
             (3, 0, 0, "hop limit exceeded"), (4, 1, 40, "parameter problem"), (100, 0, 0, "an experiment")]
_METHODS = {"masqueraded": (0, 5353), "tunneled": (TUNNEL, 53), "direct-routed": (DIRECT, 53)}


def _errors(f):
    return _ERRORS_6 if f.number == 6 else _ERRORS_4


def _quotes(f):
    """Lengths of quotes: IP header and so much of UDP."""
    header = 40 if f.number == 6 else 20
    return {"no byte": header, "ports": header + 4, "eight bytes": header + 8, "half an IP header": header // 2}


def _dns(f, method="masqueraded"):
    number, port = _METHODS[method]
    return udp_service(f.VIP, 53, Server(f.RS1, port, number))


def _from_servers_side(f):
    request = udp(f.CLIENT, 4000, f.VIP, 53, b"request")
    for kind, code, rest, words in _errors(f):
        yield scenario(f"{words} from the server's side is the service's to the client over {f.word}", "§6.8 out", _dns(f),
                       FromClient(request), ErrorAbout("inside", kind, code, rest),
                       ErrorAbout("inside", kind, code, rest, sender=f.ROUTER_INSIDE))
    for words, length in _quotes(f).items():
        yield scenario(f"an error from the server's side that quotes {words} over {f.word}", "§6.8 out; §6.8 truncated", _dns(f),
                       FromClient(request), ErrorAbout("inside", *_errors(f)[2][:3], quote=length))
    yield scenario(f"an error from the server's side with a wrong checksum over {f.word}", "§6.8 out verify checksum", _dns(f),
                   FromClient(request), ErrorAbout("inside", *_errors(f)[2][:3], corrupt=True))
    yield scenario(f"an error from the server's side about TCP over {f.word}", "§6.8 out", tcp_service(f.VIP, 80, Server(f.RS1, 8080)),
                   FromClient(tcp(f.CLIENT, 1, f.VIP, 80, SYN)), ErrorAbout("inside", *_errors(f)[1][:3], sender=f.ROUTER_INSIDE))
    yield scenario(f"an error from the server's side about SCTP over {f.word}", "§6.8 out", sctp_service(f.VIP, 9, Server(f.RS1, 99)),
                   FromClient(sctp(f.CLIENT, 1, f.VIP, 9, chunk(1, bytes(16)))), ErrorAbout("inside", *_errors(f)[1][:3]))
    for method in ("tunneled", "direct-routed"):
        yield scenario(f"an error from the server's side about a {method} flow passes over {f.word}", "§6.8 out Others", _dns(f, method),
                       FromClient(request), FromServer(icmp_error(f.RS1, f.CLIENT, *_errors(f)[2][:2], request)))
    yield scenario(f"an error from the server's side about an unknown flow passes over {f.word}", "§6.8 out", _dns(f),
                   FromServer(icmp_error(f.RS1, f.CLIENT, *_errors(f)[2][:2], udp(f.CLIENT, 4001, f.RS1, 5353, b"request"))))
    yield scenario(f"an error from the server's side to a client on the director over {f.word}", "§6.8 out; §1.1 LOCAL_IN 98", _dns(f),
                   FromDirector(udp(f.DIRECTOR_OUTSIDE, 4000, f.VIP, 53, b"request")), ErrorAbout("inside", *_errors(f)[2][:3]))
    yield scenario(f"an error of a server on the director over {f.word}", "§6.8 out; §1.1 LOCAL_OUT -99",
                   udp_service(f.VIP, 53, Server(f.LOCAL, 5353)), FromClient(request),
                   FromDirector(icmp_error(f.LOCAL, f.CLIENT, *_errors(f)[2][:2], udp(f.CLIENT, 4000, f.LOCAL, 5353, b"request"))))
    yield scenario(f"errors count as packets out over {f.word}", "§6.8 Counted as out packet", _dns(f), FromClient(request),
                   *(ErrorAbout("inside", *_errors(f)[2][:3]) for _ in range(3)), expects={"end counters*": "packets out 3"})


def _from_clients_side(f):
    request = udp(f.CLIENT, 4000, f.VIP, 53, b"request")
    answer = udp(f.VIP, 53, f.CLIENT, 4000, b"answer")
    for method in _METHODS:
        for kind, code, rest, words in _errors(f):
            yield scenario(f"{words} from the client's side reaches the {method} server over {f.word}", f"§6.8 in {method}",
                           _dns(f, method), FromClient(request), FromClient(icmp_error(f.CLIENT, f.VIP, kind, code, answer, rest),
                                                                            icmp_error(f.ROUTER_OUTSIDE, f.VIP, kind, code, answer, rest)))
        yield scenario(f"an error from the client's side with a wrong checksum to a {method} server over {f.word}", f"§6.8 in {method}",
                       _dns(f, method), FromClient(request), FromClient(_spoiled(icmp_error(f.CLIENT, f.VIP, *_errors(f)[2][:2], answer))))
        yield scenario(f"an error from the client's side with time to live 1 to a {method} server over {f.word}", f"§6.8 in {method}",
                       _dns(f, method), FromClient(request), FromClient(icmp_error(f.CLIENT, f.VIP, *_errors(f)[2][:2], answer, ttl=1)))
    for words, length in _quotes(f).items():
        yield scenario(f"an error from the client's side that quotes {words} over {f.word}", "§6.8 in; §6.8 truncated", _dns(f),
                       FromClient(request), FromClient(icmp_error(f.CLIENT, f.VIP, *_errors(f)[2][:2], answer, quote=length)))
    yield scenario(f"a large error to a distant masqueraded server over {f.word}", "§6.7 not for forwarded ICMP errors",
                   udp_service(f.VIP, 53, Server(f.DISTANT, 53)), FromClient(udp(f.CLIENT, 4000, f.VIP, 53, b"a")),
                   FromClient(icmp_error(f.CLIENT, f.VIP, *_errors(f)[2][:2], udp(f.VIP, 53, f.CLIENT, 4000, bytes(1400)))))
    yield scenario(f"an error from the client's side about a removed server's flow over {f.word}", "§6.8 in; §5.5 packets dropped", _dns(f),
                   FromClient(request), DeleteServer(_dns(f), _dns(f).servers[0]),
                   FromClient(icmp_error(f.CLIENT, f.VIP, *_errors(f)[2][:2], answer)))
    yield scenario(f"errors count as packets in over {f.word}", "§6.8 Counted as in packet", _dns(f), FromClient(request),
                   FromClient(*[icmp_error(f.CLIENT, f.VIP, *_errors(f)[2][:2], answer)] * 3), expects={"end counters*": "packets in 4"})
    yield scenario(f"an error about an unknown flow is the local stack's over {f.word}", "§6.8 in, unknown flow", _dns(f),
                   FromClient(icmp_error(f.CLIENT, f.VIP, *_errors(f)[2][:2], answer)))
    yield scenario(f"an error about a fragment that is not the first is left alone over {f.word}", "§6.8 embedded non-first fragments", _dns(f),
                   FromClient(request), FromClient(icmp_error(f.CLIENT, f.VIP, *_errors(f)[2][:2],
                                                              fragments(udp(f.VIP, 53, f.CLIENT, 4000, bytes(600)), 256)[1])))
    yield scenario(f"an error about a first fragment reaches the server over {f.word}", "§6.8 in", _dns(f),
                   FromClient(request), FromClient(icmp_error(f.CLIENT, f.VIP, *_errors(f)[2][:2],
                                                              fragments(udp(f.VIP, 53, f.CLIENT, 4000, bytes(600)), 256)[0])))
    yield scenario(f"an error that comes in fragments reaches the server over {f.word}", "§1.4 ICMP is reassembled; §6.8 in", _dns(f),
                   FromClient(request), FromClient(*fragments(icmp_error(f.CLIENT, f.VIP, *_errors(f)[2][:2],
                                                                        udp(f.VIP, 53, f.CLIENT, 4000, bytes(600))), 256)))
    yield scenario(f"echo requests to the virtual address are answered by the director over {f.word}", "§6.8 Relevant", _dns(f),
                   FromClient(request, echo(f.CLIENT, f.VIP)), FromServer(echo(f.RS1, f.CLIENT, reply=True)))
    marked = mark_service(0x105, Server(f.RS1, 0), family_of=f.VIP)
    yield scenario(f"an error routed through the director about a transparent service reaches the server over {f.word}",
                   "§1.1 FORWARD 99; §6.8 in", marked, FromClient(udp(f.CLIENT, 4000, f.INTERNET, 53, b"request"), mark=0x105),
                   FromClient(icmp_error(f.CLIENT, f.INTERNET, *_errors(f)[2][:2], udp(f.INTERNET, 53, f.CLIENT, 4000, b"answer"))),
                   lab="transparent")
    yield scenario(f"an error about a transparent service of a server on the director is dropped over {f.word}",
                   "§6.1 NAT of ICMP seen in FORWARD", marked.but(servers=(Server(f.LOCAL, 0),)),
                   FromClient(udp(f.CLIENT, 4000, f.INTERNET, 53, b"request"), mark=0x105),
                   FromClient(icmp_error(f.CLIENT, f.INTERNET, *_errors(f)[2][:2], udp(f.INTERNET, 53, f.CLIENT, 4000, b"answer"))),
                   lab="transparent")


def _scheduled(f):
    """Errors about flows that nobody knows, where the scheduler goes by destinations."""
    clients = f.CLIENT, f.CLIENT2, f.CLIENT3, f.far_client(1), f.far_client(2)
    for scheduler in ("dh", "lblc", "lblcr"):
        service = tcp_service(f.VIP, 80, *(Server(address, 80) for address in (f.RS1, f.RS2, f.RS3)), scheduler=scheduler)
        yield scenario(f"errors about unknown flows are for one destination by {scheduler} over {f.word}", "§3.6 ICMP error; §4.3 " + scheduler,
                       service, FromClient(*(icmp_error(client, f.VIP, *_errors(f)[1][:2], tcp(f.VIP, 80, client, 40000, ACK))
                                             for client in clients)), sysctls={"schedule_icmp": 1})


def _spoiled(packet):
    return packet.but(payload=packet.payload[:2] + b"\xde\xad" + packet.payload[4:])


def _about_tunnels():
    f = V4
    kinds = {"IPIP": {}, "GUE": {"tunnel": GUE, "tunnel_port": GUE_PORT}, "GUE with checksum":
             {"tunnel": GUE, "tunnel_port": GUE_PORT, "tunnel_flags": SUM}, "GRE": {"tunnel": GRE}, "GRE with checksum": {"tunnel": GRE, "tunnel_flags": SUM}}
    for name, fields in kinds.items():
        needs = () if name == "IPIP" else (f"tunnel {name.split()[0].lower()}",)
        dns = udp_service(VIP, 53, Server(RS1, method=TUNNEL, **fields))
        large = udp(CLIENT, 4000, VIP, 53, bytes(1200), dont_fragment=True)

        def error(kind, code, rest=0, **more):
            return ErrorAbout("inside", kind, code, rest, sender=more.pop("sender", ROUTER_INSIDE), receiver=DIRECTOR_INSIDE, **more)
        for kind, code, rest, words in _ERRORS_4:
            yield scenario(f"{words} about an {name} tunnel is told to the client", "§6.8 error for one of our tunnels", dns,
                           FromClient(large), error(kind, code, rest), needs=needs)
        yield scenario(f"after fragmentation needed about an {name} tunnel the director knows what fits", "§6.8 FRAG_NEEDED", dns,
                       FromClient(large), error(3, 4, 1000), FromClient(large, udp(CLIENT, 4000, VIP, 53, bytes(900), dont_fragment=True)),
                       needs=needs)
        yield scenario(f"fragmentation needed about an {name} tunnel is not told of a packet without DF", "§6.8 FRAG_NEEDED inner DF", dns,
                       FromClient(large.but(dont_fragment=False)), error(3, 4, 1000), needs=needs)
        yield scenario(f"fragmentation needed about an {name} tunnel with a tiny MTU", "§6.8 FRAG_NEEDED larger than 68", dns,
                       FromClient(large), error(3, 4, 60), needs=needs)
        yield scenario(f"an error about an {name} tunnel that quotes too little", "§6.8 truncated", dns, FromClient(large),
                       error(3, 1, quote=28), error(3, 1, quote=40), error(3, 1, quote=60), needs=needs)
        yield scenario(f"an error about an {name} tunnel with a wrong checksum", "§6.8 checksum verified", dns, FromClient(large),
                       error(3, 1, corrupt=True), needs=needs)
        yield scenario(f"an error about an {name} tunnel to somebody else's server is the director's", "§6.8 RS known", dns,
                       FromClient(large), error(3, 1, sender=RS1), needs=needs)


SCENARIOS = [
    *(one for f in FAMILIES for make in (_from_servers_side, _from_clients_side, _scheduled) for one in make(f)),
    *_about_tunnels(),
    scenario("an error to the director about a tunnel nobody has is left to it", "§6.8 RS known", udp_service(VIP, 53, Server(RS1)),
             FromServer(icmp_error(ROUTER_INSIDE, DIRECTOR_INSIDE, 3, 1, ip(
                 DIRECTOR_INSIDE, "10.1.0.15", 4, bytes(udp(CLIENT, 1, VIP, 53, b"a")))))),
    scenario("an error of the Internet about the director's own flow is left to it", "§6.8 Relevant", udp_service(VIP, 53, Server(RS1)),
             FromClient(icmp_error(INTERNET, "10.0.0.1", 3, 3, udp("10.0.0.1", 5000, INTERNET, 53, b"a")))),
    scenario("an error about an answered flow", "§6.8 out", udp_service(VIP, 53, Server(RS1, 5353)),
             FromClient(udp(CLIENT, 4000, VIP, 53, b"request")), Answer(data=b"answer"),
             FromClient(icmp_error(CLIENT, VIP, 3, 3, udp(VIP, 53, CLIENT, 4000, b"answer")))),
]
