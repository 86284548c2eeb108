# SPDX-License-Identifier: GPL-2.0-only
"""Waiting for counters: C ip_vs copies them from where packets count to where netlink looks, once in two seconds."""

import os
import time

_ROUND = 2.1  # seconds in which each counter is copied once


def settle(labs):
    """C ip_vs copies its counters from time to time; wait until it has copied all of these labs' once more.

    The totals tell that it is at it; in one round it comes to all others.
    """
    late = [lab for lab in labs if os.path.exists("/proc/net/ip_vs_stats_percpu") and not _totals_are_there(lab)]
    deadline = time.monotonic() + 60
    while late:
        if time.monotonic() > deadline:
            raise AssertionError("C ip_vs has not copied its counters for a minute")
        time.sleep(0.1)
        late = [lab for lab in late if not _totals_are_there(lab)]
    if os.path.exists("/proc/net/ip_vs_stats_percpu"):
        time.sleep(_ROUND)


def _totals_are_there(lab):
    processors, copied = [], None
    for line in lab.read("ip_vs_stats_percpu").splitlines()[2:]:
        if not line.strip():
            break
        name, *values = line.split()
        if name == "~":
            copied = [int(value, 16) for value in values]
        else:
            processors.append([int(value, 16) for value in values])
    return [sum(column) for column in zip(*processors, strict=True)] == copied
