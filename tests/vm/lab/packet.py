# SPDX-License-Identifier: GPL-2.0-only
"""IPv4, TCP, UDP and ICMP on the wire, just enough to say what a test means and to check every byte of what comes back."""

import dataclasses
import socket
import struct

ICMP, IPIP, TCP, UDP = 1, 4, 6, 17

FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10

DESTINATION_UNREACHABLE, TIME_EXCEEDED = 3, 11
PORT_UNREACHABLE, FRAGMENTATION_NEEDED = 3, 4  # codes of DESTINATION_UNREACHABLE


def checksum(data):
    """The Internet checksum (RFC 1071) of `data`; of data that holds its checksum, 0 if that is right."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


@dataclasses.dataclass(frozen=True)
class Ipv4:
    """An IPv4 packet without options. `offset` counts bytes; `valid` says whether a parsed header's checksum was right."""

    source: str
    destination: str
    protocol: int
    payload: bytes
    ttl: int = 64
    tos: int = 0
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
        """Whether the checksum of TCP, UDP or ICMP is right. A UDP checksum of 0 means that there is none."""
        if self.protocol == UDP and self.udp_checksum == 0:
            return True
        return checksum((b"" if self.protocol == ICMP else self._pseudo_header()) + self.payload) == 0

    @property
    def icmp_type_code(self):
        return self.payload[0], self.payload[1]

    @property
    def icmp_mtu(self):
        """The next-hop MTU of "fragmentation needed"."""
        return struct.unpack("!H", self.payload[6:8])[0]

    @property
    def inner(self):
        """The packet inside IP-in-IP, or quoted by an ICMP error."""
        return Ipv4.parse(self.payload[8:] if self.protocol == ICMP else self.payload)

    def quotes(self, sent):
        """Whether this ICMP error is about the packet `sent`, which may have lost time to live on its way."""
        inner = self.inner
        return (inner.source, inner.destination, inner.protocol, inner.identification, inner.payload[:8]) == \
            (sent.source, sent.destination, sent.protocol, sent.identification, sent.payload[:8])

    def but(self, **changes):
        """The same packet with other header fields."""
        return dataclasses.replace(self, **changes)


def _with_checksum(source, destination, protocol, segment, at, **fields):
    """The packet around `segment`, whose checksum field, two bytes at offset `at`, is filled in."""
    whole = Ipv4(source, destination, protocol, segment, **fields)
    pseudo = b"" if protocol == ICMP else whole._pseudo_header()
    value = checksum(pseudo + segment)
    if protocol == UDP and value == 0:
        value = 0xFFFF
    return whole.but(payload=segment[:at] + struct.pack("!H", value) + segment[at + 2:])


def udp(source, sport, destination, dport, data=b"", **fields):
    """A UDP datagram with a checksum; `fields` are those of `Ipv4`."""
    header = struct.pack("!HHHH", sport, dport, 8 + len(data), 0)
    return _with_checksum(source, destination, UDP, header + data, 6, **fields)


def udp_without_checksum(source, sport, destination, dport, data=b"", **fields):
    header = struct.pack("!HHHH", sport, dport, 8 + len(data), 0)
    return Ipv4(source, destination, UDP, header + data, **fields)


def tcp(source, sport, destination, dport, flags, data=b"", seq=1000, ack=0, **fields):
    """A TCP segment without options."""
    header = struct.pack("!HHIIBBHHH", sport, dport, seq, ack, 5 << 4, flags, 65535, 0, 0)
    return _with_checksum(source, destination, TCP, header + data, 16, **fields)


def icmp_error(source, destination, kind, code, about, rest=0, **fields):
    """An ICMP error that quotes the packet `about`, header and first 64 bytes; `rest` is the header's second word."""
    message = struct.pack("!BBHI", kind, code, 0, rest) + bytes(about)[:84]
    return _with_checksum(source, destination, ICMP, message, 2, **fields)


def fragments(whole, size):
    """`whole` in pieces of at most `size` bytes of payload (a multiple of 8)."""
    pieces = range(0, len(whole.payload), size)
    return [whole.but(payload=whole.payload[at:at + size], offset=at, more_fragments=at + size < len(whole.payload))
            for at in pieces]


def joined(pieces):
    """The packet that these fragments are of; None while some are missing."""
    pieces, payload = sorted(pieces, key=lambda piece: piece.offset), b""
    for piece in pieces:
        if piece.offset != len(payload):
            return None
        payload += piece.payload
    return None if not pieces or pieces[-1].more_fragments else pieces[0].but(payload=payload, more_fragments=False)
