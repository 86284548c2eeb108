# SPDX-License-Identifier: GPL-2.0-only
"""Which scenarios cover which row of the specification."""

import zlib


def by_row(scenarios):
    """The scenarios that cover each row, as a dictionary of lists."""
    rows = {}
    for one in scenarios:
        for row in one.rows:
            rows.setdefault(row, []).append(one)
    return rows


def told(scenarios):
    """The rows in order, each with the names of its scenarios, as text."""
    rows = by_row(scenarios)
    return "\n".join(f"{row}\n" + "\n".join(f"    {one.name}" for one in rows[row]) for row in sorted(rows, key=_order))


def one_for_each_row(scenarios):
    """As many of the scenarios as cover every row, in their order. Which one of several is always the same, but not always the first:
    both families and all methods have their share."""
    chosen, covered, rows = set(), set(), by_row(scenarios)
    for row in sorted(rows, key=_order):
        if row not in covered:
            one = rows[row][zlib.crc32(row.encode()) % len(rows[row])]
            chosen.add(one.name)
            covered.update(one.rows)
    return [one for one in scenarios if one.name in chosen]


def _order(row):
    number = row.lstrip("§").partition(" ")[0]
    return [int(part) if part.isdigit() else 0 for part in number.split(".")], row
