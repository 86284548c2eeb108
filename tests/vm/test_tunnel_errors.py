# SPDX-License-Identifier: GPL-2.0-only
"""Errors about packets in tunnels: the client hears what concerns it, and the director what fits."""

import hashlib
import itertools
import socket

import pytest

from lab import IPV4, IPV6, dual_stack, eventually, packet, tunnels
from lab.programs import TcpClient, UdpClient, pattern
from lab.tunnels import GRE, GRE_CHECKSUM, GUE, GUE_CHECKSUM, IPIP

PORT, CLIENT_PORT = 53, 40000
PAIRS = list(itertools.product((IPV4, IPV6), repeat=2))  # the family inside, the family outside
FITS, IP_MTU = 1400, 14

kinds = pytest.mark.parametrize("kind", [IPIP, GUE, GUE_CHECKSUM, GRE, GRE_CHECKSUM], ids=lambda kind: kind.name)


def vip(plan):
    return plan.vip["tunneling"]


def header_of(plan):
    return 40 if plan.is_ipv6 else 20


def request(plan, size, client_port=CLIENT_PORT):
    """A UDP packet of a client, `size` bytes long, which nobody on the way may cut."""
    fields = {} if plan.is_ipv6 else {"dont_fragment": True}
    return packet.udp(plan.ghost_client, client_port, vip(plan), PORT, bytes(size - header_of(plan) - 8), **fields)


def served(lab, balancer, kind, inner=IPV4, outer=IPV4):
    client, server = lab.ghost_client(inner), lab.ghost_server(outer)
    service = balancer.add_service("udp", vip(inner), PORT, "rr")
    tunnels.add_server(balancer, service, server.address, kind)
    return client, server


def each_pair(lab, balancer, kind, size):
    """A request of `size` bytes through a tunnel of each pair of families: those, the request, the ghosts at its ends, and what
    arrived."""
    clients = {plan: lab.ghost_client(plan) for plan in (IPV4, IPV6)}
    servers = {plan: lab.ghost_server(plan) for plan in (IPV4, IPV6)}
    for number, (inner, outer) in enumerate(PAIRS):
        service = balancer.add_service("udp", vip(inner), PORT, "rr")
        tunnels.add_server(balancer, service, servers[outer].address, kind)
        sent = request(inner, size, CLIENT_PORT + number)
        clients[inner].send(sent)
        yield inner, outer, sent, clients[inner], servers[outer], servers[outer].receive()
        balancer.delete_service(service)
        lab.director.ip("route flush cache")
        lab.director.ip("route flush cache", options=["-6"])


def says_too_big(plan, answer):
    """The size that an ICMP error wants, which must be one that wants a size."""
    wanted = packet.TOO_BIG_6 if plan.is_ipv6 else (packet.DESTINATION_UNREACHABLE, packet.FRAGMENTATION_NEEDED)
    assert answer.icmp_type_code == wanted and answer.transport_valid
    return answer.icmp_mtu


@kinds
def test_a_router_on_the_way_of_a_tunnel_makes_the_client_send_less(lab, balancer, kind):
    client, server = served(lab, balancer, kind)
    large = request(IPV4, 1450)
    client.send(large)
    server.send(packet.too_big(IPV4.far_away, IPV4.inside, server.receive(), FITS))
    answer = client.receive()
    says_too_big(IPV4, answer)
    assert answer.quotes(large)
    client.send(large)  # from here on the director itself knows what fits
    assert says_too_big(IPV4, client.receive()) == FITS - 20 - kind.overhead
    client.send(request(IPV4, FITS - 20 - kind.overhead))
    assert len(server.receive()) == FITS


@pytest.mark.rvs_only
@kinds
@dual_stack
def test_the_client_is_told_the_right_size_at_once_whatever_ip_it_speaks(lab, balancer, kind):
    for inner, outer, large, client, server, arrived in each_pair(lab, balancer, kind, 1440):
        server.send(packet.too_big(outer.far_away, outer.inside, arrived, FITS))
        answer = client.receive()
        assert says_too_big(inner, answer) == FITS - header_of(outer) - kind.overhead, (inner, outer)
        assert answer.source == vip(inner) and answer.quotes(large)


@pytest.mark.rvs_only
@kinds
def test_an_error_that_quotes_no_more_than_eight_bytes_is_learned_from(lab, balancer, kind):
    client, server = served(lab, balancer, kind)
    client.send(request(IPV4, 1450))
    server.send(packet.too_big(IPV4.far_away, IPV4.inside, server.receive(), FITS, quoting=28))
    fits = FITS - 20 - kind.overhead
    eventually(lambda: told_about(client, request(IPV4, fits + 1)), fits)


def told_about(client, large):
    """The size that the director wants instead of a packet, if it does not let it pass."""
    client.send(large)
    answers = client.received()
    return answers[-1].icmp_mtu if answers else None


