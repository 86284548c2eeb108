# SPDX-License-Identifier: GPL-2.0-only
"""Real servers that are quiesced, removed, brought back or missing, while connections live."""

import socket

import pytest

from lab import VIP, eventually, packet, whichever_method
from lab.programs import TcpClient, UdpClient

PORT = 80


@whichever_method
def test_weight_0_gets_no_new_connections_and_keeps_the_old_ones(lab, balancer, method):
    lab.tcp_programs(PORT)
    service = balancer.balance("tcp", VIP[method], PORT, [lab.rs1, lab.rs2], method)
    old = [TcpClient(lab.client, VIP[method], PORT) for _ in range(2)]
    balancer.edit_server(service, lab.rs1.address, method, weight=0)
    new = [TcpClient(lab.client, VIP[method], PORT) for _ in range(3)]
    assert {client.ask("who") for client in old} == {"rs1", "rs2"}
    assert {client.ask("who") for client in new} == {"rs2"}
    assert balancer.counts(service) == {lab.rs1.address: (1, 0), lab.rs2.address: (4, 0)}


def test_packets_for_a_removed_server_are_dropped_silently(lab, balancer, method):
    client, server = lab.ghost_client(), lab.ghost_server()
    service = balancer.add_service("tcp", VIP[method], PORT, "rr")
    balancer.add_server(service, server.address, method)
    client.send(packet.tcp(client.address, 40000, VIP[method], PORT, packet.SYN))
    server.receive()
    balancer.delete_server(service, server.address)
    client.send(packet.tcp(client.address, 40000, VIP[method], PORT, packet.ACK))
    client.send(packet.tcp(client.address, 40001, VIP[method], PORT + 1, packet.SYN))  # elsewhere: answered by a reset
    answer = client.receive()
    assert answer.ports == (PORT + 1, 40001) and answer.tcp_flags & packet.RST
    assert client.received() == [] and server.received() == []


def test_connections_of_a_server_that_comes_back_go_on_and_are_counted(lab, balancer, method):
    lab.tcp_programs(PORT)
    service = balancer.balance("tcp", VIP[method], PORT, [lab.rs1, lab.rs2], method)
    clients = [TcpClient(lab.client, VIP[method], PORT) for _ in range(4)]
    assert sorted(client.ask("who") for client in clients) == ["rs1", "rs1", "rs2", "rs2"]
    before = balancer.connections()
    balancer.delete_server(service, lab.rs1.address)
    balancer.add_server(service, lab.rs1.address, method)
    assert balancer.counts(service) == {lab.rs1.address: (2, 0), lab.rs2.address: (2, 0)}
    assert sorted(client.ask("who") for client in clients) == ["rs1", "rs1", "rs2", "rs2"]
    assert sorted(one.client for one in balancer.connections()) == sorted(one.client for one in before)


@whichever_method
def test_connections_survive_the_removal_and_return_of_their_service(lab, balancer, method):
    lab.tcp_programs(PORT)
    service = balancer.balance("tcp", VIP[method], PORT, [lab.rs1], method)
    with TcpClient(lab.client, VIP[method], PORT) as client:
        assert client.ask("who") == "rs1"
        balancer.delete_service(service)
        assert balancer.services() == {} and len(balancer.connections()) == 1
        balancer.balance("tcp", VIP[method], PORT, [lab.rs1], method)
        assert balancer.counts(service) == {lab.rs1.address: (1, 0)}
        assert client.ask("who") == "rs1"


@whichever_method
def test_flushing_leaves_connections_in_the_table(lab, balancer, method):
    lab.udp_programs(PORT)
    balancer.balance("udp", VIP[method], PORT, [lab.rs1], method)
    with UdpClient(lab.client, VIP[method], PORT) as client:
        client.ask(b"hello")
    balancer.flush()
    assert balancer.services() == {}
    assert [connection.server[0] for connection in balancer.connections()] == [lab.rs1.address]


def test_another_method_is_used_for_new_connections_and_the_old_keep_theirs(lab, balancer):
    client, server = lab.ghost_client(), lab.ghost_server()
    service = balancer.add_service("udp", VIP["masquerading"], PORT, "rr")
    balancer.add_server(service, server.address, "masquerading")

    def arrives_as(client_port):
        client.send(packet.udp(client.address, client_port, VIP["masquerading"], PORT))
        return server.receive().protocol

    assert arrives_as(40000) == packet.UDP
    balancer.edit_server(service, server.address, "tunneling")
    assert arrives_as(40001) == packet.IPIP
    assert arrives_as(40000) == packet.UDP


@pytest.mark.parametrize("servers", ["none at all", "only weight 0"])
@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_a_service_without_available_server_answers_port_unreachable(lab, balancer, protocol, servers):
    client = lab.ghost_client()
    service = balancer.add_service(protocol, VIP["masquerading"], PORT, "wlc")
    if servers == "only weight 0":
        balancer.add_server(service, lab.rs1.address, "masquerading", weight=0)
    build = packet.udp if protocol == "udp" else lambda *ends: packet.tcp(*ends, packet.SYN)
    sent = build(client.address, 40000, VIP["masquerading"], PORT)
    client.send(sent)
    answer = client.receive()
    assert answer.icmp_type_code == (packet.DESTINATION_UNREACHABLE, packet.PORT_UNREACHABLE)
    assert answer.source == VIP["masquerading"] and answer.transport_valid
    assert answer.quotes(sent)
    assert balancer.connections() == []


@whichever_method
def test_a_program_sees_a_service_without_server_as_refused(lab, balancer, method):
    balancer.add_service("tcp", VIP[method], PORT)
    with pytest.raises(ConnectionRefusedError):
        TcpClient(lab.client, VIP[method], PORT)


def test_what_belongs_to_no_service_goes_to_the_directors_own_programs(lab, balancer):
    lab.tcp_programs(PORT + 1, servers=[lab.director])
    lab.tcp_programs(PORT)
    balancer.balance("tcp", VIP["masquerading"], PORT, [lab.rs1], "masquerading")
    with TcpClient(lab.client, VIP["masquerading"], PORT + 1) as client:
        assert client.ask("who") == "director"
    with pytest.raises(ConnectionRefusedError):
        TcpClient(lab.client, VIP["masquerading"], PORT + 2)


def test_an_unreachable_server_is_the_clients_problem_only_until_it_is_reachable(lab, balancer, method):
    lab.udp_programs(PORT)
    balancer.balance("udp", VIP[method], PORT, [lab.rs1], method)
    lab.director.ip("link set eth1 down")
    with UdpClient(lab.client, VIP[method], PORT, timeout=0.5) as client:
        with pytest.raises((TimeoutError, OSError)):
            client.ask(b"lost")
        lab.director.ip("link set eth1 up")

        def answered():
            try:
                return client.ask(b"found") == ("rs1", b"found")
            except (socket.timeout, OSError):
                return False

        assert eventually(answered, within=10)
