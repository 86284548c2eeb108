# SPDX-License-Identifier: GPL-2.0-only
"""Guests side by side that play one collection of scenarios: each takes the next file that no other has taken."""

import os
from itertools import groupby
from pathlib import Path

# The files that take longest come first, so that the guests end at about the same time.
LONGEST = ["test_module.py", "test_tunnel_types.py", "test_tunnel_errors.py", "test_ipvsadm.py", "test_tcp_states.py", "test_ldirectord.py",
           "test_expiry.py", "test_ipv6.py", "test_schedulers.py", "test_mtu.py", "test_apply.py", "test_defense.py"]


def _rank(name):
    return LONGEST.index(name) if name in LONGEST else len(LONGEST)


def _taken(folder, name):
    """Whether this guest is the first to take a file. A folder is made by one guest alone, whatever their caches say."""
    try:
        (Path(folder) / name).mkdir(parents=True)
        return True
    except FileExistsError:
        return False


def of(items, folder, processors=os.cpu_count()):
    """The scenarios of the files that this guest gets, as the others leave them: a file is taken when its turn comes.

    Those for several processors are left to guests that have them, and come first there.
    """
    files = []
    for path, scenarios in groupby(items, lambda item: item.path):
        scenarios = list(scenarios)
        wants_several = any(item.get_closest_marker("several_processors") for item in scenarios)
        if processors > 1 or not wants_several:
            files.append((not wants_several, _rank(path.name), path.name, scenarios))
    for _, _, name, scenarios in sorted(files, key=lambda file: file[:3]):
        if _taken(folder, name):
            yield from scenarios
