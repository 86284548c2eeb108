# SPDX-License-Identifier: GPL-2.0-only
"""Running scenarios in the guest: the kernel made ready, one module after the other, a lab for each scenario or for those that share
one, and C ip_vs's counters waited for once for many."""

import contextlib
import sys
import traceback

from lab import namespace
from lab.kernel_log import KernelLog

from . import counters, modules
from .compare import compare
from .execute import ERROR, Outcome, Play
from .ipvs import Ipvs
from .lab import Lab, prepare_home

_LABS_AT_ONCE = 40  # how many wait together for their counters

_HOOKS = "".join(f"chain {hook} {{ type filter hook {hook} priority 0; }}\n"
                 for hook in ("prerouting", "input", "forward", "output", "postrouting"))


@contextlib.contextmanager
def prepared():
    """The kernel as scenarios want it: modules they all need are loaded, and every hook is in use somewhere.

    The kernel patches its code when the first hook of a kind is registered and when the last one goes, which QEMU's emulation of
    several processors does not always survive; so somewhere far from all traffic each kind stays registered.
    """
    prepare_home()
    namespace.execute(["modprobe", "-a", "veth", "ipip", "ip6_tunnel", "fou", "fou6", "ip_gre", "ip6_gre"])
    namespace.execute(["nft", "-f", "-"], "".join(f"table {family} hooks_stay_enabled {{\n{_HOOKS}}}\n" for family in ("ip", "ip6")))
    yield


def outcomes(module, scenarios, judge=lambda scenario, outcome: None):
    """Run all scenarios against one module: outcomes by name. `judge` gets each as soon as it is complete."""
    log, limit = KernelLog(), namespace.baseline()
    modules.load(module)
    try:
        found = {}
        for batch in _batches(scenarios):
            print(f"# {module}: {len(found)} of {len(scenarios)} played", file=sys.stderr)
            for scenario, outcome in _run(batch):
                found[scenario.name] = outcome
                judge(scenario, outcome)
    finally:
        namespace.all_gone(limit, within=60.0)
        modules.unload(module)
    if trouble := log.trouble():
        raise AssertionError("\n".join(["the kernel complained:", *trouble]))
    return found


def compared(scenarios):
    """Run all scenarios against both modules: (scenario, differences) each."""
    oracle = outcomes("ip_vs", scenarios)
    other = outcomes("rvs", scenarios)
    return [(one, compare(one, oracle[one.name], other[one.name])) for one in scenarios]


def _batches(scenarios):
    """Lists of (scenarios that share a lab), in order of their first; at most so many labs in each list."""
    groups = {}
    for number, scenario in enumerate(scenarios):
        groups.setdefault(scenario.shared or number, []).append(scenario)
    groups = list(groups.values())
    return [groups[at:at + _LABS_AT_ONCE] for at in range(0, len(groups), _LABS_AT_ONCE)]


def _run(groups):
    """Play the groups, each in its lab, and give each scenario's outcome when its counters are there."""
    plays, open_labs = [], []
    with contextlib.ExitStack() as labs:
        for group in groups:
            try:
                lab = labs.enter_context(contextlib.closing(Lab(group[0].lab, group[0].rules)))
                with lab.entered():
                    balancer = labs.enter_context(contextlib.closing(Ipvs()))
            except Exception:
                plays += [(scenario, None, Outcome({ERROR: traceback.format_exc()})) for scenario in group]
                continue
            open_labs.append(lab)
            for scenario in group:
                play = Play(lab, balancer, scenario)
                plays.append((scenario, play, _guarded(play, play.run)))
        counters.settle(open_labs)
        for scenario, play, outcome in plays:
            yield scenario, outcome if ERROR in outcome.fields else _guarded(play, play.finish)


def _guarded(play, action):
    """The outcome that the action gives; if it fails, what failed is part of it."""
    try:
        return action()
    except Exception:
        play.outcome.fields[ERROR] = traceback.format_exc()
        return play.outcome
