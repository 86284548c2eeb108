# SPDX-License-Identifier: GPL-2.0-only
"""Which real server gets a new connection: each scheduler's rule, thresholds, and what happens when nobody may (section 4)."""

from harness.addresses import CLIENT, FAMILIES, RS1, RS2, RS3, VIP
from harness.model import (DIRECT, FALLBACK, NAT, TUNNEL, WITH_PORT, AddServer, AddService, Answer, DeleteServer, EditServer, EditService,
                           FromClient, FromServer, Look, Server, Timeouts, UntilGone, mark_service, scenario, tcp_service, udp_service)
from harness.wire import ACK, FIN, RST, SYN, icmp_error, tcp, udp

ALL = "rr wrr lc wlc sed nq lblc lblcr dh sh mh fo ovf".split()  # without twos, which draws lots


def _syns(f, count, start=0):
    return FromClient(*(tcp(f.CLIENT, 40000 + number, f.VIP, 80, SYN) for number in range(start, start + count)))


def _from_many(f, count, start=0, port=40000):
    return FromClient(*(tcp(f.far_client(number * 257), port, f.VIP, 80, SYN) for number in range(start, start + count)))


def _servers(f, *weights, **more):
    return [Server(address, 80, DIRECT, weight, **more) for address, weight in zip((f.RS1, f.RS2, f.RS3, f.RS4), weights, strict=False)]


def _one(f, scheduler):
    """Scenarios that every scheduler answers its own way."""
    def service(*weights, **more):
        return tcp_service(f.VIP, 80, *_servers(f, *weights, **more), scheduler=scheduler)
    three = service(1, 1, 1)
    return [
        scenario(f"{scheduler} distributes connections of one client among equal servers ({f.word})",
                 f"§4.3 {scheduler}; §4.1 RS list order", three, _syns(f, 9)),
        scenario(f"{scheduler} distributes many clients among equal servers ({f.word})", f"§4.3 {scheduler}", three, _from_many(f, 24)),
        scenario(f"{scheduler} heeds weights ({f.word})", f"§4.3 {scheduler}", service(4, 2, 1), _from_many(f, 21)),
        scenario(f"{scheduler} heeds weights with a common divisor ({f.word})", f"§4.3 {scheduler}", service(6, 3), _from_many(f, 12)),
        scenario(f"{scheduler} leaves out a server of weight 0 ({f.word})", f"§4.3 {scheduler}; §5.4 Weight 0", service(1, 0, 2),
                 _from_many(f, 12)),
        scenario(f"{scheduler} with only servers of weight 0 has no destination ({f.word})", f"§4.3 {scheduler}; §4.1 no destination",
                 service(0, 0), _from_many(f, 2)),
        scenario(f"{scheduler} without servers has no destination ({f.word})", f"§4.3 {scheduler}; §4.1 no destination",
                 service(), _syns(f, 1)),
        scenario(f"{scheduler} goes on when a server comes and one goes ({f.word})", f"§4.3 {scheduler}; §4.1 RS list order", three,
                 _from_many(f, 4), AddServer(three, Server(f.RS4, 80, DIRECT)), _from_many(f, 6, 4),
                 DeleteServer(three, Server(f.RS2, 80, DIRECT)), _from_many(f, 6, 10)),
        scenario(f"{scheduler} goes on when weights change ({f.word})", f"§4.3 {scheduler}; §5.4 SET_DEST", three,
                 _from_many(f, 4), EditServer(three, Server(f.RS2, 80, DIRECT, 3)), _from_many(f, 8, 4),
                 EditServer(three, Server(f.RS1, 80, DIRECT, 0)), _from_many(f, 6, 12),
                 EditServer(three, Server(f.RS1, 80, DIRECT, 2)), _from_many(f, 6, 18)),
        scenario(f"{scheduler} counts active and inactive connections in ({f.word})", f"§4.1 Overhead; §4.3 {scheduler}",
                 tcp_service(f.VIP, 80, Server(f.RS1, 8080), Server(f.RS2, 8080), Server(f.RS3, 8080), scheduler=scheduler),
                 _syns(f, 3), Answer(SYN | ACK), FromClient(tcp(f.CLIENT, 40002, f.VIP, 80, RST)), _syns(f, 1, 3),
                 FromClient(tcp(f.CLIENT, 40000, f.VIP, 80, ACK), tcp(f.CLIENT, 40001, f.VIP, 80, FIN | ACK)), _syns(f, 4, 4)),
        scenario(f"{scheduler} leaves out a server at its upper threshold ({f.word})", f"§4.2 total rises; §4.3 {scheduler}",
                 tcp_service(f.VIP, 80, Server(f.RS1, 80, DIRECT, upper=2), Server(f.RS2, 80, DIRECT), scheduler=scheduler),
                 _syns(f, 8)),
        scenario(f"{scheduler} with all servers at their thresholds has no destination ({f.word})", f"§4.2 total rises; §4.1 no destination",
                 service(1, 1, upper=1), _from_many(f, 4)),
    ]


