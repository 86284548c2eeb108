# SPDX-License-Identifier: GPL-2.0-only
"""How a server of the lab accepts and waits, in threads of the test; what it says is for those who make one."""

import selectors
import socket
import threading

from .address import family_of
from .namespace import abort


class TcpServer:
    """Listens at an address of a machine; each connection has a thread of its own, in which `serve` is called."""

    def __init__(self, node, address, port):
        self.name = node.name
        self._listener = node.socket(family_of(address), socket.SOCK_STREAM)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if self._listener.family == socket.AF_INET6:
            self._listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        self._listener.bind((address, port))
        self._listener.listen(512)
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def close(self):
        """Stop listening."""
        abort(self._listener)
        self._thread.join()

    def accepted(self, connection):
        """A connection was made; called before another is."""

    def serve(self, connection):
        raise NotImplementedError

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.accepted(connection)
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()


class Reader:
    """One thread that waits for several sockets, and calls `readable` with each that has something."""

    def __init__(self):
        self._selector = selectors.DefaultSelector()
        self._stop, self._stopping = socket.socketpair()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self.wait_for(self._stopping)

    def start(self):
        self._thread.start()

    def wait_for(self, any_socket):
        self._selector.register(any_socket, selectors.EVENT_READ)

    def forget(self, any_socket):
        """Close a socket that was waited for."""
        self._selector.unregister(any_socket)
        any_socket.close()

    def close(self):
        """Stop, and close every socket."""
        self._stop.close()
        self._thread.join()
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()
        self._selector.close()

    def readable(self, any_socket):
        raise NotImplementedError

    def _serve(self):
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._stopping:
                    return
                self.readable(key.fileobj)
