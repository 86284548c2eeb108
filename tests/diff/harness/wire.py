# SPDX-License-Identifier: GPL-2.0-only
"""Packets of IPv4 and IPv6 to inject: each function takes addresses of either family and fills in lengths and checksums."""

import dataclasses
import functools
import ipaddress
import struct

from lab.packet import ACK, FIN, ICMP, IPIP, PSH, RST, SYN, TCP, UDP, Ipv4, Packet, checksum

ETHERNET = 14  # bytes of header
IPV6, GRE, ESP, AH, ICMPV6, SCTP = 41, 47, 50, 51, 58, 132
HOP_BY_HOP, ROUTING, FRAGMENT, NO_NEXT_HEADER, DESTINATION_OPTIONS = 0, 43, 44, 59, 60

__all__ = [
    "ACK", "AH", "DESTINATION_OPTIONS", "ESP", "FIN", "FRAGMENT", "GRE", "HOP_BY_HOP", "ICMP", "ICMPV6", "IPIP", "IPV6", "Ipv4",
    "Ipv6", "NO_NEXT_HEADER", "PSH", "ROUTING", "RST", "SCTP", "SYN", "TCP", "UDP", "address_bytes", "checksum", "chunk", "crc32c",
    "echo", "extended", "fragments", "icmp_error", "ip", "is_v6", "offloaded", "ports", "quoted", "sctp", "tcp", "udp", "with_ports",
]


@functools.cache
def address_bytes(address):
    return ipaddress.ip_address(address).packed


def is_v6(address):
    return ":" in address


@dataclasses.dataclass(frozen=True)
class Ipv6(Packet):
    """An IPv6 packet. `protocol` is the next header of the fixed header: extension headers, if any, are part of `payload`."""

    flow: int = 0

    def __bytes__(self):
        return struct.pack("!IHBB", 6 << 28 | self.tos << 20 | self.flow, len(self.payload), self.protocol, self.ttl) + \
            address_bytes(self.source) + address_bytes(self.destination) + self.payload

    def __len__(self):
        return 40 + len(self.payload)


def ip(source, destination, protocol, payload, **fields):
    """A packet of whatever family the addresses are of; `fields` are those of `Ipv4` or `Ipv6`."""
    return (Ipv6 if is_v6(source) else Ipv4)(source, destination, protocol, payload, **fields)


def _pseudo_header(source, destination, protocol, length):
    both = address_bytes(source) + address_bytes(destination)
    return both + struct.pack("!II" if is_v6(source) else "!HH", *((length, protocol) if is_v6(source) else (protocol, length)))


def _summed(source, destination, protocol, segment, at):
    """`segment` with its checksum, two bytes at offset `at`, filled in; it holds 0 there."""
    value = checksum(_pseudo_header(source, destination, protocol, len(segment)) + segment)
    if protocol == UDP and value == 0:
        value = 0xFFFF
    return segment[:at] + struct.pack("!H", value) + segment[at + 2:]


