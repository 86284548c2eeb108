# SPDX-License-Identifier: GPL-2.0-only
"""Which real server a new connection gets, seen by real connections one after the other."""

import itertools

from lab import VIP
from lab.balancer import Service
from lab.programs import TcpClient

HERE = VIP["direct-routing"]
THERE = VIP["tunneling"]  # the servers answer for it just as well
SOURCES = [f"10.0.0.{host}" for host in range(2, 14)]
ALL = "rr wrr lc wlc fo ovf lblc lblcr dh sh mh sed nq twos".split()


class Connections:
    """Connections that stay open, and the servers they reached."""

    def __init__(self, lab, address=HERE, port=80):
        self._lab, self._to, self._open = lab, (address, port), []
        lab.tcp_programs(port)

    def next(self, count):
        """Open `count` connections more; the numbers of the servers in the order they were reached."""
        return [self.one() for _ in range(count)]

    def one(self, source=None):
        """Open a connection; the number of the server it reached."""
        self._open.append(TcpClient(self._lab.client, *self._to, source))
        return int(self._open[-1].ask("who").removeprefix("rs"))

    def from_each(self, sources):
        """Open one connection from each of these addresses, which the client gets; the numbers of the servers."""
        self._lab.client.ip(*(f"addr replace {source}/24 dev eth0" for source in sources))
        return [self.one(source) for source in sources]

    def refused(self, source=None):
        """Whether a connection is refused because nobody can take it."""
        try:
            self.one(source)
        except ConnectionRefusedError:
            return True
        return False

    def last_port(self):
        """The client's port of the connection opened last."""
        return self._open[-1].port


def weighted(lab, balancer, scheduler, *weights, here=HERE, port=80, options=()):
    """A service whose servers have these weights, added in the order of their numbers."""
    service = Service("tcp", here, port)
    balancer.command("-A", "-t", service, "-s", scheduler, *options)
    for server, weight in zip(lab.servers, weights):
        balancer.add_server(service, server.address, "direct-routing", weight=weight)
    return service


def test_round_robin_takes_servers_in_turn_newest_first_whatever_their_weight(lab, balancer):
    weighted(lab, balancer, "rr", 1, 7, 3)
    assert Connections(lab).next(7) == [3, 2, 1, 3, 2, 1, 3]


def test_round_robin_skips_weight_0(lab, balancer):
    weighted(lab, balancer, "rr", 1, 0, 3)
    assert Connections(lab).next(4) == [3, 1, 3, 1]


def test_round_robin_goes_on_where_it_was_when_servers_come_and_go(lab, balancer):
    service, connections = weighted(lab, balancer, "rr", 1, 1, 1), Connections(lab)
    assert connections.next(2) == [3, 2]
    balancer.delete_server(service, lab.rs2.address)
    assert connections.next(3) == [1, 3, 1]
    balancer.add_server(service, lab.rs2.address, "direct-routing")  # now the newest
    assert connections.next(4) == [2, 3, 1, 2]


def test_weighted_round_robin_serves_in_proportion_and_interleaves(lab, balancer):
    weighted(lab, balancer, "wrr", 4, 2, 1)  # while the first server was the only one, its lap was the last of a cycle
    assert Connections(lab).next(14) == [3, 2, 1, 1, 1, 2, 1] * 2


def test_weighted_round_robin_with_equal_weights_is_round_robin(lab, balancer):
    weighted(lab, balancer, "wrr", 5, 5, 5)
    assert Connections(lab).next(6) == [3, 2, 1, 3, 2, 1]


def test_weighted_round_robin_starts_anew_when_a_weight_changes(lab, balancer):
    service, connections = weighted(lab, balancer, "wrr", 2, 1, 0), Connections(lab)
    assert connections.next(3) == [2, 1, 1]
    balancer.edit_server(service, lab.rs3.address, "direct-routing", weight=2)
    assert connections.next(5) == [3, 1, 3, 2, 1]


