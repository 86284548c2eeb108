# SPDX-License-Identifier: GPL-2.0-only
"""The lists next to the scenarios: what the module does not have yet (pending.toml), what differs on purpose (intended.toml)."""

import fnmatch
import pathlib
import re
import tomllib

from .features import Pending

_FOLDER = pathlib.Path(__file__).resolve().parents[1]


def pending():
    with open(_FOLDER / "pending.toml", "rb") as file:
        return Pending(tomllib.load(file)["missing"])


def intended():
    with open(_FOLDER / "intended.toml", "rb") as file:
        return [Intended(**entry) for entry in tomllib.load(file).get("difference", [])]


class Intended:
    """A difference that is there on purpose: in which scenario and field (patterns of fnmatch), why, and, as a regular expression,
    what the text of the difference must show."""

    def __init__(self, scenario, field, reason, shows=""):
        self.scenario, self.field, self.reason = scenario, field, reason
        self._shows = re.compile(shows)
        self.used = False

    def names(self, scenario):
        """Whether this entry is about something in that scenario."""
        return fnmatch.fnmatchcase(scenario.name, self.scenario)

    def allows(self, scenario, field, difference):
        """Whether this entry is about that difference."""
        if self.names(scenario) and fnmatch.fnmatchcase(field, self.field) and self._shows.search(difference):
            self.used = True
            return True
        return False


def unintended(scenario, differences, entries):
    """The differences that no entry allows."""
    return {field: difference for field, difference in differences.items()
            if not any([entry.allows(scenario, field, difference) for entry in entries])}


def judged(entries, played):
    """The entries that must have been of use: each scenario that they name was played."""
    from scenarios import all_scenarios
    names, scenarios = {one.name for one in played}, all_scenarios()
    return [entry for entry in entries if all(one.name in names for one in scenarios if entry.names(one))]
