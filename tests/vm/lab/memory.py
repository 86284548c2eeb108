# SPDX-License-Identifier: GPL-2.0-only
"""What the kernel holds."""


def kernel_memory():
    """Kilobytes that the kernel holds for itself, by what for."""
    with open("/proc/meminfo", encoding="ascii") as file:
        lines = dict(line.split(":") for line in file)
    return {name: int(lines[name].split()[0]) for name in ("Percpu", "VmallocUsed", "SUnreclaim")}