def test_weighted_least_connections_fills_up_in_proportion(lab, balancer):
    service, connections = weighted(lab, balancer, "wlc", 1, 2, 3), Connections(lab)
    assert sorted(connections.next(12)) == [1] * 2 + [2] * 4 + [3] * 6
    assert balancer.counts(service) == {lab.rs1.address: (2, 0), lab.rs2.address: (4, 0), lab.rs3.address: (6, 0)}


def test_weighted_least_connections_prefers_the_server_that_became_idle(lab, balancer):
    weighted(lab, balancer, "wlc", 1, 1, 1)
    connections = Connections(lab)
    assert connections.next(6) == [3, 2, 1, 3, 2, 1]
    for number in (1, 4):  # those of server 2
        connections._open[number].reset()
    assert connections.next(2) == [2, 2]


# The weights of servers 1, 2 and 3, and who gets connections that stay open, one after the other; 0 is nobody.
BY_LOAD = {
    "lc": ((1, 5, 0), [2, 1, 2, 1, 2]),
    "sed": ((1, 2, 3), [3, 2, 3, 3, 2, 1]),
    "nq": ((1, 2, 3), [3, 2, 1, 3, 3, 2]),
    "fo": ((1, 3, 2), [2, 2, 2, 2]),
    "ovf": ((1, 2, 1), [2, 2, 2, 3, 3, 1, 1, 0]),
    "lblc": ((2, 2, 2), [3, 3, 3, 2, 2, 2, 1, 1, 1, 1, 1, 1]),
    "lblcr": ((2, 2, 2), [3, 3, 3, 2, 2, 2, 1, 1, 1, 1, 2, 3]),
}


def test_schedulers_by_load_fill_servers_up_in_the_order_of_their_rules(lab, balancer):
    reached = {}
    for port, (scheduler, (weights, expected)) in enumerate(BY_LOAD.items(), start=80):
        weighted(lab, balancer, scheduler, *weights, port=port)
        connections = Connections(lab, port=port)
        reached[scheduler] = connections.next(len(expected) - expected.count(0)) + [0] * (0 in expected and connections.refused())
    assert reached == {scheduler: expected for scheduler, (_, expected) in BY_LOAD.items()}


def test_schedulers_that_hold_on_to_a_server_go_on_to_another_when_it_goes(lab, balancer):
    reached = {}
    for port, scheduler in enumerate(("fo", "lblc", "lblcr"), start=80):
        service, connections = weighted(lab, balancer, scheduler, 7, 8, 9, port=port), Connections(lab, port=port)
        before = connections.next(2)
        balancer.edit_server(service, lab.rs3.address, "direct-routing", weight=0)
        quiesced = connections.next(2)
        balancer.delete_server(service, lab.rs2.address)
        reached[scheduler] = before + quiesced + connections.next(2)
    assert reached == {scheduler: [3, 3, 2, 2, 1, 1] for scheduler in ("fo", "lblc", "lblcr")}


def test_locality_keeps_each_destination_of_a_firewall_mark_at_its_server(lab, balancer):
    sites = [f"192.0.2.{host}" for host in range(128, 136)]
    for node in (lab.director, *lab.servers):
        node.ip("route add local 192.0.2.128/25 dev lo")
    for server in lab.servers:
        server.ip("rule add from 192.0.2.128/25 lookup 100")  # as from the other addresses that they share
    chain = "type filter hook prerouting priority mangle; ip daddr 192.0.2.128/25 meta mark set 7;"
    lab.director.run("nft", "-f", "-", stdin=f"table ip sites {{\nchain sites {{ {chain} }}\n}}\n")
    balancer.command("-A", "-f", 7, "-s", "lblc")
    for server in lab.servers:
        balancer.command("-a", "-f", 7, "-r", f"{server.address}:0", "-g", "-w", 100)
    lab.tcp_programs()
    clients = []

    def reached(site):
        clients.append(TcpClient(lab.client, site, 80))
        return clients[-1].ask("who")

    first = [reached(site) for site in sites]
    assert first == (["rs3", "rs2", "rs1"] * 3)[:8]
    assert [reached(site) for site in reversed(sites)] == first[::-1]
    balancer.command("-E", "-f", 7, "-s", "rr")
    balancer.command("-E", "-f", 7, "-s", "lblc")
    assert reached(sites[-1]) == "rs1"  # which has the fewest connections; before it was server 2