@kinds
def test_an_unreachable_server_is_reported_to_the_client(lab, balancer, kind):
    client, server = served(lab, balancer, kind)
    sent = request(IPV4, 100)
    client.send(sent)
    outer = server.receive()
    for code in (1, 2, 3):
        server.send(packet.icmp_error(IPV4.far_away, IPV4.inside, 3, code, outer))
        answer = client.receive()
        assert answer.icmp_type_code == (3, code) and answer.transport_valid
        assert answer.source == vip(IPV4) and answer.quotes(sent)


@pytest.mark.rvs_only
@dual_stack
def test_an_unreachable_server_is_reported_in_the_clients_own_ip(lab, balancer):
    for inner, outer, sent, client, server, arrived in each_pair(lab, balancer, GUE, 100):
        kind, code = (1, 4) if outer.is_ipv6 else (3, 3)  # nobody takes GUE at its port
        server.send(packet.icmp_error(outer.far_away, outer.inside, kind, code, arrived))
        answer = client.receive()
        within = {IPV4: (3, 3), IPV6: (1, 4)}
        between = {IPV4: (3, 1), IPV6: (1, 3)}
        assert answer.icmp_type_code == (within if inner == outer else between)[inner]
        assert answer.transport_valid and answer.source == vip(inner) and answer.quotes(sent)


def test_an_error_with_a_wrong_checksum_is_not_believed(lab, balancer):
    client, server = served(lab, balancer, GUE)
    client.send(request(IPV4, 1450))
    good = packet.too_big(IPV4.far_away, IPV4.inside, server.receive(), FITS)
    server.send(good.but(payload=good.payload[:2] + b"\x12\x34" + good.payload[4:]))
    client.send(request(IPV4, 1450))
    assert len(server.receive()) == 1450 + 20 + GUE.overhead
    assert client.received() == []


def test_an_error_about_somebody_elses_tunnel_is_left_alone(lab, balancer):
    client, server = served(lab, balancer, GUE)
    client.send(request(IPV4, 100))
    outer = server.receive()
    other = outer.but(payload=outer.payload[:2] + b"\x12\x34" + outer.payload[4:])  # another port
    server.send(packet.icmp_error(IPV4.far_away, IPV4.inside, 3, packet.PORT_UNREACHABLE, other),
                packet.icmp_error(IPV4.far_away, IPV4.inside, 3, packet.PORT_UNREACHABLE, outer))
    client.receive()
    assert client.received() == []


@kinds
def test_an_upload_finds_its_way_through_a_tunnel_over_a_small_link(lab, balancer, kind):
    lab.director.ip("link set eth1 mtu 1300")
    lab.tcp_programs(servers=[lab.rs1])
    tunnels.accept(lab.rs1, kind, IPV4.inside)
    service = balancer.add_service("tcp", vip(IPV4), 80, "rr")
    tunnels.add_server(balancer, service, lab.rs1.address, kind)
    content = pattern(1 << 20)
    with TcpClient(lab.client, vip(IPV4), 80) as client:
        assert client.upload(content) == hashlib.sha256(content).hexdigest()


def test_a_socket_of_the_director_knows_what_fits_before_its_first_large_packet(lab, balancer):
    lab.director.sysctl(**{"net.ipv4.conf.all.accept_local": 1})
    lab.udp_programs(PORT, servers=[lab.rs1])
    tunnels.accept(lab.rs1, GUE, IPV4.inside)
    service = balancer.add_service("udp", vip(IPV4), PORT, "rr")
    tunnels.add_server(balancer, service, lab.rs1.address, GUE)
    with UdpClient(lab.director, vip(IPV4), PORT, source=IPV4.inside) as client:
        for _ in range(2):  # a socket looks for its route when it sends
            assert client.ask(b"small") == ("rs1", b"small")
        assert client.socket.getsockopt(socket.IPPROTO_IP, IP_MTU) == 1500 - 20 - GUE.overhead


def test_a_packet_that_a_tunnel_can_not_take_ends_without_an_error_of_the_call(lab, balancer):
    lab.director.sysctl(**{"net.ipv4.conf.all.accept_local": 1})
    lab.director.ip("link set eth1 mtu 90")
    service = balancer.add_service("udp", vip(IPV4), PORT, "rr")
    tunnels.add_server(balancer, service, lab.ghost_server().address, GUE)
    with UdpClient(lab.director, vip(IPV4), PORT, source=IPV4.outside) as client:
        assert client.socket.send(b"x") == 1


@pytest.mark.rvs_only
@dual_stack
def test_ipv6_that_can_not_be_smaller_is_fragmented_outside(lab, balancer):
    client, server = served(lab, balancer, IPIP, IPV6, IPV4)
    lab.director.ip("link set eth1 mtu 1000")
    sent = request(IPV6, 1280)
    client.send(sent)
    whole = server.receive_whole()
    assert tunnels.carried(whole) == sent.but(ttl=63)
    client.send(request(IPV6, 1281))
    assert says_too_big(IPV6, client.receive()) == 1280
