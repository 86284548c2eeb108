# SPDX-License-Identifier: GPL-2.0-only
"""Packets as text that a person can read, one header after the other."""

import ipaddress
import struct

from .addresses import GUE_PORT
from .wire import AH, ESP, FRAGMENT, GRE, HOP_BY_HOP, ICMP, ICMPV6, IPIP, IPV6, ROUTING, SCTP, TCP, UDP, checksum, crc32c

_EXTENSIONS = {HOP_BY_HOP: "hop-by-hop", ROUTING: "routing", 60: "destination options"}
_TCP_FLAGS = "FIN SYN RST PSH ACK URG ECE CWR".split()
_CHUNKS = {0: "DATA", 1: "INIT", 2: "INIT_ACK", 3: "SACK", 4: "HEARTBEAT", 5: "HEARTBEAT_ACK", 6: "ABORT", 7: "SHUTDOWN",
           8: "SHUTDOWN_ACK", 9: "ERROR", 10: "COOKIE_ECHO", 11: "COOKIE_ACK", 12: "ECNE", 13: "CWR", 14: "SHUTDOWN_COMPLETE"}


def decode(data):
    """One line; headers are separated by bars. Never fails: what cannot be told is shown as it is."""
    try:
        return " | ".join(_ip(bytes(data), quoted=False)) or "empty"
    except (struct.error, IndexError):
        return f"? {bytes(data).hex()}"


def _ip(data, quoted):
    if not data:
        return
    if data[0] >> 4 == 6:
        yield from _ipv6(data, quoted)
    elif data[0] >> 4 == 4 and len(data) >= 20:
        yield from _ipv4(data, quoted)
    else:
        yield f"{len(data)} bytes {data[:16].hex()}"


def _ipv4(data, quoted):
    first, tos, length, identification, flags, ttl, protocol, _, source, destination = struct.unpack_from("!BBHHHBBH4s4s", data)
    header = (first & 15) * 4
    text = f"IPv4 {ipaddress.ip_address(source)} > {ipaddress.ip_address(destination)} ttl {ttl} id {identification:#x}"
    text += f" tos {tos:#x}" if tos else ""
    text += " DF" if flags & 0x4000 else ""
    text += " MF" if flags & 0x2000 else ""
    text += f" offset {(flags & 0x1FFF) * 8}" if flags & 0x1FFF else ""
    text += f" length {length} of {len(data)}" if length != len(data) and not quoted else ""
    text += f" sum {data[10:12].hex()}" if checksum(data[:header]) else ""
    yield text
    whole = not flags & 0x3FFF and length <= len(data)
    pseudo = source + destination + struct.pack("!HH", protocol, length - header) if whole else None
    if flags & 0x1FFF:
        yield f"{len(data) - header} bytes"
    else:
        yield from _transport(protocol, data[header:length], pseudo)


def _ipv6(data, quoted):
    word, length, protocol, ttl = struct.unpack_from("!IHBB", data)
    source, destination = data[8:24], data[24:40]
    text = f"IPv6 {ipaddress.ip_address(source)} > {ipaddress.ip_address(destination)} hops {ttl}"
    text += f" class {word >> 20 & 255:#x}" if word >> 20 & 255 else ""
    text += f" flow {word & 0xFFFFF:#x}" if word & 0xFFFFF else ""
    text += f" length {length} of {len(data) - 40}" if length != len(data) - 40 and not quoted else ""
    yield text
    rest, whole = data[40:40 + length], length <= len(data) - 40
    while protocol in _EXTENSIONS or protocol == FRAGMENT:
        following, size = rest[0], 8 if protocol == FRAGMENT else (rest[1] + 1) * 8
        if protocol == FRAGMENT:
            offset, identification = struct.unpack_from("!HI", rest, 2)
            yield f"fragment offset {offset & ~7} {'more ' if offset & 1 else ''}id {identification:#x}"
            whole = False
            if offset & ~7:
                yield f"{len(rest) - 8} bytes"
                return
        else:
            yield f"{_EXTENSIONS[protocol]} {rest[:size].hex()}"
        protocol, rest = following, rest[size:]
    pseudo = source + destination + struct.pack("!II", len(rest), protocol) if whole else None
    yield from _transport(protocol, rest, pseudo)


def _transport(protocol, data, pseudo):
    if protocol in (IPIP, IPV6):
        yield from _ip(data, quoted=False)
    elif protocol == TCP and len(data) >= 20:
        sport, dport, seq, ack, offset, flags, window, _, _ = struct.unpack_from("!HHIIBBHHH", data)
        names = " ".join(name for bit, name in enumerate(_TCP_FLAGS) if flags >> bit & 1)
        yield f"TCP {sport} > {dport} {names} seq {seq} ack {ack} window {window}{_sum(data, 16, pseudo)}"
        yield _data(data[(offset >> 4) * 4:])
    elif protocol == UDP and len(data) >= 8:
        sport, dport, length, value = struct.unpack_from("!HHHH", data)
        length = f" length {length}" if length != len(data) else ""
        yield f"UDP {sport} > {dport}{length}{_sum(data, 6, pseudo) if value else ' no sum'}"
        if dport == GUE_PORT:
            yield from _gue(data[8:])
        else:
            yield _data(data[8:])
    elif protocol == GRE and len(data) >= 4:
        flags, kind = struct.unpack_from("!HH", data)
        size = 8 if flags & 0x8000 else 4
        yield f"GRE {data[:size].hex()}" + (" bad sum" if size == 8 and checksum(data) else "")
        yield from _ip(data[size:], quoted=False)
    elif protocol in (ICMP, ICMPV6) and len(data) >= 8:
        kind, code, _, rest = struct.unpack_from("!BBHI", data)
        yield f"ICMP{'v6' if protocol == ICMPV6 else ''} {kind}/{code} rest {rest:#x}" + \
            _sum(data, 2, pseudo if protocol == ICMPV6 or pseudo is None else b"")
        if kind < 128 and protocol == ICMPV6 or protocol == ICMP and kind in (3, 4, 5, 11, 12):
            yield from ("quoting " + part if not place else part
                        for place, part in enumerate(_ip(data[8:], quoted=True)))
        else:
            yield _data(data[8:])
    elif protocol == SCTP and len(data) >= 12:
        yield from _sctp(data)
    else:
        name = {ESP: "ESP", AH: "AH", TCP: "TCP", UDP: "UDP", SCTP: "SCTP"}.get(protocol, f"protocol {protocol}")
        yield f"{name} {_data(data)}"


def _gue(data):
    size = 4 + (data[0] & 31) * 4
    yield f"GUE {data[:size].hex()}"
    yield from _ip(data[size:], quoted=False)


def _sctp(data):
    sport, dport, tag = struct.unpack_from("!HHI", data)
    right = crc32c(data[:8] + bytes(4) + data[12:]) == struct.unpack_from("<I", data, 8)[0]
    text, at = f"SCTP {sport} > {dport} tag {tag:#x}" + ("" if right else " bad sum"), 12
    while at + 4 <= len(data):
        kind, _, length = struct.unpack_from("!BBH", data, at)
        text += f" {_CHUNKS.get(kind, kind)}"
        at += max(4, length + 3 & ~3)
    yield text


def _sum(data, at, pseudo):
    """Nothing if the checksum is right or cannot be told, else what it is."""
    return f" sum {data[at:at + 2].hex()}" if pseudo is not None and checksum(pseudo + data) else ""


def _data(data):
    return f"{len(data)} bytes" + (f" {data[:12].hex()}" if data else "")
