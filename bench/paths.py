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
_IN_TUNNEL = pktgen.PACKET_BYTES + IP_HEADER_BYTES


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


def _serve(method, servers, vip=lab.VIP):
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

# Numbers of protocols are hexadecimal to tc.
_EXITS = {
    "direct": Exit(lab.TO_SERVERS, f"dst_mac {ANY_SERVER_MAC} dst_ip {lab.VIP} ip_proto udp dst_port {lab.VIP_PORT}"),
    "masquerading": Exit(lab.TO_SERVERS, f"dst_ip {ANY_SERVER} ip_proto udp dst_port {lab.SERVER_PORT}"),
    "tunneling": Exit(lab.TO_SERVERS, f"dst_ip {ANY_SERVER} ip_proto 4", _IN_TUNNEL),
    "gue": Exit(
        lab.TO_SERVERS,
        f"dst_ip {ANY_SERVER} ip_proto udp dst_port {balancers.GUE_PORT}",
        _IN_TUNNEL + UDP_AND_GUE_BYTES,
    ),
    "gre": Exit(lab.TO_SERVERS, f"dst_ip {ANY_SERVER} ip_proto 2f", _IN_TUNNEL + GRE_BYTES),
}

_EXITS6 = {
    "direct": Exit(
        lab.TO_SERVERS,
        f"dst_mac {ANY_SERVER_MAC} dst_ip {lab.VIP6} ip_proto udp dst_port {lab.VIP_PORT}",
        pktgen.PACKET6_BYTES,
    ),
    "masquerading": Exit(lab.TO_SERVERS, f"dst_ip {ANY_SERVER6} ip_proto udp dst_port {lab.SERVER_PORT}", pktgen.PACKET6_BYTES),
    "tunneling": Exit(lab.TO_SERVERS, f"dst_ip {ANY_SERVER6} ip_proto 29", pktgen.PACKET6_BYTES + IPV6_HEADER_BYTES),
}


def _requests(method, traffic):
    return Path(method, traffic, TO_VIP, _serve(method, lab.SERVERS), _EXITS[method], balanced=True)


def _requests6(method, traffic):
    return Path(method, traffic, TO_VIP6, _serve(method, lab.SERVERS6, lab.VIP6), _EXITS6[method], balanced=True)


BALANCED = (
    _requests("direct", pktgen.ESTABLISHED),
    _requests("direct", pktgen.NEW),
    _requests("masquerading", pktgen.ESTABLISHED),
    _requests("masquerading", pktgen.NEW),
    Path(
        "masquerading",
        pktgen.REPLIES,
        TO_CLIENT,
        # One real server, so that every flow's replies come from it.
        _serve("masquerading", lab.SERVERS[:1]),
        Exit(lab.TO_CLIENTS, f"src_ip {lab.VIP} dst_ip {lab.CLIENT} ip_proto udp src_port {lab.VIP_PORT}"),
        balanced=True,
        answers=(pktgen.ESTABLISHED, TO_VIP),
    ),
    _requests("tunneling", pktgen.ESTABLISHED),
    _requests("tunneling", pktgen.NEW),
    _requests("gue", pktgen.ESTABLISHED),
    _requests("gre", pktgen.ESTABLISHED),
    _requests6("direct", pktgen.ESTABLISHED6),
    _requests6("direct", pktgen.NEW6),
    _requests6("masquerading", pktgen.ESTABLISHED6),
    _requests6("masquerading", pktgen.NEW6),
    Path(
        "masquerading",
        pktgen.REPLIES6,
        TO_CLIENT6,
        _serve("masquerading", lab.SERVERS6[:1], lab.VIP6),
        Exit(
            lab.TO_CLIENTS,
            f"src_ip {lab.VIP6} dst_ip {lab.CLIENT6} ip_proto udp src_port {lab.VIP_PORT}",
            pktgen.PACKET6_BYTES,
        ),
        balanced=True,
        answers=(pktgen.ESTABLISHED6, TO_VIP6),
    ),
    _requests6("tunneling", pktgen.ESTABLISHED6),
    _requests6("tunneling", pktgen.NEW6),
)

BALANCERS = (balancers.IpVs.name, balancers.Rvs.name)
METHODS = tuple(_EXITS)
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
