# SPDX-License-Identifier: GPL-2.0-only
"""Settings of the whole machine, changed for a while."""

import contextlib
import pathlib


@contextlib.contextmanager
def kernel_setting(path, value):
    """A file under /proc/sys that has this value until the block ends."""
    file = pathlib.Path(path)
    before = file.read_text("ascii")
    file.write_text(f"{value}\n", "ascii")
    try:
        yield
    finally:
        file.write_text(before, "ascii")
