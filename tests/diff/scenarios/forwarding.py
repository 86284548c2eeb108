# SPDX-License-Identifier: GPL-2.0-only
"""How packets are sent on: time to live, local servers, tunnels, bypass, sizes (sections 6.1 to 6.7), and fragments (1.4)."""

import socket

from harness.addresses import CLIENT, DISTANT_MTU, FAMILIES, GUE_PORT, RS1, VIP, V6
from harness.model import (DIRECT, GRE, GUE, IPIP, NAT, NO_SUM, REMOTE_SUM, SUM, TUNNEL, Answer, EditServer, FromClient, FromDirector,
                           FromServer, Server, Sysctl, mark_service, scenario, sctp_service, tcp_service, udp_service)
from harness.wire import (ACK, DESTINATION_OPTIONS, FRAGMENT, HOP_BY_HOP, RST, SYN, chunk, extended, fragments, icmp_error, ip, sctp,
                          tcp, udp)

_METHODS = {"masquerading": NAT, "a tunnel": TUNNEL, "direct routing": DIRECT}
_TUNNELS = {
    "IPIP": {"tunnel": IPIP}, "GUE": {"tunnel": GUE, "tunnel_port": GUE_PORT, "tunnel_flags": NO_SUM},
    "GUE with checksum": {"tunnel": GUE, "tunnel_port": GUE_PORT, "tunnel_flags": SUM},
    "GUE with remote checksum": {"tunnel": GUE, "tunnel_port": GUE_PORT, "tunnel_flags": REMOTE_SUM},
    "GRE": {"tunnel": GRE, "tunnel_flags": NO_SUM}, "GRE with checksum": {"tunnel": GRE, "tunnel_flags": SUM},
}


def _needs(kind):
    return (f"tunnel {kind.split()[0].lower()}",) if kind != "IPIP" else ()


def _dont_fragment(f):
    return {"dont_fragment": True} if f.number == 4 else {}


