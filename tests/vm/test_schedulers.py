# SPDX-License-Identifier: GPL-2.0-only
"""Which real server a new connection gets, seen by real connections one after the other."""

from lab import VIP
from lab.programs import TcpClient

HERE = VIP["direct-routing"]


class Connections:
    """Connections that stay open, and the servers they reached."""

    def __init__(self, lab):
        self._lab, self._open = lab, []
        lab.tcp_programs()

    def next(self, count):
        """Open `count` connections more; the numbers of the servers in the order they were reached."""
        reached = []
        for _ in range(count):
            self._open.append(TcpClient(self._lab.client, HERE, 80))
            reached.append(int(self._open[-1].ask("who").removeprefix("rs")))
        return reached


def weighted(lab, balancer, scheduler, *weights):
    """A service whose servers have these weights, added in the order of their numbers."""
    service = balancer.add_service("tcp", HERE, 80, scheduler)
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


def test_changing_the_scheduler_keeps_connections_and_takes_effect_at_once(lab, balancer):
    service, connections = weighted(lab, balancer, "rr", 1, 1, 4), Connections(lab)
    assert connections.next(3) == [3, 2, 1]
    balancer.edit_service(service, "wrr")
    assert balancer.services() == {service: "wrr"}
    assert connections.next(6) == [3, 3, 3, 3, 2, 1]
    assert all(client.ask("who") for client in connections._open)
