# SPDX-License-Identifier: GPL-2.0-only
"""What runs in the guest: every chosen path, balancer after balancer, round after round; the raw figures go into one file.

Nothing is judged or subtracted here: see `report.py`.
"""

import argparse
import dataclasses
import json
import os
import re
import shutil
import sys

import balancers
import lab
import measure
import paths
import pktgen

BUILT_MODULE = "/rvs/rvs.ko"
MODULE = "/tmp/rvs.ko"
"""A copy: a build on the host meanwhile must not change what is measured."""

COUNTED_PER_BYTE = {"erms", "fsrm"}
"""Processor features that make the kernel copy with `rep movsb`, of which QEMU counts every byte as an instruction."""


def arguments(words):
    """Reads the command line; a wrong one ends the process with status 2 and says what would be right."""
    parser = argparse.ArgumentParser(prog="bench/run", description="Counts instructions per packet, side by side with C ip_vs.")
    parser.add_argument(
        "--only",
        type=lambda text: text.split(","),
        default=[],
        metavar="WORDS",
        help=f"measure less, for example --only dr,established: {', '.join((*paths.BALANCERS, *paths.METHODS, *paths.TRAFFIC, *paths.FAMILIES))}",
    )
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="how often everything is measured (default: 3)")
    parser.add_argument("--packets", type=int, default=50000, metavar="N", help="packets per measurement (default: 50000)")
    parser.add_argument("--new-flows", type=int, default=20000, metavar="N", help="the same for new flows (default: 20000)")
    parser.add_argument("--quick", action="store_true", help="one round with few packets: figures are good to 1 %%")
    parser.add_argument(
        "--shared",
        action="store_true",
        help="let the generator keep a reference to each packet, so that the director has to copy it (no network card does this)",
    )
    parser.add_argument("--list", action="store_true", help="print what would be measured, and measure nothing")
    parser.add_argument("--output", metavar="FILE", help=argparse.SUPPRESS)
    chosen = parser.parse_args(words)
    for name in ("rounds", "packets", "new_flows"):
        if getattr(chosen, name) < 1:
            parser.error(f"argument --{name.replace('_', '-')}: {getattr(chosen, name)} is too few; at least 1 is needed")
    try:
        chosen.paths, chosen.balancers = paths.select(chosen.only)
    except ValueError as error:
        parser.error(f"argument --only: {error}")
    if not chosen.paths:
        parser.error(f"argument --only: nothing is measured for {','.join(chosen.only)}")
    if chosen.quick:
        chosen.rounds, chosen.packets, chosen.new_flows = 1, min(chosen.packets, 10000), min(chosen.new_flows, 10000)
    return chosen


def plan(chosen):
    """One round: pairs of a balancer (or `None`) and the paths to measure while it is loaded."""
    traffic = {path.traffic for path in chosen.paths} | {pktgen.ESTABLISHED}
    everyone = {balancers.IpVs.name: balancers.IpVs(), balancers.Rvs.name: balancers.Rvs(MODULE)}
    floors = tuple(path for path in paths.GENERATORS + paths.FLOORS if path.traffic in traffic)
    return [(None, floors), *((everyone[name], chosen.paths) for name in chosen.balancers)]


def check_guest(chosen):
    """Ends the process if figures from this guest would mean nothing; puts the module in its place."""
    with open("/proc/cpuinfo", encoding="ascii") as file:
        processors = re.findall(r"^flags\s*: (.*)$", file.read(), re.MULTILINE)
    if len(processors) != 1:
        sys.exit(f"bench: the guest has {len(processors)} processors; instructions can be counted with exactly one")
    if copying := COUNTED_PER_BYTE & set(processors[0].split()):
        sys.exit(f"bench: QEMU's processor must not have {', '.join(sorted(copying))}: copies would be counted per byte")
    if balancers.Rvs.name in chosen.balancers:
        if not os.path.exists(BUILT_MODULE):
            sys.exit(f"bench: there is no {BUILT_MODULE}; build the module (make), or measure without it: --only ip_vs")
        shutil.copyfile(BUILT_MODULE, MODULE)


def packets(chosen, path):
    """How many packets the path is measured with."""
    count = chosen.new_flows if path.traffic in pktgen.NEWS else chosen.packets
    return min(count, path.traffic.most or count)


def warm_up(chosen, balancer, some):
    """Walks the path that takes most memory once, unrecorded: in a fresh guest the page allocator works harder than ever after."""
    path = next((path for path in some if path.traffic in pktgen.NEWS), some[0])
    with balancers.loaded(balancer):
        measure.measure(path, balancer, 0, packets(chosen, path), chosen.shared)


def measure_all(chosen):
    """Measures every chosen path in every round, and says so as it goes; returns the `Measurement`s."""
    lab.run("modprobe", "pktgen")
    for balancer, some in plan(chosen):
        warm_up(chosen, balancer, some)
    measurements = []
    for number in range(1, chosen.rounds + 1):
        for balancer, some in plan(chosen):
            with balancers.loaded(balancer):
                for path in some:
                    done = measure.measure(path, balancer, number, packets(chosen, path), chosen.shared)
                    measurements.append(done)
                    name = f"{balancer.name if balancer else '-':6} {path.name:13} {path.traffic.name:12}"
                    print(f"round {number}/{chosen.rounds}  {name} {done.instructions / done.packets:9.1f}", flush=True)
    return measurements


def write(chosen, measurements):
    """Writes the raw figures, with what they are about."""
    raw = {
        "kernel": os.uname().release,
        "packet_bytes": pktgen.PACKET_BYTES,
        "packet6_bytes": pktgen.PACKET6_BYTES,
        "flows": pktgen.FLOWS,
        "scheduler": balancers.SCHEDULER,
        "real_servers": len(lab.SERVERS),
        "shared_packets": chosen.shared,
        "measurements": [dataclasses.asdict(done) for done in measurements],
    }
    with open(chosen.output, "w", encoding="ascii") as file:
        json.dump(raw, file, indent=1)


def main():
    """Measures what the command line says; ends with status 1 and a message if a figure would not be true."""
    chosen = arguments(sys.argv[1:])
    if chosen.list:
        for balancer, some in plan(chosen):
            for path in some:
                print(f"{balancer.name if balancer else '-':6} {path.name:13} {path.traffic.name}")
        return
    check_guest(chosen)
    try:
        write(chosen, measure_all(chosen))
    except (lab.CommandFailed, pktgen.GeneratorFailed, balancers.BalancerFailed, measure.Invalid) as error:
        sys.exit(f"bench: {error}")


if __name__ == "__main__":
    main()
