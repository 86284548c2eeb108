# SPDX-License-Identifier: GPL-2.0-only
"""The states that connections are shown in are those of IPVS, and servers' counts follow them exactly."""

import pytest

from lab import VIP, eventually, packet, whichever_method
from lab.packet import ACK, FIN, RST, SYN
from lab.programs import TcpClient

PORT = 80

# What the director sees, in order, and the state each leaves: of both directions, and of the client's alone.
BOTH_DIRECTIONS = {
    "client closes first": [("in", SYN, "SYN_RECV"), ("out", SYN | ACK, "SYN_RECV"), ("in", ACK, "ESTABLISHED"),
                            ("in", FIN | ACK, "CLOSE_WAIT"), ("out", FIN | ACK, "TIME_WAIT"), ("in", ACK, "TIME_WAIT")],
    "server closes first": [("in", SYN, "SYN_RECV"), ("out", SYN | ACK, "SYN_RECV"), ("in", ACK, "ESTABLISHED"),
                            ("out", FIN | ACK, "FIN_WAIT"), ("in", ACK, "FIN_WAIT"), ("in", FIN | ACK, "TIME_WAIT")],
    "client resets": [("in", SYN, "SYN_RECV"), ("in", ACK, "ESTABLISHED"), ("in", RST, "CLOSE"), ("in", ACK, "CLOSE")],
    "server refuses": [("in", SYN, "SYN_RECV"), ("out", RST | ACK, "CLOSE")],
    "repeated SYN": [("in", SYN, "SYN_RECV"), ("in", SYN, "SYN_RECV"), ("out", ACK, "ESTABLISHED"), ("in", SYN, "ESTABLISHED")],
    "SYN answered by FIN": [("in", SYN, "SYN_RECV"), ("out", FIN | ACK, "TIME_WAIT"), ("out", SYN, "SYN_SENT")],
}
CLIENT_ONLY = {
    "client closes": [("in", SYN, "SYN_RECV"), ("in", ACK, "ESTABLISHED"), ("in", FIN | ACK, "FIN_WAIT"),
                      ("in", ACK, "FIN_WAIT"), ("in", FIN | ACK, "FIN_WAIT"), ("in", SYN, "SYN_RECV")],
    "client resets": [("in", SYN, "SYN_RECV"), ("in", ACK, "ESTABLISHED"), ("in", RST, "CLOSE")],
    "reset before an answer": [("in", SYN, "SYN_RECV"), ("in", RST, "SYN_RECV")],
}
ACTIVE = {"SYN_RECV", "SYN_SENT", "ESTABLISHED"}


def walk(lab, balancer, method, steps):
    client, server = lab.ghost_client(), lab.ghost_server()
    service = balancer.add_service("tcp", VIP[method], PORT, "rr")
    balancer.add_server(service, server.address, method)
    for direction, flags, state in steps:
        if direction == "in":
            client.send(packet.tcp(client.address, 40000, VIP[method], PORT, flags))
            server.receive()
        else:
            server.send(packet.tcp(server.address, PORT, client.address, 40000, flags))
            client.receive()
        assert balancer.state_of(40000) == state
        assert balancer.counts(service)[server.address] == ((1, 0) if state in ACTIVE else (0, 1))


@pytest.mark.parametrize("story", BOTH_DIRECTIONS)
def test_masquerading_follows_both_directions(lab, balancer, story):
    walk(lab, balancer, "masquerading", BOTH_DIRECTIONS[story])


@pytest.mark.parametrize("story", CLIENT_ONLY)
@pytest.mark.parametrize("method", ["tunneling", "direct-routing"])
def test_tunneling_and_direct_routing_follow_the_clients_direction_alone(lab, balancer, method, story):
    walk(lab, balancer, method, CLIENT_ONLY[story])


@whichever_method
def test_a_segment_of_no_connection_makes_none_and_is_reset(lab, balancer, method):
    client, server = lab.ghost_client(), lab.ghost_server()
    service = balancer.add_service("tcp", VIP[method], PORT, "rr")
    balancer.add_server(service, server.address, method)
    client.send(packet.tcp(client.address, 40000, VIP[method], PORT, ACK, ack=5))
    assert client.receive().tcp_flags & RST
    assert balancer.connections() == [] and server.received() == []


def test_real_connections_are_counted_active_while_open_and_inactive_after(lab, balancer, method):
    lab.tcp_programs(PORT)
    service = balancer.balance("tcp", VIP[method], PORT, lab.servers, method)
    clients = [TcpClient(lab.client, VIP[method], PORT) for _ in range(9)]
    assert {client.ask("who") for client in clients} == {"rs1", "rs2", "rs3"}
    assert balancer.counts(service) == {server.address: (3, 0) for server in lab.servers}
    for client in clients[:3]:
        client.close()
    eventually(lambda: balancer.counts(service), {server.address: (2, 1) for server in lab.servers})
    for client in clients[3:]:
        client.reset()
    eventually(lambda: balancer.counts(service), {server.address: (0, 3) for server in lab.servers})


@whichever_method
def test_a_connection_attempt_that_is_not_answered_stays_in_syn_recv(lab, balancer, method):
    client, server = lab.ghost_client(), lab.ghost_server()
    service = balancer.add_service("tcp", VIP[method], PORT, "rr")
    balancer.add_server(service, server.address, method)
    client.send(packet.tcp(client.address, 40000, VIP[method], PORT, SYN))
    server.receive()
    found = balancer.connection_of(40000)
    assert found.state == "SYN_RECV" and 50 <= found.expires <= 60
    assert (found.client, found.virtual, found.server) == ((client.address, 40000), (VIP[method], PORT), (server.address, PORT))
