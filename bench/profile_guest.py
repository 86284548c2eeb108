# SPDX-License-Identifier: GPL-2.0-only
"""What `profile` runs in the guest: the generator and one path, each between two marks for QEMU's plugin; and the kernel's symbols.

How instructions are counted lives in `profile_plugin.c`, what becomes of the counts in `profile_report.py`.
"""

import argparse
import contextlib
import ctypes
import mmap
import shutil
import sys

import balancers
import guest
import lab
import measure
import paths
import pktgen

START = b"\x66\x87\xdb\xc3"  # xchg %bx,%bx; ret
STOP = b"\x66\x87\xc9\xc3"  # xchg %cx,%cx; ret


class Marks:
    """The two marks as functions, in an executable page that lives as long as this object."""

    def __init__(self):
        self._page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        self._page[:] = (START + STOP).ljust(mmap.PAGESIZE, b"\xcc")
        address = ctypes.addressof(ctypes.c_char.from_buffer(self._page))
        self._start = ctypes.CFUNCTYPE(None)(address)
        self._stop = ctypes.CFUNCTYPE(None)(address + len(START))

    @contextlib.contextmanager
    def counted(self):
        """The plugin counts for the length of the block."""
        self._start()
        yield
        self._stop()


def arguments(words):
    """Reads the command line; a wrong one ends the process with status 2 and says what would be right."""
    parser = argparse.ArgumentParser(prog="bench/profile", description="Says which functions a packet's instructions are spent in.")
    parser.add_argument("balancer", choices=(*paths.BALANCERS, "none"), help="none: plain forwarding and the other floors")
    parser.add_argument("path", help=f"{', '.join(paths.METHODS)}; with none: {', '.join(path.name for path in paths.FLOORS)}")
    parser.add_argument("traffic", nargs="?", default="established", choices=paths.TRAFFIC)
    parser.add_argument("--packets", type=int, default=20000, metavar="N", help="packets per profile (default: 20000)")
    parser.add_argument("--check", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--output", metavar="FOLDER", help=argparse.SUPPRESS)
    chosen = parser.parse_args(words)
    name = paths.SHORT.get(chosen.path, chosen.path)
    known = paths.FLOORS if chosen.balancer == "none" else paths.BALANCED
    chosen.path = next((path for path in known if (path.name, path.traffic.name) == (name, chosen.traffic)), None)
    if not chosen.path:
        parser.error(f"there is no path {name}, {chosen.traffic} for {chosen.balancer}")
    if chosen.packets < 1:
        parser.error(f"argument --packets: {chosen.packets} is too few; at least 1 is needed")
    chosen.balancers = () if chosen.balancer == "none" else (chosen.balancer,)
    return chosen


def profile(chosen):
    """Counts the generator's instructions, then the path's: the plugin's first and second file."""
    lab.run("modprobe", "pktgen")
    everyone = {"none": None, balancers.IpVs.name: balancers.IpVs(), balancers.Rvs.name: balancers.Rvs(guest.MODULE)}
    balancer = everyone[chosen.balancer]
    generator = next(path for path in paths.GENERATORS if path.traffic is chosen.path.traffic)
    marks = Marks()
    measure.measure(generator, None, 1, chosen.packets, observed=marks.counted)
    with balancers.loaded(balancer):
        # The first walk warms up; it is the second that counts.
        measure.measure(chosen.path, balancer, 0, chosen.packets)
        measure.measure(chosen.path, balancer, 1, chosen.packets, observed=marks.counted)
        shutil.copyfile("/proc/kallsyms", f"{chosen.output}/symbols")
    with open(f"{chosen.output}/packets", "w", encoding="ascii") as file:
        file.write(f"{chosen.packets}\n")


def main():
    """Profiles what the command line says."""
    chosen = arguments(sys.argv[1:])
    if chosen.check:
        return
    guest.check_guest(chosen)
    try:
        profile(chosen)
    except (lab.CommandFailed, pktgen.GeneratorFailed, balancers.BalancerFailed, measure.Invalid) as error:
        sys.exit(f"bench: {error}")


if __name__ == "__main__":
    main()
