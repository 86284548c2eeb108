# SPDX-License-Identifier: GPL-2.0-only
"""The kernel's log, read as it grows."""

import os
import pathlib
import re

_PATTERNS = pathlib.Path(__file__).resolve().parents[3] / "qemu" / "console-problems"  # one list for the guest's runner and for us
_TROUBLE = re.compile("|".join(line for line in _PATTERNS.read_text("ascii").splitlines() if line and line[0] != "#"))


class KernelLog:
    """Every message from now on."""

    def __init__(self):
        self._file = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
        os.lseek(self._file, 0, os.SEEK_END)

    def news(self):
        """The messages since the last call."""
        messages = []
        while True:
            try:
                record = os.read(self._file, 8192).decode(errors="replace")
            except BlockingIOError:
                return messages
            except BrokenPipeError:  # messages were overwritten before they were read
                continue
            messages += record.partition(";")[2].splitlines()

    def trouble(self):
        """The messages since the last call, if they tell of a bug in the kernel; else none."""
        messages = self.news()
        return messages if any(_TROUBLE.search(message) for message in messages) else []
