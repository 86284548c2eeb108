# SPDX-License-Identifier: GPL-2.0-only
"""Persistent services: what keeps a client with its real server, how long, and when it does not."""

import ipaddress

import pytest

from lab import IPV4, VIP, either_family, eventually, packet, sysctl, whichever_method
from lab.programs import TcpClient, UdpClient

HERE = "direct-routing"
UNUSABLE = 0xFFFF  # the server's port of a template that nobody uses any more


def neighbours_of_the_client(lab, plan, count):
    """Further addresses of the client, the next after its own."""
    first = ipaddress.ip_address(plan.client)
    addresses = [str(first + number) for number in range(1, count + 1)]
    lab.client.ip(*(f"addr add {address}/{64 if plan.is_ipv6 else 24} dev eth0 {'nodad' if plan.is_ipv6 else ''}"
                    for address in addresses))
    return addresses


def templates(balancer):
    return [one for one in balancer.connections() if one.client[1] == 0]


def reached(lab, vip, port, source=None):
    with TcpClient(lab.client, vip, port, source=source) as client:
        return client.ask("who")


@either_family
def test_a_client_keeps_its_server_for_all_ports_and_each_client_has_one(lab, balancer, plan):
    lab.tcp_programs(80)
    lab.tcp_programs(8000)
    vip = plan.vip[HERE]
    service = balancer.add_service("tcp", vip, 0, "rr", persistence=300)
    for server in lab.servers:
        balancer.add_server(service, server.address_like(vip), HERE)
    clients = [plan.client, *neighbours_of_the_client(lab, plan, 2)]
    first = [reached(lab, vip, 80, source) for source in clients]
    assert sorted(first) == ["rs1", "rs2", "rs3"]
    for port in (8000, 80, 8000):
        assert [reached(lab, vip, port, source) for source in clients] == first
    for template in templates(balancer):
        assert template.virtual == (vip, 0) and template.server[1] == 0
        assert template.state == "ASSURED" and 290 < template.expires <= 300
    assert sorted(template.client for template in templates(balancer)) == sorted((source, 0) for source in clients)


@either_family
def test_clients_of_one_network_share_a_server_if_the_mask_says_so(lab, balancer, plan):
    lab.tcp_programs(80)
    vip = plan.vip[HERE]
    service = balancer.add_service("tcp", vip, 80, "rr", persistence=300, mask=127 if plan.is_ipv6 else "255.255.255.254")
    for server in lab.servers:
        balancer.add_server(service, server.address_like(vip), HERE)
    names = [reached(lab, vip, 80, source) for source in (plan.client, *neighbours_of_the_client(lab, plan, 3))]
    assert names[0] == names[1] != names[2] == names[3]
    network = [str(ipaddress.ip_address(plan.client) + step) for step in (0, 2)]
    assert sorted(one.client for one in templates(balancer)) == [(address, 0) for address in network]
    assert all(one.virtual == (vip, 80) and one.server[1] == 80 for one in templates(balancer))


def test_each_port_has_a_server_of_its_own_if_its_service_is_for_it_alone(lab, balancer):
    lab.tcp_programs(80)
    lab.tcp_programs(81)
    names = []
    for port in (80, 81):
        service = balancer.add_service("tcp", VIP[HERE], port, "rr", persistence=300)
        for server in lab.servers[:1] if port == 80 else lab.servers[1:2]:
            balancer.add_server(service, server.address, HERE)
        names.append([reached(lab, VIP[HERE], port) for _ in range(2)])
    assert names == [["rs1"] * 2, ["rs2"] * 2]
    assert sorted(one.virtual for one in templates(balancer)) == [(VIP[HERE], 80), (VIP[HERE], 81)]


def test_a_template_is_assured_once_both_sides_have_spoken(lab, balancer):
    client, server = lab.ghost_client(), lab.ghost_server()
    vip = VIP["masquerading"]
    for protocol, port in (("udp", 53), ("tcp", 80)):
        service = balancer.add_service(protocol, vip, port, "rr", persistence=300)
        balancer.add_server(service, server.address, "masquerading", port=port + 8000)

    def state(protocol):
        [found] = [one for one in templates(balancer) if one.protocol == protocol]
        assert found.client == (client.address, 0) and found.server[0] == server.address
        return found.state

    client.send(packet.udp(client.address, 4000, vip, 53))
    client.send(packet.tcp(client.address, 4000, vip, 80, packet.SYN))
    arrived = [server.receive(), server.receive()]
    assert [one.ports for one in arrived] == [(4000, 8053), (4000, 8080)]
    assert (state("udp"), state("tcp")) == ("NONE", "NONE")
    server.send(packet.udp(server.address, 8053, client.address, 4000))
    server.send(packet.tcp(server.address, 8080, client.address, 4000, packet.SYN | packet.ACK))
    client.receive(), client.receive()
    assert (state("udp"), state("tcp")) == ("ASSURED", "NONE")
    client.send(packet.tcp(client.address, 4000, vip, 80, packet.ACK))
    server.receive()
    assert state("tcp") == "ASSURED"


