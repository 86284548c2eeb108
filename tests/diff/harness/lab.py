# SPDX-License-Identifier: GPL-2.0-only
"""A director between two wires, both ends of which are the harness's: it injects frames and sees what comes out, and what the
director takes as its own. The network is that of `addresses`."""

import contextlib
import ctypes
import fcntl
import functools
import os
import select
import socket
import struct
import time

from lab import netlink
from lab.namespace import execute
from lab.patience import patiently

from . import addresses, rtnetlink, wire
from .addresses import OWN, SENTINEL, SIDE_OF, hardware_address

_ETH_P_ALL, _ETH_P_IP, _ETH_P_IPV6 = 0x0003, 0x0800, 0x86DD
_SOL_PACKET, _PACKET_VNET_HDR, _PACKET_IGNORE_OUTGOING, _SO_RCVBUFFORCE = 263, 15, 23, 33
_IPV6_RECVPKTINFO = 49
_INDEX = {"lo": 1, "eth0": 2, "eth1": 3}
_MARKED, _MARKING = 4, 5  # the pair of devices within the director, through which packets keep their mark
_TRANSPARENT_TABLE = 100
TRANSPARENT_MARK = 0x100  # packets with this bit in their mark are for the director, whatever their destination
KINDS = ("plain", "marks", "transparent")
_LOCAL_PROTOCOLS = {
    socket.AF_INET: (wire.ICMP, wire.IPIP, wire.TCP, wire.UDP, wire.GRE, wire.ESP, wire.AH, wire.SCTP),
    socket.AF_INET6: (wire.TCP, wire.UDP, wire.ESP, wire.AH, wire.ICMPV6, wire.SCTP),
}
_SYSCTLS = {
    "net/ipv4/ip_forward": 1, "net/ipv4/conf/all/rp_filter": 0, "net/ipv4/conf/default/rp_filter": 0,
    "net/ipv4/conf/all/accept_local": 1, "net/ipv4/conf/default/accept_local": 1,  # answers from virtual addresses pass the director
    "net/ipv4/conf/all/send_redirects": 0, "net/ipv4/conf/default/send_redirects": 0, "net/ipv4/icmp_ratelimit": 0,
    "net/ipv4/icmp_msgs_per_sec": 1000000, "net/ipv4/icmp_msgs_burst": 1000000,
    "net/ipv6/conf/all/disable_ipv6": 0, "net/ipv6/conf/default/disable_ipv6": 0,
    "net/ipv6/conf/all/forwarding": 1, "net/ipv6/conf/default/forwarding": 1, "net/ipv6/icmp/ratelimit": 0,
    "net/ipv6/conf/default/accept_dad": 0, "net/ipv6/conf/default/addr_gen_mode": 1, "net/ipv6/auto_flowlabels": 0,
    "net/ipv4/vs/conn_lfactor": 8,  # ip_vs's table never grows: that turns round which of several connections is found first
}
_home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def prepare_home():
    """Settings of the namespace in which the harness's ends of all wires are: nothing there answers anything.

    The process stays on one processor, so that all packets are dealt with in the order in which they were injected.
    """
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    for name, value in {"net/ipv6/conf/default/disable_ipv6": 1, "net/core/fb_tunnels_only_for_init_net": 1}.items():
        with contextlib.suppress(FileNotFoundError), open(f"/proc/sys/{name}", "w", encoding="ascii") as file:
            file.write(str(value))