def _edits(f):
    """Changing the scheduler of a service."""
    service = tcp_service(f.VIP, 80, *_servers(f, 3, 2, 1))
    for one, other in zip(ALL, [*ALL[1:], ALL[0]], strict=True):
        yield scenario(f"a service changes from {one} to {other} ({f.word})", f"§5.4 SET_SERVICE scheduler; §4.3 {other}",
                       service.but(scheduler=one), _from_many(f, 4), EditService(service.but(scheduler=other)), _from_many(f, 8, 4))


def _turns(f):
    """Where wrr stands."""
    one = tcp_service(f.VIP, 80, *_servers(f, 1), scheduler="lc")
    none = tcp_service(f.VIP, 80, *_servers(f, 0), scheduler="lc")
    for service, words in ((one, "one server"), (none, "no server that takes connections")):
        taken = service.but(scheduler="wrr")
        yield scenario(f"a service of {words} takes wrr, then a heavier server comes ({f.word})",
                       "§4.3 wrr; §5.4 SET_SERVICE scheduler", service, EditService(taken),
                       AddServer(taken, Server(f.RS2, 80, DIRECT, 3)), _from_many(f, 8))
    yield scenario(f"a service takes wrr, then its server becomes heavier than another ({f.word})",
                   "§4.3 wrr; §5.4 SET_SERVICE scheduler; §5.4 SET_DEST", one, AddServer(one, Server(f.RS2, 80, DIRECT)),
                   EditService(one.but(scheduler="wrr")), EditServer(one, Server(f.RS1, 80, DIRECT, 4)), _from_many(f, 10))
    def full(upper):
        return udp_service(f.VIP, 53, Server(f.RS1, 53, DIRECT, 2, upper=1), Server(f.RS2, 53, DIRECT, 3, upper=upper), scheduler="wrr")

    def requests(count):
        return FromClient(*(udp(f.CLIENT, 4000 + number, f.VIP, 53, b"request") for number in range(count)))
    yield scenario(f"wrr begins a new cycle when it found all servers at their thresholds ({f.word})", "§4.3 wrr; §4.2 total falls",
                   full(2), Timeouts(0, 0, 2), requests(4), UntilGone(), requests(3), needs=("timers",))
    yield scenario(f"wrr goes on in its last lap when it found all servers at their thresholds there ({f.word})",
                   "§4.3 wrr; §4.2 total falls", full(4), Timeouts(0, 0, 2), requests(6), UntilGone(), requests(3), needs=("timers",))


