# SPDX-License-Identifier: GPL-2.0-only
"""What scenarios are written in: services and servers, steps, and the scenario itself. Plain data; nothing here runs."""

import dataclasses
import socket
import typing

from . import wire

# Forwarding methods, tunnel types and flags by their UAPI numbers.
NAT, LOCAL_NODE, TUNNEL, DIRECT, BYPASS = 0, 1, 2, 3, 4
IPIP, GUE, GRE = 0, 1, 2
NO_SUM, SUM, REMOTE_SUM = 0, 1, 2
PERSISTENT, ONE_PACKET, FLAG_1, FLAG_2, FLAG_3 = 0x1, 0x4, 0x8, 0x10, 0x20
FALLBACK, WITH_PORT = FLAG_1, FLAG_2  # what sh and mh understand by the flags


@dataclasses.dataclass(frozen=True)
class Server:
    """A real server of a service. Without a port it has the service's."""

    address: str
    port: int | None = None
    method: int = NAT
    weight: int = 1
    upper: int = 0
    lower: int = 0
    tunnel: int = IPIP
    tunnel_port: int = 0
    tunnel_flags: int = NO_SUM

    def but(self, **changes):
        return dataclasses.replace(self, **changes)


@dataclasses.dataclass(frozen=True)
class Service:
    """A virtual service: by protocol, address and port, or by firewall mark (then `address` only tells the family).

    `persistent` is a timeout in seconds; `netmask` a mask or, for IPv6, a prefix length.
    """

    protocol: int
    address: str
    port: int
    scheduler: str = "rr"
    servers: tuple[Server, ...] = ()
    flags: int = 0
    persistent: int | None = None
    netmask: str | int | None = None
    engine: str | None = None
    mark: int = 0

    @property
    def family(self):
        return socket.AF_INET6 if wire.is_v6(self.address) else socket.AF_INET

    @property
    def key(self):
        """Text that names the service among those of a namespace."""
        if self.mark:
            return f"mark {self.mark} {'IPv6' if wire.is_v6(self.address) else 'IPv4'}"
        name = {wire.TCP: "tcp", wire.UDP: "udp", wire.SCTP: "sctp"}.get(self.protocol, str(self.protocol))
        return f"{name} {self.address} {self.port}"

    def but(self, **changes):
        return dataclasses.replace(self, **changes)


def tcp_service(address, port, *servers, scheduler="rr", **more):
    return Service(wire.TCP, address, port, scheduler, servers, **more)


def udp_service(address, port, *servers, scheduler="rr", **more):
    return Service(wire.UDP, address, port, scheduler, servers, **more)


def sctp_service(address, port, *servers, scheduler="rr", **more):
    return Service(wire.SCTP, address, port, scheduler, servers, **more)


def mark_service(mark, *servers, family_of="0.0.0.0", scheduler="rr", **more):
    return Service(wire.TCP, family_of, 0, scheduler, servers, mark=mark, **more)


# --- Steps. Those that change the configuration tell the module's answer, an errno; the others what packets came of them.


@dataclasses.dataclass(frozen=True)
class AddService:
    service: Service


@dataclasses.dataclass(frozen=True)
class EditService:
    service: Service


@dataclasses.dataclass(frozen=True)
class DeleteService:
    service: Service


@dataclasses.dataclass(frozen=True)
class AddServer:
    service: Service
    server: Server


@dataclasses.dataclass(frozen=True)
class EditServer:
    service: Service
    server: Server


@dataclasses.dataclass(frozen=True)
class DeleteServer:
    service: Service
    server: Server


@dataclasses.dataclass(frozen=True)
class Flush:
    """Delete all services."""


@dataclasses.dataclass(frozen=True)
class Zero:
    """Start the counters again, of one service or of all."""

    service: Service | None = None


@dataclasses.dataclass(frozen=True)
class Timeouts:
    """Set the timeouts of TCP, TCP after FIN, and UDP, in seconds; 0 keeps one."""

    tcp: int = 0
    tcp_fin: int = 0
    udp: int = 0


@dataclasses.dataclass(frozen=True)
class Sysctl:
    """Write a file below net/ipv4/vs, or below net/ if the name has a slash."""

    name: str
    value: int | str


@dataclasses.dataclass(frozen=True)
class ReadSysctl:
    """Note what a file below net/ipv4/vs says."""

    name: str


@dataclasses.dataclass(frozen=True)
class Command:
    """A message to the family IPVS as it is, with all its faults: number and attributes; what it is about, if the name of the
    scenario does not say it."""

    number: int
    attributes: bytes = b""
    dump: bool = False
    about: str = ""


