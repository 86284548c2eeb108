# SPDX-License-Identifier: GPL-2.0-only
"""Finding differences between what two modules did in one scenario, and telling them."""

import difflib
import fnmatch
import re

from .decode import decode
from .execute import ERROR, Entry, Packet

_TIMER_SLACK = 1.0  # seconds: both modules tell whole ones


def compare(scenario, oracle, other):
    """The fields in which the outcomes differ, as a dictionary: field -> text of the difference, "-" C ip_vs, "+" the other."""
    found = {}
    slack = _TIMER_SLACK + max(oracle.seconds, other.seconds)
    for field in dict.fromkeys([*oracle.fields, *other.fields]):
        left, right = oracle.fields.get(field), other.fields.get(field)
        if field != ERROR and any(fnmatch.fnmatchcase(field, pattern) for pattern in scenario.ignore):
            continue
        if field == ERROR or not _same(left, right, slack):
            found[field] = _difference(left, right)
    return found


def _same(left, right, slack):
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(_same(*pair, slack) for pair in zip(left, right, strict=True))
    if isinstance(left, Entry) and isinstance(right, Entry):
        return left.text == right.text and abs(left.ends - right.ends) <= slack
    return left == right


def _difference(left, right):
    lines = shown(left), shown(right)
    if lines[0] == lines[1]:  # the decoder does not tell it
        lines = shown(left, plain=True), shown(right, plain=True)
    return "\n".join(line for line in difflib.ndiff(*lines) if not line.startswith("?"))


def shown(value, plain=False):
    """A field's value as lines of text."""
    if isinstance(value, list):
        return [_shown_one(one, plain) for one in value] or ["nothing"]
    return ["(not noted)" if value is None else str(value)]


def _shown_one(one, plain):
    if isinstance(one, Packet):
        content = one.data.hex() if plain or one.neighbour == "all" else decode(one.data)
        return f"{'to ' + one.neighbour if one.neighbour else 'taken'}: {content}"
    if isinstance(one, Entry):
        return f"{one.text}, ends at {one.ends:.1f} s"
    return str(one)


def broken_promises(scenario, outcome):
    """The fields of which the scenario promises something that they do not show: field -> their text."""
    broken = {ERROR: outcome.fields[ERROR]} if ERROR in outcome.fields else {}
    for field, pattern in scenario.expects.items():
        values = [value for name, value in outcome.fields.items() if fnmatch.fnmatchcase(name, field)]
        text = "\n".join(line for value in values for line in shown(value))
        if not re.search(pattern, text):
            broken[field] = f"{text}\nshould show: {pattern}"
    return broken
