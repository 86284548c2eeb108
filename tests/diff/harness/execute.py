# SPDX-License-Identifier: GPL-2.0-only
"""Playing a scenario in a lab and noting everything that can be compared."""

import dataclasses
import errno
import functools
import ipaddress
import os
import re
import struct
import time

from lab.patience import patiently

from . import counters, ipvs, model, wire
from .addresses import DIRECTORS_OWN, GUE_PORT, NEIGHBOUR_NAMES
from .normal import Context, normal


@dataclasses.dataclass(frozen=True)
class Packet:
    """A packet that came out: to which neighbour, or "" if the director took it as its own; its bytes without randomness."""

    neighbour: str
    data: bytes


@dataclasses.dataclass(frozen=True)
class Entry:
    """A connection: its line in /proc/net/ip_vs_conn without the expiry, and when it ends, in seconds since the scenario began."""

    text: str
    ends: float


@dataclasses.dataclass
class Outcome:
    """What was noted, by field; `seconds` is how long the scenario took, which is how much later one run's timers can be."""

    fields: dict
    seconds: float = 0.0


ERROR = "harness error"  # the field that says that a scenario could not be played
_COUNTS = re.compile(r"active (\d+) inactive (\d+) persistent (\d+)")
_ERRORS = (b"\3", b"\4", b"\x0b", b"\x0c")  # types of ICMP


class Play:
    """One scenario in one lab. `finish`, some time after `run`, adds the counters, which C ip_vs tells two seconds late."""

    def __init__(self, lab, balancer, scenario):
        self._lab, self.balancer, self._scenario = lab, balancer, scenario
        self._services = {service.key: service for service in scenario.services}
        self._latest = {"outside": None, "inside": None}
        self.outcome = Outcome({})

    def run(self):
        started = self._started = time.monotonic()
        for name, value in self._scenario.sysctls.items():
            self._note(f"sysctl {name}", self._write(name, value))
        for service in self._scenario.services:
            self._note(f"service {service.key}", _answer(lambda service=service: self.balancer.add_service(service)))
        for number, step in enumerate(self._scenario.steps, start=1):
            perform(step, self, f"step {number} {model.title(step)}")
        self.look("end")
        self.outcome.seconds = time.monotonic() - started
        return self.outcome

    def finish(self):
        """Note the counters of the services that are left."""
        for key, service in self._services.items():
            if self.balancer.service(service):
                for end, numbers in self.balancer.counters(service).items():
                    text = ", ".join(f"{name} {number}" for name, number in numbers.items())
                    self._note(f"end counters {key}{f' server {end}' if end else ''}", text)
        return self.outcome

    # --- What the steps use

    def _note(self, field, value):
        self.outcome.fields[field] = value

    def _write(self, name, value):
        return _answer(lambda: self._lab.sysctl({f"net/{name}" if "/" in name else f"net/ipv4/vs/{name}": value}))

    def configure(self, field, action, service=None):
        if service:
            self._services.setdefault(service.key, service)
        self._note(field, _answer(action))

    def sysctl(self, field, name, value):
        self._note(field, self._write(name, value))

    def read_sysctl(self, field, name):
        try:
            self._note(field, self._lab.read_sysctl(f"net/ipv4/vs/{name}"))
        except OSError as error:
            self._note(field, errno.errorcode[error.errno])

    def seen(self, field, injected, came):
        """Note the packets that came of one."""
        context = self._context(injected)
        for side in ("outside", "inside", "local"):
            packets = [_packet(side, frame, context) for frame in came[side]]
            if side != "local" and came[side]:
                self._latest[side] = came[side][-1][14:]
            self._note(f"{field} {side}", packets)

    def look(self, field, patience=3.0):
        """Note what there is. Connections that end this second are waited for, as some that were replaced end a moment later; so are
        those that C ip_vs's table does not show, or shows twice, while it moves them, though it counts them."""
        deadline = time.monotonic() + patience
        while True:
            entries, servers = self._entries(), self._servers_now()
            elapsed = time.monotonic() - self._started
            counted = sum(sum(map(int, _COUNTS.search(text).groups())) for found in servers.values() for text in found.values())
            is_settled = len(entries) >= counted and len({entry.text for entry in entries}) == len(entries)
            if time.monotonic() > deadline or is_settled and all(entry.ends - elapsed >= 0.5 for entry in entries):
                break
            time.sleep(0.02)
        for key, service in self._services.items():
            self._note(f"{field} service {key}", self.balancer.service(service) or "is not there")
            if key in servers:
                self._note(f"{field} servers of {key}", [f"{end}: {text}" for end, text in servers[key].items()])
        self._note(f"{field} connections", entries)

    def _servers_now(self):
        """The servers of the services that are there."""
        return {key: self.balancer.servers(service) for key, service in self._services.items() if self.balancer.service(service)}

    def _entries(self):
        since = time.monotonic() - self._started
        mine = {(service.address, service.port) for service in self._services.values()} if self._scenario.shared else None
        found = ipvs.connections(self._lab.read("ip_vs_conn"), mine)
        return sorted((Entry(text, since + left) for text, left in found), key=lambda entry: (entry.text, entry.ends))

    def until_fewer(self, field, count, within):
        """Wait until there are fewer connections than `count`."""
        within = patiently(within)
        deadline = time.monotonic() + within
        while len(self._entries()) >= count:
            if time.monotonic() > deadline:
                self._note(field, f"not fewer than {count} after {within} s")
                return
            time.sleep(0.02)
        self._note(field, f"fewer than {count}")

    def settle_counters(self):
        counters.settle([self._lab])

    def zero(self, field, service):
        """Start counters again; C ip_vs takes those it has copied for what was counted, so it has to have copied them all."""
        if service is None and os.path.exists("/proc/net/ip_vs_stats_percpu"):
            self._lab.counted_at_zero, _ = counters.totals(self._lab)
        self.configure(field, lambda: self.balancer.zero(service), service)

    def latest(self, side):
        """The latest packet, as it was on the wire, that came out on a side; None if none did."""
        return self._latest[side]

    def inject(self, field, side, packet, **how):
        self.seen(field, packet, self._lab.inject(side, packet, **how))

    def send_from_director(self, field, packet, options):
        failure, came = self._lab.send_from_director(packet, options)
        self._note(f"{field} answer", errno.errorcode.get(failure, "ok"))
        self.seen(field, packet, came)

    def _context(self, injected):
        tunnels = [server for server in self._servers() if server.method == model.TUNNEL]
        data = bytes(injected)
        return Context(frozenset(server.address for server in tunnels),
                       frozenset(server.tunnel_port for server in tunnels if server.tunnel == model.GUE),
                       data[0] >> 4 == 4 and data[9] == wire.ICMP and data[20:21] in _ERRORS and
                       injected.destination not in DIRECTORS_OWN,
                       data[44:48] if data[0] >> 4 == 6 and data[6] == wire.FRAGMENT else b"")

    def _servers(self):
        for service in self._services.values():
            yield from service.servers
        for step in self._scenario.steps:
            if isinstance(step, (model.AddServer, model.EditServer)):
                yield step.server


