# SPDX-License-Identifier: GPL-2.0-only
"""How long the lab waits for what must happen.

A kernel that checks every access, lock and allocation is many times slower. Whoever boots one says by how much (RVS_PATIENCE): every
limit after which the lab gives up is that many times longer. What is expected stays the same.
"""

import os

PATIENCE = float(os.environ.get("RVS_PATIENCE", "1"))


def patiently(seconds):
    """The limit on this kernel for what takes at most so long on Debian's."""
    return seconds * PATIENCE
