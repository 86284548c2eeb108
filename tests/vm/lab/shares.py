# SPDX-License-Identifier: GPL-2.0-only
"""Guests side by side that play one collection of scenarios: each takes the next file that no other has taken."""

from itertools import groupby
from pathlib import Path

# The files that take longest come first, so that the guests end at about the same time.
LONGEST = ["test_module.py", "test_conn_file.py", "test_ipvsadm_as_with_ip_vs.py", "test_rvsctl.py", "test_schedulers.py"]


def _rank(name):
    return LONGEST.index(name) if name in LONGEST else len(LONGEST)


def _taken(folder, name):
    """Whether this guest is the first to take a file. A folder is made by one guest alone, whatever their caches say."""
    try:
        (Path(folder) / name).mkdir(parents=True)
        return True
    except FileExistsError:
        return False


def of(items, folder):
    """The scenarios of the files that this guest gets, as the others leave them: a file is taken when its turn comes."""
    files = [(path.name, list(scenarios)) for path, scenarios in groupby(items, lambda item: item.path)]
    for name, scenarios in sorted(files, key=lambda file: _rank(file[0])):
        if _taken(folder, name):
            yield from scenarios