def _common(f):
    for word, method in _METHODS.items():
        port = 8080 if method == NAT else 80
        web = tcp_service(f.VIP, 80, Server(f.RS1, port, method))
        yield scenario(f"time to live ends on the director by {word} over {f.word}", "§6.1 N false TTL", web,
                       FromClient(*(tcp(f.CLIENT, 40000 + ttl, f.VIP, 80, SYN, ttl=ttl) for ttl in (2, 1, 64, 255))))
        yield scenario(f"requests of the director's own lose time to live by {word} over {f.word}", "§6.1 N false TTL LOCAL_OUT", web,
                       FromDirector(*(tcp(f.DIRECTOR_OUTSIDE, 40000 + ttl, f.VIP, 80, SYN, ttl=ttl) for ttl in (2, 1, 64))))
        yield scenario(f"type of service and ECN by {word} over {f.word}", "§6.5 Outer TOS", web,
                       FromClient(*(tcp(f.CLIENT, 40000 + tos, f.VIP, 80, SYN, tos=tos) for tos in (0x10, 0xB8, 1, 2, 3, 0xBB))))
        yield scenario(f"a server to which there is no route by {word} over {f.word}", "§6.1 No route",
                       tcp_service(f.VIP, 80, Server(f.UNREACHABLE, port, method)), FromClient(tcp(f.CLIENT, 1, f.VIP, 80, SYN)))
        yield scenario(f"a server behind a router by {word} over {f.word}", "§6.1 Route; §6.4 known next hop",
                       tcp_service(f.VIP, 80, Server(f.DISTANT, port, method)), FromClient(tcp(f.CLIENT, 1, f.VIP, 80, SYN)))
        yield scenario(f"a server on the director by {word} over {f.word}", "§6.3 Local RS; §6.1 N true",
                       tcp_service(f.VIP, 80, Server(f.LOCAL, port, method)),
                       FromClient(tcp(f.CLIENT, 1, f.VIP, 80, SYN), tcp(f.CLIENT, 2, f.VIP, 80, SYN, ttl=1)))
        yield scenario(f"a server on the director of a client there by {word} over {f.word}", "§6.3 Local RS; §6.1 N true",
                       tcp_service(f.VIP, 80, Server(f.LOCAL, port, method)),
                       FromDirector(tcp(f.DIRECTOR_OUTSIDE, 1, f.VIP, 80, SYN)))
        loopback = "::1" if f.number == 6 else "127.0.0.1"
        yield scenario(f"a client at the loopback address by {word} over {f.word}", "§6.1 loopback source", web,
                       FromDirector(tcp(loopback, 1, f.VIP, 80, SYN)))
        yield scenario(f"a server at the loopback address by {word} over {f.word}", "§6.2 DNAT to 127/8",
                       tcp_service(f.VIP, 80, Server(loopback, port, method)), FromClient(tcp(f.CLIENT, 1, f.VIP, 80, SYN)),
                       FromDirector(tcp(f.DIRECTOR_OUTSIDE, 1, f.VIP, 80, SYN)))
        for size in (DISTANT_MTU - 20, DISTANT_MTU, DISTANT_MTU + 1, 1500):
            yield from _sized(f, word, method, size)
        yield scenario(f"fragments of a datagram by {word} over {f.word}", "§1.4 Fragments",
                       udp_service(f.VIP, 53, Server(f.RS1, 5353 if method == NAT else 53, method)),
                       FromClient(*fragments(udp(f.CLIENT, 4000, f.VIP, 53, bytes(range(256)) * 4), 512)),
                       FromServer(*fragments(udp(*((f.RS1, 5353) if method == NAT else (f.VIP, 53)), f.CLIENT, 4000, bytes(1000)), 512)))
        yield scenario(f"fragments of a TCP segment in reverse order by {word} over {f.word}", "§1.4 Fragments",
                       web, FromClient(tcp(f.CLIENT, 40000, f.VIP, 80, SYN),
                                       *reversed(fragments(tcp(f.CLIENT, 40000, f.VIP, 80, ACK, bytes(600)), 256))))
        yield scenario(f"a datagram of which a fragment is missing by {word} over {f.word}", "§1.4 Fragments",
                       udp_service(f.VIP, 53, Server(f.RS1, 53, method)),
                       FromClient(*fragments(udp(f.CLIENT, 4000, f.VIP, 53, bytes(1000)), 512)[1:]))


def _sized(f, word, method, size):
    """A packet of this size, headers included, to a server to which less fits."""
    header = 48 if f.number == 6 else 28
    service = udp_service(f.VIP, 53, Server(f.DISTANT, 53, method))
    packet = udp(f.CLIENT, 4000, f.VIP, 53, bytes(size - header), **_dont_fragment(f))
    yield scenario(f"{size} bytes to a server behind {DISTANT_MTU} by {word} over {f.word}", "§6.7 DF len > M; §6.7 IPv6 len > M", service,
                   FromClient(packet, packet))
    if f.number == 4:
        yield scenario(f"{size} bytes without DF to a server behind {DISTANT_MTU} by {word}", "§6.7 IPv4 without DF", service,
                       FromClient(packet.but(dont_fragment=False)))
    yield scenario(f"{size} bytes of the director's own to a server behind {DISTANT_MTU} by {word} over {f.word}",
                   "§6.7 Locally generated", service,
                   FromDirector(udp(f.DIRECTOR_OUTSIDE, 4000, f.VIP, 53, bytes(size - header), **_dont_fragment(f))))


