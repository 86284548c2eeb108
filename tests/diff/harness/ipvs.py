# SPDX-License-Identifier: GPL-2.0-only
"""Driving a balancer by the netlink family IPVS, and reading what it tells: both modules have it."""

import ipaddress
import re
import socket
import struct

from lab import netlink
from lab.netlink import attribute, attributes, be16, text, u8, u16, u32

from . import model
from .wire import address_bytes, is_v6

NEW_SERVICE, SET_SERVICE, DEL_SERVICE, GET_SERVICE, NEW_DEST, SET_DEST, DEL_DEST, GET_DEST = range(1, 9)
SET_CONFIG, ZERO, FLUSH = 12, 16, 17
_SERVICE, _DEST = 1, 2
_COUNTERS = ("connections", "packets in", "packets out", "bytes in", "bytes out")


def _service_key(service):
    key = u16(1, service.family)
    if service.mark:
        return key + u32(5, service.mark)
    return key + u16(2, service.protocol) + attribute(3, address_bytes(service.address).ljust(16, b"\0")) + be16(4, service.port)


def _netmask(service):
    if service.family == socket.AF_INET6:
        return struct.pack("=I", 128 if service.netmask is None else service.netmask)
    return ipaddress.ip_address(service.netmask or "255.255.255.255").packed


def _service(service):
    flags = service.flags | (model.PERSISTENT if service.persistent is not None else 0)
    body = _service_key(service) + text(6, service.scheduler) + attribute(7, struct.pack("=II", flags, 0xFFFFFFFF))
    body += u32(8, service.persistent or 0) + attribute(9, _netmask(service))
    return attribute(_SERVICE, body + (text(11, service.engine) if service.engine else b""))


def _server(service, server):
    port = service.port if server.port is None else server.port
    body = attribute(1, address_bytes(server.address).ljust(16, b"\0")) + be16(2, port)
    body += u16(11, socket.AF_INET6 if is_v6(server.address) else socket.AF_INET)
    body += u32(3, server.method) + u32(4, server.weight) + u32(5, server.upper) + u32(6, server.lower)
    body += u8(13, server.tunnel) + be16(14, server.tunnel_port) + u16(15, server.tunnel_flags)
    return attribute(_SERVICE, _service_key(service)) + attribute(_DEST, body)


class Ipvs:
    """The balancer of the namespace in which this is made."""

    def __init__(self):
        self._socket = netlink.GenericNetlink("IPVS")

    def close(self):
        self._socket.close()

    def command(self, number, body, dump):
        """A message as it is; what it is answered with, as lines of text. Services are listed in no particular order."""
        lines = [f"command {command} flags {flags:#x}: {_attributes_as_they_are(answer, _NESTS.get(command, ()))}"
                 for flags, command, answer in self._socket.ask(number, body, dump)]
        return sorted(lines) if number == GET_SERVICE else lines

    def add_service(self, service):
        self._socket.command(NEW_SERVICE, _service(service))
        for server in service.servers:
            self.add_server(service, server)

    def edit_service(self, service):
        self._socket.command(SET_SERVICE, _service(service))

    def delete_service(self, service):
        self._socket.command(DEL_SERVICE, attribute(_SERVICE, _service_key(service)))

    def add_server(self, service, server):
        self._socket.command(NEW_DEST, _server(service, server))

    def edit_server(self, service, server):
        self._socket.command(SET_DEST, _server(service, server))

    def delete_server(self, service, server):
        self._socket.command(DEL_DEST, _server(service, server))

    def flush(self):
        self._socket.command(FLUSH)

    def zero(self, service=None):
        self._socket.command(ZERO, attribute(_SERVICE, _service_key(service)) if service else b"")

    def set_timeouts(self, tcp, tcp_fin, udp):
        self._socket.command(SET_CONFIG, u32(4, tcp) + u32(5, tcp_fin) + u32(6, udp))

    def service(self, service):
        """How a service is configured, as text; None if there is none of its key."""
        try:
            answer, = self._socket.command(GET_SERVICE, attribute(_SERVICE, _service_key(service)))
        except OSError:
            return None
        return _described_service(attributes(answer[_SERVICE]))

    def servers(self, service):
        """The real servers of a service, newest first: text that says all but counters, by end."""
        return {_end(server): _described_server(server) for server in self._dump_servers(service)}

    def counters(self, service):
        """Counters of a service (key None) and its real servers, each by name."""
        found = {_end(server): _numbers(server[12]) for server in self._dump_servers(service)}
        answer, = self._socket.command(GET_SERVICE, attribute(_SERVICE, _service_key(service)))
        return found | {None: _numbers(attributes(answer[_SERVICE])[12])}

    def _dump_servers(self, service):
        answers = self._socket.command(GET_DEST, attribute(_SERVICE, _service_key(service)), dump=True)
        return [attributes(answer[_DEST]) for answer in answers]