def tcp(source, sport, destination, dport, flags, data=b"", seq=1000, ack=0, options=b"", **fields):
    """A TCP segment; `options` has a length that is a multiple of 4."""
    header = struct.pack("!HHIIBBHHH", sport, dport, seq, ack, (5 + len(options) // 4) << 4, flags, 65535, 0, 0)
    return ip(source, destination, TCP, _summed(source, destination, TCP, header + options + data, 16), **fields)


def udp(source, sport, destination, dport, data=b"", summed=True, **fields):
    """A UDP datagram; with a checksum of 0, which means none, if not `summed`."""
    segment = struct.pack("!HHHH", sport, dport, 8 + len(data), 0) + data
    return ip(source, destination, UDP, _summed(source, destination, UDP, segment, 6) if summed else segment, **fields)


@functools.cache
def _crc32c_table():
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


def crc32c(data):
    """The checksum of SCTP (RFC 9260, appendix A)."""
    table, value = _crc32c_table(), 0xFFFFFFFF
    for byte in data:
        value = value >> 8 ^ table[(value ^ byte) & 0xFF]
    return value ^ 0xFFFFFFFF


def chunk(kind, body=b"", flags=0):
    """An SCTP chunk, padded to a multiple of 4 bytes."""
    return struct.pack("!BBH", kind, flags, 4 + len(body)) + body + b"\0" * (-len(body) % 4)


def sctp(source, sport, destination, dport, *chunks, tag=0x1234, **fields):
    """An SCTP packet of these chunks, as `chunk` makes them."""
    before, after = struct.pack("!HHI", sport, dport, tag), b"".join(chunks)
    return ip(source, destination, SCTP, before + struct.pack("<I", crc32c(before + bytes(4) + after)) + after, **fields)


def _icmp(source, destination, message, **fields):
    if is_v6(source):
        return ip(source, destination, ICMPV6, _summed(source, destination, ICMPV6, message, 2), **fields)
    return ip(source, destination, ICMP, message[:2] + struct.pack("!H", checksum(message)) + message[4:], **fields)


def icmp_error(source, destination, kind, code, about, rest=0, quote=None, **fields):
    """An ICMP or ICMPv6 error that quotes the first `quote` bytes of the packet `about`, all by default, at most 1200.

    `rest` is the second word of the header: the MTU of "fragmentation needed" and "packet too big", the pointer (in its highest
    byte for IPv4) of "parameter problem".
    """
    return _icmp(source, destination, struct.pack("!BBHI", kind, code, 0, rest) + bytes(about)[:quote or 1200], **fields)


def echo(source, destination, identifier=1, reply=False, data=b"ping", **fields):
    """An echo request, or the reply to one."""
    kind = (129 if reply else 128) if is_v6(source) else (0 if reply else 8)
    return _icmp(source, destination, struct.pack("!BBHHH", kind, 0, 0, identifier, 1) + data, **fields)


def extended(packet, *headers):
    """An IPv6 packet with extension headers put before its payload: each is (kind, bytes after its next-header byte)."""
    payload, following = packet.payload, packet.protocol
    for kind, rest in reversed(headers):
        payload, following = bytes([following]) + rest + payload, kind
    return packet.but(payload=payload, protocol=following)


def offloaded(packet, size=0):
    """A TCP or UDP packet as a device gives it that leaves work to the next: the header of struct virtio_net_hdr, and the packet with
    only the pseudo-header summed up; to be cut into segments of `size` bytes of data unless that is 0."""
    start, at = len(packet) - len(packet.payload), _CHECKSUM_AT[packet.protocol]
    kinds = {TCP: 4 if isinstance(packet, Ipv6) else 1, UDP: 5}
    header_length = start + ((packet.payload[12] >> 4) * 4 if packet.protocol == TCP else 8)
    pseudo = ~checksum(_pseudo_header(packet.source, packet.destination, packet.protocol, len(packet.payload))) & 0xFFFF
    payload = packet.payload[:at] + struct.pack("!H", pseudo) + packet.payload[at + 2:]
    header = struct.pack("<BBHHHH", 1, kinds[packet.protocol] if size else 0, ETHERNET + header_length, size, ETHERNET + start, at)
    return header, packet.but(payload=payload)


_PORTS = (TCP, UDP, SCTP)
_CHECKSUM_AT = {TCP: 16, UDP: 6}


def ports(packet):
    """Source and destination port of TCP, UDP and SCTP; None if the packet has none."""
    if packet.protocol not in _PORTS or len(packet.payload) < 4 or getattr(packet, "offset", 0):
        return None
    return struct.unpack_from("!HH", packet.payload)


def quoted(packet):
    """The packet that an ICMP error quotes, as far as it does, or None: if it is none, or too little is quoted to tell."""
    data = packet.payload[8:]
    if packet.protocol == ICMP and packet.payload[0] in (3, 4, 5, 11, 12) and len(data) >= 20:
        return Ipv4.parse(data)
    if packet.protocol == ICMPV6 and packet.payload[0] < 128 and len(data) >= 40:
        source, destination = (str(ipaddress.ip_address(data[at:at + 16])) for at in (8, 24))
        return Ipv6(source, destination, data[6], data[40:])
    return None


def with_ports(packet, move):
    """The packet with other ports, those in a quoted packet too: `move` tells each of its address and what it was. Checksums are as
    right as they were."""
    if inner := quoted(packet):
        data = packet.payload
        start = len(data) - len(inner.payload)
        moved = data[:start] + with_ports(inner, move).payload
        pseudo = _pseudo_header(packet.source, packet.destination, ICMPV6, len(data)) if packet.protocol == ICMPV6 else b""
        if checksum(pseudo + data) == 0:
            moved = moved[:2] + struct.pack("!H", checksum(pseudo + moved[:2] + b"\0\0" + moved[4:])) + moved[4:]
        return packet.but(payload=moved)
    if not (old := ports(packet)):
        return packet
    new = move(packet.source, old[0]), move(packet.destination, old[1])
    segment = bytearray(struct.pack("!HH", *new) + packet.payload[4:])
    at = _CHECKSUM_AT.get(packet.protocol)
    if packet.protocol == SCTP and len(segment) >= 12:
        segment[8:12] = struct.pack("<I", crc32c(bytes(segment[:8]) + bytes(4) + bytes(segment[12:])))
    elif at and len(segment) >= at + 2 and not (packet.protocol == UDP and segment[at:at + 2] == b"\0\0"):
        segment[at:at + 2] = struct.pack("!H", _updated(struct.unpack_from("!H", segment, at)[0], old, new))
    return packet.but(payload=bytes(segment))


def _updated(value, old, new):
    """A checksum after its data changed (RFC 1624)."""
    total = (~value & 0xFFFF) + sum(~word & 0xFFFF for word in old) + sum(new)
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def fragments(packet, size, identification=7):
    """The packet in pieces of at most `size` bytes of payload, a multiple of 8."""
    pieces = []
    for at in range(0, len(packet.payload), size):
        data, more = packet.payload[at:at + size], at + size < len(packet.payload)
        if isinstance(packet, Ipv6):
            header = struct.pack("!BBHI", packet.protocol, 0, at | more, identification)
            pieces.append(packet.but(payload=header + data, protocol=FRAGMENT))
        else:
            pieces.append(packet.but(payload=data, offset=at, more_fragments=more, identification=identification))
    return pieces
