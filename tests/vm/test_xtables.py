# SPDX-License-Identifier: GPL-2.0-only
"""Rules of iptables that ask which packets were balanced, and how: the match `ipvs`."""

import re

import pytest

from lab import DIRECTOR_INSIDE, VIP, VIP6, dual_stack, eventually
from lab.programs import TcpClient, UdpClient

NAT, DIRECT = VIP["masquerading"], VIP["direct-routing"]


class Rules:
    """Rules without a target behind routing, of which each counts the packets that it is asked about and agrees to."""

    def __init__(self, node, command="iptables"):
        self._node, self._command = node, command

    def add(self, *options):
        self._node.run(self._command, "-t", "mangle", "-A", "POSTROUTING", "-m", "ipvs", *options)

    def counts(self):
        """The packets of each rule, in their order."""
        listing = self._node.run(self._command, "-t", "mangle", "-L", "POSTROUTING", "-v", "-n", "-x")
        return [int(count) for count in re.findall(r"^ *(\d+) +\d+ +all ", listing, re.MULTILINE)]


@pytest.fixture
def tables(lab):
    """Rules of both families, which go before the namespace does, so that the module can."""
    both = Rules(lab.director), Rules(lab.director, "ip6tables")
    yield both
    for command in ("iptables", "ip6tables"):
        lab.director.run(command, "-t", "mangle", "-F")


def test_rules_know_packets_that_were_balanced_and_by_what(lab, balancer, tables):
    rules, _ = tables
    lab.tcp_programs(8080)
    lab.udp_programs(53)
    balancer.balance("tcp", NAT, 80, [lab.rs1], "masquerading", server_port=8080)
    balancer.balance("udp", DIRECT, 53, [lab.rs1], "direct-routing")
    asked = [
        ("--ipvs",),
        ("!", "--ipvs"),
        ("--vaddr", NAT, "--vport", "80"),
        ("--vaddr", "192.0.2.0/24", "!", "--vport", "80"),
        ("--vproto", "tcp", "--vmethod", "MASQ"),
        ("--vmethod", "GATE"),
        ("--vport", "8080"),
        ("!", "--vaddr", "192.0.2.0/24"),
    ]
    for options in asked:
        rules.add(*options)
    with TcpClient(lab.client, NAT, 80) as client:
        assert client.ask("who") == "rs1"
    eventually(lambda: rules.counts()[0])
    with UdpClient(lab.client, DIRECT, 53) as client:
        assert client.ask(b"x") == ("rs1", b"x")
    balanced, others, to_port, to_other_ports, masqueraded, routed, to_server_port, elsewhere = rules.counts()
    assert to_port >= 3  # the handshake and the question
    assert balanced > to_port + to_other_ports  # answers are balanced packets of no known service
    assert masqueraded == to_port and routed == to_other_ports == 1
    assert (others, to_server_port, elsewhere) == (0, 0, 0)


def test_rules_know_the_direction_where_flows_are_tracked(lab, balancer, tables):
    rules, _ = tables
    lab.director.sysctl(**{"net.ipv4.vs.conntrack": 1})
    lab.director.run("iptables", "-A", "INPUT", "-m", "conntrack", "--ctstate", "NEW")  # without any, flows are not tracked
    lab.tcp_programs()
    balancer.balance("tcp", NAT, 80, [lab.rs1], "masquerading")
    rules.add("--vport", "80", "--vdir", "ORIGINAL")
    rules.add("--vport", "80", "--vdir", "REPLY")
    with TcpClient(lab.client, NAT, 80) as client:
        assert client.ask("who") == "rs1"
    requests, answers = rules.counts()
    assert requests >= 3 and answers == 0


def test_a_swarms_rule_hides_clients_from_servers(lab, balancer, tables):
    lab.director.sysctl(**{"net.ipv4.vs.conntrack": 1})
    lab.tcp_programs()
    balancer.balance("tcp", NAT, 80, [lab.rs1], "masquerading")
    lab.director.run("iptables", "-t", "nat", "-A", "POSTROUTING", "-m", "ipvs", "--ipvs", "-j", "SNAT", "--to-source", DIRECTOR_INSIDE)
    with TcpClient(lab.client, NAT, 80) as client:
        assert client.ask("from").split()[0] == DIRECTOR_INSIDE
    lab.director.run("iptables", "-t", "nat", "-F")


@dual_stack
def test_rules_of_ipv6_know_them_too(lab, balancer, tables):
    _, rules = tables
    vip = VIP6["masquerading"]
    lab.tcp_programs()
    balancer.balance("tcp", vip, 80, [lab.rs1], "masquerading")
    rules.add("--vaddr", vip, "--vport", "80")
    rules.add("--vaddr", VIP6["direct-routing"])
    with TcpClient(lab.client, vip, 80) as client:
        assert client.ask("who") == "rs1"
    wanted, other = rules.counts()
    assert wanted >= 3 and other == 0


@pytest.mark.rvs_only  # a module of its own asks ip_vs
def test_a_rule_that_asks_keeps_the_module(lab, balancer, tables):
    def users():
        return int(lab.director.run("sh", "-c", "lsmod | grep '^rvs '").split()[2])

    rules, _ = tables
    before = users()
    rules.add("--ipvs")
    assert users() == before + 1
