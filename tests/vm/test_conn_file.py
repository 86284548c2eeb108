# SPDX-License-Identifier: GPL-2.0-only
"""/proc/net/ip_vs_conn with two hundred thousand connections (under Debian's kernel): read in linear time, and whatever happens to them meanwhile."""

import itertools
import json
import math
import struct
import sys
import threading
import time

import pytest

from lab import VIP, eventually, in_that_time, several_processors
from lab.flood import Flood, long_queues
from lab.netlink import GenericNetlink, attribute
from lab.rvsctl import Rvsctl

pytestmark = [pytest.mark.rvs_only, several_processors]  # C ip_vs does not show connections that it moves in its table

SOURCES = 5
PORTS = SOURCES * in_that_time(8000) + 1  # each source has each port: they have no common factor
FLOWS = PORTS * SOURCES
MOST_READINGS = 8
WIDTH = {"ip_vs_conn": 65, "ip_vs_conn_sync": 72}


@pytest.fixture(autouse=True)
def nothing_is_lost():
    with long_queues():
        yield


def flood(lab, service):
    """A packet of each flow, from addresses that nobody has."""
    made = Flood(lab.client, service, lab.director.mac("eth0"), source="10.0.0.60", ports=PORTS, gap=0, processors=1, sources=SOURCES,
                 count=FLOWS)
    made.wait()
    made.stop()


def read(node, name, size=-1):
    """The lines of a file without its heading, and the processor's seconds that reading each `size` bytes of it took."""
    with node, open(f"/proc/thread-self/net/{name}", "rb") as file:
        parts, seconds, before = [], [], time.thread_time()
        while part := file.read(size):
            parts.append(part)
            now = time.thread_time()
            seconds.append(now - before)
            before = now
        return b"".join(parts).splitlines()[1:], seconds


def count(node, cursor=None):
    """How many connections are behind a cursor, which a count in parts adds up."""
    with node:
        rvs = GenericNetlink("RVS")
    total, more = 0, True
    while more:
        answer, = rvs.command(26, attribute(21, cursor) if cursor else b"")
        total += int.from_bytes(answer[14], sys.byteorder)
        cursor = answer.get(21)
        more = cursor is not None
    rvs.close()
    return total


def test_the_connections_are_listed_in_linear_time_and_safely_while_they_come_and_go(lab, balancer):
    server = lab.ghost_server()
    server.close()
    service = balancer.add_service("udp", VIP["direct-routing"], 53, "rr")
    balancer.add_server(service, server.address, "direct-routing")
    for _ in range(10):  # what finds no room in a queue is lost
        flood(lab, service)
        if balancer.counts(service)[server.address][1] == FLOWS:
            break
    assert balancer.counts(service)[server.address][1] == FLOWS
    fifth = FLOWS * (WIDTH["ip_vs_conn"] + 1) // 5 + 1000
    # What a busy host adds differs from reading to reading; what the file costs stays.
    fifths = [math.inf] * 5
    for _ in range(MOST_READINGS):
        listed, seconds = read(lab.director, "ip_vs_conn", fifth)
        assert len(listed) == len({line[:17] for line in listed}) == FLOWS
        fifths = [min(of_one) for of_one in zip(fifths, seconds, strict=True)]
        if max(fifths) < 3 * min(fifths):
            break
    assert max(fifths) < 3 * min(fifths), fifths

    assert count(lab.director) == FLOWS
    half = count(lab.director, struct.pack("=QQQ", 0, 1 << 63, 0))  # hashes fall on both sides of it
    assert abs(half - FLOWS // 2) < FLOWS // 20, half
    # Parts of a listing that have nothing in them don't end it.
    for client, connections in ("203.0.113.0/24", 0), ("10.0.0.62:20500", 1):
        listed = Rvsctl(lab.director).command("conn", "list", "--json", "--client", client)
        assert len(json.loads(listed)) == connections, client

    balancer.set_timeouts(0, 0, 1)
    end = threading.Thread(target=flood, args=(lab, service))  # gives each its new timeout
    end.start()
    for name in itertools.cycle(WIDTH):
        listed, _ = read(lab.director, name)
        assert {len(line) for line in listed} <= {WIDTH[name]}
        if not listed and not end.is_alive():
            break
    eventually(lambda: balancer.counts(service), {server.address: (0, 0)}, within=20)
    assert read(lab.director, "ip_vs_conn")[0] == []
