# SPDX-License-Identifier: GPL-2.0-only
"""What the kernel's connection tracking knows, and rules that go by it."""

import re
from typing import NamedTuple

_END = re.compile(r"src=(\S+) dst=(\S+) sport=(\d+) dport=(\d+)")


class Flow(NamedTuple):
    """A tracked flow: the ends of its first packet, those of the answers that are expected, and what else is said of it."""

    protocol: str
    source: tuple
    destination: tuple
    answers_from: tuple
    answers_to: tuple
    words: str


def flows(node):
    """The flows of TCP and UDP that connection tracking knows in a machine."""
    found = []
    for line in node.run("conntrack", "-L", "-o", "extended").splitlines():
        ends = [((source, int(sport)), (destination, int(dport))) for source, destination, sport, dport in _END.findall(line)]
        if len(ends) == 2:
            (request, answer), words = ends, line.split()
            found.append(Flow(words[2], *request, *answer, line))
    return found


def rules(node, text):
    """Add rules to a machine, written as nft(8) has them."""
    node.run("nft", "-f", "-", stdin=text)
