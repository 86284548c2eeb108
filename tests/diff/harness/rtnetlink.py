# SPDX-License-Identifier: GPL-2.0-only
"""Requests that make a lab's network: devices, addresses, routes, neighbours, policy rules. Each function makes one request for
`netlink.Netlink.batch`."""

import socket
import struct

from lab.netlink import CREATE_EXCL, attribute, text, u32

from . import wire

_NEWLINK, _NEWADDR, _NEWROUTE, _NEWNEIGH, _NEWRULE = 16, 20, 24, 28, 32
_UP = 1
_MAIN, _LOCAL_TABLE = 254, 255
UNICAST, LOCAL, UNREACHABLE = 1, 2, 7


def _family(address):
    return socket.AF_INET6 if wire.is_v6(address) else socket.AF_INET


def _link(index=0, flags=0):
    return struct.pack("=BxHiII", 0, 0, index, flags, flags)


def veth(index, name, mac, peer_name, peer_mac, peer_namespace=None, index_there=0):
    """A pair of devices: one here with this index, its peer in the namespace of a file descriptor, or here too."""
    peer = _link(index_there) + text(3, peer_name) + attribute(1, peer_mac)
    if peer_namespace is not None:
        peer += u32(28, peer_namespace)
    info = text(1, "veth") + attribute(2, attribute(1, peer))
    return _NEWLINK, _link(index) + text(3, name) + attribute(1, mac) + attribute(18, info), CREATE_EXCL


def up(index):
    return _NEWLINK, _link(index, _UP), 0


def mtu(index, value):
    return _NEWLINK, _link(index) + u32(4, value), 0


def address(index, own, length):
    no_duplicate_detection = 0x02
    body = struct.pack("=BBBBI", _family(own), length, no_duplicate_detection, 0, index)
    value = wire.address_bytes(own)
    return _NEWADDR, body + attribute(2, value) + attribute(1, value), CREATE_EXCL


def route(network, length, index=None, gateway=None, kind=UNICAST, mtu=None, table=None):
    """A route to a network by a device, a gateway, or of a kind that needs neither."""
    scope = {LOCAL: 254}.get(kind, 0 if gateway or kind == UNREACHABLE or wire.is_v6(network) else 253)
    table = table or (_LOCAL_TABLE if kind == LOCAL else _MAIN)
    body = struct.pack("=BBBBBBBBI", _family(network), length, 0, 0, table, 4, scope, kind, 0)
    body += attribute(1, wire.address_bytes(network)) if length else b""
    body += u32(4, index) if index else b""
    body += attribute(5, wire.address_bytes(gateway)) if gateway else b""
    body += attribute(8, u32(2, mtu)) if mtu else b""
    return _NEWROUTE, body, CREATE_EXCL


def neighbour(index, who, mac):
    permanent = 0x80
    body = struct.pack("=BxxxiHBB", _family(who), index, permanent, 0, 0)
    return _NEWNEIGH, body + attribute(1, wire.address_bytes(who)) + attribute(2, mac), CREATE_EXCL


def rule_for_mark(family, mark, mask, table):
    """Packets with this mark look their routes up in this table."""
    to_table = 1
    body = struct.pack("=BBBBBBBBI", family, 0, 0, 0, table, 0, 0, to_table, 0)
    return _NEWRULE, body + u32(10, mark) + u32(16, mask) + u32(6, 100), CREATE_EXCL
