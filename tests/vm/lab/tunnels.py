# SPDX-License-Identifier: GPL-2.0-only
"""Types of tunnels: how a balancer is told of them, what they put between two IP headers, and how a machine takes them."""

import dataclasses
import struct

from . import namespace, packet
from .address import with_port

GUE_PORT, GRE_NUMBER = 6080, 47
ETHERNET = {packet.IPIP: 0x0800, packet.IPV6: 0x86DD}

_MODULES = ["fou", "fou6", "ip_gre", "ip6_gre"]


@dataclasses.dataclass(frozen=True)
class Kind:
    """A type of tunnel with its options."""

    name: str
    words: tuple  # of ipvsadm
    overhead: int  # bytes between the IP headers

    @property
    def is_gue(self):
        return self.name.startswith("gue")

    @property
    def is_gre(self):
        return self.name.startswith("gre")

    @property
    def has_checksum(self):
        return "checksum" in self.name


IPIP = Kind("ipip", ("--tun-type", "ipip"), 0)
GUE = Kind("gue", ("--tun-type", "gue", "--tun-port", GUE_PORT, "--tun-nocsum"), 12)
GUE_CHECKSUM = Kind("gue-checksum", ("--tun-type", "gue", "--tun-port", GUE_PORT, "--tun-csum"), 12)
GUE_REMOTE = Kind("gue-remote-checksum", ("--tun-type", "gue", "--tun-port", GUE_PORT, "--tun-remcsum"), 12)
GRE = Kind("gre", ("--tun-type", "gre", "--tun-nocsum"), 4)
GRE_CHECKSUM = Kind("gre-checksum", ("--tun-type", "gre", "--tun-csum"), 8)
KINDS = [IPIP, GUE, GUE_CHECKSUM, GUE_REMOTE, GRE, GRE_CHECKSUM]


def add_server(balancer, service, address, kind):
    """Give a TCP or UDP service a real server behind a tunnel."""
    _configure("-a", balancer, service, address, kind)


def edit_server(balancer, service, address, kind):
    """Make the tunnel to a real server one of another type."""
    _configure("-e", balancer, service, address, kind)


def _configure(command, balancer, service, address, kind):
    option = {"tcp": "-t", "udp": "-u"}[service.protocol]
    balancer.command(command, option, str(service), "-r", with_port(address, service.port), "-i", *kind.words)


def accept(server, kind, source):
    """Have a machine take packets that come by tunnels of this type from an address, whatever they carry."""
    namespace.execute(["modprobe", "-a", *_MODULES])
    own, is_ipv6 = server.address_like(source), ":" in source
    ends = f"local {own} remote {source}"
    if kind.is_gre:
        name, device = ("gre6", "ip6gre") if is_ipv6 else ("gre4", "gre")
        server.ip(f"link add {name} type {device} {ends}{' csum' if kind.has_checksum else ''}")
    elif is_ipv6:
        name = "any6"
        server.ip(f"link add {name} type ip6tnl mode any {ends}")
    else:
        name = "tunl0"  # and sit0
    server.ip(f"link set {name} up")
    server.sysctl(**{f"net.ipv4.conf.{name}.rp_filter": 0})
    if kind.is_gue:
        server.ip(f"fou add port {GUE_PORT} gue{' -6' if is_ipv6 else ''}")


class Gue:
    """A parsed GUE packet: UDP ports, first byte, protocol, flags, options and what it carries."""

    def __init__(self, outer):
        assert outer.protocol == packet.UDP
        self.source_port, self.port = outer.ports
        self.udp_length = struct.unpack("!H", outer.payload[4:6])[0]
        self.first, self.protocol, self.flags = struct.unpack("!BBH", outer.payload[8:12])
        end = 12 + (self.first & 31) * 4
        self.options = outer.payload[12:end]
        self.carried = outer.payload[end:]


class Gre:
    """A parsed GRE packet: flags, protocol, checksum if it has one, and what it carries."""

    def __init__(self, outer):
        assert outer.protocol == GRE_NUMBER
        self.flags, self.protocol = struct.unpack("!HH", outer.payload[:4])
        end = 8 if self.flags & 0x8000 else 4
        self.is_valid = end == 4 or packet.checksum(outer.payload) == 0
        self.carried = outer.payload[end:]


def carried(outer):
    """The packet inside, whatever stands between."""
    if outer.protocol == packet.UDP:
        return packet.parse(Gue(outer).carried)
    if outer.protocol == GRE_NUMBER:
        return packet.parse(Gre(outer).carried)
    return packet.parse(outer.payload)
