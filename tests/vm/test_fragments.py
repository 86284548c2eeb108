# SPDX-License-Identifier: GPL-2.0-only
"""Datagrams in fragments, in both directions."""

from lab import VIP, packet
from lab.programs import UdpClient, pattern

PORT = 53
NAT = VIP["masquerading"]


def test_large_datagrams_and_their_equally_large_replies_arrive_whole(lab, balancer, method):
    lab.udp_programs(PORT)
    balancer.balance("udp", VIP[method], PORT, [lab.rs1], method)
    with UdpClient(lab.client, VIP[method], PORT) as client:
        for size in (1500, 4000, 40000):
            assert client.ask(pattern(size)) == ("rs1", pattern(size))


def test_fragments_in_any_order_make_one_datagram(lab, balancer, method):
    client, arriving = lab.ghost_client(), lab.rs1.capture()
    balancer.balance("udp", VIP[method], PORT, [lab.rs1], method)
    whole = packet.udp(client.address, 4000, VIP[method], PORT, pattern(1000), identification=7)
    client.send(*reversed(packet.fragments(whole, 400)))
    arrived = arriving.first_whole(lambda seen: seen.protocol in (packet.UDP, packet.IPIP))
    inner = arrived.inner if method == "tunneling" else arrived
    assert inner.udp_data == pattern(1000) and inner.transport_valid


def test_a_masqueraded_servers_fragments_are_translated(lab, balancer):
    client, server = lab.ghost_client(), lab.ghost_server()
    service = balancer.add_service("udp", NAT, PORT, "rr")
    balancer.add_server(service, server.address, "masquerading")
    client.send(packet.udp(client.address, 4000, NAT, PORT))
    server.receive()
    whole = packet.udp(server.address, PORT, client.address, 4000, pattern(1000), identification=8)
    server.send(*packet.fragments(whole, 400))
    arrived = client.receive_whole()
    assert arrived.source == NAT and arrived.udp_data == pattern(1000) and arrived.transport_valid


def test_an_incomplete_datagram_goes_nowhere(lab, balancer):
    client, server = lab.ghost_client(), lab.ghost_server()
    service = balancer.add_service("udp", NAT, PORT, "rr")
    balancer.add_server(service, server.address, "masquerading")
    whole = packet.udp(client.address, 4000, NAT, PORT, pattern(1000), identification=7)
    client.send(*packet.fragments(whole, 400)[:-1], packet.udp(client.address, 4001, NAT, PORT, b"after it"))
    assert server.receive().udp_data == b"after it"
    assert balancer.connection_of(4000) is None
