# SPDX-License-Identifier: GPL-2.0-only
"""IPv6 services: what clients and servers get of them, by every forwarding method."""

import hashlib
import socket

import pytest

from lab import IPV6, VIP6, dual_stack, packet
from lab.programs import TcpClient, UdpClient, pattern

pytestmark = dual_stack

SIZE = 2 << 20
CONTENT = pattern(SIZE)
DIGEST = hashlib.sha256(CONTENT).hexdigest()
IPV6_MTU = 24
LINK, TUNNEL_HEADER = 1500, 40
PADDING = bytes([0, 0, 1, 4, 0, 0, 0, 0])  # destination options that mean nothing


def path_mtu(method, link=LINK):
    return link - TUNNEL_HEADER if method == "tunneling" else link


def ghosts(lab, balancer, protocol="udp", port=53, server_port=None):
    """A silent client and a silent server, with a service by each method between them; `server_port` is for masquerading."""
    client, server = lab.ghost_client(IPV6), lab.ghost_server(IPV6)
    for method, vip in VIP6.items():
        service = balancer.add_service(protocol, vip, port, "rr")
        balancer.add_server(service, server.address, method, port=server_port if method == "masquerading" else None)
    return client, server


def inside(arrived, method):
    return arrived.inner if method == "tunneling" else arrived


def test_megabytes_and_datagrams_of_any_size_arrive_whole_in_both_directions(lab, balancer, method):
    lab.tcp_programs(servers=[lab.rs1])
    lab.udp_programs(53, servers=[lab.rs1])
    for protocol, port in (("tcp", 80), ("udp", 53)):
        balancer.balance(protocol, VIP6[method], port, [lab.rs1], method)
    for offloads in (True, False):
        lab.offloads(offloads)
        with TcpClient(lab.client, VIP6[method], 80) as client:
            assert (client.upload(CONTENT), client.download(SIZE)) == (DIGEST, DIGEST)
            assert balancer.state_of(client.port) == "ESTABLISHED"
            if method == "masquerading":
                assert client.ask("from") == f"{IPV6.client} {client.port}"
    with UdpClient(lab.client, VIP6[method], 53) as client:
        assert client.socket.getsockopt(socket.IPPROTO_IPV6, IPV6_MTU) == path_mtu(method)  # as TCP found out
        for size in (0, 1, 1400, 4000, 40000):
            assert client.ask(pattern(size)) == ("rs1", pattern(size))


def test_clients_and_servers_on_the_director_itself_take_part(lab, balancer):
    lab.tcp_programs(80, servers=[lab.rs1])
    lab.tcp_programs(81, servers=[lab.director])
    for method, vip in VIP6.items():
        balancer.balance("tcp", vip, 80, [lab.rs1], method)
        balancer.balance("tcp", vip, 81, [lab.director], method)
        with TcpClient(lab.client, vip, 81) as client:
            assert client.ask("who") == "director"
            assert (client.upload(CONTENT), client.download(SIZE)) == (DIGEST, DIGEST)
    with TcpClient(lab.director, VIP6["masquerading"], 80, source=IPV6.inside) as client:
        assert (client.upload(CONTENT), client.download(SIZE)) == (DIGEST, DIGEST)
        lab.director.ip("link set eth1 mtu 1400")  # from here on it takes nothing larger in either
        assert client.upload(CONTENT) == DIGEST
    # By other methods, replies come from an address that is the director's own too, and no setting makes IPv6 take them.
    arriving = lab.rs1.capture(family=socket.AF_INET6)
    for method in ("tunneling", "direct-routing"):
        client = lab.director.socket(socket.AF_INET6)
        client.bind((IPV6.inside, 0))
        client.setblocking(False)
        client.connect_ex((VIP6[method], 80))
        arrived = inside(arriving.first(lambda seen: inside(seen, method).destination == VIP6[method]), method)
        assert (arrived.source, arrived.tcp_flags) == (IPV6.inside, packet.SYN)


