# SPDX-License-Identifier: GPL-2.0-only
"""The paths through the director that are measured, each with what prepares it and how its packets look when they leave.

The floor and the generator are paths without a balancer. How a path is measured does not live here.
"""

import dataclasses
from collections.abc import Callable

import balancers
import lab
import pktgen

TO_SERVER = pktgen.Destination(lab.SERVERS[0], (lab.VIP_PORT, lab.VIP_PORT))
TO_VIP = pktgen.Destination(lab.VIP, (lab.VIP_PORT, lab.VIP_PORT))
TO_CLIENT = pktgen.Destination(lab.CLIENT, pktgen.FLOW_PORTS)
TO_SERVER6 = pktgen.Destination(lab.SERVERS6[0], (lab.VIP_PORT, lab.VIP_PORT))
TO_VIP6 = pktgen.Destination(lab.VIP6, (lab.VIP_PORT, lab.VIP_PORT))
TO_CLIENT6 = pktgen.Destination(lab.CLIENT6, pktgen.FLOW_PORTS)

ANY_SERVER = "10.2.0.0/24"
ANY_SERVER_MAC = "02:00:00:00:02:00/ff:ff:ff:ff:ff:00"
ANY_SERVER6 = "fd00:2::/64"
IP_HEADER_BYTES = 20
IPV6_HEADER_BYTES = 40
UDP_AND_GUE_BYTES = 12
GRE_BYTES = 4


@dataclasses.dataclass(frozen=True)
class Exit:
    """The device packets leave through, the `tc flower` match that all of them meet, and their length."""

    device: str
    match: str
    bytes: int = pktgen.PACKET_BYTES


@dataclasses.dataclass(frozen=True)
class Path:
    """One way through the director for one kind of traffic."""

    name: str
    traffic: pktgen.Traffic
    destination: pktgen.Destination
    prepare: Callable[[], None]
    exit: Exit | None
    """`None`: every packet is dropped on purpose."""
    balanced: bool = False
    answers: tuple[pktgen.Traffic, pktgen.Destination] | None = None
    """What its packets answer, which has to come first."""


def _tc_ingress(*action):
    def prepare():
        lab.in_director("tc", "qdisc", "add", "dev", lab.INGRESS, "clsact")
        lab.in_director("tc", "filter", "add", "dev", lab.INGRESS, "ingress", "matchall", "action", *action)

    return prepare


def _drop_in_local_in():
    rule = "add table ip bench; add chain ip bench in { type filter hook input priority 99; policy drop; }"
    lab.in_director("nft", rule)


def _serve(method, servers, vip):
    return lambda: balancers.serve(method, servers, vip)


GENERATORS = tuple(
    Path("drop", traffic, destination, _tc_ingress("drop"), None)
    for traffic, destination in (
        (pktgen.ESTABLISHED, TO_VIP),
        (pktgen.NEW, TO_VIP),
        (pktgen.REPLIES, TO_CLIENT),
        (pktgen.ESTABLISHED6, TO_VIP6),
        (pktgen.NEW6, TO_VIP6),
        (pktgen.REPLIES6, TO_CLIENT6),
    )
)
"""What making each kind of traffic costs: subtracted from every other path with that traffic."""

FLOORS = (
    Path(
        "redirect",
        pktgen.ESTABLISHED,
        TO_VIP,
        _tc_ingress("mirred", "egress", "redirect", "dev", lab.TO_SERVERS),
        Exit(lab.TO_SERVERS, f"dst_ip {lab.VIP} ip_proto udp dst_port {lab.VIP_PORT}"),
    ),
    Path("local_in", pktgen.ESTABLISHED, TO_VIP, _drop_in_local_in, None),
    Path(
        "forwarding",
        pktgen.ESTABLISHED,
        TO_SERVER,
        lambda: None,
        Exit(lab.TO_SERVERS, f"dst_ip {lab.SERVERS[0]} ip_proto udp dst_port {lab.VIP_PORT}"),
    ),
    Path(
        "forwarding",
        pktgen.ESTABLISHED6,
        TO_SERVER6,
        lambda: None,
        Exit(lab.TO_SERVERS, f"dst_ip {lab.SERVERS6[0]} ip_proto udp dst_port {lab.VIP_PORT}", pktgen.PACKET6_BYTES),
    ),
)


