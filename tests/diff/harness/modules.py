# SPDX-License-Identifier: GPL-2.0-only
"""The kernel modules that are compared, one loaded at a time."""

import pathlib

from lab import module
from lab.namespace import execute

_SCHEDULERS = "rr wrr lc wlc sed nq lblc lblcr dh sh mh fo ovf twos".split()


def load(name):
    """Load "rvs", or "ip_vs" with all that belongs to it."""
    if name == "rvs":
        module.load("rvs")
    else:
        execute(["modprobe", "-a", "ip_vs", *(f"ip_vs_{scheduler}" for scheduler in _SCHEDULERS), "ip_vs_ftp", "ip_vs_pe_sip"])


def unload(name):
    """Unload what `load` loaded; fails if something still uses it."""
    if name == "rvs":
        module.unload("rvs")
    else:
        execute(["rmmod", *sorted(_loaded("ip_vs_"), reverse=True), "ip_vs"])


def _loaded(prefix):
    return [line.split()[0] for line in pathlib.Path("/proc/modules").read_text("ascii").splitlines() if line.startswith(prefix)]
