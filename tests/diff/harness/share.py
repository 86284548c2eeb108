# SPDX-License-Identifier: GPL-2.0-only
"""Scenarios that touch nothing but their own services and connections need no lab of their own: moved to other ports, many play in
one. A lab costs more than what most scenarios do in it."""

import dataclasses

from . import model, wire

_PER_LAB = 100  # scenarios
_STRIDE = 200  # how far the ports of one are from those of the next
_HIGHEST = 40200  # the highest port in a scenario that can move
_ALONE = (model.Flush, model.DeleteService, model.Sysctl, model.ReadSysctl, model.Command, model.Timeouts, model.Zero)
# Settings that scenarios can share which all want the same.
_SHARED_SYSCTLS = frozenset("pmtu_disc conn_reuse_mode expire_nodest_conn expire_quiescent_template nat_icmp_send schedule_icmp "
                            "snat_reroute sloppy_tcp sloppy_sctp cache_bypass conntrack".split())


def packed(scenarios):
    """The scenarios, in their order, those that can share moved apart and given a common lab each hundred."""
    found, numbers = [], {}
    for one in scenarios:
        if can_share(one):
            key = one.rules, *sorted(one.sysctls.items())
            number = numbers[key] = numbers.get(key, -1) + 1
            found.append(moved(one, _STRIDE * (number % _PER_LAB), f"common lab {list(numbers).index(key)}, {number // _PER_LAB}"))
        else:
            found.append(one)
    return found


def part_of(scenarios, which, count):
    """One of so many parts of packed scenarios: whole labs, dealt out in turn."""
    labs = {}
    for one in scenarios:
        labs.setdefault(one.shared or one.name, []).append(one)
    return [one for lab in list(labs.values())[which - 1::count] for one in lab]


def can_share(scenario):
    """Whether it can play in one lab with others, at other ports."""
    services = [*scenario.services, *(step.service for step in scenario.steps if getattr(step, "service", None))]
    return not (scenario.shared or scenario.alone or scenario.lab != "plain" or set(scenario.sysctls) - _SHARED_SYSCTLS) and \
        all(map(_service_can_move, services)) and all(map(_step_can_move, scenario.steps))


def _service_can_move(service):
    return not service.mark and service.port not in (0, 21, 500) and not service.engine


def _step_can_move(step):
    if isinstance(step, model.ErrorAbout):
        return not step.receiver or (step.kind, step.code) != (3, 4)  # what it hears of sizes the director remembers
    return not isinstance(step, _ALONE) and all(map(_packet_can_move, getattr(step, "packets", ())))


def _packet_can_move(packet):
    used = wire.ports(wire.quoted(packet) or packet)
    return used is not None and max(used) < _HIGHEST and 0 not in used and 20 not in used and not getattr(packet, "more_fragments", False)


def moved(scenario, shift, shared):
    """The same scenario with the ports of its services and clients moved. Those of servers move if they are the services'."""
    servers = [server for service in scenario.services for server in service.servers]
    servers += [step.server for step in scenario.steps if hasattr(step, "server")]
    fixed = {server.address for server in servers if server.port is not None}

    def port_moved(address, port):
        return port if address in fixed else port + shift

    def step_moved(step):
        if hasattr(step, "packets"):
            return _with_packets(step, [wire.with_ports(packet, port_moved) for packet in step.packets])
        if hasattr(step, "service"):
            return dataclasses.replace(step, service=_service_moved(step.service, shift))
        return step
    return dataclasses.replace(scenario, services=tuple(_service_moved(one, shift) for one in scenario.services),
                               steps=tuple(map(step_moved, scenario.steps)), shared=shared)


def _service_moved(service, shift):
    return service.but(port=service.port + shift)


def _with_packets(step, packets):
    others = {field.name: getattr(step, field.name) for field in dataclasses.fields(step) if field.name != "packets"}
    return type(step)(*packets, **others)