def _packet(side, frame, context):
    if side == "local":
        return Packet("", normal(frame, context))
    if frame[12:14] not in (b"\x08\x00", b"\x86\xdd"):
        return Packet("all", frame)
    return Packet(NEIGHBOUR_NAMES.get(frame[:6], frame[:6].hex(":")), normal(frame[14:], context))


def _answer(action):
    """What came of an action: what it was answered with if that is told, else "ok"; or the name of an errno."""
    try:
        return action() or "ok"
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error.errno))


# --- The steps


@functools.singledispatch
def perform(step, _play, _field):
    """Do one step."""
    raise TypeError(f"{step!r} is no step; harness/model.py has all")


def _on_service(step_type, method, *parts):
    """Steps that are one request to the balancer, named as its method."""
    def act(step, play, field):
        values = [getattr(step, part) for part in parts]
        play.configure(field, lambda: getattr(play.balancer, method)(*values), getattr(step, "service", None))
    perform.register(step_type, act)


_on_service(model.AddService, "add_service", "service")
_on_service(model.EditService, "edit_service", "service")
_on_service(model.DeleteService, "delete_service", "service")
_on_service(model.AddServer, "add_server", "service", "server")
_on_service(model.EditServer, "edit_server", "service", "server")
_on_service(model.DeleteServer, "delete_server", "service", "server")
_on_service(model.Flush, "flush")
_on_service(model.Timeouts, "set_timeouts", "tcp", "tcp_fin", "udp")


@perform.register
def _(step: model.Sysctl, play, field):
    play.sysctl(field, step.name, step.value)


@perform.register
def _(step: model.ReadSysctl, play, field):
    play.read_sysctl(field, step.name)