def _hashing(f):
    """Flags of sh and mh."""
    for scheduler in ("sh", "mh"):
        plain = tcp_service(f.VIP, 80, *_servers(f, 3, 2, 1), scheduler=scheduler)
        for words, flags in (("fallback", FALLBACK), ("port", WITH_PORT), ("fallback and port", FALLBACK | WITH_PORT)):
            service = plain.but(flags=flags)
            yield scenario(f"{scheduler} with {words} ({f.word})", f"§4.3 {scheduler}-{words.replace(' and ', ', ')}", service,
                           _from_many(f, 12), _syns(f, 12), EditServer(service, Server(f.RS1, 80, DIRECT, 0)), _from_many(f, 24, 12),
                           _syns(f, 12, 12))
            yield scenario(f"{scheduler} with {words} and a server at its threshold ({f.word})", f"§4.3 {scheduler}-{words.replace(' and ', ', ')}",
                           service.but(servers=tuple(one.but(upper=2) for one in service.servers)), _from_many(f, 12))
        yield scenario(f"{scheduler} heeds a change of its flags at once ({f.word})", f"§4.3 flags evaluated per packet", plain,
                       _syns(f, 4), EditService(plain.but(flags=WITH_PORT)), _syns(f, 8, 4), EditService(plain), _syns(f, 4, 12))
        yield scenario(f"{scheduler} sends the same client to the same server when servers were added in the same order ({f.word})",
                       f"§4.3 {scheduler}; §4.4 list order", plain, _from_many(f, 40))
        yield scenario(f"{scheduler} by ports of UDP ({f.word})", f"§4.3 {scheduler}-port",
                       udp_service(f.VIP, 53, *_servers(f, 1, 1, 1), scheduler=scheduler, flags=WITH_PORT),
                       FromClient(*(udp(f.CLIENT, port, f.VIP, 53, b"q") for port in range(4000, 4012))))


def _thresholds(f):
    service = tcp_service(f.VIP, 80, Server(f.RS1, 8080, upper=4, lower=2))

    def close(number):
        """The client resets; the connection stays, inactive, until it expires."""
        return FromClient(tcp(f.CLIENT, 40000 + number, f.VIP, 80, RST))
    return [
        scenario(f"a server at its upper threshold gets no more until it is edited ({f.word})", "§4.2 total rises; §4.2 edit", service,
                 _syns(f, 6), Look(), EditServer(service, Server(f.RS1, 8080, upper=6, lower=5)), _syns(f, 2, 6),
                 EditServer(service, Server(f.RS1, 8080, upper=8, lower=2)), _syns(f, 2, 8),
                 EditServer(service, Server(f.RS1, 8080, upper=0, lower=0)), _syns(f, 2, 10)),
        scenario(f"an upper threshold set below what a server has stops it ({f.word})", "§4.2 edit",
                 tcp_service(f.VIP, 80, Server(f.RS1, 8080)), _syns(f, 3),
                 EditServer(service, Server(f.RS1, 8080, upper=2)), _syns(f, 1, 3),
                 EditServer(service, Server(f.RS1, 8080, upper=4)), _syns(f, 1, 4)),
        scenario(f"a lower threshold of 0 means three quarters of the upper ({f.word})", "§4.2 effective lower",
                 tcp_service(f.VIP, 80, Server(f.RS1, 8080, upper=4)), _syns(f, 5),
                 EditServer(service, Server(f.RS1, 8080, upper=5)), _syns(f, 3, 5),
                 EditServer(service, Server(f.RS1, 8080, upper=8)), _syns(f, 3, 8)),
        scenario(f"a server gets connections again when enough have ended ({f.word})", "§4.2 total falls",
                 udp_service(f.VIP, 53, Server(f.RS1, 53, upper=4, lower=1)), Timeouts(0, 0, 2),
                 FromClient(*(udp(f.CLIENT, port, f.VIP, 53, b"a") for port in range(1, 7))), UntilGone(),
                 FromClient(udp(f.CLIENT, 1, f.VIP, 53, b"a")), needs=("timers",)),
        scenario(f"connections of a server at its threshold go on ({f.word})", "§4.2 existing entries unaffected", service,
                 _syns(f, 5), FromClient(*(tcp(f.CLIENT, 40000 + number, f.VIP, 80, ACK) for number in range(5))), close(0), close(1)),
    ]