@dataclasses.dataclass(frozen=True)
class FromClient:
    """Packets put on the wire outside, towards the director, one after the other."""

    packets: tuple
    mark: int = 0  # the firewall mark they have when they reach the director; needs a lab with marks
    broadcast: bool = False  # in frames for everybody
    offload: int | None = None  # as `wire.offloaded`: checksums still to be computed, to be cut into segments of so many bytes

    def __init__(self, *packets, mark=0, broadcast=False, offload=None):
        object.__setattr__(self, "packets", packets)
        object.__setattr__(self, "mark", mark)
        object.__setattr__(self, "broadcast", broadcast)
        object.__setattr__(self, "offload", offload)


@dataclasses.dataclass(frozen=True)
class FromServer:
    """Packets put on the wire inside."""

    packets: tuple
    offload: int | None = None

    def __init__(self, *packets, offload=None):
        object.__setattr__(self, "packets", packets)
        object.__setattr__(self, "offload", offload)


@dataclasses.dataclass(frozen=True)
class FromDirector:
    """Packets that the director sends by itself."""

    packets: tuple
    socket_options: tuple = ()  # (level, name, value) each

    def __init__(self, *packets, socket_options=()):
        object.__setattr__(self, "packets", packets)
        object.__setattr__(self, "socket_options", socket_options)


@dataclasses.dataclass(frozen=True)
class Answer:
    """The server that got the latest packet answers it: ports and addresses exchanged.

    `flags` are TCP's, `chunks` SCTP's. If the latest packet came through a tunnel, the answer is to what was inside it. It goes
    to the director, as a masqueraded server's does.
    """

    flags: int = 0
    data: bytes = b""
    chunks: tuple = ()


@dataclasses.dataclass(frozen=True)
class ErrorAbout:
    """An ICMP error about the latest packet that the director sent to this side, quoting its first bytes.

    Without a sender, the packet's destination sends it; without a receiver, its source gets it.
    """

    side: str
    kind: int
    code: int
    rest: int = 0
    quote: int | None = None
    sender: str | None = None
    receiver: str | None = None
    corrupt: bool = False  # the checksum is wrong


@dataclasses.dataclass(frozen=True)
class Look:
    """Note configuration, connections and active counts at this point, as is done at the end anyway."""


@dataclasses.dataclass(frozen=True)
class UntilGone:
    """Wait until there is no connection left (in a shared lab: of this scenario), `within` seconds at most."""

    within: float = 10.0


@dataclasses.dataclass(frozen=True)
class UntilFewer:
    """Wait until there are fewer connections than this, `within` seconds at most."""

    than: int
    within: float


@dataclasses.dataclass(frozen=True)
class Settle:
    """Wait until the counters tell what has happened so far: those of C ip_vs are two seconds late, rvs's never."""


@dataclasses.dataclass(frozen=True)
class Scenario:
    """One case: its name is a sentence, `covers` the rows of the specification it is about, each as "§3.1 ES I fin".

    `lab` names a kind of lab (`lab.Lab`). Scenarios that say the same `shared` word play in one lab of their own; they keep apart by
    ports of services, and by clients, and see only connections of their own services.
    """

    name: str
    covers: str
    services: tuple[Service, ...]
    steps: tuple
    sysctls: dict[str, int | str] = dataclasses.field(default_factory=dict)
    lab: str = "plain"
    shared: str = ""
    needs: tuple[str, ...] = ()
    alone: bool = False  # it must not share a lab, whatever it looks like
    rules: str = ""  # for nft(8), in the director's namespace
    ignore: tuple[str, ...] = ()  # fields that are random in C ip_vs itself
    # What the name promises: field (a pattern of fnmatch) -> regular expression.
    expects: dict[str, str] = dataclasses.field(default_factory=dict)

    @property
    def rows(self):
        return [row.strip() for row in self.covers.split(";")]


def scenario(name, covers, services=(), *steps, **more):
    """A scenario; a single service may stand for a tuple of one."""
    return Scenario(name, covers, (services,) if isinstance(services, Service) else tuple(services), steps, **more)


def title(step):
    """What a step is called where its fields are told."""
    about = getattr(step, "about", "")
    return f"{type(step).__name__}{f' {step.number} {about}' if about else ''}"


Step: typing.TypeAlias = (
    AddService | EditService | DeleteService | AddServer | EditServer | DeleteServer | Flush | Zero | Timeouts | Sysctl | ReadSysctl |
    Command | FromClient | FromServer | FromDirector | Answer | ErrorAbout | Look | UntilGone | UntilFewer | Settle)
