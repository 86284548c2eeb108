# SPDX-License-Identifier: GPL-2.0-only
"""What the kernel holds."""

import functools


def kernel_memory():
    """Kilobytes that the kernel holds for itself, by what for."""
    with open("/proc/meminfo", encoding="ascii") as file:
        lines = dict(line.split(":") for line in file)
    return {name: int(lines[name].split()[0]) for name in ("Percpu", "VmallocUsed", *(() if _has_quarantine() else ("SUnreclaim",)))}


@functools.cache
def _has_quarantine():
    """Whether KASAN keeps memory of slabs for a while after it was freed: how much says nothing then, and kmemleak finds what is lost."""
    with open("/proc/kallsyms", encoding="ascii") as file:
        return any(line.split()[2] == "kasan_quarantine_put" for line in file)
