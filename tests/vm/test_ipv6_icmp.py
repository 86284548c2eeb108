# SPDX-License-Identifier: GPL-2.0-only
"""ICMPv6: errors about balanced flows reach the side they are meant for; everything else is none of the balancer's business."""

import socket

import pytest

from lab import IPV6, VIP6, dual_stack, packet
from lab.programs import UdpClient
from test_icmp import CLIENT_PORT, PORT, SERVER_PORT, masqueraded_flow

pytestmark = dual_stack

NAT = VIP6["masquerading"]


@pytest.fixture
def masqueraded(lab, balancer):
    lab.offloads(False, [lab.director])  # its devices may be left to compute checksums
    return masqueraded_flow(lab, balancer, IPV6)


def test_errors_from_the_servers_side_are_rewritten_for_the_client(masqueraded):
    client, server = masqueraded
    about = packet.udp(client.address, CLIENT_PORT, server.address, SERVER_PORT, b"request", ttl=60)
    for sender in (server.address, IPV6.far_away):
        for kind, rest in ((packet.PORT_UNREACHABLE_6, 0), (packet.TOO_BIG_6, 1310), (packet.TIME_EXCEEDED_6, 0),
                           (packet.BAD_HEADER_6, 6)):
            server.send(packet.icmp_error(sender, client.address, *kind, about, rest=rest))
            answer = client.receive()
            assert answer.source == NAT and answer.transport_valid and answer.icmp_type_code == kind
            assert answer.icmp_mtu == rest and answer.ttl == 63
            inner = answer.inner
            assert (inner.source, inner.destination, inner.ports) == (client.address, NAT, (CLIENT_PORT, PORT))


def test_errors_from_the_clients_side_are_rewritten_for_the_masqueraded_server(masqueraded):
    client, server = masqueraded
    server.send(packet.udp(server.address, SERVER_PORT, client.address, CLIENT_PORT, b"reply"))
    about = client.receive()
    for kind, rest in ((packet.PORT_UNREACHABLE_6, 0), (packet.TOO_BIG_6, 1310), (packet.TIME_EXCEEDED_6, 0)):
        client.send(packet.icmp_error(IPV6.far_away, NAT, *kind, about, rest=rest))
        arrived = server.receive()
        assert arrived.source == IPV6.far_away and arrived.transport_valid and arrived.icmp_type_code == kind
        assert arrived.icmp_mtu == rest
        inner = arrived.inner
        assert (inner.source, inner.destination, inner.ports) == (server.address, client.address, (SERVER_PORT, CLIENT_PORT))


def test_errors_about_unknown_flows_are_left_alone_and_damaged_ones_go_nowhere(masqueraded):
    client, server = masqueraded
    unknown = packet.udp(NAT, PORT, client.address, CLIENT_PORT + 1, b"never sent")
    client.send(packet.too_big(IPV6.far_away, NAT, unknown, 1310),
                packet.udp(client.address, CLIENT_PORT, NAT, PORT, b"after it"))
    assert server.receive().udp_data == b"after it"
    about = packet.udp(client.address, CLIENT_PORT, server.address, SERVER_PORT, b"request")
    good = packet.icmp_error(server.address, client.address, *packet.PORT_UNREACHABLE_6, about)
    damaged = good.but(payload=good.payload[:2] + b"\x12\x34" + good.payload[4:])
    server.send(damaged, packet.udp(server.address, SERVER_PORT, client.address, CLIENT_PORT, b"after it"))
    assert client.receive().udp_data == b"after it"


def test_programs_on_both_sides_learn_of_each_others_errors(lab, balancer):
    lab.udp_programs(PORT)
    balancer.balance("udp", NAT, PORT, [lab.rs1], "masquerading")
    balancer.balance("udp", NAT, PORT + 1, [lab.rs1], "masquerading")
    with UdpClient(lab.client, NAT, PORT + 1) as client, pytest.raises(ConnectionRefusedError):
        client.ask(b"anybody there")
    ghost = lab.ghost_client(IPV6)
    ghost.send(packet.udp(ghost.address, CLIENT_PORT, NAT, PORT, b"request"))
    reply = ghost.receive()
    ghost.send(packet.too_big(IPV6.far_away, NAT, reply, 1300))
    ghost.send(packet.udp(ghost.address, CLIENT_PORT, NAT, PORT, bytes(1350)))
    first = ghost.receive()
    assert first.more_fragments and len(first) <= 1300


def test_neighbours_are_found_and_echo_requests_answered_while_there_are_services(lab, balancer):
    lab.udp_programs(PORT, servers=[lab.rs1])
    for method, vip in VIP6.items():
        balancer.balance("udp", vip, PORT, [lab.rs1], method)
        lab.director.ip("neigh flush dev eth0", "neigh flush dev eth1")
        lab.client.run("ping", "-c", "1", "-W", "5", vip)
        with UdpClient(lab.client, vip, PORT) as client:
            assert client.ask(b"hello") == ("rs1", b"hello")
    seen = lab.client.capture(family=socket.AF_INET6)
    lab.client.ip("neigh flush dev eth0")
    lab.client.run("ping", "-c", "1", "-W", "5", IPV6.outside)
    advertised = seen.first(lambda one: one.protocol == packet.ICMPV6 and one.icmp_type_code[0] == 136)
    assert advertised.ttl == 255 and advertised.transport_valid
    assert {one.virtual for one in balancer.connections()} == {(vip, PORT) for vip in VIP6.values()}
