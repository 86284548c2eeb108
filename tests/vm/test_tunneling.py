# SPDX-License-Identifier: GPL-2.0-only
"""IP-in-IP tunneling, packet by packet."""

import socket
import struct

import pytest

from lab import DIRECTOR_INSIDE, VIP, packet

HERE = VIP["tunneling"]
SOL_PACKET, PACKET_RX_RING = 263, 5  # linux/socket.h, linux/if_packet.h


@pytest.fixture
def flow(lab, balancer):
    client, server = lab.ghost_client(), lab.ghost_server()
    service = balancer.add_service("udp", HERE, 53, "rr")
    balancer.add_server(service, server.address, "tunneling")
    return client, server


def test_the_request_arrives_inside_a_packet_from_the_director_to_the_server(flow):
    client, server = flow
    sent = packet.udp(client.address, 40000, HERE, 53, b"hello", identification=5)
    client.send(sent)
    outer = server.receive()
    assert (outer.source, outer.destination, outer.protocol) == (DIRECTOR_INSIDE, server.address, packet.IPIP)
    assert outer.valid and outer.inner.valid
    assert outer.inner == sent.but(ttl=63)


def test_the_outer_header_copies_time_to_live_service_class_and_fragmentation_wish(flow):
    client, server = flow
    for wish in (True, False):
        client.send(packet.udp(client.address, 40000, HERE, 53, ttl=33, tos=0xB8, dont_fragment=wish))
        outer = server.receive()
        assert (outer.ttl, outer.tos, outer.dont_fragment) == (32, 0xB8, wish)


def test_congestion_marks_are_encapsulated(flow):
    client, server = flow
    outer_marks = []
    for mark in range(4):  # not capable, capable 1, capable 0, congestion experienced
        client.send(packet.udp(client.address, 40000, HERE, 53, tos=mark))
        outer_marks.append(server.receive().tos)
    assert outer_marks == [0, 1, 2, 2]


def test_what_a_device_of_the_director_wraps_is_tunneled_whoever_sent_what_is_inside(lab, balancer):
    vip, port = "198.51.100.7", 4789  # an address of the director's own would be spared the device
    server = lab.ghost_server()
    service = balancer.add_service("udp", vip, port, "rr")
    balancer.add_server(service, server.address, "tunneling")
    lab.director.ip(f"route add {vip} dev eth0", f"link add vxlan0 up type vxlan id 1 remote {vip} dstport {port}")
    with lab.director.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
        # Its receive ring lies where sockets of IP have a pointer.
        sender.setsockopt(SOL_PACKET, PACKET_RX_RING, struct.pack("=4I", 4096, 1, 2048, 2))
        sender.bind(("vxlan0", 0))
        sender.send(bytes(12) + b"\x88\xb5" + b"inside")
        arrived = server.receive(lambda seen: b"inside" in bytes(seen))
    assert (arrived.protocol, arrived.inner.destination, arrived.inner.ports[1]) == (packet.IPIP, vip, port)
