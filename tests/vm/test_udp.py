# SPDX-License-Identifier: GPL-2.0-only
"""UDP: requests reach a real server and its replies the client."""

from lab import VIP, eventually, packet, whichever_method
from lab.programs import UdpClient

PORT = 53


def test_a_request_is_answered(lab, balancer, method):
    lab.udp_programs(PORT)
    balancer.balance("udp", VIP[method], PORT, [lab.rs2], method)
    with UdpClient(lab.client, VIP[method], PORT) as client:
        assert client.ask(b"hello") == ("rs2", b"hello")


@whichever_method
def test_a_flow_stays_with_its_server_and_flows_are_spread(lab, balancer, method):
    lab.udp_programs(PORT)
    balancer.balance("udp", VIP[method], PORT, lab.servers, method)
    clients = [UdpClient(lab.client, VIP[method], PORT) for _ in range(3)]
    answers = [[client.ask(b"%d" % number)[0] for number in range(5)] for client in clients]
    assert all(len(set(of_one_flow)) == 1 for of_one_flow in answers)
    assert {of_one_flow[0] for of_one_flow in answers} == {"rs1", "rs2", "rs3"}
    for client in clients:
        client.close()


def test_a_client_on_the_director_itself_is_answered(lab, balancer, method):
    lab.udp_programs(PORT)
    lab.director.sysctl(**{"net.ipv4.conf.all.accept_local": 1})
    balancer.balance("udp", VIP[method], PORT, [lab.rs3], method)
    with UdpClient(lab.director, VIP[method], PORT, source=lab.director.address) as client:
        assert client.ask(b"from within") == ("rs3", b"from within")


def test_a_server_on_the_director_itself_answers_through_masquerading(lab, balancer):
    lab.udp_programs(PORT + 1, servers=[lab.director])
    service = balancer.add_service("udp", VIP["masquerading"], PORT, "rr")
    balancer.add_server(service, lab.director.address, "masquerading", port=PORT + 1)
    with UdpClient(lab.client, VIP["masquerading"], PORT) as client:
        assert client.ask(b"hello") == ("director", b"hello")


def test_a_datagram_without_checksum_is_delivered_and_answered_through_masquerading(lab, balancer):
    lab.udp_programs(PORT)
    balancer.balance("udp", VIP["masquerading"], PORT, [lab.rs1], "masquerading")
    ghost, arriving = lab.ghost_client(), lab.rs1.capture()
    ghost.send(packet.udp_without_checksum(ghost.address, 4000, VIP["masquerading"], PORT, b"no checksum"))
    arrived = arriving.first(lambda seen: seen.protocol == packet.UDP)
    assert arrived.destination == lab.rs1.address and arrived.transport_valid
    reply = ghost.receive()
    assert reply.source == VIP["masquerading"] and reply.udp_data == b"rs1:no checksum"


def test_an_empty_datagram_passes(lab, balancer, method):
    lab.udp_programs(PORT)
    balancer.balance("udp", VIP[method], PORT, [lab.rs1], method)
    with UdpClient(lab.client, VIP[method], PORT) as client:
        assert client.ask(b"") == ("rs1", b"")


@whichever_method
def test_connections_of_udp_count_as_inactive(lab, balancer, method):
    lab.udp_programs(PORT)
    service = balancer.balance("udp", VIP[method], PORT, [lab.rs1], method)
    with UdpClient(lab.client, VIP[method], PORT) as client:
        client.ask(b"hello")
        assert balancer.state_of(client.port) == "UDP"
    assert eventually(lambda: balancer.counts(service)) == {lab.rs1.address: (0, 1)}
