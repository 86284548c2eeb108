# SPDX-License-Identifier: GPL-2.0-only
"""Balanced flows and the kernel's connection tracking: rules see them or do not, as `net.ipv4.vs.conntrack` says."""

import hashlib

import pytest

from lab import DIRECTOR_INSIDE, VIP, eventually, packet
from lab.packet import ACK, RST, SYN
from lab.programs import TcpClient, UdpClient, pattern
from lab.tracking import flows, rules

PORT = 80
NAT = VIP["masquerading"]

MASQUERADE = 'table ip nat { chain postrouting { type nat hook postrouting priority 100; oif "eth1" masquerade; }; }\n'
STATEFUL = """table ip filter {
    chain input { type filter hook input priority 0; policy drop;
        iif lo accept
        ct state established,related accept
        ct state new tcp dport 80 accept
    }
    chain forward { type filter hook forward priority 0; policy drop; ct state established,related accept; }
    chain output { type filter hook output priority 0; policy drop; ct state new,established,related accept; }
}"""


@pytest.fixture
def tracked(lab, loaded_module):
    """The director's balancer keeps connection tracking."""
    lab.director.sysctl(**{"net.ipv4.vs.conntrack": 1})


def test_masquerade_in_postrouting_hides_the_client_from_the_server(lab, balancer, tracked):
    rules(lab.director, MASQUERADE)
    lab.tcp_programs(8080)
    balancer.balance("tcp", NAT, PORT, lab.servers, "masquerading", server_port=8080)
    clients = [TcpClient(lab.client, NAT, PORT) for _ in range(6)]
    assert {client.ask("who") for client in clients} == {"rs1", "rs2", "rs3"}
    assert {client.ask("from").split()[0] for client in clients} == {DIRECTOR_INSIDE}


def test_the_directors_own_client_is_masqueraded_too(lab, balancer, tracked):
    rules(lab.director, MASQUERADE)
    lab.tcp_programs()
    balancer.balance("tcp", NAT, PORT, [lab.rs1], "masquerading")
    with TcpClient(lab.director, NAT, PORT) as client:
        assert client.ask("from").split()[0] == DIRECTOR_INSIDE


def test_without_connection_tracking_rules_translate_nothing(lab, balancer):
    rules(lab.director, MASQUERADE)
    lab.tcp_programs()
    balancer.balance("tcp", NAT, PORT, [lab.rs1], "masquerading")
    with TcpClient(lab.client, NAT, PORT) as client:
        assert client.ask("from") == f"{lab.client.address} {client.port}"
    assert [flow for flow in flows(lab.director) if flow.destination == (NAT, PORT)] == []


def test_stateful_rules_before_and_after_let_masqueraded_connections_pass(lab, balancer, tracked):
    rules(lab.director, STATEFUL)
    lab.tcp_programs()
    balancer.balance("tcp", NAT, PORT, [lab.rs1], "masquerading")
    with TcpClient(lab.client, NAT, PORT) as client:
        assert client.upload(pattern(300000)) == hashlib.sha256(pattern(300000)).hexdigest()


def test_stateful_rules_before_and_after_let_datagrams_pass(lab, balancer, tracked, method):
    rules(lab.director, STATEFUL.replace("tcp dport 80", "udp dport 53"))
    lab.udp_programs(53)
    balancer.balance("udp", VIP[method], 53, [lab.rs1], method)
    with UdpClient(lab.client, VIP[method], 53) as client:
        assert [client.ask(data) for data in (b"one", b"two")] == [("rs1", b"one"), ("rs1", b"two")]


def test_tracking_expects_the_answers_of_the_real_server(lab, balancer, tracked):
    rules(lab.director, STATEFUL)
    client, server = lab.ghost_client(), lab.ghost_server()
    service = balancer.add_service("tcp", NAT, PORT, "rr")
    balancer.add_server(service, server.address, "masquerading", port=8080)
    client.send(packet.tcp(client.address, 40000, NAT, PORT, SYN))
    server.receive()
    [flow] = flows(lab.director)
    assert (flow.source, flow.destination) == ((client.address, 40000), (NAT, PORT))
    assert (flow.answers_from, flow.answers_to) == ((server.address, 8080), (client.address, 40000))
    server.send(packet.tcp(server.address, 8080, client.address, 40000, SYN | ACK, ack=1001))
    assert client.receive().tcp_flags == SYN | ACK