class Lab:
    """One director, freshly made. Not thread-safe: it moves the calling thread between namespaces.

    Of the kind "marks", packets can be injected with a firewall mark; of the kind "transparent", moreover, policy routing makes
    packets of some marks local. `rules` are for nft(8).
    """

    _count = 0

    def __init__(self, kind="plain", rules=""):
        if kind not in KINDS:
            raise ValueError(f"no such kind of lab: {kind}; there are {', '.join(KINDS)}")
        Lab._count += 1
        self._kind, self._rules, self._raw, self._sentinels = kind, rules, {}, 0
        self.counted_at_zero = [0] * 5  # C ip_vs's totals when they were last started again
        self._names = {"outside": f"out{Lab._count}", "inside": f"in{Lab._count}"}
        self._sides, self._readers = {}, {}
        self._epoll = select.epoll()
        with contextlib.ExitStack() as undo:
            undo.callback(self.close)
            os.unshare(os.CLONE_NEWNET)
            self._namespace = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
            try:
                self._inside_namespace()
            finally:
                os.setns(_home, os.CLONE_NEWNET)
            self._ends_of_wires()
            self._await_wires()
            undo.pop_all()

    @contextlib.contextmanager
    def entered(self):
        """The calling thread is in the director's namespace."""
        os.setns(self._namespace, os.CLONE_NEWNET)
        try:
            yield
        finally:
            os.setns(_home, os.CLONE_NEWNET)

    def close(self):
        """Let go of the director: the kernel takes it apart with its wires."""
        for reader in self._readers.values():
            reader.close()
        for one in self._raw.values():
            one.close()
        self._epoll.close()
        if (namespace := getattr(self, "_namespace", -1)) >= 0:
            os.close(namespace)
            self._namespace = -1

    # --- Making it

    def _inside_namespace(self):
        self.sysctl_here(_SYSCTLS)
        kernel = netlink.Netlink(socket.NETLINK_ROUTE)
        kernel.batch(list(self._network()))
        kernel.close()
        with socket.socket() as any_socket:
            for device in ("eth0", "eth1"):
                _checksums_in_software(any_socket, device)
        for family, protocols in _LOCAL_PROTOCOLS.items():
            for protocol in protocols:
                self._listen(_LocalReader(family, protocol))
        for family in _LOCAL_PROTOCOLS:
            self._raw[family] = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW)
        if self._kind != "plain":
            self._raw["marking"] = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        if self._rules:
            execute(["nft", "-f", "-"], self._rules)

    def _network(self):
        for device, side in SIDE_OF.items():
            yield rtnetlink.veth(_INDEX[device], device, hardware_address(device, 0), self._names[side],
                                 bytes([2, 0, 0, 1, _INDEX[device], 0]), _home)
        for device, index in _INDEX.items():
            yield rtnetlink.up(index)
            for own, length in OWN[device]:
                if not own.startswith("127.") and own != "::1":  # the loopback device has these by itself
                    yield rtnetlink.address(index, own, length)
        for network, length in addresses.LOCAL_NETWORKS:
            yield rtnetlink.route(network, length, index=_INDEX["lo"], kind=rtnetlink.LOCAL)
        for network, length in addresses.UNREACHABLE_NETWORKS:
            yield rtnetlink.route(network, length, kind=rtnetlink.UNREACHABLE)
        for network, length, router, limit in addresses.ROUTES:
            yield rtnetlink.route(network, length, gateway=router, mtu=limit)
        for device, neighbours in addresses.NEIGHBOURS.items():
            for number, who in enumerate(neighbours, start=1):
                yield rtnetlink.neighbour(_INDEX[device], who, hardware_address(device, number))
        if self._kind != "plain":
            yield rtnetlink.veth(_MARKED, "eth2", hardware_address("eth2", 0), "marking", hardware_address("eth2", 1), index_there=_MARKING)
            yield from (rtnetlink.up(_MARKED), rtnetlink.up(_MARKING))
        if self._kind == "transparent":
            for family, anywhere in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
                yield rtnetlink.rule_for_mark(family, TRANSPARENT_MARK, TRANSPARENT_MARK, _TRANSPARENT_TABLE)
                yield rtnetlink.route(anywhere, 0, index=_INDEX["lo"], kind=rtnetlink.LOCAL, table=_TRANSPARENT_TABLE)

    def _ends_of_wires(self):
        kernel = netlink.Netlink(socket.NETLINK_ROUTE)
        for device, side in SIDE_OF.items():
            kernel.batch([rtnetlink.up(socket.if_nametoindex(self._names[side]))])
            self._sides[self._names[side]] = side
        kernel.close()
        self._listen(_WireReader(self._sides))

    def _listen(self, reader):
        self._readers[reader.socket.fileno()] = reader
        self._epoll.register(reader.socket.fileno(), select.EPOLLIN)

    def _put(self, side, data, receiver=None):
        header = (receiver or _TO_DIRECTOR[side]) + _SENDER + _ether_type(data)
        _wires().sendto(header + data, (self._names[side], 0))

    def _put_offloaded(self, side, packet, size):
        """Put a packet on a wire of which checksum and cutting into segments are left to whom it may concern."""
        header, packet = wire.offloaded(packet, size)
        data = bytes(packet)
        _offloading().sendto(header + _TO_DIRECTOR[side] + _SENDER + _ether_type(data) + data, (self._names[side], 0))

    def _put_marked(self, data, mark):
        self._raw["marking"].setsockopt(socket.SOL_SOCKET, socket.SO_MARK, mark)
        self._raw["marking"].sendto(hardware_address("eth2", 0) + _SENDER + _ether_type(data) + data, ("marking", 0))

    # --- Using it

    def sysctl_here(self, values):
        """Write files below /proc/sys, in the namespace the thread is in."""
        for name, value in values.items():
            with open(f"/proc/sys/{name}", "w", encoding="ascii") as file:
                file.write(str(value))

    def sysctl(self, values):
        with self.entered():
            self.sysctl_here(values)

    def read_sysctl(self, name):
        with self.entered(), open(f"/proc/sys/{name}", encoding="ascii") as file:
            return file.read().strip()

    def read(self, name):
        """A file below /proc/net of the director."""
        with self.entered(), open(f"/proc/thread-self/net/{name}", encoding="ascii") as file:
            return file.read()

    def inject(self, side, packet, mark=0, broadcast=False, offload=None):
        """Put a packet on a wire towards the director, or with a mark into it. What came of it: see `settle`."""
        if mark:
            self._put_marked(bytes(packet), mark)
        elif offload is not None:
            self._put_offloaded(side, packet, offload)
        else:
            self._put(side, bytes(packet), _BROADCAST if broadcast else None)
        return self.settle(side)

    def send_from_director(self, packet, options=()):
        """The director sends a packet, IP header included, by a raw socket."""
        family = socket.AF_INET6 if isinstance(packet, wire.Ipv6) else socket.AF_INET
        if family == socket.AF_INET and not packet.identification:
            packet = packet.but(identification=0x4242)  # instead of 0 the kernel would choose one
        if options:
            with self.entered():
                raw = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW)
            for level, name, value in options:
                raw.setsockopt(level, name, value)
        else:
            raw = self._raw[family]
        failure = 0
        try:
            raw.sendto(bytes(packet), (packet.destination, 0))
        except OSError as error:
            failure = error.errno
        finally:
            if options:
                raw.close()
        return failure, self.settle("outside")

    def settle(self, side, within=10.0):
        """Wait until the director has dealt with all that was injected; what came out, as a dictionary of lists: the frames of
        "outside" and "inside", and the packets it took as its own ("local").

        A packet of ours that it forwards to the other side tells: packets that one processor works on stay in order.
        """
        seen = {"outside": [], "inside": [], "local": []}
        if not self._passes(side, within, seen):
            raise AssertionError(f"the director did not forward within {within} s")
        return seen

    def _passes(self, side, within, seen):
        """Whether a packet of ours from this side reaches the other in time; what came before it is added to what was `seen`."""
        self._sentinels += 1
        data = _SENTINEL_DATA + str(self._sentinels).encode()
        other = "inside" if side == "outside" else "outside"
        self._put(side, bytes(wire.udp(SENTINEL[side], 9, SENTINEL[other], 9, data, summed=False)))
        within = patiently(within)
        deadline, arrived = time.monotonic() + within, False
        while ready := self._epoll.poll(0 if arrived else max(deadline - time.monotonic(), 0)):
            for descriptor, _ in ready:
                for where, frame in self._readers[descriptor].receive():
                    if _SENTINEL_DATA not in frame:
                        seen[where].append(frame)
                    elif frame.endswith(data):
                        arrived = True
        return arrived

    def _await_wires(self):
        """Wait until packets pass: the kernel switches a wire on some time after both its ends were."""
        deadline = time.monotonic() + patiently(10)
        while not all(self._passes(side, 0.02, {"outside": [], "inside": [], "local": []}) for side in SENTINEL):
            if time.monotonic() > deadline:
                raise AssertionError("nothing passes the new lab's wires")