def _tunnels(f):
    for kind, fields in _TUNNELS.items():
        near, far = Server(f.RS1, method=TUNNEL, **fields), Server(f.DISTANT, method=TUNNEL, **fields)
        more = {"needs": _needs(kind)}
        yield scenario(f"{kind} carries TCP, UDP and SCTP over {f.word}", f"§6.5 {kind}",
                       [tcp_service(f.VIP, 80, near), udp_service(f.VIP, 53, near), sctp_service(f.VIP, 9, near)],
                       FromClient(tcp(f.CLIENT, 1, f.VIP, 80, SYN), udp(f.CLIENT, 1, f.VIP, 53, b"request"),
                                  sctp(f.CLIENT, 1, f.VIP, 9, chunk(1, bytes(16)))), **more)
        yield scenario(f"{kind} copies class and ECN over {f.word}", f"§6.5 {kind}; §6.5 Outer TOS", tcp_service(f.VIP, 80, near),
                       FromClient(*(tcp(f.CLIENT, 40000 + tos, f.VIP, 80, SYN, tos=tos) for tos in (0x10, 0xB8, 1, 2, 3))), **more)
        yield scenario(f"{kind} of a client on the director over {f.word}", f"§6.5 {kind}", udp_service(f.VIP, 53, near),
                       FromDirector(udp(f.DIRECTOR_OUTSIDE, 1, f.VIP, 53, b"request")), **more)
        yield scenario(f"{kind} to a server on the director needs no tunnel over {f.word}", f"§6.5 Local RS",
                       udp_service(f.VIP, 53, Server(f.LOCAL, method=TUNNEL, **fields)),
                       FromClient(udp(f.CLIENT, 1, f.VIP, 53, b"request")), **more)
        overheads = {"IPIP": 0, "GUE": 12, "GRE": 8 if fields.get("tunnel_flags") else 4}
        overhead = overheads[kind.split()[0]] + (40 if f.number == 6 else 20)
        header = 48 if f.number == 6 else 28
        for beyond in (0, 1):
            packet = udp(f.CLIENT, 4000, f.VIP, 53, bytes(DISTANT_MTU - overhead - header + beyond), **_dont_fragment(f))
            yield scenario(f"{kind} of {'a byte too much' if beyond else 'just what fits'} over {f.word}", f"§6.7 tunnels subtract; §6.5 {kind}",
                           udp_service(f.VIP, 53, far), FromClient(packet, packet), **more)
            yield scenario(f"{kind} without pmtu_disc of {'a byte too much' if beyond else 'just what fits'} over {f.word}",
                           "§6.7 pmtu_disc=0; §6.5 DF", udp_service(f.VIP, 53, far), FromClient(packet), sysctls={"pmtu_disc": 0}, **more)
        if f.number == 4:
            yield scenario(f"{kind} copies DF of the inner packet", "§6.5 DF", udp_service(f.VIP, 53, near),
                           FromClient(udp(f.CLIENT, 1, f.VIP, 53, b"a", dont_fragment=True), udp(f.CLIENT, 2, f.VIP, 53, b"a")), **more)
            yield scenario(f"{kind} without pmtu_disc sets no DF", "§6.5 DF pmtu_disc", udp_service(f.VIP, 53, near),
                           FromClient(udp(f.CLIENT, 1, f.VIP, 53, b"a", dont_fragment=True), udp(f.CLIENT, 2, f.VIP, 53, b"a")),
                           sysctls={"pmtu_disc": 0}, **more)
        yield scenario(f"{kind} over a link that takes less than {f.word} must", "§6.7 tunnels subtract",
                       udp_service(f.VIP, 53, Server(f.NARROW, method=TUNNEL, **fields)),
                       FromClient(udp(f.CLIENT, 4000, f.VIP, 53, b"a"), udp(f.CLIENT, 4000, f.VIP, 53, b"a", **_dont_fragment(f)),
                                  udp(f.CLIENT, 4000, f.VIP, 53, bytes(1240)),
                                  udp(f.CLIENT, 4000, f.VIP, 53, bytes(1240), **_dont_fragment(f))), **more)
        yield scenario(f"{kind} of a server whose tunnel is edited goes on by the new one over {f.word}", "§5.4 tunnel data read live",
                       udp_service(f.VIP, 53, near), FromClient(udp(f.CLIENT, 1, f.VIP, 53, b"a")),
                       EditServer(udp_service(f.VIP, 53), Server(f.RS1, method=TUNNEL)), FromClient(udp(f.CLIENT, 1, f.VIP, 53, b"a")), **more)


