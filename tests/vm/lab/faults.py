# SPDX-License-Identifier: GPL-2.0-only
"""Making memory allocations fail, on a kernel that can: the debug kernel."""

import contextlib
import pathlib

_DEBUGFS = pathlib.Path("/sys/kernel/debug")
_MODULES = 0xFFFF_FFFF_A000_0000, 0xFFFF_FFFF_FF00_0000  # where x86-64 loads modules
_NOT_LOADED = pathlib.Path("/etc/modprobe.d/not-ip_vs.conf")
_ALWAYS = 1 << 30

AVAILABLE = (_DEBUGFS / "failslab" / "require-start").exists()


class Faults:
    """Failing allocations of the slab allocator that are made by, or below, the code of a module.

    With the module loaded, of its own; without (it is about to be loaded), of any module's. Those that kmemleak makes for
    its notes about the others succeed: it has a reserve, and nobody learns of it.
    """

    def __init__(self, module):
        first, last = _text_of(module) or _MODULES
        notes, after_notes = _function("__alloc_object")
        self._set(**{"ignore-gfp-wait": "N", "cache-filter": "N", "verbose": 0, "stacktrace-depth": 32, "interval": 1,
                     "space": 0, "probability": 0, "require-start": first, "require-end": last,
                     "reject-start": notes, "reject-end": after_notes})
        # A tool that is refused takes the balancer for missing and loads C ip_vs by itself, whose names in /proc are ours.
        _NOT_LOADED.write_text("install ip_vs /bin/false\n", "ascii")
        # Pages fail with a complaint of the kernel, which is none of the module's.
        (_DEBUGFS / "fail_page_alloc" / "min-order").write_text("20", "ascii")

    def run(self, node, nth, *command):
        """Run a command in a namespace and have its `nth` allocation fail: the completed process, and whether that was reached."""
        self._set(times=_ALWAYS)
        completed = node.try_run("sh", "-c", 'echo "$0" >/proc/self/fail-nth && exec "$@"', nth, *command)
        return completed, self._failed()

    @contextlib.contextmanager
    def at_random(self, percent):
        """This share of all allocations fails meanwhile, packets' and workers' included."""
        self._set(times=_ALWAYS, probability=percent)
        try:
            yield self._failed
        finally:
            self._set(probability=0)

    def close(self):
        _NOT_LOADED.unlink()
        self._set(probability=0, **{"ignore-gfp-wait": "Y", "stacktrace-depth": 0, "require-start": 0,
                                    "require-end": (1 << 64) - 1, "reject-start": 0, "reject-end": 0})

    def _failed(self):
        """How many allocations were made to fail since `times` was set."""
        return _ALWAYS - int((_DEBUGFS / "failslab" / "times").read_text("ascii"))

    @staticmethod
    def _set(**values):
        for name, value in values.items():
            (_DEBUGFS / "failslab" / name).write_text(str(value), "ascii")


def _text_of(module):
    """The first and the last address of a loaded module, or None."""
    sections = pathlib.Path("/sys/module", module, "sections")
    if not sections.is_dir():
        return None
    with open("/proc/modules", encoding="ascii") as file:
        size, start = next((int(words[1]), int(words[5], 16)) for words in map(str.split, file) if words[0] == module)
    return start, start + size


def _function(name):
    """The first address of a function of the kernel and the one that follows its last."""
    symbols = [line.split() for line in pathlib.Path("/proc/kallsyms").read_text("ascii").splitlines()]
    start = next(int(address, 16) for address, _, symbol, *_ in symbols if symbol == name)
    return start, min(address for address in (int(words[0], 16) for words in symbols) if address > start)
