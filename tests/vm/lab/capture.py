# SPDX-License-Identifier: GPL-2.0-only
"""Looking at the packets that arrive at a machine's device."""

import socket
import time

from . import packet
from .patience import patiently

ETHERTYPES = {socket.AF_INET: 0x0800, socket.AF_INET6: 0x86DD}
_SO_RCVBUFFORCE = 33  # not in Python's socket module


class Capture:
    """The packets of one family that arrived at a device, for its machine, since this was made; oldest first."""

    def __init__(self, node, device="eth0", accept=lambda seen: True, family=socket.AF_INET):
        self._accept = accept
        self._seen = []
        self._socket = node.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 1 << 22)
        with node:
            self._socket.bind((device, ETHERTYPES[family]))

    def close(self):
        self._socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def first(self, wanted=lambda seen: True, within=5.0):
        """The first packet, past or to come, that `wanted` accepts; it and those before it are forgotten."""
        within = patiently(within)
        deadline = time.monotonic() + within
        passed = 0
        while True:
            while passed < len(self._seen):
                if wanted(self._seen[passed]):
                    found = self._seen[passed]
                    del self._seen[:passed + 1]
                    return found
                passed += 1
            left = deadline - time.monotonic()
            if left <= 0 or not self._receive(left):
                raise AssertionError(f"no such packet within {within} s; what came: {self._seen}")

    def first_whole(self, wanted=lambda seen: True, within=5.0):
        """As `first`, with a packet that comes in fragments put together."""
        pieces = [self.first(wanted, within)]
        while (whole := packet.joined(pieces)) is None:
            pieces.append(self.first(wanted, within))
        return whole

    def all(self):
        """Every packet that has arrived by now and was not asked for yet."""
        while self._receive(0):
            pass
        seen, self._seen = self._seen, []
        return seen

    def _receive(self, timeout):
        """Take one frame from the socket; false if none came in time."""
        self._socket.settimeout(max(timeout, 0))
        try:
            data, (_, _, kind, _, _) = self._socket.recvfrom(65535)
        except (BlockingIOError, TimeoutError):
            return False
        if kind not in (socket.PACKET_OUTGOING, socket.PACKET_OTHERHOST):  # bridges flood what they do not know yet
            arrived = packet.parse(data)
            if self._accept(arrived):
                self._seen.append(arrived)
        return True
