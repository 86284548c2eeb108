# SPDX-License-Identifier: GPL-2.0-only
"""IP, TCP, UDP and ICMP on the wire, just enough to say what a test means and to check every byte of what comes back.

Addresses tell which IP it is. Both have the same names for the same things: `ttl` is IPv6's hop limit, `tos` its traffic class.
"""

import dataclasses
import socket
import struct

ICMP, IPIP, TCP, UDP, IPV6, FRAGMENT, ESP, ICMPV6, DESTINATION_OPTIONS, SCTP = 1, 4, 6, 17, 41, 44, 50, 58, 60, 132

FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10

DESTINATION_UNREACHABLE, TIME_EXCEEDED = 3, 11
PORT_UNREACHABLE, FRAGMENTATION_NEEDED = 3, 4  # codes of DESTINATION_UNREACHABLE

# The same of ICMPv6, as pairs of type and code
PORT_UNREACHABLE_6, TOO_BIG_6, TIME_EXCEEDED_6, BAD_HEADER_6 = (1, 4), (2, 0), (3, 0), (4, 0)


def checksum(data):
    """The Internet checksum (RFC 1071) of `data`; of data that holds its checksum, 0 if that is right."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


@dataclasses.dataclass(frozen=True)
class Packet:
    """What IPv4 and IPv6 packets have in common."""

    source: str
    destination: str
    protocol: int
    payload: bytes
    ttl: int = 64
    tos: int = 0

    @property
    def ports(self):
        """Source and destination port of TCP and UDP."""
        return struct.unpack("!HH", self.payload[:4])

    @property
    def tcp_flags(self):
        return self.payload[13]

    @property
    def udp_checksum(self):
        return struct.unpack("!H", self.payload[6:8])[0]

    @property
    def udp_data(self):
        return self.payload[8:]

    @property
    def transport_valid(self):
        """Whether the checksum of TCP, UDP or ICMP is right. A UDP checksum of 0 means over IPv4 that there is none."""
        if self.protocol == UDP and self.udp_checksum == 0:
            return isinstance(self, Ipv4)
        return checksum((b"" if self.protocol == ICMP else self._pseudo_header()) + self.payload) == 0

    @property
    def icmp_type_code(self):
        return self.payload[0], self.payload[1]

    @property
    def icmp_mtu(self):
        """The next-hop MTU of "fragmentation needed" and "packet too big"."""
        return struct.unpack("!H" if self.protocol == ICMP else "!I", self.payload[6 if self.protocol == ICMP else 4:8])[0]

    @property
    def inner(self):
        """The packet inside a tunnel's, or quoted by an ICMP error."""
        return parse(self.payload[8:] if self.protocol in (ICMP, ICMPV6) else self.payload)

    def quotes(self, sent):
        """Whether this ICMP error is about the packet `sent`, which may have lost time to live on its way."""
        inner = self.inner
        return (inner.source, inner.destination, inner.protocol, inner.identification, inner.payload[:8]) == \
            (sent.source, sent.destination, sent.protocol, sent.identification, sent.payload[:8])

    def but(self, **changes):
        """The same packet with other header fields."""
        return dataclasses.replace(self, **changes)


@dataclasses.dataclass(frozen=True)
class Ipv4(Packet):
    """An IPv4 packet without options. `offset` counts bytes; `valid` says whether a parsed header's checksum was right."""

    identification: int = 0
    dont_fragment: bool = False
    more_fragments: bool = False
    offset: int = 0
    valid: bool = dataclasses.field(default=True, compare=False)

    def __bytes__(self):
        flags = self.dont_fragment << 14 | self.more_fragments << 13 | self.offset // 8
        header = struct.pack("!BBHHHBBH4s4s", 0x45, self.tos, 20 + len(self.payload), self.identification, flags, self.ttl,
                             self.protocol, 0, socket.inet_aton(self.source), socket.inet_aton(self.destination))
        return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + self.payload

    def __len__(self):
        return 20 + len(self.payload)

    @classmethod
    def parse(cls, data):
        """Parse a packet; bytes after its total length are left out, a payload cut short stays short."""
        first, tos, length, identification, flags, ttl, protocol, _, source, destination = struct.unpack("!BBHHHBBH4s4s", data[:20])
        header = (first & 15) * 4
        return cls(socket.inet_ntoa(source), socket.inet_ntoa(destination), protocol, bytes(data[header:length]), ttl, tos,
                   identification, bool(flags & 0x4000), bool(flags & 0x2000), (flags & 0x1FFF) * 8,
                   valid=checksum(data[:header]) == 0)

    def _pseudo_header(self):
        return struct.pack("!4s4sBBH", socket.inet_aton(self.source), socket.inet_aton(self.destination), 0, self.protocol,
                           len(self.payload))