def _masquerading(f):
    web = tcp_service(f.VIP, 80, Server(f.RS1, 8080))
    dns = udp_service(f.VIP, 53, Server(f.RS1, 5353))
    syn = tcp(f.CLIENT, 40000, f.VIP, 80, SYN)
    stray = tcp(f.RS1, 8080, f.CLIENT, 1, ACK), udp(f.RS1, 5353, f.CLIENT, 1, b"a")
    return [
        scenario(f"a server keeps the packet's port if it has port 0 over {f.word}", "§6.2 RS port 0",
                 tcp_service(f.VIP, 80, Server(f.RS1, 0)), FromClient(syn), Answer(SYN | ACK)),
        scenario(f"TCP options and data pass unchanged over {f.word}", "§6.2 TCP/UDP otherwise", web,
                 FromClient(tcp(f.CLIENT, 40000, f.VIP, 80, SYN, options=b"\x02\x04\x05\xb4\x01\x03\x03\x07"),
                            tcp(f.CLIENT, 40000, f.VIP, 80, ACK, bytes(range(255)))), Answer(ACK, bytes(range(251)))),
        scenario(f"a wrong checksum stays wrong over {f.word}", "§6.2 TCP/UDP otherwise", dns,
                 FromClient(_spoiled(udp(f.CLIENT, 1, f.VIP, 53, b"request")))),
        scenario(f"nat_icmp_send tells a server about answers of no connection over {f.word}", "§6.2 nat_icmp_send", [web, dns],
                 FromServer(*stray, tcp(f.RS1, 8080, f.CLIENT, 1, RST), tcp(f.RS1, 8081, f.CLIENT, 1, ACK),
                            udp(f.RS2, 5353, f.CLIENT, 1, b"a")), sysctls={"nat_icmp_send": 1}),
        scenario(f"nat_icmp_send says nothing to an SCTP ABORT over {f.word}", "§6.2 nat_icmp_send SCTP ABORT",
                 sctp_service(f.VIP, 9, Server(f.RS1, 9)),
                 FromServer(sctp(f.RS1, 9, f.CLIENT, 1, chunk(0, bytes(12))), sctp(f.RS1, 9, f.CLIENT, 1, chunk(6))),
                 sysctls={"nat_icmp_send": 1}),
        scenario(f"nat_icmp_send is about masquerading only over {f.word}", "§6.2 nat_icmp_send",
                 udp_service(f.VIP, 53, Server(f.RS1, 53, DIRECT)), FromServer(udp(f.RS1, 53, f.CLIENT, 1, b"a")),
                 sysctls={"nat_icmp_send": 1}),
        scenario(f"snat_reroute off leaves the route of answers over {f.word}", "§6.2 snat_reroute", web, FromClient(syn), Answer(SYN | ACK),
                 sysctls={"snat_reroute": 0}),
        scenario(f"two services of one masqueraded server over {f.word}", "§2.1 out-lookup MASQ",
                 [web, tcp_service(f.VIP2, 80, Server(f.RS1, 8080))],
                 FromClient(syn, tcp(f.CLIENT, 40001, f.VIP2, 80, SYN)), FromServer(tcp(f.RS1, 8080, f.CLIENT, 40000, SYN | ACK),
                                                                                   tcp(f.RS1, 8080, f.CLIENT, 40001, SYN | ACK))),
        scenario(f"answers to far clients go by their router over {f.word}", "§6.2 After un-NAT", web,
                 FromClient(tcp(f.far_client(1), 1, f.VIP, 80, SYN)), Answer(SYN | ACK)),
        scenario(f"an answer's time to live ends over {f.word}", "§6.2 out", web, FromClient(syn),
                 FromServer(tcp(f.RS1, 8080, f.CLIENT, 40000, ACK, ttl=1), tcp(f.RS1, 8080, f.CLIENT, 40000, ACK, ttl=2))),
        scenario(f"SYN and data of one client reach a server on the director that answers over {f.word}", "§6.3 Local RS; §1.1 LOCAL_OUT -99",
                 udp_service(f.VIP, 53, Server(f.LOCAL, 5353)), FromClient(udp(f.CLIENT, 1, f.VIP, 53, b"request")),
                 FromDirector(udp(f.LOCAL, 5353, f.CLIENT, 1, b"answer"))),
        scenario(f"a client on the director and a server on the director over {f.word}", "§6.3 Local RS; §1.1 LOCAL_OUT -98",
                 udp_service(f.VIP, 53, Server(f.LOCAL, 5353)), FromDirector(udp(f.DIRECTOR_OUTSIDE, 1, f.VIP, 53, b"request")),
                 FromDirector(udp(f.LOCAL, 5353, f.DIRECTOR_OUTSIDE, 1, b"answer"))),
    ]


