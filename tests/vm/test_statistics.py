# SPDX-License-Identifier: GPL-2.0-only
"""Counters are exact, rates plausible. C ip_vs renews what it tells every two seconds, so new values are waited for."""

import pytest

from lab import VIP, Stats, eventually, packet, whichever_method

PORT = 53


@pytest.fixture
def flow(lab, balancer, method):
    """Two ghosts, the service between them, and what sends requests or replies of a known size."""
    return Flow(lab, balancer, method)


class Flow:
    def __init__(self, lab, balancer, method):
        self.vip = VIP[method]
        self.client, self.server = lab.ghost_client(), lab.ghost_server()
        self.service = balancer.add_service("udp", self.vip, PORT, "rr")
        balancer.add_server(self.service, self.server.address, method)

    def requests(self, count, size, client_port=40000):
        """`count` packets of `size` bytes from the client, seen by the server."""
        for _ in range(count):
            self.client.send(packet.udp(self.client.address, client_port, self.vip, PORT, bytes(size - 28)))
            self.server.receive()

    def replies(self, count, size, client_port=40000):
        for _ in range(count):
            self.server.send(packet.udp(self.server.address, PORT, self.client.address, client_port, bytes(size - 28)))
            self.client.receive()


def test_every_packet_and_byte_is_counted_once(flow, balancer, method):
    flow.requests(5, 100)
    flow.requests(2, 1000, client_port=40001)
    if method == "masquerading":
        flow.replies(4, 300)
        exact = Stats(2, 7, 4, 2500, 1200)
    else:
        exact = Stats(2, 7, 0, 2500, 0)
    eventually(lambda: balancer.stats(flow.service), {None: exact, flow.server.address: exact})


@whichever_method
def test_each_server_has_its_own_share_and_the_service_their_sum(lab, balancer, method):
    client = lab.ghost_client()
    service = balancer.balance("udp", VIP[method], PORT, lab.servers, method)
    for port in range(40000, 40006):
        client.send(packet.udp(client.address, port, VIP[method], PORT, bytes(72)))
    share = Stats(2, 2, 0, 200, 0)
    expected = {server.address: share for server in lab.servers} | {None: Stats(6, 6, 0, 600, 0)}
    eventually(lambda: {whose: Stats(one.connections, one.packets_in, 0, one.bytes_in, 0)
                        for whose, one in balancer.stats(service).items()}, expected)


def test_a_removed_servers_counts_stay_in_the_services(flow, balancer):
    flow.requests(3, 100)
    eventually(lambda: balancer.stats(flow.service)[None].packets_in, 3)
    balancer.delete_server(flow.service, flow.server.address)
    assert balancer.stats(flow.service) == {None: Stats(1, 3, 0, 300, 0)}


def test_zeroing_starts_counting_anew_and_leaves_connections_alone(flow, balancer):
    flow.requests(3, 100)
    eventually(lambda: balancer.stats(flow.service)[None].packets_in, 3)
    balancer.zero()
    nothing = Stats(0, 0, 0, 0, 0)
    assert balancer.stats(flow.service) == {None: nothing, flow.server.address: nothing}
    assert balancer.counts(flow.service) == {flow.server.address: (0, 1)}
    flow.requests(2, 100)
    eventually(lambda: balancer.stats(flow.service)[None], Stats(0, 2, 0, 200, 0))


def test_rates_follow_the_traffic(lab, balancer):
    flow = Flow(lab, balancer, "masquerading")

    def rate_under_traffic():
        flow.requests(20, 500)
        flow.replies(20, 200)
        return balancer.rates(flow.service)[None]

    seen = eventually(lambda: (rate := rate_under_traffic()).packets_in > 10 and rate.packets_out > 10 and rate, within=15)
    assert seen.packets_in * 0.5 <= seen.packets_out <= seen.packets_in * 2
    assert 400 * seen.packets_in <= seen.bytes_in <= 600 * seen.packets_in
    assert 150 * seen.packets_out <= seen.bytes_out <= 250 * seen.packets_out
    eventually(lambda: balancer.rates(flow.service)[None].packets_in < seen.packets_in / 2, within=15)
