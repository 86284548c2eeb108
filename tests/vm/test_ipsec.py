# SPDX-License-Identifier: GPL-2.0-only
"""ESP and AH ride on the connection of the key exchange that goes with them, UDP from port 500 to port 500."""

import socket

from lab import either_family, eventually, namespace, packet
from lab.programs import TcpClient

AH = 51
IKE = 500


@either_family
def test_esp_and_ah_follow_their_key_exchange_and_back(lab, balancer, plan):
    client, server = lab.ghost_client(plan), lab.ghost_server(plan)
    # Over IPv6, AH is a header before the one that counts.
    protocols = [packet.ESP] if plan.is_ipv6 else [packet.ESP, AH]

    def protected(protocol, source, destination):
        return packet.ip(source, destination, protocol, b"\0\0\1\1" + b"\0\0\0\1" + bytes(range(56)))

    for method, vip in plan.vip.items():
        service = balancer.add_service("udp", vip, IKE, "rr")
        balancer.add_server(service, lab.rs2.address_like(vip), method)  # would be the next one
        balancer.add_server(service, server.address, method)
        client.send(protected(packet.ESP, client.address, vip), packet.udp(client.address, IKE, vip, IKE, b"key exchange"))
        arrived = server.receive()
        assert (arrived.inner if method == "tunneling" else arrived).protocol == packet.UDP  # ESP alone went nowhere
        for protocol in protocols:
            sent = protected(protocol, client.address, vip)
            client.send(sent)
            arrived = server.receive()
            arrived = arrived.inner if method == "tunneling" else arrived
            assert arrived == sent.but(ttl=63, destination=server.address if method == "masquerading" else vip)
            if method == "masquerading":
                server.send(protected(protocol, server.address, client.address))
                assert client.receive(lambda seen: seen.protocol == protocol) == \
                    protected(protocol, vip, client.address).but(ttl=63)

        def counted():
            found = balancer.stats(service)[server.address]
            return found.connections, found.packets_in, found.packets_out

        eventually(counted, (1, 1 + len(protocols), len(protocols) if method == "masquerading" else 0))
    assert {(one.protocol, one.client, one.virtual) for one in balancer.connections()} == \
        {("udp", (client.address, IKE), (vip, IKE)) for vip in plan.vip.values()}


@either_family
def test_a_connection_inside_esp_works_with_the_server_that_the_keys_were_exchanged_with(lab, balancer, plan):
    namespace.execute(["modprobe", "-a", "esp4", "esp6", "xfrm_user", "authenc", "cbc", "sha256"])
    method = "direct-routing"
    vip = plan.vip[method]
    lab.tcp_programs(80)
    lab.udp_programs(IKE)
    balancer.balance("udp", vip, IKE, lab.servers, method)
    exchange = lab.client.socket(socket.AF_INET6 if plan.is_ipv6 else socket.AF_INET, socket.SOCK_DGRAM)
    exchange.settimeout(5)
    exchange.bind((plan.client, IKE))
    exchange.sendto(b"key exchange", (vip, IKE))
    name = exchange.recv(100).partition(b":")[0].decode()
    server = {node.name: node for node in lab.servers}[name]
    keys = f"auth-trunc hmac(sha256) 0x{'11' * 32} 128 enc cbc(aes) 0x{'22' * 16}"
    there, back = f"src {plan.client} dst {vip}", f"src {vip} dst {plan.client}"
    states = [f"xfrm state add {ends} proto esp spi {spi} mode transport {keys}" for ends, spi in ((there, 0x101), (back, 0x102))]
    for node, ways in ((lab.client, {there: "out", back: "in"}), (server, {there: "in", back: "out"})):
        node.ip(*states, *(f"xfrm policy add {ends} proto tcp dir {way} tmpl {ends} proto esp mode transport"
                           for ends, way in ways.items()))
    seen = server.capture(family=exchange.family)
    with TcpClient(lab.client, vip, 80) as client:
        assert client.ask("who") == name
    assert {one.protocol for one in seen.all() if one.destination == vip} == {packet.ESP}
    assert [one.protocol for one in balancer.connections()] == ["udp"]