def _nobody(f):
    """No destination."""
    return [
        scenario(f"nobody for UDP is an error to the client over {f.word}", "§4.1 no destination; §4.1 ICMP port-unreachable",
                 udp_service(f.VIP, 53), FromClient(udp(f.CLIENT, 4000, f.VIP, 53, b"request"))),
        scenario(f"nobody for TCP is an error to the client over {f.word}", "§4.1 ICMP port-unreachable",
                 tcp_service(f.VIP, 80), FromClient(tcp(f.CLIENT, 40000, f.VIP, 80, SYN))),
        scenario(f"nobody for a port of an FTP service leaves the packet alone over {f.word}", "§4.1 VS port 21; §5.2 port-21",
                 tcp_service(f.VIP, 21, persistent=300), FromClient(tcp(f.CLIENT, 40000, f.VIP, 2000, SYN),
                                                                    tcp(f.CLIENT, 40000, f.VIP, 21, SYN))),
        scenario(f"nobody for an error drops it over {f.word}", "§4.1 ICMP-triggered", tcp_service(f.VIP, 80),
                 FromClient(icmp_error(f.CLIENT, f.VIP, *((1, 4) if f.number == 6 else (3, 1)), tcp(f.VIP, 80, f.CLIENT, 4, ACK))),
                 sysctls={"schedule_icmp": 1}),
        scenario(f"a service of all ports without persistence schedules nothing over {f.word}", "§4.1 port-0 VS without persistence",
                 tcp_service(f.VIP, 0, Server(f.RS1, 0)), FromClient(tcp(f.CLIENT, 40000, f.VIP, 80, SYN))),
        scenario(f"a service without a scheduler has no destination over {f.word}", "§4.1 Scheduler none",
                 tcp_service(f.VIP, 80, Server(f.RS1), scheduler="none"), FromClient(tcp(f.CLIENT, 40000, f.VIP, 80, SYN))),
    ]


def _by_destination(f):
    """dh, lblc and lblcr look at where a packet goes, which differs for services by firewall mark only."""
    virtual = [f.INTERNET[:-1] + str(number) for number in range(1, 9)]
    for scheduler in ("dh", "lblc", "lblcr"):
        service = mark_service(0x105, *_servers(f, 1, 1, 1), family_of=f.VIP, scheduler=scheduler)
        yield scenario(f"{scheduler} sends destinations to servers ({f.word})", f"§4.3 {scheduler}; §4.5 {scheduler} entry", service,
                       FromClient(*(tcp(f.CLIENT, 40000 + number, to, 80, SYN) for number in range(3) for to in virtual), mark=0x105),
                       lab="transparent")
        yield scenario(f"{scheduler} finds another server for destinations of a quiesced one ({f.word})",
                       f"§4.3 {scheduler}; §4.5 {scheduler} entry", service,
                       FromClient(*(tcp(f.CLIENT, 40000, to, 80, SYN) for to in virtual), mark=0x105),
                       EditServer(service, Server(f.RS1, 80, DIRECT, 0)),
                       FromClient(*(tcp(f.CLIENT, 40001, to, 80, SYN) for to in virtual), mark=0x105),
                       DeleteServer(service, Server(f.RS2, 80, DIRECT)),
                       FromClient(*(tcp(f.CLIENT, 40002, to, 80, SYN) for to in virtual), mark=0x105), lab="transparent")
        yield scenario(f"{scheduler} spreads a destination that is too much for its server ({f.word})", f"§4.5 {scheduler} overload",
                       service.but(servers=tuple(_servers(f, 2, 5, 9))),
                       FromClient(*(tcp(f.CLIENT, 40000 + number, virtual[0], 80, SYN) for number in range(14)), mark=0x105),
                       lab="transparent")


def _twos(f):
    """twos draws lots; where it has no choice it can be compared."""
    service = tcp_service(f.VIP, 80, *_servers(f, 0, 5, 0), scheduler="twos")
    return [
        scenario(f"twos takes the only server that may get connections ({f.word})", "§4.3 twos", service, _from_many(f, 6)),
        scenario(f"twos without a server that may has no destination ({f.word})", "§4.3 twos; §4.1 no destination",
                 tcp_service(f.VIP, 80, *_servers(f, 0, 0), scheduler="twos"), _from_many(f, 2)),
        scenario(f"twos leaves out a server at its threshold ({f.word})", "§4.3 twos; §4.2 total rises",
                 tcp_service(f.VIP, 80, Server(f.RS1, 80, DIRECT, upper=2), Server(f.RS2, 80, DIRECT, 0), scheduler="twos"),
                 _from_many(f, 4)),
        scenario(f"twos gives every connection to one of its servers ({f.word})", "§4.3 twos",
                 tcp_service(f.VIP, 80, *_servers(f, 1, 1, 1), scheduler="twos"), _from_many(f, 12),
                 ignore=("step 1 *", "end servers*", "end counters* server *", "end connections")),
    ]