_SENTINEL_DATA = b"all before this one have been dealt with: "
_MULTICAST_AND_NEIGHBOURS = frozenset((130, 131, 132, 133, 134, 143))  # what an IPv6 host says by itself, in ICMPv6 types


_TO_DIRECTOR = {side: hardware_address(device, 0) for device, side in SIDE_OF.items()}
_SENDER, _BROADCAST = bytes([2, 0, 0, 2, 0, 0]), b"\xff" * 6


def _ether_type(data):
    return struct.pack("!H", _ETH_P_IPV6 if data[0] >> 4 == 6 else _ETH_P_IP)


@functools.cache
def _wires():
    """The one socket at our ends of all wires: closing one for each lab would wait for a grace period each time."""
    made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.htons(_ETH_P_ALL))
    made.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
    made.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 1 << 24)
    return made


@functools.cache
def _offloading():
    """The socket for packets with work left to do."""
    made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    made.setsockopt(_SOL_PACKET, _PACKET_VNET_HDR, 1)
    return made


class _WireReader:
    """Our ends of one lab's wires, whose devices' names `sides` tells."""

    def __init__(self, sides):
        self._sides = sides
        self.socket = _wires()

    def close(self):
        """The socket stays for others."""

    def receive(self):
        """The frames that came to this lab's ends, each with its side."""
        while True:
            try:
                frame, origin = self.socket.recvfrom(65536)
            except BlockingIOError:
                return
            if origin[0] in self._sides and not _is_chatter(frame):
                yield self._sides[origin[0]], frame