_STATS, _STATS64 = 10, 12
_NESTS = {NEW_SERVICE: (_SERVICE,), NEW_DEST: (_DEST,)}


def _attributes_as_they_are(data, nests):
    """Every attribute in its place: type with its flags, and value."""
    parts = []
    while data:
        length, kind = struct.unpack_from("=HH", data)
        value, data = data[4:length], data[(length + 3) & ~3:]
        inner = _attributes_as_they_are(value, (_STATS, _STATS64) if nests != (_STATS, _STATS64) else ()) if kind in nests else value.hex()
        parts.append(f"{kind:#x}[{inner}]")
    return " ".join(parts)


def _number(value):
    return int.from_bytes(value, "little")


def _shown(family, value):
    return str(ipaddress.ip_address(bytes(value[:16 if family == socket.AF_INET6 else 4])))


def _described_service(service):
    flags, _ = struct.unpack("=II", service[7])
    engine = service[11].rstrip(b"\0").decode() if 11 in service else "none"
    return f"{service[6].rstrip(bytes(1)).decode()} flags {flags:#x} timeout {_number(service[8])} netmask {service[9].hex()} " \
           f"engine {engine}"


def _end(server):
    return f"{_shown(_number(server[11]), server[1])} {int.from_bytes(server[2], 'big')}"


def _described_server(server):
    return f"method {_number(server[3])} weight {_number(server[4])} thresholds {_number(server[5])} {_number(server[6])} " \
           f"tunnel {_number(server[13])} {int.from_bytes(server[14], 'big')} {_number(server[15])} " \
           f"active {_number(server[7])} inactive {_number(server[8])} persistent {_number(server[9])}"


def _numbers(stats):
    found = attributes(stats)
    return {name: _number(found[kind]) for kind, name in enumerate(_COUNTERS, start=1)}


_LINE = re.compile(r"(\S+)\s+(\S+) (\S{4}) (\S+) (\S{4}) (\S+) (\S{4}) (\S+)\s+(\d+)(.*)")


def _from_table(address):
    return str(ipaddress.ip_address(address if ":" in address else bytes.fromhex(address)))


def _to_table(address):
    packed = address_bytes(address)
    return packed.hex(":", 2) if len(packed) == 16 else packed.hex().upper()


def connections(table, ends=None):
    """The connections in the text of /proc/net/ip_vs_conn, of these virtual (address, port)s only if there are any given: (text of
    one without its expiry, seconds left) each."""
    found = []
    wanted = {f" {_to_table(address)} {port:04X} " for address, port in ends or ()}
    for line in table.splitlines()[1:]:
        if ends is not None and not any(end in line for end in wanted):
            continue
        protocol, client, cport, virtual, vport, server, dport, state, left, engine = _LINE.fullmatch(line.rstrip("\n")).groups()
        client, virtual, server = map(_from_table, (client, virtual, server))
        text = f"{client} {int(cport, 16)} -> {virtual} {int(vport, 16)} -> {server} {int(dport, 16)}"
        found.append((f"{protocol} {text} {state}{engine.rstrip()}", int(left)))
    return found
