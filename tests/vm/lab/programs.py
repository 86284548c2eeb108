# SPDX-License-Identifier: GPL-2.0-only
"""What runs on the real servers, and its clients: small TCP and UDP programs that say who they are and prove what they received.

They run as threads of the test, on sockets that belong to the machine's namespace.
"""

import hashlib
import socket

from .address import family_of
from .namespace import abort, reset_when_closed
from .patience import patiently
from .server import Reader, TcpServer

_CHUNK = 1 << 18


def pattern(size):
    """`size` bytes without short repetitions, always the same."""
    block = b"".join(hashlib.sha256(number.to_bytes(4, "big")).digest() for number in range(2048))
    return (block * (size // len(block) + 1))[:size]


class TcpPrograms(TcpServer):
    """A TCP server. A line from the client says what it wants:

    `who`: one line, the server's name. `put N`: N bytes follow; one line, their SHA-256. `get N`: the first N bytes of `pattern`.
    `from`: one line, the client's address and port as the server sees them. `bye`: the server closes the connection.
    """

    def __init__(self, node, address, port):
        self._connections = []
        super().__init__(node, address, port)

    def close(self):
        """Stop listening and cut every connection."""
        super().close()
        for connection in self._connections:
            abort(connection)

    def accepted(self, connection):
        self._connections.append(connection)

    def serve(self, connection):
        try:
            stream = connection.makefile("rb")
            while (line := stream.readline()) and self._answer(connection, stream, line.decode().split()):
                pass
        except (OSError, ValueError):
            pass
        finally:
            _shut(connection)

    def _answer(self, connection, stream, words):
        match words:
            case ["who"]:
                connection.sendall(f"{self.name}\n".encode())
            case ["put", size]:
                connection.sendall(f"{_digest_of(stream, int(size))}\n".encode())
            case ["get", size]:
                connection.sendall(pattern(int(size)))
            case ["from"]:
                connection.sendall("{} {}\n".format(*connection.getpeername()[:2]).encode())
            case _:
                return False
        return True


def _digest_of(stream, size):
    digest = hashlib.sha256()
    while size > 0 and (data := stream.read(min(size, _CHUNK))):
        digest.update(data)
        size -= len(data)
    return digest.hexdigest()


def _shut(connection):
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    connection.close()


class TcpClient:
    """A connection to a `TcpPrograms` server, made from a machine's namespace."""

    def __init__(self, node, address, port, source=None, timeout=20):
        self.socket = node.socket(family_of(address), socket.SOCK_STREAM)
        self.socket.settimeout(patiently(timeout))
        try:
            if source:
                self.socket.bind((source, 0))
            self.socket.connect((address, port))
        except BaseException:
            self.socket.close()
            raise
        self._stream = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._stream.close()
        self.socket.close()

    @property
    def port(self):
        return self.socket.getsockname()[1]

    def reset(self):
        """End the connection with RST alone; nobody may be reading."""
        reset_when_closed(self.socket)
        self.close()

    def finish(self):
        """Send FIN; the other direction stays open."""
        self.socket.shutdown(socket.SHUT_WR)

    def say(self, line):
        self.socket.sendall(f"{line}\n".encode())

    def ask(self, line):
        """Send one line; the answer's line."""
        self.say(line)
        return self._stream.readline().decode().strip()

    def upload(self, data):
        """Send `data`; the SHA-256 of what the server received."""
        self.say(f"put {len(data)}")
        self.socket.sendall(data)
        return self._stream.readline().decode().strip()

    def download(self, size):
        """Receive the server's `size` bytes; their SHA-256."""
        self.say(f"get {size}")
        return self.receive(size)

    def receive(self, size):
        """The SHA-256 of the next `size` bytes."""
        return _digest_of(self._stream, size)

    def at_end(self):
        """Wait until the server closes; true if nothing came before that."""
        return self._stream.read(1) == b""


class UdpPrograms(Reader):
    """A UDP server on several addresses. A datagram is answered by one with the server's name, a colon and the same bytes."""

    def __init__(self, node, addresses, port):
        super().__init__()
        self.name = node.name
        for address in addresses:
            bound = node.socket(family_of(address), socket.SOCK_DGRAM)
            bound.bind((address, port))
            self.wait_for(bound)
        self.start()

    def readable(self, bound):
        try:
            data, sender = bound.recvfrom(65535)
            bound.sendto(f"{self.name}:".encode() + data, sender)
        except OSError:
            pass  # an ICMP error about an earlier answer


class UdpClient:
    """A connected UDP socket of a machine's namespace: ICMP errors about it come out as exceptions."""

    def __init__(self, node, address, port, source=None, timeout=5):
        self.socket = node.socket(family_of(address), socket.SOCK_DGRAM)
        self.socket.settimeout(patiently(timeout))
        if source:
            self.socket.bind((source, 0))
        self.socket.connect((address, port))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    @property
    def port(self):
        return self.socket.getsockname()[1]

    def ask(self, data):
        """Send a datagram; the name of the server that answered, and what it had received."""
        self.socket.send(data)
        name, _, echoed = self.socket.recv(65535).partition(b":")
        return name.decode(), echoed
