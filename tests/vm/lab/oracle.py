# SPDX-License-Identifier: GPL-2.0-only
"""C ip_vs as the judge: the same is done under both modules, one after the other."""

from . import module


def under_both(play):
    """What `play()` returns under each module, by name. rvs is loaded before and afterwards; `play` leaves no service behind."""
    found = {"rvs": play()}
    module.unload("rvs")
    try:
        module.load("ip_vs")
        found["ip_vs"] = play()
    finally:
        module.unload("ip_vs")
        module.load("rvs")
    return found
