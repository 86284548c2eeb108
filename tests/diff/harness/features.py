# SPDX-License-Identifier: GPL-2.0-only
"""Which features a scenario needs from a module: tags, as the list of pending ones names them. Most can be told from its data."""

import dataclasses

from . import model, wire
from .model import AddServer, AddService, EditServer, EditService, FromClient, FromDirector, FromServer, ReadSysctl, Sysctl

_METHODS = {model.LOCAL_NODE: "method local node", model.BYPASS: "method bypass"}
_TUNNELS = {model.GUE: "tunnel gue", model.GRE: "tunnel gre"}
_DEFAULTS = {"conn_reuse_mode": 1, "pmtu_disc": 1, "snat_reroute": 1}  # 0 for all others
_SCHEDULER_FLAGS = {"sh", "mh"}


def features(scenario):
    """All tags of a scenario, sorted."""
    tags = set(scenario.needs)
    tags.update(f"sysctl {name}" for name, value in scenario.sysctls.items() if "/" not in name and value != _DEFAULTS.get(name, 0))
    for service in scenario.services:
        tags.update(_of_service(service))
    for step in scenario.steps:
        tags.update(_of_step(step))
    return sorted(tags)


def _of_step(step):
    if isinstance(step, (AddService, EditService)):
        yield from _of_service(step.service)
    elif isinstance(step, (AddServer, EditServer)):
        yield from _of_server(step.service, step.server)
    elif isinstance(step, (Sysctl, ReadSysctl)) and "/" not in step.name:
        yield f"sysctl {step.name}"
    elif isinstance(step, (FromClient, FromServer, FromDirector)):
        if any(isinstance(packet, wire.Ipv6) for packet in step.packets):
            yield "ipv6"


def _of_service(service):
    yield f"scheduler {service.scheduler}"
    if service.protocol == wire.SCTP:
        yield "sctp"
    if wire.is_v6(service.address):
        yield "ipv6"
    if service.mark:
        yield "fwmark"
    elif service.port == 0:
        yield "all ports"
    if service.persistent is not None:
        yield "persistence"
    if service.flags & model.ONE_PACKET:
        yield "one-packet scheduling"
    if service.engine and service.engine != "nosuch":
        yield f"engine {service.engine}"
    if service.flags & (model.FLAG_1 | model.FLAG_2 | model.FLAG_3) and service.scheduler in _SCHEDULER_FLAGS:
        yield "scheduler flags"
    for server in service.servers:
        yield from _of_server(service, server)


def _of_server(service, server):
    if wire.is_v6(server.address):
        yield "ipv6"
    if wire.is_v6(server.address) != wire.is_v6(service.address):
        yield "mixed families"
    if server.method in _METHODS:
        yield _METHODS[server.method]
    if server.method == model.TUNNEL and server.tunnel in _TUNNELS:
        yield _TUNNELS[server.tunnel]
    if server.upper or server.lower:
        yield "thresholds"


@dataclasses.dataclass(frozen=True)
class Pending:
    """What the module under test does not have yet: tag -> what is missing."""

    missing: dict[str, str]

    def of(self, scenario):
        """The pending features that a scenario needs."""
        return [tag for tag in features(scenario) if tag in self.missing]
