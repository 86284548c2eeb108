# SPDX-License-Identifier: GPL-2.0-only
"""ICMP errors about balanced flows reach the side they are meant for, and make sense there."""

import pytest

from lab import DIRECTOR_INSIDE, DIRECTOR_OUTSIDE, IPV4, VIP, either_family, packet
from lab.programs import UdpClient

CLIENT_PORT, PORT, SERVER_PORT = 40000, 53, 5353
NAT = VIP["masquerading"]


def masqueraded_flow(lab, balancer, plan):
    """The ghosts at both ends of a flow through masquerading that is one request old."""
    client, server = lab.ghost_client(plan), lab.ghost_server(plan)
    vip = plan.vip["masquerading"]
    service = balancer.add_service("udp", vip, PORT, "rr")
    balancer.add_server(service, server.address, "masquerading", port=SERVER_PORT)
    client.send(packet.udp(client.address, CLIENT_PORT, vip, PORT, b"request"))
    server.receive()
    return client, server


@pytest.fixture
def masqueraded(lab, balancer):
    return masqueraded_flow(lab, balancer, IPV4)


def test_a_closed_port_of_a_masqueraded_server_is_reported_as_the_services(lab, balancer):
    balancer.balance("udp", NAT, PORT, [lab.rs1], "masquerading")
    with UdpClient(lab.client, NAT, PORT) as client, pytest.raises(ConnectionRefusedError):
        client.ask(b"anybody there")


def test_errors_from_the_servers_side_are_rewritten_for_the_client(masqueraded):
    client, server = masqueraded
    about = packet.udp(client.address, CLIENT_PORT, server.address, SERVER_PORT, b"request", ttl=60)
    for sender in (server.address, IPV4.far_away):
        server.send(packet.icmp_error(sender, client.address, 3, packet.PORT_UNREACHABLE, about))
        answer = client.receive()
        assert answer.source == NAT and answer.valid and answer.transport_valid
        assert answer.icmp_type_code == (3, packet.PORT_UNREACHABLE)
        assert (answer.inner.source, answer.inner.destination, answer.inner.ports) == (client.address, NAT, (CLIENT_PORT, PORT))
        assert answer.inner.valid


def test_fragmentation_needed_from_the_servers_side_keeps_its_size(masqueraded):
    client, server = masqueraded
    about = packet.udp(client.address, CLIENT_PORT, server.address, SERVER_PORT, b"request")
    server.send(packet.too_big(IPV4.far_away, client.address, about, 1234))
    answer = client.receive()
    assert answer.icmp_mtu == 1234 and answer.inner.destination == NAT


def test_an_error_from_the_clients_side_is_rewritten_for_the_masqueraded_server(masqueraded):
    client, server = masqueraded
    server.send(packet.udp(server.address, SERVER_PORT, client.address, CLIENT_PORT, b"reply"))
    about = client.receive()
    client.send(packet.too_big(IPV4.far_away, NAT, about, 1111))
    arrived = server.receive()
    assert arrived.source == IPV4.far_away and arrived.icmp_mtu == 1111 and arrived.transport_valid
    inner = arrived.inner
    assert (inner.source, inner.destination, inner.ports) == (server.address, client.address, (SERVER_PORT, CLIENT_PORT))
    assert inner.valid


@either_family
def test_an_error_from_the_clients_side_reaches_the_flows_server_as_it_is_by_other_methods(lab, balancer, plan):
    client, server = lab.ghost_client(plan), lab.ghost_server(plan)
    for method in ("tunneling", "direct-routing"):
        vip = plan.vip[method]
        service = balancer.add_service("udp", vip, PORT, "rr")
        balancer.add_server(service, lab.rs2.address_like(vip), method)  # would be the next one
        balancer.add_server(service, server.address, method)
        client.send(packet.udp(client.address, CLIENT_PORT, vip, PORT, b"request"))
        server.receive()
        about = packet.udp(vip, PORT, client.address, CLIENT_PORT, b"reply")
        sent = packet.too_big(plan.far_away, vip, about, 1310)
        client.send(sent)
        arrived = server.receive()
        assert (arrived.inner if method == "tunneling" else arrived) == sent.but(ttl=63)


