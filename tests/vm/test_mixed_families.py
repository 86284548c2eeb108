# SPDX-License-Identifier: GPL-2.0-only
"""Services of one family with real servers of the other, which tunnels reach."""

import hashlib
import socket

import pytest

from lab import IPV4, IPV6, CommandFailed, dual_stack, either_family, packet
from lab.programs import TcpClient, UdpClient, pattern

CONTENT = pattern(1 << 20)
DIGEST = hashlib.sha256(CONTENT).hexdigest()
OTHER = {IPV4: IPV6, IPV6: IPV4}


def take_from_tunnels(server):
    """Make a server unwrap IPv4 in IPv6 too: the device that is always there does not."""
    server.ip(f"link add name ip4in6 type ip6tnl mode ipip6 local {server.address6} remote ::", "link set ip4in6 up")
    server.sysctl(**{"net.ipv4.conf.ip4in6.rp_filter": 0})


@either_family
def test_a_tunnel_carries_one_family_in_the_other(lab, balancer, plan):
    take_from_tunnels(lab.rs1)
    lab.tcp_programs(servers=[lab.rs1])
    lab.udp_programs(53, servers=[lab.rs1])
    vip, server = plan.vip["tunneling"], lab.rs1.address_like(OTHER[plan].client)
    for protocol, port in (("tcp", 80), ("udp", 53)):
        service = balancer.add_service(protocol, vip, port, "rr")
        balancer.add_server(service, server, "tunneling")
        assert [(one.address, one.method) for one in balancer.servers(service).values()] == [(server, "tunneling")]
    arriving = lab.rs1.capture(family=socket.AF_INET if plan is IPV6 else socket.AF_INET6)
    with TcpClient(lab.client, vip, 80) as client:
        assert (client.upload(CONTENT), client.download(1 << 20)) == (DIGEST, DIGEST)
        assert balancer.connection_of(client.port).server == (server, 80)
    outer = arriving.first(lambda seen: seen.protocol in (packet.IPIP, packet.IPV6))
    assert (outer.source, outer.destination) == (OTHER[plan].inside, server) and outer.valid
    assert outer.protocol == (packet.IPV6 if plan is IPV6 else packet.IPIP)
    assert (outer.inner.source, outer.inner.destination, outer.inner.ttl) == (plan.client, vip, 63) and outer.ttl == 63
    with UdpClient(lab.client, vip, 53) as client:
        assert client.ask(b"hello") == ("rs1", b"hello")


@either_family
def test_a_packet_too_large_for_the_other_familys_tunnel_is_answered_with_the_size_that_fits(lab, balancer, plan):
    lab.director.ip("link set eth1 mtu 1400")
    client, server = lab.ghost_client(plan), lab.ghost_server(OTHER[plan])
    vip = plan.vip["tunneling"]
    service = balancer.add_service("udp", vip, 53, "rr")
    balancer.add_server(service, server.address, "tunneling")
    fits, header = (1400 - 20, 48) if plan is IPV6 else (1400 - 40, 28)
    fields = {} if plan is IPV6 else {"dont_fragment": True}
    client.send(packet.udp(client.address, 4000, vip, 53, bytes(fits - header), **fields))
    outer = server.receive()
    assert len(outer) == 1400 and outer.inner.transport_valid
    if plan is IPV6:
        assert not outer.dont_fragment
    client.send(packet.udp(client.address, 4000, vip, 53, bytes(fits - header + 1), **fields))
    answer = client.receive()
    too_big = packet.TOO_BIG_6 if plan is IPV6 else (packet.DESTINATION_UNREACHABLE, packet.FRAGMENTATION_NEEDED)
    assert answer.icmp_type_code == too_big and answer.icmp_mtu == fits
    assert server.received() == []


@dual_stack
def test_only_tunnels_reach_servers_of_the_other_family(lab, balancer):
    for plan in (IPV4, IPV6):
        service = balancer.add_service("tcp", plan.vip["tunneling"], 80)
        server = lab.rs1.address_like(OTHER[plan].client)
        for method in ("masquerading", "direct-routing"):
            with pytest.raises(CommandFailed, match="only for tunneling"):
                balancer.add_server(service, server, method)
        balancer.add_server(service, server, "tunneling", weight=3)
        with pytest.raises(CommandFailed, match="only for tunneling"):
            balancer.edit_server(service, server, "masquerading")
        assert [(one.method, one.weight) for one in balancer.servers(service).values()] == [("tunneling", 3)]
        balancer.delete_server(service, server)
        assert balancer.servers(service) == {}
