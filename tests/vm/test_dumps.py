# SPDX-License-Identifier: GPL-2.0-only
"""Listings of the netlink family IPVS that are read in parts while the configuration changes."""

import contextlib
import socket
import struct

import pytest

from lab.netlink import GenericNetlink, attribute, attributes, be16, text, u16, u32

NEW_SERVICE, DEL_SERVICE, GET_SERVICE, NEW_DEST, DEL_DEST, GET_DEST = 1, 3, 4, 5, 7, 8
SERVICE, DEST, PORT = 1, 2, 4


def key(port):
    return u16(1, 2) + u16(2, socket.IPPROTO_UDP) + attribute(3, socket.inet_aton("192.0.2.1")) + be16(PORT, port)


def service(port):
    settings = text(6, "rr") + attribute(7, bytes(4) + b"\xff" * 4) + u32(8, 0) + attribute(9, b"\xff" * 4)
    return attribute(SERVICE, key(port) + settings)


def server(number):
    settings = b"".join(u32(kind, value) for kind, value in ((3, 0), (4, 1), (5, 0), (6, 0)))
    return attribute(SERVICE, key(53)) + attribute(DEST, attribute(1, struct.pack("!I", 0x0A020000 + number)) + be16(2, 53) + settings)


def ports(part):
    """The ports of the services in a part."""
    return [int.from_bytes(attributes(one[SERVICE])[PORT], "big") for one in part]


def numbers(part):
    return [struct.unpack("!I", attributes(one[DEST])[1][:4])[0] - 0x0A020000 for one in part]


@contextlib.contextmanager
def two_sockets(lab, family):
    """Two sockets of the director for a family: one reads, one changes."""
    with contextlib.ExitStack() as opened:
        with lab.director:
            sockets = [opened.enter_context(contextlib.closing(GenericNetlink(family))) for _ in range(2)]
        yield sockets


@pytest.fixture
def ipvs(lab):
    with two_sockets(lab, "IPVS") as sockets:
        yield sockets


def test_a_service_that_stays_is_listed_once_whatever_changes_between_the_parts(ipvs, balancer_name):
    reader, writer = ipvs
    for port in range(1000, 4000, 2):
        writer.command(NEW_SERVICE, service(port))
    listed, parts, gone = [], 0, set()
    for part in reader.parts(GET_SERVICE):
        listed += ports(part)
        parts += 1
        last = listed[-1]
        for port in (last + 200, last - 20):  # one that is still to come, and one that was
            if port % 2 == 0 and 1000 <= port < 4000 and port not in gone:
                writer.command(DEL_SERVICE, service(port))
                gone.add(port)
        for port in (last + 201, last - 21):
            if port % 2 == 1:
                writer.command(NEW_SERVICE, service(port))
        assert parts < 1000
    assert parts > 10 and len(gone) > 10
    if balancer_name == "rvs":  # C ip_vs may repeat some and miss others
        assert len(listed) == len(set(listed))
        assert set(range(1000, 4000, 2)) - gone <= set(listed)
    now = [port for part in reader.parts(GET_SERVICE) for port in ports(part)]
    assert len(now) == len(set(now)) and not gone & set(now) and set(range(1000, 4000, 2)) - gone <= set(now)


def test_a_listing_of_servers_ends_whatever_changes_between_the_parts(ipvs):
    reader, writer = ipvs
    writer.command(NEW_SERVICE, service(53))
    for number in range(1000):
        writer.command(NEW_DEST, server(number))
    assert [number for part in reader.parts(GET_DEST, service(53)) for number in numbers(part)] == list(range(999, -1, -1))

    listed, fresh = [], iter(range(2000, 60000))
    for part in reader.parts(GET_DEST, service(53)):
        listed += numbers(part)
        writer.command(NEW_DEST, server(next(fresh)))
        writer.command(DEL_DEST, server(listed[-1]))
        assert len(listed) < 2000
    # What was added stands before the place, and what was removed too: the next one is where it was.
    assert listed == list(range(999, -1, -1))

    interrupted = reader.parts(GET_DEST, service(53))
    next(interrupted)
    writer.command(DEL_SERVICE, service(53))
    assert sum(len(numbers(part)) for part in interrupted) < 300  # what the kernel had made ready


def test_a_listing_that_nobody_reads_to_its_end_holds_nothing_up(lab, balancer, ipvs):
    reader, writer = ipvs
    for port in range(1000, 3000):
        writer.command(NEW_SERVICE, service(port))
    next(reader.parts(GET_SERVICE))
    balancer.flush()
    assert balancer.services() == {}


@pytest.fixture
def native(lab):
    with two_sockets(lab, "RVS") as sockets:
        yield sockets


def everything(part):
    """What a part of the whole configuration has, in its order: the port of a service, or this and the number of a server."""
    for one in part:
        port, = ports([one])
        yield (port, *numbers([one])) if DEST in one else port


def server_of(port, number):
    return attribute(SERVICE, key(port)) + server(number)[len(attribute(SERVICE, key(53))):]


@pytest.mark.rvs_only
def test_the_whole_configuration_is_listed_in_one_request_whatever_changes_between_the_parts(native):
    reader, writer = native
    stay, many = range(1000, 1300, 2), 600
    for port in stay:
        writer.command(NEW_SERVICE, service(port))
        for number in range(3):
            writer.command(NEW_DEST, server_of(port, number))
    for number in range(3, many):
        writer.command(NEW_DEST, server_of(1100, number))
    expected = {port: {0, 1, 2} for port in stay} | {1100: set(range(many))}

    listed, gone, fresh = [], set(), iter(range(10_000, 60_000))
    for part in reader.parts(GET_DEST):
        listed += everything(part)
        match listed[-1]:
            case (1100, number):  # one that was and one that is to come go, and another one comes
                for other in {number + 5, number - 250} - gone:
                    if 3 <= other < many:
                        writer.command(DEL_DEST, server_of(1100, other))
                        gone.add(other)
                writer.command(NEW_DEST, server_of(1100, next(fresh)))
            case (port, _) | port if port + 61 not in listed:
                writer.command(NEW_SERVICE, service(port + 61))
                writer.command(DEL_SERVICE, service(port + 61))
        assert len(listed) < 5000
    assert len(gone) > 3
    services = [one for one in listed if isinstance(one, int)]
    assert len(services) == len(set(services)) and set(stay) <= set(services)
    last = None
    for one in listed:
        if isinstance(one, tuple):
            assert one[0] == last
        else:
            last = one
    expected[1100] -= gone
    for port, servers in expected.items():
        assert servers <= {one[1] for one in listed if isinstance(one, tuple) and one[0] == port}, port

    now = [one for part in reader.parts(GET_DEST) for one in everything(part)]
    assert len(now) == len(set(now))
    assert [one for one in now if isinstance(one, int)] == list(stay)