def _spoiled(packet):
    return packet.but(payload=packet.payload[:6] + b"\x12\x34" + packet.payload[8:])


def _bypass(f):
    service = mark_service(0x105, family_of=f.VIP)
    syn = tcp(f.CLIENT, 1, f.INTERNET, 80, SYN)
    return [
        scenario(f"cache_bypass sends packets nobody serves to where they go over {f.word}", "§6.6 BYPASS; §4.1 cache_bypass", service,
                 FromClient(syn, tcp(f.CLIENT, 1, f.INTERNET, 80, ACK), udp(f.CLIENT, 1, f.INTERNET, 53, b"a"), mark=0x105),
                 lab="transparent", sysctls={"cache_bypass": 1}, needs=("method bypass",)),
        scenario(f"without cache_bypass packets nobody serves are refused over {f.word}", "§4.1 cache_bypass; §4.1 ICMP port-unreachable",
                 service, FromClient(syn, mark=0x105), lab="transparent"),
        scenario(f"cache_bypass does not send on what is for the director over {f.word}", "§6.6 only non-local", service,
                 FromClient(tcp(f.CLIENT, 1, f.VIP, 80, SYN), mark=0x105), lab="transparent", sysctls={"cache_bypass": 1},
                 needs=("method bypass",)),
        scenario(f"bypassed packets lose time to live and must fit over {f.word}", "§6.6 BYPASS; §6.1 N false TTL", service,
                 FromClient(tcp(f.CLIENT, 1, f.INTERNET, 80, SYN, ttl=1), tcp(f.CLIENT, 2, f.INTERNET, 80, SYN, ttl=2),
                            tcp(f.CLIENT, 3, f.DISTANT, 80, SYN, bytes(1400), **_dont_fragment(f)), mark=0x105),
                 lab="transparent", sysctls={"cache_bypass": 1}, needs=("method bypass",)),
        scenario(f"cache_bypass is for marks only over {f.word}", "§4.1 cache_bypass", tcp_service(f.VIP, 80),
                 FromClient(tcp(f.CLIENT, 1, f.VIP, 80, SYN)), sysctls={"cache_bypass": 1}),
    ]