def test_requests_change_as_the_method_says_and_lose_one_hop(lab, balancer):
    client, server = ghosts(lab, balancer, server_port=5353)
    fields = {"tos": 0x2A, "flow_label": 0x12345}
    for method, vip in VIP6.items():
        for data, options in ((b"", b""), (b"odd", b""), (pattern(1200), b""), (b"behind options", PADDING)):
            sent = packet.udp(client.address, 4000, vip, 53, data, ttl=33, options=options, **fields)
            client.send(sent)
            arrived = server.receive()
            if method == "tunneling":
                assert (arrived.source, arrived.destination, arrived.protocol) == (IPV6.inside, server.address, packet.IPV6)
                assert (arrived.ttl, arrived.tos, arrived.flow_label) == (32, 0x2A, 0)
                assert arrived.inner == sent.but(ttl=32)
            elif method == "direct-routing":
                assert arrived == sent.but(ttl=32)
            else:
                wanted = packet.udp(client.address, 4000, server.address, 5353, data, ttl=32, options=options, **fields)
                assert arrived == wanted and arrived.transport_valid
        client.send(packet.udp(client.address, 4000, vip, 53, b"two hops", ttl=2))
        assert inside(server.receive(), method).ttl == 1
        sent = packet.udp(client.address, 4000, vip, 53, b"one hop", ttl=1)
        client.send(sent)
        answer = client.receive()
        assert answer.icmp_type_code == packet.TIME_EXCEEDED_6 and answer.transport_valid and answer.quotes(sent)
    assert server.received() == []


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_a_masqueraded_servers_replies_come_from_the_service_and_nothing_else_changes(lab, balancer, protocol):
    client, server = ghosts(lab, balancer, protocol, 80, 8080)

    def build(*ends, **fields):
        return packet.tcp(*ends, packet.SYN, **fields) if protocol == "tcp" else packet.udp(*ends, **fields)

    client.send(build(client.address, 4000, VIP6["masquerading"], 80))
    assert server.receive() == build(client.address, 4000, server.address, 8080, ttl=63)
    fields = {"tos": 0x28, "flow_label": 0x54321}
    for data in (b"", b"odd", pattern(1200)):
        server.send(build(server.address, 8080, client.address, 4000, data=data, **fields))
        arrived = client.receive()
        assert arrived == build(VIP6["masquerading"], 80, client.address, 4000, data=data, ttl=63, **fields)
        assert arrived.transport_valid
    server.send(build(server.address, 9090, client.address, 4000))
    assert client.receive().source == server.address  # outside any connection


def test_every_checksum_value_survives_masquerading(lab, balancer):
    client, server = ghosts(lab, balancer, server_port=5353)
    plain = packet.udp(client.address, 4000, server.address, 5353, b"\0\0").udp_checksum
    for word in ((plain + step) % 0xFFFF for step in range(-3, 4)):
        client.send(packet.udp(client.address, 4000, VIP6["masquerading"], 53, word.to_bytes(2, "big")))
        arrived = server.receive()
        assert arrived.transport_valid and arrived.udp_checksum != 0


def test_fragments_in_any_order_make_one_datagram_and_an_incomplete_one_goes_nowhere(lab, balancer):
    client, server = ghosts(lab, balancer)
    for method, vip in VIP6.items():
        whole = packet.udp(client.address, 4000, vip, 53, pattern(1000), identification=7)
        client.send(*reversed(packet.fragments(whole, 400)))
        arrived = inside(server.receive_whole(), method)
        assert arrived.udp_data == pattern(1000) and arrived.transport_valid
        lost = packet.udp(client.address, 4001, vip, 53, pattern(1000), identification=8)
        client.send(*packet.fragments(lost, 400)[:-1], packet.udp(client.address, 4002, vip, 53, b"after it"))
        assert inside(server.receive(), method).udp_data == b"after it"
    assert balancer.connection_of(4001) is None
    reply = packet.udp(server.address, 53, client.address, 4000, pattern(1000), identification=9)
    server.send(*packet.fragments(reply, 400))
    arrived = client.receive_whole()
    assert arrived.source == VIP6["masquerading"] and arrived.udp_data == pattern(1000) and arrived.transport_valid


def test_a_packet_that_does_not_fit_is_answered_with_the_size_that_does(lab, balancer):
    client, server = ghosts(lab, balancer)
    for link in (1500, 1400):
        lab.director.ip(f"link set eth1 mtu {link}")
        for method, vip in VIP6.items():
            client.send(packet.udp(client.address, 4000, vip, 53, bytes(path_mtu(method, link) - 48)))
            assert len(server.receive()) == link
    for method, vip in VIP6.items():
        fits = path_mtu(method, 1400)
        sent = packet.udp(client.address, 4000, vip, 53, bytes(fits - 48 + 1))
        client.send(sent)
        answer = client.receive()
        assert answer.icmp_type_code == packet.TOO_BIG_6 and answer.icmp_mtu == fits and answer.transport_valid
        assert answer.quotes(sent)
    assert server.received() == []


def test_an_upload_finds_its_way_through_a_small_link(lab, balancer):
    lab.director.ip("link set eth1 mtu 1340")
    lab.tcp_programs(servers=[lab.rs1])
    for method, vip in VIP6.items():
        balancer.balance("tcp", vip, 80, [lab.rs1], method)
        with TcpClient(lab.client, vip, 80) as client:
            assert client.upload(CONTENT) == DIGEST


def test_a_service_without_server_refuses_and_what_belongs_to_no_service_is_the_directors_own(lab, balancer):
    lab.tcp_programs(81, servers=[lab.director])
    balancer.add_service("tcp", VIP6["masquerading"], 80)
    service = balancer.add_service("udp", VIP6["masquerading"], 53)
    balancer.add_server(service, lab.rs1.address6, "masquerading", weight=0)
    with TcpClient(lab.client, VIP6["masquerading"], 81) as client:
        assert client.ask("who") == "director"
    for port in (80, 82):
        with pytest.raises(ConnectionRefusedError):
            TcpClient(lab.client, VIP6["masquerading"], port)
    ghost = lab.ghost_client(IPV6)
    sent = packet.udp(ghost.address, 4000, VIP6["masquerading"], 53)
    ghost.send(sent)
    answer = ghost.receive()
    assert answer.icmp_type_code == packet.PORT_UNREACHABLE_6 and answer.quotes(sent) and answer.transport_valid
    assert balancer.connections() == []
