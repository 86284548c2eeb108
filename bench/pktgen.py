# SPDX-License-Identifier: GPL-2.0-only
"""The kernel's packet generator: which packets are sent, and what sending them cost.

With QEMU's `-icount shift=0` a guest instruction takes a nanosecond of guest time, and the guest has one processor: so the time that
pktgen measures between its first and its last packet *is* the number of instructions that everything executed in between, the
director's softirq work included. The network the packets travel does not live here.
"""

import contextlib
import dataclasses
import re

import lab

CONTROL = "/proc/net/pktgen/pgctrl"
THREAD = "/proc/net/pktgen/kpktgend_0"
DEVICE = f"/proc/net/pktgen/{lab.SOURCE_DEVICE}"

PACKET_BYTES = 60
"""Length of a packet of IPv4 including the Ethernet header, without the frame check sequence."""

PACKET6_BYTES = 78
"""The same for IPv6: the smallest that the generator makes."""

FLOWS = 64
FLOW_PORTS = (1024, 1024 + FLOWS - 1)


@dataclasses.dataclass(frozen=True)
class Traffic:
    """A pattern of packets: where they come from, in pktgen's words. The destination is the path's business."""

    name: str
    commands: tuple[str, ...]
    flags: tuple[str, ...] = ("!SHARED",)
    """By default a packet belongs to the stack alone once it is sent, as one from a network card does."""
    is_ipv6: bool = False
    probe_commands: tuple[str, ...] = ()
    """Said after the others for packets that come before those that are measured, where they must be of other flows."""
    most: int | None = None
    """So many packets at most are what the name says."""

    @property
    def packet_bytes(self):
        """Length of a packet including the Ethernet header."""
        return PACKET6_BYTES if self.is_ipv6 else PACKET_BYTES


ESTABLISHED = Traffic(
    "established",
    (f"src_min {lab.CLIENT}", f"src_max {lab.CLIENT}", f"udp_src_min {FLOW_PORTS[0]}", f"udp_src_max {FLOW_PORTS[1]}"),
)
"""A few flows that take turns."""

NEW = Traffic(
    "new",
    ("src_min 10.128.0.1", "src_max 10.255.255.254", "udp_src_min 1024", "udp_src_max 65535"),
    ("!SHARED", "IPSRC_RND", "UDPSRC_RND"),
)
"""A random client address and port out of 5e11 for every packet."""

REPLIES = Traffic(
    "replies",
    (
        f"src_min {lab.SERVERS[0]}",
        f"src_max {lab.SERVERS[0]}",
        f"udp_src_min {lab.SERVER_PORT}",
        f"udp_src_max {lab.SERVER_PORT}",
    ),
)
"""What the first real server answers to the flows of `ESTABLISHED`."""

# A UDP datagram of IPv6 has a checksum; as from a card that checks it, the stack need not look at it.
_FLAGS6 = ("!SHARED", "UDPCSUM")

ESTABLISHED6 = Traffic(
    "established6",
    (f"src6 {lab.CLIENT6}", f"udp_src_min {FLOW_PORTS[0]}", f"udp_src_max {FLOW_PORTS[1]}"),
    _FLAGS6,
    is_ipv6=True,
)
"""`ESTABLISHED` by IPv6."""

NEW6 = Traffic(
    "new6",
    (f"src6 {lab.CLIENT6}", "udp_src_min 2048", "udp_src_max 65535"),
    _FLAGS6,
    is_ipv6=True,
    probe_commands=("udp_src_min 1024", "udp_src_max 2047"),
    most=65536 - 2048,
)
"""One client of IPv6, and for every packet its next port: the generator can't make up source addresses of IPv6."""

REPLIES6 = Traffic(
    "replies6",
    (f"src6 {lab.SERVERS6[0]}", f"udp_src_min {lab.SERVER_PORT}", f"udp_src_max {lab.SERVER_PORT}"),
    _FLAGS6,
    is_ipv6=True,
)
"""`REPLIES` by IPv6."""

NEWS = (NEW, NEW6)
"""The kinds of traffic of which every packet makes a connection."""


class GeneratorFailed(Exception):
    """pktgen refused an order or sent another number of packets than it was told."""


@dataclasses.dataclass(frozen=True)
class Destination:
    """Address and UDP ports that packets are sent to; the ports take turns."""

    address: str
    ports: tuple[int, int]


def _order(path, command):
    lab.write(path, command)
    with open(path, encoding="ascii") as file:
        result = re.search(r"^Result: (.*)$", file.read(), re.MULTILINE)
    if path != CONTROL and (result is None or not result[1].startswith("OK")):
        raise GeneratorFailed(f"pktgen: {command!r}: {result[1] if result else 'no result'}")


def shared(traffic):
    """The same traffic, but pktgen keeps a reference to each packet: whoever wants to change it has to copy it first."""
    return dataclasses.replace(traffic, flags=tuple(flag for flag in traffic.flags if flag != "!SHARED"))


def probing(traffic):
    """The same traffic, but none of the flows that are new when it is measured."""
    return dataclasses.replace(traffic, commands=traffic.commands + traffic.probe_commands)


def send(traffic, destination, packets, observed=contextlib.nullcontext):
    """Sends the packets and returns the nanoseconds (= instructions) from the first to the last, all their work included.

    `observed` makes a context that is entered just before the first packet and left just after the last.
    """
    address = destination.address
    to = (f"dst6 {address}",) if traffic.is_ipv6 else (f"dst_min {address}", f"dst_max {address}")
    with lab.inside(lab.GENERATOR):
        _order(THREAD, "rem_device_all")
        _order(THREAD, f"add_device {lab.SOURCE_DEVICE}")
        for command in (
            f"count {packets}",
            f"pkt_size {traffic.packet_bytes}",
            "delay 0",
            f"dst_mac {lab.INGRESS_MAC}",
            *to,
            f"udp_dst_min {destination.ports[0]}",
            f"udp_dst_max {destination.ports[1]}",
            *traffic.commands,
            *(f"flag {flag}" for flag in traffic.flags),
        ):
            _order(DEVICE, command)
        with observed():
            lab.write(CONTROL, "start")
        with open(DEVICE, encoding="ascii") as file:
            status = file.read()
    result = re.search(r"Result: OK: (\d+)\(c\d+\+d\d+\) usec, (\d+) ", status)
    errors = re.search(r"errors: (\d+)\s*$", status)
    if not result or not errors or int(result[2]) != packets or int(errors[1]) != 0:
        raise GeneratorFailed(f"pktgen did not send {packets} packets without an error:\n{status}")
    return int(result[1]) * 1000