def _foreign_hooks(f):
    """Rules of others see packets where ip_vs shows them."""
    family = "ip6" if f.number == 6 else "ip"

    def rule(hook, text, priority=0):
        return f"table {family} {hook} {{\nchain c {{\ntype filter hook {hook} priority {priority}; {text}\n}}\n}}\n"
    web = tcp_service(f.VIP, 80, Server(f.RS1, 8080))
    syn = tcp(f.CLIENT, 40000, f.VIP, 80, SYN)
    address = f"{family} daddr"
    source = f"{family} saddr"
    steps = FromClient(syn), Answer(SYN | ACK), FromClient(tcp(f.CLIENT, 40000, f.VIP, 80, ACK))
    return [
        scenario(f"a rule in the input hook sees requests to the virtual address over {f.word}", "§1.1 filter-table INPUT", web, *steps,
                 rules=rule("input", f"{address} {f.VIP} tcp flags & syn == 0 drop;")),
        scenario(f"a rule in the input hook behind the balancer sees nothing of what was forwarded over {f.word}", "§1.1 LOCAL_IN 99", web,
                 *steps, rules=rule("input", "drop;", 200)),
        scenario(f"a rule in the forward hook sees answers of the server over {f.word}", "§1.1 filter FORWARD", web, *steps,
                 rules=rule("forward", f"{source} {f.RS1} drop;")),
        scenario(f"a rule in the forward hook behind the balancer sees answers of the virtual address over {f.word}", "§1.1 FORWARD 100", web,
                 *steps, rules=rule("forward", f"{source} {f.VIP} drop;", 150)),
        scenario(f"a rule in the output hook sees masqueraded requests to the server over {f.word}", "§1.1 re-injected LOCAL_OUT", web, *steps,
                 rules=rule("output", f"{address} {f.RS1} drop;")),
        scenario(f"a rule in the output hook sees the outer packet of a tunnel over {f.word}", "§1.1 tunnelled LOCAL_OUT",
                 tcp_service(f.VIP, 80, Server(f.RS1, method=TUNNEL)), FromClient(syn), rules=rule("output", f"{address} {f.RS1} drop;")),
        scenario(f"a rule in the output hook sees a direct-routed request to the virtual address over {f.word}", "§1.1 re-injected LOCAL_OUT",
                 tcp_service(f.VIP, 80, Server(f.RS1, method=DIRECT)), FromClient(syn), rules=rule("output", f"{address} {f.VIP} drop;")),
        scenario(f"a rule in the postrouting hook sees masqueraded requests over {f.word}", "§1.1 re-injected POST_ROUTING", web, *steps,
                 rules=rule("postrouting", f"{address} {f.RS1} drop;")),
        scenario(f"rules that let everything pass change nothing over {f.word}", "§1.1 re-injected LOCAL_OUT", web, *steps,
                 rules=rule("output", "accept;") + rule("postrouting", "accept;")),
    ]


def _offloads(f):
    """Packets with a checksum to be computed, or to be cut into segments, as devices with offloads give them."""
    fields = _dont_fragment(f)
    syn, data = tcp(f.CLIENT, 40000, f.VIP, 80, SYN), tcp(f.CLIENT, 40000, f.VIP, 80, ACK, bytes(range(250)) * 16, **fields)
    for word, method in _METHODS.items():
        port = 8080 if method == NAT else 80
        near, far = (tcp_service(f.VIP, 80, Server(address, port, method)) for address in (f.RS1, f.DISTANT))
        yield scenario(f"a checksum still to be computed by {word} over {f.word}", "§6.2 CHECKSUM_PARTIAL", near,
                       FromClient(syn, offload=0), FromServer(tcp(*((f.RS1, 8080) if method == NAT else (f.VIP, 80)), f.CLIENT, 40000, SYN | ACK),
                                                              offload=0))
        yield scenario(f"a checksum of UDP still to be computed by {word} over {f.word}", "§6.2 CHECKSUM_PARTIAL",
                       udp_service(f.VIP, 53, Server(f.RS1, 5353 if method == NAT else 53, method)),
                       FromClient(udp(f.CLIENT, 4000, f.VIP, 53, b"request"), offload=0))
        yield scenario(f"segments to be cut by {word} over {f.word}", "§6.7 GSO; §10 a GSO skb is one packet", near, FromClient(syn),
                       FromClient(data, offload=1000), FromServer(tcp(*((f.RS1, 8080) if method == NAT else (f.VIP, 80)), f.CLIENT, 40000,
                                                                      ACK, bytes(range(200)) * 15), offload=1000))
        for size in (1340, 1380, 1440):
            yield scenario(f"segments of {size} bytes to be cut to a server behind {DISTANT_MTU} by {word} over {f.word}", "§6.7 GSO", far,
                           FromClient(syn), FromClient(data, offload=size))
    for kind, more in _TUNNELS.items():
        near = Server(f.RS1, method=TUNNEL, **more)
        yield scenario(f"{kind} of a checksum still to be computed over {f.word}", f"§6.5 {kind}; §6.2 CHECKSUM_PARTIAL",
                       [tcp_service(f.VIP, 80, near), udp_service(f.VIP, 53, near)], FromClient(syn, offload=0),
                       FromClient(udp(f.CLIENT, 4000, f.VIP, 53, b"request"), offload=0), needs=_needs(kind))
        yield scenario(f"{kind} of segments to be cut over {f.word}", f"§6.5 GSO types; §6.5 {kind}", tcp_service(f.VIP, 80, near), FromClient(syn),
                       FromClient(data, offload=1000), needs=_needs(kind))


