# SPDX-License-Identifier: GPL-2.0-only
"""Masqueraded answers and policy routing: they are routed as packets of the virtual address, unless told otherwise."""

import pytest

from lab import VIP, packet
from lab.tracking import rules

NAT, PORT, CLIENT_PORT = VIP["masquerading"], 53, 40000
ROUTER = "10.0.0.254"
DIRECT, BY_ROUTER = 63, 62  # times to live of answers that come straight from the director, and through the router


@pytest.fixture
def flow(lab, balancer):
    """A masqueraded flow between ghosts, one request old; routing table 200 leads answers through the router."""
    client, server = lab.ghost_client(), lab.ghost_server()
    lab.router.ip(f"neigh replace {client.address} lladdr {lab.client.mac('eth0').hex(':')} dev outside")
    lab.director.ip(f"route add 10.0.0.0/24 via {ROUTER} dev eth0 table 200")
    service = balancer.add_service("udp", NAT, PORT, "rr")
    balancer.add_server(service, server.address, "masquerading")
    client.send(packet.udp(client.address, CLIENT_PORT, NAT, PORT))
    server.receive()

    def answer():
        server.send(packet.udp(server.address, PORT, client.address, CLIENT_PORT, b"answer"))
        arrived = client.receive()
        assert (arrived.source, arrived.udp_data) == (NAT, b"answer")
        return arrived.ttl

    return answer


def test_without_policy_rules_answers_go_straight_to_the_client(flow):
    assert flow() == DIRECT


def test_answers_follow_rules_for_the_virtual_address(lab, flow):
    lab.director.ip(f"rule add from {NAT} lookup 200")
    assert flow() == BY_ROUTER
    lab.director.ip(f"rule del from {NAT} lookup 200")
    assert flow() == DIRECT


def test_answers_follow_rules_for_marks(lab, flow):
    rules(lab.director, 'table ip marks { chain early { type filter hook prerouting priority -150; iif "eth1" meta mark set 7; }; }')
    lab.director.ip("rule add fwmark 7 lookup 200")
    assert flow() == BY_ROUTER


def test_with_snat_reroute_off_answers_stay_on_the_route_of_their_server(lab, flow):
    lab.director.sysctl(**{"net.ipv4.vs.snat_reroute": 0})
    lab.director.ip(f"rule add from {NAT} lookup 200")
    assert flow() == DIRECT


def test_rules_for_the_servers_address_do_not_catch_its_answers(lab, flow):
    lab.director.ip(f"rule add from {lab.rs1.address.rpartition('.')[0]}.0/24 lookup 200")
    assert flow() == DIRECT


def test_requests_are_sent_by_the_route_to_the_server_whatever_rules_say_of_the_client(lab, balancer):
    client, server = lab.ghost_client(), lab.ghost_server()
    lab.director.ip("route add blackhole default table 200", f"rule add from {client.address} iif lo lookup 200")
    service = balancer.add_service("udp", NAT, PORT, "rr")
    balancer.add_server(service, server.address, "masquerading")
    client.send(packet.udp(client.address, CLIENT_PORT, NAT, PORT, b"request"))
    assert server.receive().udp_data == b"request"