def test_locality_with_replication_shrinks_a_set_that_has_not_changed_for_long(lab, balancer):
    weighted(lab, balancer, "lblcr", 2, 2, 2)
    connections = Connections(lab)
    assert set(connections.next(9)) == set(connections.next(3)) == {1, 2, 3}
    lab.director.sysctl(**{"net.ipv4.vs.lblcr_expiration": 0})
    assert len(set(connections.next(12)[-3:])) == 1


def test_locality_is_forgotten_with_the_scheduler_and_only_then(lab, balancer):
    service, connections = weighted(lab, balancer, "lblc", 5, 5, 5), Connections(lab)
    assert connections.next(2) == [3, 3]
    balancer.edit_service(service, "lblc")
    balancer.edit_server(service, lab.rs1.address, "direct-routing", weight=6)
    assert connections.next(1) == [3]
    balancer.edit_service(service, "rr")
    balancer.edit_service(service, "lblc")
    assert connections.next(2) == [2, 2]


def test_two_choices_reach_every_server_with_a_weight(lab, balancer):
    weighted(lab, balancer, "twos", 1, 0, 1)
    assert set(Connections(lab).next(30)) == {1, 3}


def test_thresholds_take_a_server_out_and_bring_it_back(lab, balancer):
    service, connections = weighted(lab, balancer, "fo", 1), Connections(lab)

    def limit(verb, server, weight, upper, lower):
        balancer.command(verb, "-t", service, "-r", server.address, "-g", "-w", weight, "-x", upper, "-y", lower)

    limit("-a", lab.rs2, 9, 3, 2)
    limit("-a", lab.rs3, 8, 1, 1)
    assert connections.next(6) == [2, 2, 2, 3, 1, 1]
    limit("-e", lab.rs2, 9, 4, 2)  # three connections are not below the lower threshold
    assert connections.next(1) == [1]
    limit("-e", lab.rs2, 9, 5, 4)
    assert connections.next(3) == [2, 2, 1]
    limit("-e", lab.rs2, 9, 0, 0)
    assert connections.next(2) == [2, 2]


def bucket(address, port=0):
    """The entry, of 256, of a client or destination in the tables of source and destination hashing."""
    number = int.from_bytes(map(int, address.split("."))) + port
    return (number * 0x61C88647 & 0xFFFFFFFF) >> 24


def owners(*shares):
    """The table in which servers 3, 2 and 1 own so many entries in turn."""
    lap = [number for number, share in zip((3, 2, 1), shares) for _ in range(share)]
    return list(itertools.islice(itertools.cycle(lap), 256))


def test_destination_hashing_tells_destinations_apart_but_not_clients_and_waits_for_its_server(lab, balancer):
    service, _ = (weighted(lab, balancer, "dh", 1, 9, 1, here=here) for here in (HERE, THERE))
    here, table = Connections(lab), owners(1, 1, 1)
    assert here.from_each(SOURCES[:3]) == [table[bucket(HERE)]] * 3
    with TcpClient(lab.client, THERE, 80) as client:
        assert client.ask("who") == f"rs{table[bucket(THERE)]}"
    balancer.edit_server(service, lab.servers[table[bucket(HERE)] - 1].address, "direct-routing", weight=0)
    assert here.refused()


