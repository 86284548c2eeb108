# SPDX-License-Identifier: GPL-2.0-only
"""From counted addresses to functions: what a packet's instructions are spent on, the generator's subtracted."""

import bisect
import collections
import os
import subprocess
import sys

SMALLEST = 2
"""Functions with fewer instructions per packet are summed up in one line."""


class Symbols:
    """The guest kernel's functions by address."""

    def __init__(self, lines):
        functions = sorted(self._functions(lines))
        self._starts = [start for start, _ in functions]
        self._names = [name for _, name in functions]

    @staticmethod
    def _functions(lines):
        for line in lines:
            address, kind, name, *module = line.split()
            if kind in "tTwW":
                yield int(address, 16), (module[0].strip("[]") if module else "kernel", name)

    def at(self, address):
        """Module and name of the function that the address is in."""
        index = bisect.bisect_right(self._starts, address) - 1
        return self._names[index] if index >= 0 else ("kernel", hex(address))


def per_function(symbols, lines):
    """Instructions executed in each function."""
    sums = collections.Counter()
    for line in lines:
        address, count = line.split()
        sums[symbols.at(int(address, 16))] += int(count)
    return sums


def readable(names):
    """Rust's symbols as Rust writes them."""
    return subprocess.run(["c++filt"], input="\n".join(names), capture_output=True, text=True, check=True).stdout.split("\n")


def table(cost):
    """Lines of text: modules first, then functions, most expensive first. `cost` is instructions per packet by function."""
    modules = collections.Counter()
    for (module, _), value in cost.items():
        modules[module] += value
    yield f"{sum(cost.values()):9.1f}  director cost"
    yield ""
    yield from (f"{value:9.1f}  [{module}]" for module, value in modules.most_common() if abs(value) >= SMALLEST)
    yield ""
    large = sorted((item for item in cost.items() if abs(item[1]) >= SMALLEST), key=lambda item: -item[1])
    for ((module, _), value), name in zip(large, readable([name for (_, name), _ in large])):
        yield f"{value:9.1f}  {name}  [{module}]"
    rest = sum(cost.values()) - sum(value for _, value in large)
    yield f"{rest:9.1f}  functions with less than {SMALLEST} instructions per packet"


def main(folder):
    """Prints the table for the profile in the folder."""
    with open(os.path.join(folder, "packets"), encoding="ascii") as file:
        packets = int(file.read())
    with open(os.path.join(folder, "symbols"), encoding="ascii") as file:
        symbols = Symbols(file)
    sums = []
    for number in (1, 2):
        with open(os.path.join(folder, f"counts.{number}"), encoding="ascii") as file:
            sums.append(per_function(symbols, file))
    generator, path = sums
    print("\n".join(table({name: (path[name] - generator[name]) / packets for name in path | generator})))


if __name__ == "__main__":
    main(sys.argv[1])
