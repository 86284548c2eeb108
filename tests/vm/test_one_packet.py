# SPDX-License-Identifier: GPL-2.0-only
"""One-packet scheduling: each datagram is balanced by itself."""

from lab import IPV4, Mark, either_family, eventually
from lab.programs import TcpClient, UdpClient


@either_family
def test_every_datagram_of_a_client_gets_the_next_server_and_leaves_no_entry(lab, balancer, plan):
    lab.udp_programs(53)
    for method in ("direct-routing", "tunneling"):
        vip = plan.vip[method]
        service = balancer.add_service("udp", vip, 53, "rr", one_packet=True)
        for server in lab.servers:
            balancer.add_server(service, server.address_like(vip), method)
        with UdpClient(lab.client, vip, 53) as client:
            names = [client.ask(b"%d" % number)[0] for number in range(6)]
        assert names == ["rs3", "rs2", "rs1"] * 2
        assert balancer.connections() == []
        assert set(balancer.counts(service).values()) == {(0, 0)}
        eventually(lambda: {(one.connections, one.packets_in) for one in balancer.stats(service).values()}, {(6, 6), (2, 2)})


@either_family
def test_datagrams_of_a_persistent_service_stay_with_the_clients_server(lab, balancer, plan):
    lab.udp_programs(53)
    vip = plan.vip["direct-routing"]
    service = balancer.add_service("udp", vip, 53, "rr", one_packet=True, persistence=300)
    for server in lab.servers:
        balancer.add_server(service, server.address_like(vip), "direct-routing")
    with UdpClient(lab.client, vip, 53) as client, UdpClient(lab.client, vip, 53) as second:
        assert {one.ask(b"hello")[0] for one in (client, second, client, second)} == {"rs3"}
    [template] = balancer.connections()
    assert template.client == (plan.client, 0) and template.server == (lab.rs3.address_like(vip), 53)
    eventually(lambda: balancer.stats(service)[None].connections, 4)


def test_a_service_by_mark_with_one_packet_scheduling_keeps_connections_of_tcp(lab, balancer):
    lab.tcp_programs(80)
    lab.udp_programs(53)
    lab.director.run("nft", "-f", "-", stdin="table ip marks {\nchain arriving {\ntype filter hook prerouting priority mangle;\n"
                                             "meta l4proto { tcp, udp } meta mark set 9\n}\n}\n")
    service = balancer.add(Mark(9), "rr", one_packet=True)
    for server in lab.servers:
        balancer.add_server(service, server.address, "direct-routing")
    with TcpClient(lab.client, IPV4.vip["direct-routing"], 80) as client, \
            UdpClient(lab.client, IPV4.vip["direct-routing"], 53) as datagrams:
        assert [client.ask("who") for _ in range(3)] == ["rs3"] * 3
        assert [datagrams.ask(b"hello")[0] for _ in range(3)] == ["rs2", "rs1", "rs3"]
        assert [one.client[1] for one in balancer.connections()] == [client.port]