def _is_chatter(frame):
    """What an IPv6 host says without being asked."""
    if frame[12:14] != b"\x86\xdd":
        return False
    at, following = 54, frame[20]
    if following == wire.HOP_BY_HOP:
        at, following = at + (frame[55] + 1) * 8, frame[54]
    return following == wire.ICMPV6 and len(frame) > at and frame[at] in _MULTICAST_AND_NEIGHBOURS


class _LocalReader:
    """What the director takes as its own, of one protocol. The namespace the thread is in owns it."""

    def __init__(self, family, protocol):
        self._family, self._protocol = family, protocol
        self.socket = socket.socket(family, socket.SOCK_RAW | socket.SOCK_NONBLOCK, protocol)
        if family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVPKTINFO, 1)

    def close(self):
        self.socket.close()

    def receive(self):
        """IPv4 packets as they came; of IPv6 packets what follows their headers, behind a new one."""
        while True:
            try:
                data, ancillary, _, sender = self.socket.recvmsg(65536, 64)
            except BlockingIOError:
                return
            if self._family == socket.AF_INET:
                yield "local", data
            elif self._protocol != wire.ICMPV6 or data[0] not in _MULTICAST_AND_NEIGHBOURS:
                receiver = socket.inet_ntop(socket.AF_INET6, ancillary[0][2][:16])
                yield "local", bytes(wire.Ipv6(sender[0].partition("%")[0], receiver, self._protocol, data, ttl=0))


def _checksums_in_software(any_socket, device):
    """What leaves by this device has its final checksums, and is cut into segments."""
    siocethtool, ethtool_stxcsum = 0x8946, 0x17
    value = ctypes.create_string_buffer(struct.pack("=II", ethtool_stxcsum, 0))
    request = struct.pack("16sP", device.encode(), ctypes.addressof(value))
    fcntl.ioctl(any_socket, siocethtool, request.ljust(40, b"\0"))