@perform.register
def _(step: model.Command, play, field):
    play.configure(field, lambda: play.balancer.command(step.number, step.attributes, step.dump))


@perform.register
def _(step: model.FromClient, play, field):
    for number, packet in enumerate(step.packets, start=1):
        play.inject(f"{field} packet {number}", "outside", packet, mark=step.mark, broadcast=step.broadcast, offload=step.offload)


@perform.register
def _(step: model.FromServer, play, field):
    for number, packet in enumerate(step.packets, start=1):
        play.inject(f"{field} packet {number}", "inside", packet, offload=step.offload)


@perform.register
def _(step: model.FromDirector, play, field):
    for number, packet in enumerate(step.packets, start=1):
        play.send_from_director(f"{field} packet {number}", packet, step.socket_options)


@perform.register
def _(step: model.Look, play, field):
    play.look(field)


@perform.register
def _(step: model.UntilGone, play, field):
    play.until_fewer(field, 1, step.within)


@perform.register
def _(step: model.UntilFewer, play, field):
    play.until_fewer(field, step.than, step.within)


@perform.register
def _(step: model.Zero, play, field):
    play.zero(field, step.service)


@perform.register
def _(_step: model.Settle, play, _field):
    play.settle_counters()


@perform.register
def _(step: model.Answer, play, field):
    latest = play.latest("inside")
    if latest is None:
        play.seen(field, wire.udp("0.0.0.0", 0, "0.0.0.0", 0), {"outside": [], "inside": [], "local": []})
        return
    source, sport, destination, dport, protocol = flow_of(latest)
    ends = destination, dport, source, sport
    if protocol == wire.TCP:
        packet = wire.tcp(*ends, step.flags, step.data, seq=5000, ack=1001)
    elif protocol == wire.UDP:
        packet = wire.udp(*ends, step.data)
    else:
        packet = wire.sctp(*ends, *step.chunks)
    play.inject(field, "inside", packet)


@perform.register
def _(step: model.ErrorAbout, play, field):
    about = play.latest(step.side)
    if about is None:
        play.seen(field, wire.udp("0.0.0.0", 0, "0.0.0.0", 0), {"outside": [], "inside": [], "local": []})
        return
    about = _without_chance(about)
    source, destination = ends_of(about)
    packet = wire.icmp_error(step.sender or destination, step.receiver or source, step.kind, step.code, about, step.rest, step.quote)
    if step.corrupt:
        packet = packet.but(payload=packet.payload[:2] + b"\xde\xad" + packet.payload[4:])
    play.inject(field, step.side, packet)


def _without_chance(data):
    """A packet whose random parts are fixed, so that what quotes it is the same for both modules."""
    if data[0] >> 4 == 6 and data[6] == wire.FRAGMENT:
        return data[:44] + b"\x42" * 4 + data[48:]
    if data[0] >> 4 != 4 or ends_of(data)[0] not in DIRECTORS_OWN:
        return data
    header, rest = (data[0] & 15) * 4, bytearray(data)
    rest[4:6], rest[10:12] = b"\x42\x42", b"\0\0"
    rest[10:12] = struct.pack("!H", wire.checksum(bytes(rest[:header])))
    if data[9] == wire.UDP:
        rest[header:header + 2] = struct.pack("!H", 40000)
        if any(rest[header + 6:header + 8]):
            rest[header + 6:header + 8] = b"\xff\xff"
    return bytes(rest)


def ends_of(data):
    """Source and destination address of a packet."""
    at, size = (8, 16) if data[0] >> 4 == 6 else (12, 4)
    return str(ipaddress.ip_address(data[at:at + size])), str(ipaddress.ip_address(data[at + size:at + 2 * size]))


def flow_of(data):
    """Source, its port, destination, its port, and protocol of a packet; of the inner one if it is tunneled."""
    at, protocol = (40, data[6]) if data[0] >> 4 == 6 else ((data[0] & 15) * 4, data[9])
    if protocol in (wire.IPIP, wire.IPV6):
        return flow_of(data[at:])
    if protocol == wire.GRE:
        has_checksum = data[at] & 0x80
        return flow_of(data[at + (8 if has_checksum else 4):])
    source, destination = ends_of(data)
    sport, dport = struct.unpack_from("!HH", data, at)
    if protocol == wire.UDP and dport == GUE_PORT:
        words = data[at + 8] & 0x1F
        return flow_of(data[at + 12 + 4 * words:])
    return source, sport, destination, dport, protocol
