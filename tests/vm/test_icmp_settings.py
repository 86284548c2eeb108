# SPDX-License-Identifier: GPL-2.0-only
"""The settings about ICMP errors: `schedule_icmp` and `nat_icmp_send`."""

import pytest

from lab import IPV4, VIP, either_family, packet

PORT, CLIENT_PORT, SERVER_PORT = 53, 40000, 5353
NAT = "masquerading"


def switch(lab, name, value=1):
    lab.director.sysctl(**{f"net.ipv4.vs.{name}": value})


def port_unreachable(plan, source, about):
    return packet.icmp_error(source, about.source, *((1, 4) if plan.is_ipv6 else (3, 3)), about)


@either_family
def test_an_error_about_an_unknown_flow_is_scheduled_if_schedule_icmp_says_so(lab, balancer, plan):
    client, server = lab.ghost_client(plan), lab.ghost_server(plan)
    service = balancer.add_service("udp", plan.vip[NAT], PORT, "rr")
    balancer.add_server(service, server.address, NAT, port=SERVER_PORT)
    about = packet.udp(plan.vip[NAT], PORT, client.address, CLIENT_PORT, b"sent by another director")
    switch(lab, "schedule_icmp")
    client.send(port_unreachable(plan, plan.far_away, about))
    arrived = server.receive()
    assert arrived.source == plan.far_away and arrived.transport_valid
    inner = arrived.inner
    assert (inner.source, inner.destination, inner.ports) == (server.address, client.address, (SERVER_PORT, CLIENT_PORT))
    assert balancer.connection_of(CLIENT_PORT).server == (server.address, SERVER_PORT)


@pytest.mark.parametrize("method", ["tunneling", "direct-routing"])
def test_a_scheduled_error_reaches_a_server_of_any_method_as_it_is(lab, balancer, method):
    client, server = lab.ghost_client(), lab.ghost_server()
    service = balancer.add_service("udp", VIP[method], PORT, "rr")
    balancer.add_server(service, server.address, method)
    switch(lab, "schedule_icmp")
    sent = port_unreachable(IPV4, IPV4.far_away, packet.udp(VIP[method], PORT, client.address, CLIENT_PORT))
    client.send(sent)
    arrived = server.receive()
    assert (arrived.inner if method == "tunneling" else arrived) == sent.but(ttl=63)


def test_an_error_for_a_service_without_servers_ends_in_silence(lab, balancer):
    client = lab.ghost_client()
    service = balancer.add_service("udp", VIP[NAT], PORT, "rr")
    switch(lab, "schedule_icmp")
    client.send(port_unreachable(IPV4, IPV4.far_away, packet.udp(VIP[NAT], PORT, client.address, CLIENT_PORT)),
                packet.udp(client.address, CLIENT_PORT, VIP[NAT], PORT, b"after it"))
    answer = client.receive()
    assert answer.inner.udp_data == b"after it" and client.received() == []
    assert balancer.stats(service)[None].connections == 0


@either_family
def test_a_stray_answer_is_refused_if_nat_icmp_send_says_so(lab, balancer, plan):
    server = lab.ghost_server(plan)
    service = balancer.add_service("udp", plan.vip[NAT], PORT, "rr")
    balancer.add_server(service, server.address, NAT, port=SERVER_PORT)
    stray = packet.udp(server.address, SERVER_PORT, plan.client, CLIENT_PORT, b"for nobody")
    switch(lab, "nat_icmp_send")
    server.send(stray)
    answer = server.receive()
    assert answer.icmp_type_code == ((1, 4) if plan.is_ipv6 else (3, packet.PORT_UNREACHABLE))
    assert answer.transport_valid and answer.quotes(stray)


def test_only_stray_answers_from_a_configured_place_are_refused(lab, balancer):
    server = lab.ghost_server()
    service = balancer.add_service("tcp", VIP[NAT], 80, "rr")
    balancer.add_server(service, server.address, NAT)
    switch(lab, "nat_icmp_send")
    with lab.client.capture() as seen:
        server.send(packet.tcp(server.address, 81, lab.client.address, 1000, packet.ACK),  # another port
                    packet.tcp(server.address, 80, lab.client.address, 1000, packet.RST),  # an end needs no answer
                    packet.udp(server.address, 80, lab.client.address, 1000))  # another protocol
        for wanted in (packet.TCP, packet.TCP, packet.UDP):
            assert seen.first(lambda arrived: arrived.source == server.address).protocol == wanted
    balancer.delete_server(service, server.address)
    with lab.client.capture() as seen:
        server.send(packet.tcp(server.address, 80, lab.client.address, 1000, packet.ACK))
        seen.first(lambda arrived: arrived.source == server.address)


def test_a_server_of_several_services_is_known_until_the_last_one_lets_it_go(lab, balancer):
    server = lab.ghost_server()
    services = [balancer.add_service("udp", VIP[NAT], port, "rr") for port in (PORT, PORT + 1)]
    for service in services:
        balancer.add_server(service, server.address, NAT, port=SERVER_PORT)
    switch(lab, "nat_icmp_send")
    stray = packet.udp(server.address, SERVER_PORT, lab.client.address, CLIENT_PORT)
    for service in services:
        server.send(stray)
        assert server.receive().quotes(stray)
        balancer.delete_server(service, server.address, port=SERVER_PORT)
    with lab.client.capture() as seen:
        server.send(stray)
        assert seen.first(lambda arrived: arrived.source == server.address) == stray.but(ttl=63)
