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

    With the module loaded, of its own; without (it is about to be loaded), of any module's. Those below `spared`, a function
    of the kernel, succeed: as a rule kmemleak's, which notes all others, has a reserve, and tells nobody.
    """

    def __init__(self, module, spared="__alloc_object"):
        symbols = _symbols()
        first, last = _text_of(module, symbols) or _MODULES
        spared_from, spared_to = _function(spared, symbols)
        self._set(**{"ignore-gfp-wait": "N", "cache-filter": "N", "verbose": 0, "stacktrace-depth": 32, "interval": 1,
                     "space": 0, "probability": 0, "require-start": first, "require-end": last,
                     "reject-start": spared_from, "reject-end": spared_to})
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


def _symbols():
    """Every symbol of the kernel and of its modules: address, kind, name, module."""
    lines = pathlib.Path("/proc/kallsyms").read_text("ascii").splitlines()
    return [(int(address, 16), kind, *name) for address, kind, *name in map(str.split, lines)]


def _text_of(module, symbols):
    """The first address of a loaded module's code and one that follows its last, or None. Beyond it there may be other modules."""
    own = [address for address, kind, _, *owner in symbols if kind in "tT" and owner == [f"[{module}]"]]
    return (min(own), _next(max(own), symbols)) if own else None


def _function(name, symbols):
    """The first address of a function of the kernel and one that follows its last."""
    start = next(symbol[0] for symbol in symbols if symbol[2:] == (name,))
    return start, _next(start, symbols)


def _next(address, symbols):
    return min(symbol[0] for symbol in symbols if symbol[0] > address)
