# SPDX-License-Identifier: GPL-2.0-only
"""Transactions of many thousand operations: as long as they are many, and nobody else's business."""

import contextlib
import errno
import socket
import struct
import threading
import time

import pytest

from lab.balancer import Service
from lab.netlink import GenericNetlink, attribute, be16, text, u8, u16, u32

pytestmark = pytest.mark.rvs_only

NEW_SERVICE, DEL_SERVICE, NEW_DEST, SET_DEST, DEL_DEST, APPLY = 1, 3, 5, 6, 7, 22
SERVICE, DEST, COMMAND, OPERATION = 1, 2, 3, 9
SO_SNDBUFFORCE = 32

KEY = u16(1, socket.AF_INET) + u16(2, socket.IPPROTO_UDP) + attribute(3, socket.inet_aton("192.0.2.1")) + be16(4, 53)
SETTINGS = text(6, "wrr") + attribute(7, bytes(4) + b"\xff" * 4) + u32(8, 0) + attribute(9, b"\xff" * 4)


def operation(command, service=KEY, server=b""):
    return attribute(OPERATION, u8(COMMAND, command) + attribute(SERVICE, service) + (attribute(DEST, server) if server else b""))


def of_server(command, number, weight=1):
    settings = b"".join(u32(kind, value) for kind, value in ((3, 3), (4, weight), (5, 0), (6, 0)))
    return operation(command, server=attribute(1, struct.pack("!I", 0x0A020000 + number)) + be16(2, 53) + settings)


class Writer:
    """A socket of the director for large requests."""

    def __init__(self, node):
        with node:
            self._rvs = GenericNetlink("RVS")
        self._rvs._socket.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, 1 << 24)

    def apply(self, operations):
        """The seconds that it took."""
        request = b"".join(operations)
        before = time.monotonic()
        self._rvs.command(APPLY, request)
        return time.monotonic() - before

    def close(self):
        self._rvs.close()


@pytest.fixture
def writer(lab, balancer):
    with contextlib.closing(Writer(lab.director)) as writer:
        yield writer


def phases(count):
    """What can become of many servers, in the worst order for who looks through lists."""
    return {
        "add": [operation(NEW_SERVICE, KEY + SETTINGS), *(of_server(NEW_DEST, number, 1 + number % 7) for number in range(count))],
        "edit": [of_server(SET_DEST, number, 2 + number % 5) for number in range(count)],
        "remove": [of_server(DEL_DEST, number) for number in range(count)],
        "return": [of_server(NEW_DEST, number) for number in range(count)],
        "come and go": [of_server(command, number) for number in range(count) for command in (DEL_DEST, NEW_DEST)],
        "end": [operation(DEL_SERVICE)],
    }


def test_a_transaction_takes_as_long_as_it_has_operations(writer, balancer):
    def seconds(count):
        return {name: writer.apply(operations) for name, operations in phases(count).items()}
    seconds(100)
    few, many = ({name: min(taken) for name, *taken in zip(first, first.values(), second.values(), strict=True)}
                 for first, second in ((seconds(500), seconds(500)), (seconds(8000), seconds(8000))))
    for name in few:
        assert many[name] < 64 * max(few[name], 0.001), (name, few, many)
    assert balancer.command("-Sn") == ""


@pytest.mark.parametrize("count", [1, 30])
def test_each_operation_goes_by_those_before_it_however_many_they_are(writer, balancer, count):
    service, numbers = Service("udp", "192.0.2.1", 53), range(count)
    writer.apply([operation(NEW_SERVICE, KEY + SETTINGS), *(of_server(NEW_DEST, number) for number in numbers)])
    again = [of_server(command, number, weight) for number in numbers
             for command, weight in ((DEL_DEST, 1), (NEW_DEST, 2), (SET_DEST, 3))]
    writer.apply(again)
    assert [server.weight for server in balancer.servers(service).values()] == [3] * count
    changed = [of_server(SET_DEST, number, 4) for number in numbers]
    for twice, errno_of_second in ((NEW_DEST, errno.EEXIST), (DEL_DEST, errno.ENOENT)):
        first = [of_server(DEL_DEST, 0)] if twice == NEW_DEST else []
        with pytest.raises(OSError) as refused:
            writer.apply([*changed, *first, of_server(twice, 0), of_server(twice, 0)])
        assert refused.value.errno == errno_of_second
    assert [server.weight for server in balancer.servers(service).values()] == [3] * count
    writer.apply([of_server(DEL_DEST, number) for number in numbers])
    assert balancer.servers(service) == {}
    writer.apply([operation(DEL_SERVICE)])


def test_a_device_goes_while_a_transaction_runs(lab, writer):
    names = [f"short{number}" for number in range(3)]
    for name in names:
        lab.director.run("ip", "link", "add", name, "type", "dummy")
    add, edit, *_ = phases(25_000).values()
    long = threading.Thread(target=writer.apply, args=(add + edit,))
    long.start()
    for name in names:
        lab.director.run("ip", "link", "del", name)
    assert long.is_alive()
    long.join()