def test_source_hashing_shares_clients_out_by_weight_and_with_ports_their_connections(lab, balancer):
    weighted(lab, balancer, "sh", 2, 1, 3)
    table = owners(3, 1, 2)
    assert Connections(lab).from_each(SOURCES) == [table[bucket(source)] for source in SOURCES]
    weighted(lab, balancer, "sh", 1, 1, 1, port=81, options=["-b", "sh-port"])
    connections, table = Connections(lab, port=81), owners(1, 1, 1)
    for _ in range(10):
        reached = connections.one(SOURCES[0])
        assert reached == table[bucket(SOURCES[0], connections.last_port())]


def test_source_hashing_falls_back_to_another_server_while_that_is_wanted(lab, balancer):
    service, connections = weighted(lab, balancer, "sh", 1, 1, 1), Connections(lab)
    home, table = bucket("10.0.0.2"), owners(1, 1, 1)
    assert connections.one() == table[home]
    balancer.edit_server(service, lab.servers[table[home] - 1].address, "direct-routing", weight=0)
    assert connections.refused()
    balancer.command("-E", "-t", service, "-s", "sh", "-b", "sh-fallback")
    others = (table[(2 * home + step) % 256] for step in range(256))
    assert connections.one() == next(other for other in others if other != table[home])
    balancer.command("-E", "-t", service, "-s", "sh")
    assert connections.refused()


def test_maglev_hashing_sends_clients_where_ip_vs_does(lab, balancer):
    weighted(lab, balancer, "mh", 1, 1, 2)
    assert Connections(lab).from_each(SOURCES) == [3, 2, 3, 3, 3, 2, 1, 1, 3, 3, 3, 1]


def test_maglev_hashing_moves_few_clients_when_a_server_goes_and_none_back_and_forth(lab, balancer):
    service, connections = weighted(lab, balancer, "mh", 1, 1, 1, options=["-b", "mh-fallback"]), Connections(lab)
    before = connections.from_each(SOURCES)
    balancer.edit_server(service, lab.rs2.address, "direct-routing", weight=0)
    away = connections.from_each(SOURCES)
    assert all(new == old or old == 2 for old, new in zip(before, away)) and 2 in before and 2 not in away
    balancer.edit_service(service, "mh")
    waiting = [source for source in SOURCES if connections.refused(source)]
    assert waiting == [source for source, number in zip(SOURCES, before) if number == 2]
    balancer.edit_server(service, lab.rs2.address, "direct-routing", weight=1)
    assert connections.from_each(SOURCES) == before
    balancer.delete_server(service, lab.rs2.address)
    after = connections.from_each(SOURCES)
    assert all(new == old or old == 2 for old, new in zip(before, after)) and 2 not in after


def test_every_scheduler_is_listed_by_its_name_and_refuses_when_nobody_takes_connections(lab, balancer):
    service, connections = weighted(lab, balancer, "rr", 100), Connections(lab)
    for scheduler in ALL:
        balancer.edit_service(service, scheduler)
        assert (balancer.services(), connections.one()) == ({service: scheduler}, 1)
    balancer.edit_server(service, lab.rs1.address, "direct-routing", weight=0)
    for scheduler in ALL:
        balancer.edit_service(service, scheduler)
        assert connections.refused(), scheduler


def test_options_of_schedulers_are_listed(balancer):
    lines = ["-A -t 192.0.2.1:80 -s sh -b sh-fallback,sh-port", "-A -t 192.0.2.1:81 -s mh -b mh-port", "-A -t 192.0.2.1:82 -s lc"]
    balancer.command("-R", stdin="".join(f"{line}\n" for line in lines))
    assert sorted(balancer.command("-S", "-n").splitlines()) == lines


def test_changing_the_scheduler_keeps_connections_and_takes_effect_at_once(lab, balancer):
    service, connections = weighted(lab, balancer, "rr", 1, 1, 4), Connections(lab)
    assert connections.next(3) == [3, 2, 1]
    balancer.edit_service(service, "wrr")
    assert balancer.services() == {service: "wrr"}
    assert connections.next(6) == [3, 3, 3, 3, 2, 1]
    assert all(client.ask("who") for client in connections._open)
