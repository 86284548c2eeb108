# SPDX-License-Identifier: GPL-2.0-only
"""What the settings below net/ipv4/vs do to packets."""

import pytest

from lab import IPV4, VIP, either_family, eventually, packet, sysctl, whichever_method
from lab.packet import ACK
from lab.programs import TcpClient, UdpClient, pattern

ROUTER = {False: "10.1.0.254", True: "2001:db8:1::254"}


@pytest.fixture
def setting(lab):
    """Change a setting of the director."""

    def write(name, value):
        with lab.director:
            assert sysctl.write(name, str(value)) == "ok"

    return write


@whichever_method
@either_family
def test_expire_nodest_conn_ends_the_connections_of_a_removed_server_at_once(lab, balancer, plan, method, setting):
    lab.tcp_programs(80)
    lab.udp_programs(53)
    vip = plan.vip[method]
    services = [balancer.balance(protocol, vip, port, lab.servers[:2], method) for protocol, port in (("tcp", 80), ("udp", 53))]
    with (TcpClient(lab.client, vip, 80) as stream, UdpClient(lab.client, vip, 53) as datagrams,
          TcpClient(lab.client, vip, 80) as other):
        assert [stream.ask("who"), other.ask("who"), datagrams.ask(b"")[0]] == ["rs2", "rs1", "rs2"]
        setting("expire_nodest_conn", 1)
        for service in services:
            balancer.delete_server(service, lab.rs2.address_like(vip))
        eventually(lambda: [one.client[1] for one in balancer.connections()], [other.port])
        assert datagrams.ask(b"again")[0] == "rs1"
        with pytest.raises(ConnectionResetError):
            stream.ask("who")
        assert other.ask("who") == "rs1"


@whichever_method
def test_sloppy_tcp_takes_connections_over_whose_beginning_it_has_not_seen(lab, balancer, method, setting):
    client, server = lab.ghost_client(), lab.ghost_server()
    service = balancer.add_service("tcp", VIP[method], 80, "rr")
    balancer.add_server(service, server.address, method)
    setting("sloppy_tcp", 1)
    client.send(packet.tcp(client.address, 40000, VIP[method], 80, ACK, b"data"))
    assert server.receive().tcp_flags == ACK and balancer.state_of(40000) == "ESTABLISHED"
    client.send(packet.tcp(client.address, 40001, VIP[method], 80, packet.RST))
    setting("sloppy_tcp", 0)
    client.send(packet.tcp(client.address, 40002, VIP[method], 80, ACK))
    answer = client.receive()
    assert answer.ports == (80, 40002) and answer.tcp_flags & packet.RST
    assert server.received() == [] and [one.client[1] for one in balancer.connections()] == [40000]


@whichever_method
@either_family
def test_beyond_conn_max_new_connections_are_dropped_in_silence_and_others_go_on(lab, balancer, plan, method, setting):
    client, server = lab.ghost_client(plan), lab.ghost_server(plan)
    vip = plan.vip[method]
    service = balancer.add_service("udp", vip, 53, "rr", persistence=300)
    balancer.add_server(service, server.address, method)
    setting("conn_max", 3)  # a template counts too
    for port in (4000, 4001, 4002, 4003, 4000):
        client.send(packet.udp(client.address, port, vip, 53))
    assert [server.receive().ports[0] for _ in range(3)] == [4000, 4001, 4000]
    assert len(balancer.connections()) == 3 and client.received() == []
    setting("conn_max", 4)
    client.send(packet.udp(client.address, 4002, vip, 53))
    assert server.receive().ports[0] == 4002


@either_family
def test_replies_of_masqueraded_servers_are_routed_as_the_services_if_snat_reroute_says_so(lab, balancer, plan, setting):
    client, server = lab.ghost_client(plan), lab.ghost_server(plan)
    vip = plan.vip["masquerading"]
    service = balancer.add_service("udp", vip, 53, "rr")
    balancer.add_server(service, server.address, "masquerading")
    lab.director.ip(f"rule add from {vip} lookup 77", f"route add default via {ROUTER[plan.is_ipv6]} table 77",
                    options=["-6"] if plan.is_ipv6 else [])
    lab.router.ip(f"neigh replace {client.address} lladdr {lab.client.mac('eth0').hex(':')} dev outside")
    client.send(packet.udp(client.address, 4000, vip, 53))
    server.receive()

    def hops_of_a_reply():
        server.send(packet.udp(server.address, 53, client.address, 4000))
        arrived = client.receive()
        assert arrived.source == vip
        return 64 - arrived.ttl

    assert hops_of_a_reply() == 2  # the director and the router behind it
    setting("snat_reroute", 0)
    assert hops_of_a_reply() == 1


def test_without_pmtu_disc_tunnels_are_fragmented_instead_of_answered(lab, balancer, setting):
    lab.director.ip("link set eth1 mtu 1300")
    client, server = lab.ghost_client(), lab.ghost_server()
    vip = VIP["tunneling"]
    service = balancer.add_service("udp", vip, 53, "rr")
    balancer.add_server(service, server.address, "tunneling")
    large = packet.udp(client.address, 4000, vip, 53, pattern(1400), dont_fragment=True)
    client.send(large)
    assert client.receive().icmp_mtu == 1280
    setting("pmtu_disc", 0)
    client.send(large)
    outer = server.receive_whole()
    assert not outer.dont_fragment and outer.inner == large.but(ttl=63)
    assert client.received() == []


def test_what_comes_out_of_a_tunnel_device_is_balanced_whatever_ignore_tunneled_says(lab, balancer, setting):
    # The setting marks the tunnel's packet; kernels whose tunnel devices take the mark off what they unwrap balance it nevertheless.
    lab.director.ip("link add tunl0 type ipip", "link set tunl0 up")
    lab.director.sysctl(**{"net.ipv4.conf.tunl0.rp_filter": 0})
    client, server = lab.ghost_client(), lab.ghost_server()
    vip = VIP["masquerading"]
    service = balancer.add_service("udp", vip, 53, "rr")
    balancer.add_server(service, server.address, "masquerading")
    for port, ignored in ((4000, 0), (4001, 1)):
        setting("ignore_tunneled", ignored)
        inner = packet.udp(client.address, port, vip, 53)
        client.send(packet.ip(client.address, IPV4.outside, packet.IPIP, bytes(inner)))
        assert server.receive().ports == (port, 53)


@whichever_method
def test_a_server_at_its_upper_threshold_takes_connections_again_when_one_has_ended(lab, balancer, method):
    lab.udp_programs(53)
    balancer.set_timeouts(0, 0, 2)
    service = balancer.add_service("udp", VIP[method], 53, "wlc")
    balancer.add_server(service, lab.rs1.address, method, upper=1)
    with UdpClient(lab.client, VIP[method], 53) as one, UdpClient(lab.client, VIP[method], 53, timeout=1) as other:
        for _ in range(2):
            assert one.ask(b"hello") == ("rs1", b"hello")
            with pytest.raises(ConnectionRefusedError):
                other.ask(b"full")
            eventually(lambda: balancer.connections() == [], within=6)
        assert other.ask(b"free") == ("rs1", b"free")
        balancer.edit_server(service, lab.rs1.address, method, upper=2)
        assert one.ask(b"two at once") == ("rs1", b"two at once")
