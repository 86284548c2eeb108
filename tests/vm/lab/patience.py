# SPDX-License-Identifier: GPL-2.0-only
"""How long the lab waits for what must happen.

A kernel that checks every access, lock and allocation is many times slower. Whoever boots one says by how much (RVS_PATIENCE): every
limit after which the lab gives up is that many times longer, and what a scenario does again and again to show that nothing piles up it
does that many times fewer. What is expected stays the same.
"""

import os

PATIENCE = float(os.environ.get("RVS_PATIENCE", "1"))


def patiently(seconds):
    """The limit on this kernel for what takes at most so long on Debian's."""
    return seconds * PATIENCE


def in_that_time(times):
    """How often this kernel does in the same time what Debian's does so many times."""
    return max(1, round(times / PATIENCE))
