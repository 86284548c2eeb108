# SPDX-License-Identifier: GPL-2.0-only
"""One measurement: build the lab, prepare the path, see that its packets leave as they should, count instructions, see that all left.

A figure about packets that took another way than the path's is worth nothing, so every doubt is an error here.
"""

import contextlib
import dataclasses
import json

import balancers
import lab
import paths
import pktgen

PROBES = 4 * pktgen.FLOWS
"""Packets sent before the measurement: they establish the flows, warm caches, and are looked at when they leave."""


class Invalid(Exception):
    """The packets did not go the way that was to be measured."""


@dataclasses.dataclass(frozen=True)
class Measurement:
    """What one path cost once."""

    round: int
    balancer: str | None
    path: str
    traffic: str
    packets: int
    instructions: int
    """All of them, from the first packet to the last: the generator's, the director's, the timer interrupts'."""
    new_connections: int


def measure(path, balancer, round_number, packets, shared=False, observed=contextlib.nullcontext):
    """Measures one path once and returns its `Measurement`; raises `Invalid` if the packets went astray.

    `shared` and `observed` are as in `pktgen`.
    """
    traffic = pktgen.shared(path.traffic) if shared else path.traffic
    with lab.lab():
        path.prepare()
        if path.answers:
            pktgen.send(*path.answers, PROBES)
        _probe(path, traffic)
        before = _Counters.read(path)
        instructions = pktgen.send(traffic, path.destination, packets, observed)
        after = _Counters.read(path)
        balancers.check_alone(balancer)
    _check(path, before, after, packets)
    return Measurement(
        round=round_number,
        balancer=balancer.name if balancer else None,
        path=path.name,
        traffic=path.traffic.name,
        packets=packets,
        instructions=instructions,
        new_connections=after.connections - before.connections,
    )


def _probe(path, traffic):
    """Sends a few packets and sees that every one leaves through the path's exit, looking as it should."""
    if not path.exit:
        pktgen.send(traffic, path.destination, PROBES)
        return
    device = path.exit.device
    lab.in_director("tc", "qdisc", "add", "dev", device, "clsact")
    protocol = "ipv6" if traffic.is_ipv6 else "ip"
    match = path.exit.match.split()
    lab.in_director("tc", "filter", "add", "dev", device, "egress", "protocol", protocol, "flower", *match, "action", "pass")
    pktgen.send(pktgen.probing(traffic), path.destination, PROBES)
    filters = json.loads(lab.in_director("tc", "-json", "-statistics", "filter", "show", "dev", device, "egress"))
    seen = [action["stats"]["packets"] for filter in filters for action in filter.get("options", {}).get("actions", ())]
    if seen != [PROBES]:
        raise Invalid(f"{path.name}, {path.traffic.name}: of {PROBES} packets {seen} left {device} with {path.exit.match}")
    lab.in_director("tc", "qdisc", "delete", "dev", device, "clsact")


@dataclasses.dataclass(frozen=True)
class _Counters:
    received: int
    sent: dict[str, tuple[int, int]]
    connections: int

    @classmethod
    def read(cls, path):
        return cls(
            lab.received_by(lab.INGRESS),
            {device: lab.sent_by(device) for device in (lab.TO_SERVERS, lab.TO_CLIENTS)},
            balancers.connections() if path.balanced else 0,
        )


def _check(path, before, after, packets):
    name = f"{path.name}, {path.traffic.name}"
    if after.received - before.received != packets:
        raise Invalid(f"{name}: of {packets} packets {after.received - before.received} reached the director")
    for device in before.sent:
        count = packets if path.exit and path.exit.device == device else 0
        wanted = (count, count * path.exit.bytes if path.exit else 0)
        left = tuple(now - then for now, then in zip(after.sent[device], before.sent[device]))
        if left != wanted:
            raise Invalid(f"{name}: {left} packets and bytes left through {device}, should be {wanted}")
    if path.balanced and path.traffic not in pktgen.NEWS and after.connections != before.connections:
        raise Invalid(f"{name}: {after.connections - before.connections} connections were made by packets of established flows")
