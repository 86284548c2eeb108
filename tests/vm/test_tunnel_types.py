# SPDX-License-Identifier: GPL-2.0-only
"""Tunnels of every type, over and with either IP: header by header, and with real programs at their ends."""

import contextlib
import hashlib
import itertools
import struct

import pytest

from lab import IPV4, IPV6, dual_stack, packet, tunnels
from lab.address import family_of
from lab.programs import TcpClient, UdpClient, pattern
from lab.tunnels import GRE, GRE_CHECKSUM, GUE, GUE_CHECKSUM, GUE_PORT, GUE_REMOTE, KINDS, Gre, Gue

PORT = 53
CONTENT = pattern(1 << 20)
DIGEST = hashlib.sha256(CONTENT).hexdigest()
PAIRS = list(itertools.product((IPV4, IPV6), repeat=2))  # the family inside, the family outside


def kinds(chosen):
    return pytest.mark.parametrize("kind", chosen, ids=lambda kind: kind.name)


def vip(plan):
    return plan.vip["tunneling"]


def carried_number(plan):
    return packet.IPV6 if plan.is_ipv6 else packet.IPIP


@pytest.fixture
def pass_through(lab, balancer):
    """What becomes of a UDP packet on its way to a real server behind a tunnel: a function that says what was sent and what
    arrived, for each pair of families."""
    def of(kind, data=b"hello", **fields):
        lab.offloads(False)  # so that checksums are on the wire
        clients = {plan: lab.ghost_client(plan) for plan in (IPV4, IPV6)}
        servers = {plan: lab.ghost_server(plan) for plan in (IPV4, IPV6)}
        for inner, outer in PAIRS:
            service = balancer.add_service("udp", vip(inner), PORT, "rr")
            tunnels.add_server(balancer, service, servers[outer].address, kind)
            sent = packet.udp(clients[inner].address, 40000 + outer.is_ipv6, vip(inner), PORT, data, **fields)
            clients[inner].send(sent)
            yield inner, outer, sent, servers[outer].receive()
            balancer.delete_service(service)
    return of


@kinds(KINDS)
@dual_stack
def test_a_request_arrives_inside_a_packet_from_the_director_to_the_server(pass_through, kind):
    for _, outer, sent, arrived in pass_through(kind, ttl=33, tos=0xB8):
        assert (arrived.source, arrived.destination) == (outer.inside, outer.ghost_server)
        assert arrived.valid and (arrived.ttl, arrived.tos) == (32, 0xB8)
        assert tunnels.carried(arrived) == sent.but(ttl=32)
        assert len(arrived) == len(sent) + (40 if outer.is_ipv6 else 20) + kind.overhead


@dual_stack
def test_gue_says_by_its_protocol_what_it_carries(pass_through):
    for inner, _, _, arrived in pass_through(GUE):
        gue = Gue(arrived)
        assert (gue.port, gue.first, gue.protocol, gue.flags, gue.options) == (GUE_PORT, 0, carried_number(inner), 0, b"")
        assert gue.udp_length == len(arrived.payload) and arrived.udp_checksum == 0


@kinds([GUE_CHECKSUM, GUE_REMOTE])
@dual_stack
def test_gue_has_a_right_udp_checksum_if_told_so(pass_through, kind):
    for _, _, _, arrived in pass_through(kind, b"hello, odd"):
        assert arrived.udp_checksum != 0 and arrived.transport_valid
        assert Gue(arrived).options == b"", "there is nothing to be completed"


@kinds([GRE, GRE_CHECKSUM])
@dual_stack
def test_gre_says_by_its_protocol_what_it_carries(pass_through, kind):
    for inner, _, _, arrived in pass_through(kind):
        gre = Gre(arrived)
        assert gre.flags == (0x8000 if kind.has_checksum else 0)
        assert gre.protocol == tunnels.ETHERNET[carried_number(inner)]
        assert gre.is_valid


def served_by_a_ghost(lab, balancer, kind):
    client, server = lab.ghost_client(), lab.ghost_server()
    service = balancer.add_service("udp", vip(IPV4), PORT, "rr")
    tunnels.add_server(balancer, service, server.address, kind)
    return service, client, server


def test_the_source_port_of_gue_stays_with_a_flow_and_spreads_flows(lab, balancer):
    _, client, server = served_by_a_ghost(lab, balancer, GUE)
    ports = []
    for client_port in list(range(40000, 40016)) * 2:
        client.send(packet.udp(client.address, client_port, vip(IPV4), PORT))
        ports.append(Gue(server.receive()).source_port)
    assert ports[:16] == ports[16:]
    assert len(set(ports)) > 8
    assert all(32768 <= port <= 60999 for port in ports)


def test_a_checksum_that_the_sender_left_to_its_hardware_is_left_to_the_far_end(lab, balancer):
    _, _, server = served_by_a_ghost(lab, balancer, GUE_REMOTE)
    lab.director.run("ethtool", "-K", "eth1", "tx", "off")
    with UdpClient(lab.client, vip(IPV4), PORT) as client:
        client.socket.send(b"hello")
    arrived = server.receive()
    gue = Gue(arrived)
    assert arrived.transport_valid and arrived.udp_checksum != 0
    assert (gue.first, gue.flags) == (2, 1)
    private, start, field = struct.unpack("!IHH", gue.options)
    assert (private, start, field) == (1 << 31, 20, 26)
    assert not packet.parse(gue.carried).transport_valid
    completed = gue.carried[:field] + struct.pack("!H", packet.checksum(gue.carried[start:])) + gue.carried[field + 2:]
    assert packet.parse(completed).transport_valid


def test_packets_of_present_connections_take_the_new_tunnel_of_their_server(lab, balancer):
    service, client, server = served_by_a_ghost(lab, balancer, tunnels.IPIP)
    for kind, protocol in ((GUE, packet.UDP), (GRE, tunnels.GRE_NUMBER), (tunnels.IPIP, packet.IPIP)):
        tunnels.edit_server(balancer, service, server.address, kind)
        client.send(packet.udp(client.address, 40000, vip(IPV4), PORT))
        assert server.receive().protocol == protocol


@kinds(KINDS)
@dual_stack
def test_a_megabyte_arrives_whole(lab, balancer, kind):
    lab.tcp_programs(servers=[lab.rs1])
    for plan in (IPV4, IPV6):
        tunnels.accept(lab.rs1, kind, plan.inside)
    for inner, outer in PAIRS:
        service = balancer.add_service("tcp", vip(inner), 80, "rr")
        tunnels.add_server(balancer, service, lab.rs1.address_like(outer.inside), kind)
        # Segments whose checksums the far end completes are cut by the director in any case: no device can.
        assert arrives(lab, inner, outer) == (kind != GUE_REMOTE), (inner, outer)
        with director_cuts(lab):
            assert arrives(lab, inner, outer) is False, (inner, outer)
        balancer.delete_service(service)


def arrives(lab, inner, outer):
    """A client's upload arrives at its server; whether packets were larger than the link."""
    with lab.rs1.capture(family=family_of(outer.inside)) as seen, TcpClient(lab.client, vip(inner), 80) as client:
        assert client.upload(CONTENT) == DIGEST
        return any(len(arrived) > 1500 for arrived in seen.all())


@contextlib.contextmanager
def director_cuts(lab):
    """The director's device towards the servers takes neither large packets nor packets without their checksums."""
    lab.director.run("ethtool", "-K", "eth1", "tx", "off", "tso", "off", "gso", "off")
    yield
    lab.director.run("ethtool", "-K", "eth1", "tx", "on", "tso", "on", "gso", "on")