SCENARIOS = [
    *(one for f in FAMILIES for make in (_common, _tunnels, _offloads, _masquerading, _bypass, _foreign_hooks) for one in make(f)),
    scenario("a datagram that was reassembled is sent on in fragments of its size", "§1.4 IPv6 defrag; §6.7 largest received fragment",
             udp_service(V6.VIP, 53, Server(V6.DISTANT, 53, DIRECT)),
             FromClient(*fragments(udp(V6.CLIENT, 4000, V6.VIP, 53, bytes(2400)), 1232)),
             FromClient(*fragments(udp(V6.CLIENT, 4000, V6.VIP, 53, bytes(2400)), 1400))),
    scenario("an atomic fragment makes a connection", "§1.4 IPv6 fragments", udp_service(V6.VIP, 53, Server(V6.RS1, 5353)),
             FromClient(*fragments(udp(V6.CLIENT, 4000, V6.VIP, 53, b"request"), 1200))),
    scenario("an ICMPv6 error with a fragment header is dropped", "§1.4 ICMPv6 errors carrying a fragment header",
             udp_service(V6.VIP, 53, Server(V6.RS1, 5353)), FromClient(udp(V6.CLIENT, 4000, V6.VIP, 53, b"request")),
             FromServer(extended(icmp_error(V6.RS1, V6.CLIENT, 1, 4, udp(V6.CLIENT, 4000, V6.RS1, 5353, b"request")),
                                 (FRAGMENT, bytes([0, 0, 0, 0, 0, 0, 9]))))),
    scenario("extension headers are carried through a tunnel", "§1.3 IPv6 extension chain; §6.5 IPIP",
             udp_service(V6.VIP, 53, Server(V6.RS1, method=TUNNEL)),
             FromClient(extended(udp(V6.CLIENT, 4000, V6.VIP, 53, b"request"), (HOP_BY_HOP, bytes([0, 1, 4, 0, 0, 0, 0])),
                                 (DESTINATION_OPTIONS, bytes([0, 1, 4, 0, 0, 0, 0]))))),
    scenario("pmtu_disc turned off and on again", "§6.5 DF pmtu_disc", udp_service(VIP, 53, Server(RS1, method=TUNNEL)),
             FromClient(udp(CLIENT, 1, VIP, 53, b"a", dont_fragment=True)), Sysctl("pmtu_disc", 0),
             FromClient(udp(CLIENT, 1, VIP, 53, b"a", dont_fragment=True)), Sysctl("pmtu_disc", 1),
             FromClient(udp(CLIENT, 1, VIP, 53, b"a", dont_fragment=True))),
    scenario("what is tunneled to the director is left to it", "§1.3 ignore_tunneled", tcp_service(VIP, 80, Server(RS1, 8080)),
             FromClient(ip(CLIENT, VIP, socket.IPPROTO_IPIP, bytes(tcp(CLIENT, 1, VIP, 80, SYN)))), sysctls={"ignore_tunneled": 1}),
]
