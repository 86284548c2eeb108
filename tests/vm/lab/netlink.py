# SPDX-License-Identifier: GPL-2.0-only
"""Netlink, as little of it as the tests need: messages, attributes, requests and their answers."""

import os
import socket
import struct

REQUEST, MULTI, ACK, DUMP, CREATE_EXCL = 0x1, 0x2, 0x4, 0x300, 0x600
_ERROR, _DONE = 2, 3
_GENERIC = 16  # the protocol; not in the socket module
_CTRL, _CTRL_GETFAMILY, _FAMILY_ID, _FAMILY_NAME = 16, 3, 1, 2


def attribute(kind, value):
    return struct.pack("=HH", 4 + len(value), kind) + value + b"\0" * (-len(value) % 4)


def u8(kind, value):
    return attribute(kind, struct.pack("=B", value))


def u16(kind, value):
    return attribute(kind, struct.pack("=H", value))


def be16(kind, value):
    return attribute(kind, struct.pack("!H", value))


def u32(kind, value):
    return attribute(kind, struct.pack("=I", value & 0xFFFFFFFF))


def text(kind, value):
    return attribute(kind, value.encode() + b"\0")


def attributes(data):
    """The attributes of a message as a dictionary of bytes; the last of each kind."""
    found = {}
    while len(data) >= 4:
        length, kind = struct.unpack_from("=HH", data)
        found[kind & 0x3FFF] = data[4:length]
        data = data[(max(length, 4) + 3) & ~3:]
    return found


class Netlink:
    """A netlink socket; it belongs to the namespace in which it was made."""

    def __init__(self, protocol):
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self._socket.bind((0, 0))
        self._sequence = 0

    def close(self):
        self._socket.close()

    def request(self, kind, body, flags=0):
        """Send one request and wait for its acknowledgement; the answers' bodies. Raises OSError with the kernel's errno."""
        return self.batch([(kind, body, flags)])

    def batch(self, requests):
        """Send requests (kind, body, flags) in one go; the bodies of all answers. Raises OSError for the first that failed."""
        return [body for _, body in self.exchange(requests)]

    def exchange(self, requests):
        """As `batch`; flags and body of all answers."""
        waiting = self._send(requests)
        answers, failure = [], 0
        while waiting:
            failure = self._receive(waiting, answers) or failure
        if failure:
            raise OSError(failure, os.strerror(failure))
        return answers

    def _send(self, requests):
        """Send requests; the numbers by which answers refer to them."""
        message, waiting = b"", set()
        for kind, body, flags in requests:
            self._sequence += 1
            waiting.add(self._sequence)
            message += struct.pack("=IHHII", 16 + len(body), kind, REQUEST | ACK | flags, self._sequence, 0) + body
        self._socket.send(message)
        return waiting

    def _receive(self, waiting, answers):
        """Take one datagram; the errno of the request it says has failed, if it does."""
        data, failure = self._socket.recv(1 << 18), 0
        while data:
            length, kind, flags, sequence, _ = struct.unpack_from("=IHHII", data)
            body, data = data[16:length], data[(length + 3) & ~3:]
            if sequence not in waiting:
                continue
            if kind == _ERROR or kind == _DONE:
                failure = failure or -struct.unpack_from("=i", body)[0]
                waiting.discard(sequence)
            else:
                answers.append((flags, body))
        return failure


class GenericNetlink(Netlink):
    """A socket for one generic netlink family. Raises OSError (ENOENT) if there is no such family."""

    def __init__(self, family, version=1):
        super().__init__(_GENERIC)
        self._version = version
        answer = self.request(_CTRL, struct.pack("=BBH", _CTRL_GETFAMILY, 1, 0) + text(_FAMILY_NAME, family))
        self._family = struct.unpack("=H", attributes(answer[0][4:])[_FAMILY_ID])[0]

    def command(self, number, body=b"", dump=False):
        """The attributes of each answer to a command."""
        return [attributes(answer) for _, _, answer in self.ask(number, body, dump)]

    def ask(self, number, body=b"", dump=False):
        """Flags, number and attributes, as bytes, of each answer to a command."""
        header = struct.pack("=BBH", number, self._version, 0)
        answers = self.exchange([(self._family, header + body, DUMP if dump else 0)])
        return [(flags, answer[0], answer[4:]) for flags, answer in answers]

    def parts(self, number, body=b""):
        """A listing part by part, as the kernel makes them: the attributes of each answer in it. Between two parts the reader may
        take its time; the kernel is at most two parts ahead."""
        header = struct.pack("=BBH", number, self._version, 0)
        waiting = self._send([(self._family, header + body, DUMP)])
        while waiting:
            answers = []
            if failure := self._receive(waiting, answers):
                raise OSError(failure, os.strerror(failure))
            if answers:
                yield [attributes(answer[4:]) for _, answer in answers]
