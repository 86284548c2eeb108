# SPDX-License-Identifier: GPL-2.0-only
"""Masquerading, packet by packet: what the server and the client get to see."""

import pytest

from lab import VIP, packet
from lab.programs import TcpClient

CLIENT_PORT, VIP_PORT, SERVER_PORT = 40000, 80, 8080
HERE = VIP["masquerading"]
DATA = [b"", b"odd", b"even", bytes(range(256)) * 5]
BUILDERS = {"tcp": lambda *ends, data: packet.tcp(*ends, packet.SYN, data), "udp": lambda *ends, data: packet.udp(*ends, data)}


@pytest.fixture(params=["tcp", "udp"])
def flow(request, lab, balancer):
    """A silent client, a silent server, and what makes packets of one protocol between them."""
    client, server = lab.ghost_client(), lab.ghost_server()
    service = balancer.add_service(request.param, HERE, VIP_PORT, "rr")
    balancer.add_server(service, server.address, "masquerading", port=SERVER_PORT)
    return client, server, BUILDERS[request.param]


def test_requests_get_the_servers_address_and_port_and_nothing_else_changes(flow):
    client, server, build = flow
    for data in DATA:
        client.send(build(client.address, CLIENT_PORT, HERE, VIP_PORT, data=data).but(tos=0x28, identification=77))
        arrived = server.receive()
        wanted = build(client.address, CLIENT_PORT, server.address, SERVER_PORT, data=data)
        assert arrived == wanted.but(tos=0x28, identification=77, ttl=63)
        assert arrived.valid and arrived.transport_valid


def test_replies_get_the_virtual_address_and_port_and_nothing_else_changes(flow):
    client, server, build = flow
    client.send(build(client.address, CLIENT_PORT, HERE, VIP_PORT, data=b""))
    server.receive()
    for data in DATA:
        server.send(build(server.address, SERVER_PORT, client.address, CLIENT_PORT, data=data).but(tos=0x28, identification=78))
        arrived = client.receive()
        wanted = build(HERE, VIP_PORT, client.address, CLIENT_PORT, data=data)
        assert arrived == wanted.but(tos=0x28, identification=78, ttl=63)
        assert arrived.valid and arrived.transport_valid


def test_every_checksum_value_survives_the_rewriting(lab, balancer):
    """One of 65,536 payloads makes the new checksum 0, which UDP writes as all ones: walk through the values around it."""
    client, server = lab.ghost_client(), lab.ghost_server()
    service = balancer.add_service("udp", HERE, VIP_PORT, "rr")
    balancer.add_server(service, server.address, "masquerading", port=SERVER_PORT)

    def datagram(word):
        return packet.udp(client.address, CLIENT_PORT, HERE, VIP_PORT, word.to_bytes(2, "big"))

    plain = packet.udp(client.address, CLIENT_PORT, server.address, SERVER_PORT, b"\0\0").udp_checksum
    for word in ((plain + step) % 0xFFFF for step in range(-3, 4)):
        client.send(datagram(word))
        arrived = server.receive()
        assert arrived.transport_valid and arrived.udp_checksum != 0


def test_packets_of_a_server_outside_any_connection_are_forwarded_untouched(lab, balancer):
    client, server = lab.ghost_client(), lab.ghost_server()
    service = balancer.add_service("udp", HERE, VIP_PORT, "rr")
    balancer.add_server(service, server.address, "masquerading", port=SERVER_PORT)
    server.send(packet.udp(server.address, SERVER_PORT, client.address, CLIENT_PORT, b"unasked"))
    assert client.receive().source == server.address


def test_the_server_sees_the_clients_own_address_and_port(lab, balancer):
    lab.tcp_programs(SERVER_PORT)
    balancer.balance("tcp", HERE, VIP_PORT, [lab.rs1], "masquerading", server_port=SERVER_PORT)
    with TcpClient(lab.client, HERE, VIP_PORT) as client:
        assert client.ask("from") == f"{lab.client.address} {client.port}"