def test_a_flow_is_forgotten_when_its_connection_ends(lab, balancer, tracked, method):
    rules(lab.director, "table ip any { chain input { type filter hook input priority 0; ct state new counter; }; }")
    balancer.set_timeouts(0, 0, 1)
    lab.udp_programs(53)
    balancer.balance("udp", VIP[method], 53, [lab.rs1], method)
    with UdpClient(lab.client, VIP[method], 53) as client:
        client.ask(b"hello")
        [flow] = [flow for flow in flows(lab.director) if flow.destination == (VIP[method], 53)]
        assert flow.source == (lab.client.address, client.port)
    eventually(lambda: balancer.connections() == [], within=10)
    eventually(lambda: [flow for flow in flows(lab.director) if flow.destination == (VIP[method], 53)] == [])


@pytest.mark.rvs_only
def test_a_client_that_reuses_its_port_gets_an_available_server_with_its_first_packet(lab, balancer, tracked):
    """The kernel still knows the flow that the server has reset. C ip_vs drops the SYN, the client repeats it a second later."""
    rules(lab.director, MASQUERADE + STATEFUL)
    lab.director.sysctl(**{"net.ipv4.vs.expire_nodest_conn": 1})
    client, server = lab.ghost_client(), lab.ghost_server()
    service = balancer.add_service("tcp", NAT, PORT, "rr")
    balancer.add_server(service, server.address, "masquerading")
    client.send(packet.tcp(client.address, 40000, NAT, PORT, SYN))
    port = server.receive().ports[0]
    server.send(packet.tcp(server.address, PORT, DIRECTOR_INSIDE, port, RST | ACK, ack=1001))
    assert client.receive().tcp_flags & RST
    assert balancer.state_of(40000) == "CLOSE"

    lab.tcp_programs(servers=[lab.rs2])
    balancer.edit_server(service, server.address, "masquerading", weight=0)
    balancer.add_server(service, lab.rs2.address, "masquerading")
    client.send(packet.tcp(client.address, 40000, NAT, PORT, SYN, seq=777000))
    answer = client.receive(within=0.9)
    assert (answer.source, answer.tcp_flags) == (NAT, SYN | ACK)
    [flow] = flows(lab.director)
    assert flow.answers_from == (lab.rs2.address, PORT) and flow.answers_to[0] == DIRECTOR_INSIDE
    assert server.received() == []


def test_a_new_server_takes_over_from_a_removed_one(lab, balancer, tracked):
    """With expire_nodest_conn; C ip_vs loses one datagram to the old entry of connection tracking."""
    rules(lab.director, MASQUERADE)
    lab.director.sysctl(**{"net.ipv4.vs.expire_nodest_conn": 1})
    lab.udp_programs(53)
    service = balancer.balance("udp", NAT, 53, [lab.rs1], "masquerading")
    with UdpClient(lab.client, NAT, 53, timeout=1) as client:
        assert client.ask(b"one") == ("rs1", b"one")
        balancer.add_server(service, lab.rs2.address, "masquerading")
        balancer.delete_server(service, lab.rs1.address)

        def answer():
            try:
                return client.ask(b"two")
            except OSError:
                return None

        assert eventually(answer) == ("rs2", b"two")


def test_one_packet_services_keep_tracking_without_expecting_answers(lab, balancer, tracked):
    rules(lab.director, STATEFUL.replace("tcp dport 80", "udp dport 53"))
    client, server = lab.ghost_client(), lab.ghost_server()
    lab.director.run("ipvsadm", "-A", "-u", f"{NAT}:53", "-s", "rr", "-o")
    lab.director.run("ipvsadm", "-a", "-u", f"{NAT}:53", "-r", server.address, "-m")
    for data in (b"one", b"two"):
        client.send(packet.udp(client.address, 40000, NAT, 53, data))
        assert server.receive().udp_data == data
    [flow] = flows(lab.director)
    assert flow.answers_from == (NAT, 53)
