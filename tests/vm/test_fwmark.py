# SPDX-License-Identifier: GPL-2.0-only
"""Services of packets that netfilter rules have marked, wherever they go."""

import pytest

from lab import IPV4, IPV6, VIP, Mark, dual_stack, either_family, eventually, sysctl
from lab.programs import TcpClient, UdpClient

HERE = "direct-routing"
MARK = 7
ELSEWHERE = "198.51.100.9"  # an address that is none of the director's


def mark(director, *matches):
    """Mark what arrives at the director and matches one of these."""
    rules = "".join(f"{match} meta mark set {MARK}\n" for match in matches)
    chain = f"type filter hook prerouting priority mangle;\n{rules}"
    director.run("nft", "-f", "-", stdin=f"table inet marks {{\nchain arriving {{\n{chain}}}\n}}\n")


def serve(balancer, servers, plan, method=HERE, **settings):
    """The service of marked packets of a family."""
    service = balancer.add(Mark(MARK, plan.is_ipv6), "rr", **settings)
    for server in servers:
        balancer.add_server(service, server.address_like(plan.client), method)
    return service


def who(lab, vip, port):
    with TcpClient(lab.client, vip, port) as client:
        return client.ask("who")


@dual_stack
def test_one_mark_joins_addresses_ports_and_protocols_and_each_family_has_its_own_service(lab, balancer):
    for port in (80, 81, 82):
        lab.tcp_programs(port)
    lab.udp_programs(53)
    mark(lab.director, "tcp dport { 80, 81 }", "udp dport 53")
    services = {plan: serve(balancer, lab.servers, plan) for plan in (IPV4, IPV6)}
    for plan in (IPV4, IPV6):
        first, second = plan.vip["direct-routing"], plan.vip["tunneling"]  # servers have both
        assert [who(lab, first, 80), who(lab, first, 81), who(lab, second, 80)] == ["rs3", "rs2", "rs1"]
        with UdpClient(lab.client, second, 53) as client:
            assert [client.ask(b"%d" % number)[0] for number in range(2)] == ["rs3", "rs3"]
        with pytest.raises(ConnectionRefusedError):
            TcpClient(lab.client, first, 82)  # not marked
        assert balancer.stats(services[plan])[None].connections == 4
    balancer.delete_service(services[IPV6])
    with pytest.raises(ConnectionRefusedError):
        who(lab, IPV6.vip[HERE], 80)
    assert who(lab, VIP[HERE], 80) == "rs2"


@either_family
def test_a_client_keeps_its_server_for_everything_with_the_mark(lab, balancer, plan):
    for port in (80, 81):
        lab.tcp_programs(port)
    lab.udp_programs(53)
    mark(lab.director, "tcp dport { 80, 81 }", "udp dport 53")
    serve(balancer, lab.servers, plan, persistence=300)
    first, second = plan.vip["direct-routing"], plan.vip["tunneling"]
    names = {who(lab, vip, port) for vip in (first, second) for port in (80, 81)}
    with UdpClient(lab.client, second, 53) as client:
        names.add(client.ask(b"hello")[0])
    assert len(names) == 1
    [template] = [one for one in balancer.connections() if one.client[1] == 0]
    assert (template.protocol, template.client, template.state) == ("ip", (plan.client, 0), "ASSURED")
    assert template.virtual == ("0:7::" if plan.is_ipv6 else "0.0.0.7", 0)  # the mark


def test_a_marked_service_goes_before_those_by_address_and_masquerades_each_port_as_itself(lab, balancer):
    for port in (80, 81):
        lab.tcp_programs(port)
    balancer.balance("tcp", VIP["masquerading"], 80, [lab.rs1], "masquerading")
    serve(balancer, [lab.rs2], IPV4, "masquerading")
    assert who(lab, VIP["masquerading"], 80) == "rs1"
    mark(lab.director, "tcp dport { 80, 81 }")
    assert [who(lab, VIP["masquerading"], port) for port in (80, 81)] == ["rs2", "rs2"]
    assert {one.server for one in balancer.connections()} == {(lab.rs1.address, 80), (lab.rs2.address, 80), (lab.rs2.address, 81)}


def test_marked_packets_for_others_are_balanced_and_pass_missing_servers_if_cache_bypass_says_so(lab, balancer):
    """A transparent cache: the director takes packets for anybody, and gives them to a cache or else to whom they are for."""
    lab.rs3.ip(f"addr add {ELSEWHERE}/32 dev lo")  # the origin
    lab.rs1.ip(f"addr add {ELSEWHERE}/32 dev lo")  # a cache
    for server in (lab.rs1, lab.rs3):
        lab.tcp_programs(80, servers=[server])
    lab.client.ip(f"route add {ELSEWHERE} via {IPV4.outside}")
    lab.director.ip(f"route add {ELSEWHERE} via {lab.rs3.address}", f"rule add fwmark {MARK} lookup 200",
                    "route add local default dev lo table 200")
    assert who(lab, ELSEWHERE, 80) == "rs3"
    mark(lab.director, 'iif "eth0" tcp dport 80')
    service = serve(balancer, [lab.rs1], IPV4)
    assert who(lab, ELSEWHERE, 80) == "rs1"
    balancer.edit_server(service, lab.rs1.address, HERE, weight=0)
    with pytest.raises(ConnectionRefusedError):
        who(lab, ELSEWHERE, 80)
    with lab.director:
        assert sysctl.write("cache_bypass", "1") == "ok"
    before = balancer.stats(service)
    with TcpClient(lab.client, ELSEWHERE, 80) as client:
        assert client.ask("who") == "rs3"
        assert eventually(lambda: balancer.connection_of(client.port)).server == ("0.0.0.0", 0)
    assert balancer.stats(service)[lab.rs1.address] == before[lab.rs1.address]
    with pytest.raises(ConnectionRefusedError):
        who(lab, VIP[HERE], 80)  # the director's own address: there is nowhere to send it on to