def _maglev_vectors():
    """Servers and clients of the specification's vectors, as near as the lab's network allows."""
    servers = (Server(RS1, 8080, NAT, 2), Server(RS2, 8080, NAT, 1), Server(RS3, 8080, NAT, 1))
    yield scenario("mh keeps slots of a server whose weight became 0", "§4.4 lastw",
                   tcp_service(VIP, 80, *servers, scheduler="mh", flags=FALLBACK),
                   _from_many(FAMILIES[0], 20), EditServer(tcp_service(VIP, 80), servers[0].but(weight=0)), _from_many(FAMILIES[0], 20, 20),
                   EditServer(tcp_service(VIP, 80), servers[0]), _from_many(FAMILIES[0], 20, 40))
    yield scenario("mh gives no slots to a server added with weight 0", "§4.4 lastw",
                   tcp_service(VIP, 80, *servers[1:], scheduler="mh"), AddServer(tcp_service(VIP, 80), servers[0].but(weight=0)),
                   _from_many(FAMILIES[0], 20))
    yield scenario("mh with large weights shifts them", "§4.4 turns",
                   tcp_service(VIP, 80, *(server.but(weight=weight) for server, weight in zip(servers, (1000, 333, 77), strict=True)),
                               scheduler="mh"), _from_many(FAMILIES[0], 40))
    yield scenario("mh with ports of servers in its table", "§4.4 offset, skip",
                   tcp_service(VIP, 80, Server(RS1, 8080), Server(RS1, 8081), Server(RS1, 8082), scheduler="mh"), _from_many(FAMILIES[0], 30))


SCENARIOS = [
    *(one for f in FAMILIES for scheduler in ALL for one in _one(f, scheduler)),
    *(one for f in FAMILIES for make in (_edits, _turns, _hashing, _thresholds, _nobody, _by_destination, _twos) for one in make(f)),
    *_maglev_vectors(),
    scenario("an unknown scheduler is refused, and editing a service to one leaves it", "§4.1 Scheduler name",
             [tcp_service(VIP, 80, Server(RS1), scheduler="rr")],
             AddService(tcp_service(VIP, 81, scheduler="nosuch")), EditService(tcp_service(VIP, 80, scheduler="nosuch")),
             FromClient(tcp(CLIENT, 40000, VIP, 80, SYN))),
    scenario("rr steps back to the one before when its current server is deleted", "§4.3 rr",
             tcp_service(VIP, 80, *_servers(FAMILIES[0], 1, 1, 1, 1)), _syns(FAMILIES[0], 2),
             DeleteServer(tcp_service(VIP, 80), Server(RS3, 80)), _syns(FAMILIES[0], 4, 2)),
    scenario("wrr starts again after an edit", "§4.3 wrr", tcp_service(VIP, 80, *_servers(FAMILIES[0], 5, 3, 1), scheduler="wrr"),
             _syns(FAMILIES[0], 4), EditServer(tcp_service(VIP, 80), Server(RS2, 80, DIRECT, 4)), _syns(FAMILIES[0], 12, 4)),
    scenario("nq prefers an idle server to a heavier one", "§4.3 nq",
             tcp_service(VIP, 80, *_servers(FAMILIES[0], 100, 1, 1), scheduler="nq"), _syns(FAMILIES[0], 6)),
    scenario("ovf flows over to the next weight", "§4.3 ovf",
             tcp_service(VIP, 80, *_servers(FAMILIES[0], 3, 2, 1), scheduler="ovf"), _syns(FAMILIES[0], 12)),
    scenario("fo takes the heaviest until it is gone", "§4.3 fo",
             tcp_service(VIP, 80, *_servers(FAMILIES[0], 3, 2, 2), scheduler="fo"), _syns(FAMILIES[0], 3),
             DeleteServer(tcp_service(VIP, 80), Server(RS1, 80)), _syns(FAMILIES[0], 3, 3)),
    scenario("the methods of servers are mixed", "§4.3 rr; §6.1 methods",
             tcp_service(VIP, 80, Server(RS1, 80, NAT), Server(RS2, 80, TUNNEL), Server(RS3, 80, DIRECT)), _syns(FAMILIES[0], 6),
             FromServer(tcp(RS1, 80, CLIENT, 40002, SYN | ACK))),
]