@dataclasses.dataclass(frozen=True)
class Ipv6(Packet):
    """An IPv6 packet; of extension headers it has at most a fragment header, and destination options (`options`, 8 bytes)."""

    flow_label: int = 0
    identification: int = 0
    more_fragments: bool = False
    offset: int = 0
    fragmented: bool = dataclasses.field(default=False, compare=False)
    options: bytes = b""

    def __bytes__(self):
        kind, extensions = self.protocol, b""
        if self.options:
            kind, extensions = DESTINATION_OPTIONS, bytes([kind]) + self.options[1:]
        if self.fragmented:
            extensions = struct.pack("!BBHI", kind, 0, self.offset | self.more_fragments, self.identification) + extensions
            kind = FRAGMENT
        first = 6 << 28 | self.tos << 20 | self.flow_label
        return struct.pack("!IHBB16s16s", first, len(extensions) + len(self.payload), kind, self.ttl, _raw6(self.source),
                           _raw6(self.destination)) + extensions + self.payload

    def __len__(self):
        return len(bytes(self))

    @classmethod
    def parse(cls, data):
        """Parse a packet; bytes after its length are left out, a payload cut short stays short."""
        first, length, kind, ttl, source, destination = struct.unpack("!IHBB16s16s", data[:40])
        payload, found = bytes(data[40:40 + length]), {}
        if kind == FRAGMENT:
            kind, _, position, identification = struct.unpack("!BBHI", payload[:8])
            found = {"identification": identification, "more_fragments": bool(position & 1), "offset": position & 0xFFF8,
                     "fragmented": True}
            payload = payload[8:]
        if kind == DESTINATION_OPTIONS and payload[1] == 0 and not found.get("offset"):
            kind, found["options"], payload = payload[0], b"\0" + payload[1:8], payload[8:]
        ends = (socket.inet_ntop(socket.AF_INET6, end) for end in (source, destination))
        return cls(*ends, kind, payload, ttl, first >> 20 & 0xFF, first & 0xFFFFF, **found)

    @property
    def valid(self):
        """There is no checksum in the header."""
        return True

    def _pseudo_header(self):
        return struct.pack("!16s16sII", _raw6(self.source), _raw6(self.destination), len(self.payload), self.protocol)


def _raw6(address):
    return socket.inet_pton(socket.AF_INET6, address)


def parse(data):
    """The packet that starts here, of whichever IP."""
    return (Ipv6 if data[0] >> 4 == 6 else Ipv4).parse(data)


def ip(source, destination, protocol, payload, **fields):
    """A packet of the IP that the addresses are of; `fields` are those of `Ipv4` or `Ipv6`."""
    return (Ipv6 if ":" in source else Ipv4)(source, destination, protocol, payload, **fields)


def _with_checksum(source, destination, protocol, segment, at, **fields):
    """The packet around `segment`, whose checksum field, two bytes at offset `at`, is filled in."""
    whole = ip(source, destination, protocol, segment, **fields)
    pseudo = b"" if protocol == ICMP else whole._pseudo_header()
    value = checksum(pseudo + segment)
    if protocol == UDP and value == 0:
        value = 0xFFFF
    return whole.but(payload=segment[:at] + struct.pack("!H", value) + segment[at + 2:])


def udp(source, sport, destination, dport, data=b"", **fields):
    """A UDP datagram with a checksum; `fields` are those of `Ipv4` or `Ipv6`."""
    header = struct.pack("!HHHH", sport, dport, 8 + len(data), 0)
    return _with_checksum(source, destination, UDP, header + data, 6, **fields)


def udp_without_checksum(source, sport, destination, dport, data=b"", **fields):
    header = struct.pack("!HHHH", sport, dport, 8 + len(data), 0)
    return ip(source, destination, UDP, header + data, **fields)


def tcp(source, sport, destination, dport, flags, data=b"", seq=1000, ack=0, **fields):
    """A TCP segment without options."""
    header = struct.pack("!HHIIBBHHH", sport, dport, seq, ack, 5 << 4, flags, 65535, 0, 0)
    return _with_checksum(source, destination, TCP, header + data, 16, **fields)


def icmp_error(source, destination, kind, code, about, rest=0, quoting=128, **fields):
    """An ICMP error that quotes the first bytes of the packet `about`; `rest` is the header's second word."""
    message = struct.pack("!BBHI", kind, code, 0, rest) + bytes(about)[:quoting]
    return _with_checksum(source, destination, ICMPV6 if ":" in source else ICMP, message, 2, **fields)


def too_big(source, destination, about, mtu, **fields):
    """The ICMP error by which a router wants packets of `mtu` bytes at most."""
    kind, code = TOO_BIG_6 if ":" in source else (DESTINATION_UNREACHABLE, FRAGMENTATION_NEEDED)
    return icmp_error(source, destination, kind, code, about, rest=mtu, **fields)


def sctp(source, sport, destination, dport, *chunks, tag=0, **fields):
    """An SCTP packet of these chunks, with its CRC."""
    header = struct.pack("!HHI", sport, dport, tag)
    body = b"".join(chunks)
    crc = crc32c(header + bytes(4) + body)
    return ip(source, destination, SCTP, header + struct.pack("<I", crc) + body, **fields)


def chunk(kind, data=b"", flags=0):
    """A chunk of SCTP."""
    return struct.pack("!BBH", kind, flags, 4 + len(data)) + data + bytes(-len(data) % 4)


def crc32c(data):
    """The checksum of SCTP (RFC 9260, appendix A)."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def fragments(whole, size):
    """`whole` in pieces of at most `size` bytes of payload (a multiple of 8)."""
    pieces = range(0, len(whole.payload), size)
    header = {"fragmented": True} if isinstance(whole, Ipv6) else {}
    return [whole.but(payload=whole.payload[at:at + size], offset=at, more_fragments=at + size < len(whole.payload), **header)
            for at in pieces]


def joined(pieces):
    """The packet that these fragments are of; None while some are missing."""
    pieces, payload = sorted(pieces, key=lambda piece: piece.offset), b""
    for piece in pieces:
        if piece.offset != len(payload):
            return None
        payload += piece.payload
    return None if not pieces or pieces[-1].more_fragments else pieces[0].but(payload=payload, more_fragments=False)
