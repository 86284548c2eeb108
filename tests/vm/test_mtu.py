# SPDX-License-Identifier: GPL-2.0-only
"""Packets that do not fit: who hears of it, and that transfers find their way to a size that does."""

import hashlib
import socket

import pytest

from lab import VIP, eventually, packet
from lab.programs import TcpClient, UdpClient, pattern

IP_MTU, IP_MTU_DISCOVER, IP_PMTUDISC_DO = 14, 10, 2
LINK, SMALL_LINK, TUNNEL_HEADER = 1500, 1300, 20


def path_mtu(method, link):
    return link - TUNNEL_HEADER if method == "tunneling" else link


def prepared(lab, balancer, method, link):
    """A UDP service whose server is a ghost behind a link of this MTU."""
    lab.director.ip(f"link set eth1 mtu {link}")
    client, server = lab.ghost_client(), lab.ghost_server()
    service = balancer.add_service("udp", VIP[method], 53, "rr")
    balancer.add_server(service, server.address, method)
    return client, server


def test_the_largest_packet_that_fits_passes(lab, balancer, method):
    client, server = prepared(lab, balancer, method, SMALL_LINK)
    for link in (SMALL_LINK, LINK):
        lab.director.ip(f"link set eth1 mtu {link}")
        client.send(packet.udp(client.address, 4000, VIP[method], 53, bytes(path_mtu(method, link) - 28), dont_fragment=True))
        assert len(server.receive()) == link


def test_one_byte_more_is_answered_with_fragmentation_needed_and_the_size_that_fits(lab, balancer, method):
    client, server = prepared(lab, balancer, method, SMALL_LINK)
    fits = path_mtu(method, SMALL_LINK)
    sent = packet.udp(client.address, 4000, VIP[method], 53, bytes(fits - 28 + 1), dont_fragment=True)
    client.send(sent)
    answer = client.receive()
    assert answer.icmp_type_code == (packet.DESTINATION_UNREACHABLE, packet.FRAGMENTATION_NEEDED)
    assert answer.icmp_mtu == fits and answer.transport_valid
    assert answer.quotes(sent)
    assert server.received() == []


def test_a_packet_that_may_be_fragmented_is(lab, balancer, method):
    client, server = prepared(lab, balancer, method, SMALL_LINK)
    client.send(packet.udp(client.address, 4000, VIP[method], 53, pattern(1400), identification=99))
    pieces = [server.receive(), server.receive()]
    assert all(len(piece) <= SMALL_LINK for piece in pieces)
    whole = packet.joined(pieces)
    inner = whole.inner if method == "tunneling" else whole
    assert inner.udp_data == pattern(1400) and inner.transport_valid


def test_a_program_learns_the_size_that_fits(lab, balancer, method):
    lab.director.ip(f"link set eth1 mtu {SMALL_LINK}")
    lab.udp_programs(53)
    balancer.balance("udp", VIP[method], 53, [lab.rs1], method)
    fits = path_mtu(method, SMALL_LINK)
    with UdpClient(lab.client, VIP[method], 53) as client:
        client.socket.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO)
        client.socket.send(bytes(1400))
        eventually(lambda: client.socket.getsockopt(socket.IPPROTO_IP, IP_MTU), fits)
        client.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        with pytest.raises(OSError, match="Message too long"):
            client.socket.send(bytes(fits - 28 + 1))
        assert client.ask(bytes(fits - 28)) == ("rs1", bytes(fits - 28))


@pytest.mark.parametrize("offloads", [True, False], ids=["offloads-on", "offloads-off"])
def test_an_upload_finds_its_way_through_a_small_link(lab, balancer, method, offloads):
    lab.director.ip(f"link set eth1 mtu {SMALL_LINK}")
    lab.offloads(offloads)
    lab.tcp_programs()
    balancer.balance("tcp", VIP[method], 80, [lab.rs1], method)
    content = pattern(1 << 20)
    with TcpClient(lab.client, VIP[method], 80) as client:
        assert client.upload(content) == hashlib.sha256(content).hexdigest()


def test_a_client_on_the_director_itself_finds_its_way_through_a_small_link(lab, balancer, method):
    lab.director.sysctl(**{"net.ipv4.conf.all.accept_local": 1})
    lab.director.ip(f"link set eth1 mtu {SMALL_LINK}")
    lab.tcp_programs()
    balancer.balance("tcp", VIP[method], 80, [lab.rs1], method)
    content = pattern(1 << 20)
    with TcpClient(lab.director, VIP[method], 80, source=lab.director.address) as client:
        assert client.upload(content) == hashlib.sha256(content).hexdigest()
