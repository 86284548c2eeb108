# SPDX-License-Identifier: GPL-2.0-only
"""A difference on purpose that scenarios drawn by lot come upon. C ip_vs still finds a connection that it has just decided to end: an
ICMP error of the director about the very packet that ended it (nobody takes the new connection, or its hops run out) is counted as an
answer of the old one. rvs has ended it by then, and counts nothing."""

import re

_COUNTERS = re.compile(r"^([-+]) connections (\d+), packets in (\d+), packets out (\d+), bytes in (\d+), bytes out (\d+)$")
_ERROR_BYTES = range(20 + 8 + 28, 1280 + 1)


def without_late_errors(differences):
    """The differences, none if all that differs is errors counted late."""
    return {} if all(_is_late(field, text) for field, text in differences.items()) else differences


def _is_late(field, text):
    if not field.startswith("end counters "):
        return False
    matches = [_COUNTERS.match(line) for line in text.splitlines()]
    if len(matches) != 2 or not all(matches) or [match[1] for match in matches] != ["-", "+"]:
        return False
    (conns, packets_in, packets_out, bytes_in, bytes_out), ours = ([int(match[at]) for at in range(2, 7)] for match in matches)
    errors = packets_out - ours[2]
    return ([conns, packets_in, bytes_in] == [ours[0], ours[1], ours[3]] and errors > 0
            and errors * _ERROR_BYTES.start <= bytes_out - ours[4] <= errors * _ERROR_BYTES[-1])
