# SPDX-License-Identifier: GPL-2.0-only
"""Taking out of packets what is random by nature, and nothing else: identifications of IPv4 headers and IPv6 fragments that the director
made, source ports of GUE, and the checksums that follow from these. A checksum that was wrong stays as it is and is seen. One of
ICMPv6 that is left to whoever sends the packet out, which only the director itself ever sees, is computed."""

import dataclasses
import struct

from .addresses import DIRECTORS_OWN
from .wire import FRAGMENT, ICMP, ICMPV6, UDP, Ipv4, checksum

_EPHEMERAL = range(32768, 61000)  # net.ipv4.ip_local_port_range
_MADE_HERE = (0, 3, 4, 5, 11, 12)  # types of ICMP: echo replies and errors
_REPLACED_SUM = b"\xff\xff"


@dataclasses.dataclass(frozen=True)
class Context:
    """What there is to know of a scenario: its servers behind tunnels, their GUE ports, and where ICMP errors go just forwarded."""

    tunnel_ends: frozenset = frozenset()
    gue_ports: frozenset = frozenset()
    forwards_errors: bool = False  # the packet injected is an ICMP error that keeps its header on its way
    fragment: bytes = b""  # the identification of the IPv6 fragment injected


def normal(data, context):
    """The packet with what is random replaced by fixed values."""
    packet = bytearray(data)
    if packet[0] >> 4 == 6:
        if len(packet) >= 48 and packet[6] == FRAGMENT and packet[44:48] != context.fragment:
            packet[44:48] = bytes(4)
        if len(packet) >= 48 and packet[6] == ICMPV6:
            _finish_icmpv6(packet)
        if len(packet) >= 48 and packet[6] == UDP:
            _normal_gue(packet, 40, _pseudo_sum_6(packet), context)
        return bytes(packet)
    header = (packet[0] & 15) * 4
    seen = Ipv4.parse(bytes(packet))
    outer = seen.destination in context.tunnel_ends and seen.source in DIRECTORS_OWN
    answer = seen.protocol == ICMP and not seen.offset and seen.payload[:1] and seen.payload[0] in _MADE_HERE
    if (outer or answer and not context.forwards_errors) and checksum(bytes(packet[:header])) == 0:
        packet[4:6] = b"\0\0"
        packet[10:12] = _REPLACED_SUM
    if outer and seen.protocol == UDP and not seen.offset and len(seen.payload) >= 8:
        _normal_gue(packet, header, None if seen.more_fragments else _pseudo_sum_4(packet, header), context)
    return bytes(packet)


def _finish_icmpv6(packet):
    """Compute the checksum if its field has the sum of the pseudo-header only."""
    unfinished = ~checksum(_pseudo_sum_6(packet)) & 0xFFFF
    if packet[42:44] == struct.pack("!H", unfinished):
        packet[42:44] = bytes(2)
        packet[42:44] = struct.pack("!H", checksum(_pseudo_sum_6(packet) + bytes(packet[40:])))


def _normal_gue(packet, at, pseudo_header, context):
    """Replace source port and checksum of UDP at this offset if it is GUE; without a pseudo-header the rest is elsewhere."""
    sport, dport, _, value = struct.unpack_from("!HHHH", packet, at)
    if dport not in context.gue_ports:
        return
    right = pseudo_header is None or checksum(pseudo_header + bytes(packet[at:])) == 0
    if sport in _EPHEMERAL:
        packet[at:at + 2] = b"\0\0"
        if value and right:
            packet[at + 6:at + 8] = _REPLACED_SUM


def _pseudo_sum_4(packet, header):
    return bytes(packet[12:20]) + struct.pack("!HH", packet[9], len(packet) - header)


def _pseudo_sum_6(packet):
    return bytes(packet[8:40]) + struct.pack("!II", len(packet) - 40, packet[6])