def test_a_program_on_a_masqueraded_server_learns_the_clients_path_mtu(lab, balancer):
    lab.udp_programs(PORT)
    balancer.balance("udp", NAT, PORT, [lab.rs1], "masquerading")
    client = lab.ghost_client()
    client.send(packet.udp(client.address, CLIENT_PORT, NAT, PORT, b"request"))
    reply = client.receive()
    client.send(packet.too_big(IPV4.far_away, NAT, reply.but(dont_fragment=True), 900))
    client.send(packet.udp(client.address, CLIENT_PORT, NAT, PORT, bytes(1000)))
    first = client.receive()
    assert first.more_fragments and len(first) <= 900


def test_an_error_about_an_unknown_flow_is_left_alone(masqueraded):
    client, server = masqueraded
    about = packet.udp(NAT, PORT, client.address, CLIENT_PORT + 1, b"never sent")
    client.send(packet.too_big(IPV4.far_away, NAT, about, 1111),
                packet.udp(client.address, CLIENT_PORT, NAT, PORT, b"after it"))
    assert server.receive().udp_data == b"after it"


def test_an_error_with_a_wrong_checksum_is_not_passed_on(masqueraded):
    client, server = masqueraded
    about = packet.udp(client.address, CLIENT_PORT, server.address, SERVER_PORT, b"request")
    good = packet.icmp_error(server.address, client.address, 3, packet.PORT_UNREACHABLE, about)
    bad = good.but(payload=good.payload[:2] + b"\x12\x34" + good.payload[4:])
    server.send(bad, packet.udp(server.address, SERVER_PORT, client.address, CLIENT_PORT, b"after it"))
    assert client.receive().udp_data == b"after it"


def test_echo_requests_to_a_virtual_address_are_the_directors_own(lab, balancer, method):
    lab.udp_programs(PORT)
    balancer.balance("udp", VIP[method], PORT, lab.servers, method)
    lab.client.run("ping", "-c", "1", "-W", "5", VIP[method])


def test_a_packet_at_the_end_of_its_life_is_answered_by_the_director(lab, balancer, method):
    client, server = lab.ghost_client(), lab.ghost_server()
    service = balancer.add_service("udp", VIP[method], PORT, "rr")
    balancer.add_server(service, server.address, method)
    client.send(packet.udp(client.address, CLIENT_PORT, VIP[method], PORT, b"old", ttl=1))
    answer = client.receive()
    assert answer.icmp_type_code == (packet.TIME_EXCEEDED, 0)
    assert answer.inner.destination == VIP[method] and answer.inner.ports == (CLIENT_PORT, PORT)
    assert server.received() == []


def test_two_hops_to_live_are_enough(lab, balancer, method):
    client, server = lab.ghost_client(), lab.ghost_server()
    service = balancer.add_service("udp", VIP[method], PORT, "rr")
    balancer.add_server(service, server.address, method)
    client.send(packet.udp(client.address, CLIENT_PORT, VIP[method], PORT, ttl=2))
    arrived = server.receive()
    assert (arrived.inner if method == "tunneling" else arrived).ttl == 1


def test_fragmentation_needed_on_the_way_of_a_tunnel_is_passed_on_to_the_client(lab, balancer):
    client, server = lab.ghost_client(), lab.ghost_server()
    service = balancer.add_service("udp", VIP["tunneling"], PORT, "rr")
    balancer.add_server(service, server.address, "tunneling")
    large = packet.udp(client.address, CLIENT_PORT, VIP["tunneling"], PORT, bytes(1200), dont_fragment=True)
    client.send(large)
    server.send(packet.too_big(IPV4.far_away, DIRECTOR_INSIDE, server.receive(), 1000))
    answer = client.receive()
    assert answer.icmp_type_code == (packet.DESTINATION_UNREACHABLE, packet.FRAGMENTATION_NEEDED)
    assert answer.transport_valid and answer.quotes(large)
    client.send(large)  # from here on the director itself knows what fits
    answer = client.receive()
    assert answer.icmp_type_code == (packet.DESTINATION_UNREACHABLE, packet.FRAGMENTATION_NEEDED)
    assert answer.icmp_mtu == 980 and answer.transport_valid and answer.quotes(large)


def test_errors_of_the_directors_own_flows_stay_its_own(lab, balancer):
    balancer.balance("udp", NAT, PORT, [lab.rs1], "masquerading")
    with UdpClient(lab.client, DIRECTOR_OUTSIDE, PORT) as client, pytest.raises(ConnectionRefusedError):
        client.ask(b"to the director itself")