@dataclasses.dataclass(frozen=True)
class _Family:
    """What one IP version calls the same things."""

    vip: str
    servers: tuple[str, ...]
    client: str
    any_server: str
    to_vip: pktgen.Destination
    to_client: pktgen.Destination
    bytes: int
    header_bytes: int
    inside: str
    """Its number of protocol inside a tunnel, hexadecimal as all numbers of protocols are to tc."""
    established: pktgen.Traffic
    replies: pktgen.Traffic

    def requests(self, method, traffic):
        """Clients' packets to the service, by a forwarding method."""
        return Path(method, traffic, self.to_vip, _serve(method, self.servers, self.vip), self._exit(method), balanced=True)

    def answers(self):
        """A real server's answers to established flows; there is one, so that those of every flow come from it."""
        return Path(
            "masquerading",
            self.replies,
            self.to_client,
            _serve("masquerading", self.servers[:1], self.vip),
            Exit(lab.TO_CLIENTS, f"src_ip {self.vip} dst_ip {self.client} ip_proto udp src_port {lab.VIP_PORT}", self.bytes),
            balanced=True,
            answers=(self.established, self.to_vip),
        )

    def _exit(self, method):
        in_tunnel = self.bytes + self.header_bytes
        match method:
            case "direct":
                to, length = f"dst_mac {ANY_SERVER_MAC} dst_ip {self.vip} ip_proto udp dst_port {lab.VIP_PORT}", self.bytes
            case "masquerading":
                to, length = f"dst_ip {self.any_server} ip_proto udp dst_port {lab.SERVER_PORT}", self.bytes
            case "tunneling":
                to, length = f"dst_ip {self.any_server} ip_proto {self.inside}", in_tunnel
            case "gue":
                to, length = f"dst_ip {self.any_server} ip_proto udp dst_port {balancers.GUE_PORT}", in_tunnel + UDP_AND_GUE_BYTES
            case "gre":
                to, length = f"dst_ip {self.any_server} ip_proto 2f", in_tunnel + GRE_BYTES
        return Exit(lab.TO_SERVERS, to, length)


_IPV4 = _Family(
    vip=lab.VIP,
    servers=lab.SERVERS,
    client=lab.CLIENT,
    any_server=ANY_SERVER,
    to_vip=TO_VIP,
    to_client=TO_CLIENT,
    bytes=pktgen.PACKET_BYTES,
    header_bytes=IP_HEADER_BYTES,
    inside="4",
    established=pktgen.ESTABLISHED,
    replies=pktgen.REPLIES,
)
_IPV6 = _Family(
    vip=lab.VIP6,
    servers=lab.SERVERS6,
    client=lab.CLIENT6,
    any_server=ANY_SERVER6,
    to_vip=TO_VIP6,
    to_client=TO_CLIENT6,
    bytes=pktgen.PACKET6_BYTES,
    header_bytes=IPV6_HEADER_BYTES,
    inside="29",
    established=pktgen.ESTABLISHED6,
    replies=pktgen.REPLIES6,
)

BALANCED = (
    _IPV4.requests("direct", pktgen.ESTABLISHED),
    _IPV4.requests("direct", pktgen.NEW),
    _IPV4.requests("masquerading", pktgen.ESTABLISHED),
    _IPV4.requests("masquerading", pktgen.NEW),
    _IPV4.answers(),
    _IPV4.requests("tunneling", pktgen.ESTABLISHED),
    _IPV4.requests("tunneling", pktgen.NEW),
    _IPV4.requests("gue", pktgen.ESTABLISHED),
    _IPV4.requests("gue", pktgen.NEW),
    _IPV4.requests("gre", pktgen.ESTABLISHED),
    _IPV4.requests("gre", pktgen.NEW),
    _IPV6.requests("direct", pktgen.ESTABLISHED6),
    _IPV6.requests("direct", pktgen.NEW6),
    _IPV6.requests("masquerading", pktgen.ESTABLISHED6),
    _IPV6.requests("masquerading", pktgen.NEW6),
    _IPV6.answers(),
    _IPV6.requests("tunneling", pktgen.ESTABLISHED6),
    _IPV6.requests("tunneling", pktgen.NEW6),
    _IPV6.requests("gue", pktgen.ESTABLISHED6),
    _IPV6.requests("gue", pktgen.NEW6),
    _IPV6.requests("gre", pktgen.ESTABLISHED6),
    _IPV6.requests("gre", pktgen.NEW6),
)

BALANCERS = (balancers.IpVs.name, balancers.Rvs.name)
METHODS = tuple(dict.fromkeys(path.name for path in BALANCED))
TRAFFIC = tuple(path.traffic.name for path in GENERATORS)
FAMILIES = ("ipv4", "ipv6")
SHORT = {"dr": "direct", "masq": "masquerading", "tun": "tunneling"}
"""What may be said for a method in `--only`."""


def select(words):
    """The balanced paths and the balancers that the words of `--only` leave: within a kind of word any, between kinds all.

    Raises `ValueError` naming a word that is none of them.
    """
    kinds = (BALANCERS, METHODS, TRAFFIC, FAMILIES)
    words = [SHORT.get(word, word) for word in words]
    for word in words:
        if not any(word in kind for kind in kinds):
            raise ValueError(f"{word!r} is none of {', '.join(word for kind in kinds for word in kind)}")
    names, methods, traffic, families = (set(words) & set(kind) or set(kind) for kind in kinds)
    chosen = tuple(
        path
        for path in BALANCED
        if path.name in methods and path.traffic.name in traffic and FAMILIES[path.traffic.is_ipv6] in families
    )
    return chosen, tuple(name for name in BALANCERS if name in names)
