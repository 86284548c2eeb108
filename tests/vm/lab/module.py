# SPDX-License-Identifier: GPL-2.0-only
"""The kernel modules under test: loading them, unloading them, and what they leave behind."""

import contextlib
import functools
import os
import pathlib
import shutil
import tempfile

from .namespace import execute

PROJECT = pathlib.Path(__file__).resolve().parents[3]
RVS_KO = os.environ.get("RVS_KO", str(PROJECT / "rvs.ko"))

_SCHEDULERS = "rr wrr lc wlc fo ovf lblc lblcr dh sh mh sed nq twos".split()
_IP_VS = [*(f"ip_vs_{name}" for name in _SCHEDULERS), "ip_vs"]  # in the order in which they can be removed
OF_IP_VS = ["ip_vs", *(f"ip_vs_{name}" for name in [*_SCHEDULERS, "ftp", "pe_sip"])]
TREE = pathlib.Path("/lib/modules") / os.uname().release
_ON_DEMAND = ["xt_ipvs", "ip_vs_pe_sip", "ip_vs_ftp"]  # modules of C ip_vs that it, or somebody, may have loaded


def loaded(name):
    return os.path.isdir(f"/sys/module/{name}")


def load(balancer, *parameters):
    """Load "ip_vs" with the schedulers the scenarios use, or "rvs"."""
    if balancer == "ip_vs":
        execute(["modprobe", "ip_vs", *parameters])
        execute(["modprobe", "-a", *_IP_VS])
    else:
        execute(["insmod", file(), *parameters])


@functools.cache
def file():
    """The module's file, where the guest reads it fast, without what is for debuggers alone: a tenth of its size; what it needs from
    other modules is loaded."""
    if not os.path.exists(RVS_KO):
        raise AssertionError(f"{RVS_KO} is missing; build it with: make")
    needed = execute(["modinfo", "-F", "depends", RVS_KO]).strip()
    if needed:
        execute(["modprobe", "-a", *needed.split(",")])
    stripped = os.path.join(tempfile.mkdtemp(), "rvs.ko")
    execute(["strip", "--strip-debug", "-o", stripped, RVS_KO])
    return stripped


def unload(balancer):
    """Unload what `load` loaded; fails if something still uses it."""
    for name in _ON_DEMAND + _IP_VS if balancer == "ip_vs" else ["rvs"]:
        if loaded(name):
            execute(["rmmod", name])


@contextlib.contextmanager
def installed(folder):
    """A module tree that has rvs installed, beside ip_vs and what either needs, in the place of the real one for as long as the block
    lasts. The folder is for its files."""
    place = folder / "lib/modules" / TREE.name
    place.mkdir(parents=True)
    needed = execute(["modprobe", "--show-depends", "-a", *OF_IP_VS]).split()
    for path in {word for word in needed if word.startswith("/")}:
        shutil.copy(path, place)
    shutil.copy(file(), place / "rvs.ko")
    for path in TREE.glob("modules.builtin*"):
        shutil.copy(path, place)
    execute(["depmod", "--basedir", folder, TREE.name])
    execute(["mount", "--bind", place, TREE])
    try:
        yield
    finally:
        execute(["umount", TREE])


@contextlib.contextmanager
def beside(balancer, name):
    """A module that C ip_vs does not load by itself, for as long as the block lasts; rvs has everything in one."""
    if balancer == "ip_vs":
        execute(["modprobe", name])
    yield
    if loaded(name):
        execute(["rmmod", name])


def reload_beside(name, *parameters):
    """Load a module that is loaded beside C ip_vs anew, with other parameters."""
    execute(["rmmod", name])
    execute(["modprobe", name, *parameters])


def slab_caches(balancer):
    """The names of the balancer's slab caches that exist."""
    with open("/proc/slabinfo", encoding="ascii") as file:
        names = [line.split()[0] for line in file]
    return [name for name in names if name.startswith(balancer)]