def test_a_template_outlives_its_timeout_by_its_connections_and_then_ends(lab, balancer):
    lab.udp_programs(53)
    lab.tcp_programs(80)
    for protocol, port in (("udp", 53), ("tcp", 80)):
        service = balancer.add_service(protocol, VIP[HERE], port, "rr", persistence=2)
        for server in lab.servers:
            balancer.add_server(service, server.address, HERE)
    balancer.set_timeouts(0, 0, 1)

    def of(protocol):
        return [one for one in templates(balancer) if one.protocol == protocol]

    with TcpClient(lab.client, VIP[HERE], 80) as held, UdpClient(lab.client, VIP[HERE], 53) as client:
        name = held.ask("who")
        first = client.ask(b"hello")[0]
        assert len(templates(balancer)) == 2
        eventually(lambda: balancer.connection_of(client.port) is None)
        eventually(lambda: of("udp") == [], within=8)
        second = client.ask(b"hello")[0]
        assert second != first
        [waiting] = of("tcp")
        assert 50 < waiting.expires <= 60  # its time was over while it had a connection
        assert reached(lab, VIP[HERE], 80) == name
        assert of("tcp")[0].expires <= 2


@either_family
def test_a_quiesced_server_keeps_its_clients_until_templates_of_such_expire(lab, balancer, plan):
    lab.tcp_programs(80)
    vip = plan.vip[HERE]
    service = balancer.add_service("tcp", vip, 80, "rr", persistence=300)
    for server in lab.servers[:2]:
        balancer.add_server(service, server.address_like(vip), HERE)
    [newcomer] = neighbours_of_the_client(lab, plan, 1)
    assert reached(lab, vip, 80, plan.client) == "rs2"
    balancer.edit_server(service, lab.rs2.address_like(vip), HERE, weight=0)
    assert [reached(lab, vip, 80, plan.client) for _ in range(2)] == ["rs2", "rs2"]
    assert reached(lab, vip, 80, newcomer) == "rs1"
    with lab.director:
        assert sysctl.write("expire_quiescent_template", "1") == "ok"
    assert [reached(lab, vip, 80, plan.client) for _ in range(2)] == ["rs1", "rs1"]
    own = sorted(one.server for one in templates(balancer) if one.client == (plan.client, 0))
    assert own == [(lab.rs1.address_like(vip), 80), (lab.rs2.address_like(vip), UNUSABLE)]


def test_an_overloaded_server_keeps_its_clients_and_a_removed_one_does_not(lab, balancer):
    lab.tcp_programs(80)
    service = balancer.add_service("tcp", VIP[HERE], 80, "rr", persistence=300)
    balancer.add_server(service, lab.rs1.address, HERE)
    balancer.add_server(service, lab.rs2.address, HERE, upper=1)
    with TcpClient(lab.client, VIP[HERE], 80) as client:
        assert client.ask("who") == "rs2"
        assert reached(lab, VIP[HERE], 80) == "rs2"
        balancer.delete_server(service, lab.rs2.address)
        assert [reached(lab, VIP[HERE], 80) for _ in range(2)] == ["rs1", "rs1"]
        balancer.add_server(service, lab.rs2.address, HERE)
        assert client.ask("who") == "rs2"  # its connection goes on
        assert reached(lab, VIP[HERE], 80) == "rs1"
    assert sorted(one.server for one in templates(balancer)) == [(lab.rs1.address, 80), (lab.rs2.address, UNUSABLE)]


@whichever_method
def test_the_passive_data_connections_of_ftp_find_their_control_connections_server(lab, balancer, method):
    lab.tcp_programs(21)
    lab.tcp_programs(30000)
    service = balancer.add_service("tcp", VIP[method], 21, "rr", persistence=300)
    for server in lab.servers:
        balancer.add_server(service, server.address, method)
    [other] = neighbours_of_the_client(lab, IPV4, 1)
    names = [reached(lab, VIP[method], 21, source) for source in (None, other)]
    assert names[0] != names[1]
    assert [reached(lab, VIP[method], 30000, source) for source in (None, other)] == names
    with pytest.raises(ConnectionRefusedError):
        TcpClient(lab.client, VIP[method], 1023)  # no data port
    assert {one.virtual for one in templates(balancer)} == {(VIP[method], 0)}
    for server in lab.servers:
        balancer.edit_server(service, server.address, method, weight=0)
    with lab.director:
        assert sysctl.write("expire_quiescent_template", "1") == "ok"
    lab.tcp_programs(30000, servers=[lab.director])
    assert reached(lab, VIP[method], 30000) == "director"  # it may be anybody's
