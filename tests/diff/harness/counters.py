# SPDX-License-Identifier: GPL-2.0-only
"""Waiting for counters: C ip_vs copies them from where packets count to where netlink looks, once in two seconds."""

import os
import time

from lab.patience import patiently

_ROUND = 2.1  # seconds in which each counter is copied once


def settle(labs):
    """C ip_vs copies its counters from time to time; wait until it has copied all of these labs' once more.

    The totals tell that it is at it; in one round it comes to all others.
    """
    if not os.path.exists("/proc/net/ip_vs_stats_percpu"):
        return
    late, deadline = labs, time.monotonic() + patiently(60)
    while late := [lab for lab in late if not _totals_are_there(lab)]:
        if time.monotonic() > deadline:
            raise AssertionError(f"the counters have not been copied for a minute:\n{late[0].read('ip_vs_stats_percpu')}")
        time.sleep(0.1)
    time.sleep(_ROUND)


def totals(lab):
    """What was counted since the module was loaded, and what of it netlink's totals tell."""
    processors, copied = [], None
    for line in lab.read("ip_vs_stats_percpu").splitlines()[2:]:
        if not line.strip():
            break
        name, *values = line.split()
        if name == "~":
            copied = [int(value, 16) for value in values]
        else:
            processors.append([int(value, 16) for value in values])
    return [sum(column) for column in zip(*processors, strict=True)], copied


def _totals_are_there(lab):
    counted, copied = totals(lab)
    return [value - before for value, before in zip(counted, lab.counted_at_zero, strict=True)] == copied
