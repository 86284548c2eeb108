# SPDX-License-Identifier: GPL-2.0-only
"""What `rvsctl watch` tells."""

import json
import queue
import signal
import subprocess
import threading

from .patience import patiently
from .rvsctl import Rvsctl


class Watcher:
    """`rvsctl watch` in a namespace, from when it listens on. `with` ends it as ^C does, and requires that it goes well."""

    def __init__(self, node, *arguments):
        self._events = queue.Queue()
        self.process = node.start(Rvsctl.tool, "watch", "--json", "--list", *arguments, stdout=subprocess.PIPE, text=True)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        self.until("listed")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        self._thread.join()
        assert self.process.wait() == 0

    def next(self, within=10):
        """The next event."""
        try:
            event = self._events.get(timeout=patiently(within))
        except queue.Empty:
            raise AssertionError(f"no event within {within} s") from None
        assert event is not None, "the watch is over"
        return event

    def until(self, kind):
        """Everything up to the next event of this kind, which comes last."""
        events = [self.next()]
        while events[-1]["event"] != kind:
            events.append(self.next())
        return events

    def told(self):
        """The events that have come so far."""
        events = []
        while not self._events.empty():
            events.append(self.next())
        return events

    def _read(self):
        for line in self.process.stdout:
            self._events.put(json.loads(line))
        self._events.put(None)
