# SPDX-License-Identifier: GPL-2.0-only
"""Web servers whose health the test decides, and a client of them."""

import http.client
import socket
import threading

from .address import family_of
from .namespace import abort
from .patience import patiently


class WebServer:
    """An HTTP server that answers every request with its machine's name and the status `status`."""

    def __init__(self, node, port, address="0.0.0.0"):
        self.status = 200
        self._name = node.name
        self._listener = node.socket(family_of(address), socket.SOCK_STREAM)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind((address, port))
        self._listener.listen(64)
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def close(self):
        abort(self._listener)
        self._thread.join()

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection):
        try:
            connection.settimeout(patiently(5))
            request = b""
            while b"\r\n\r\n" not in request and (more := connection.recv(4096)):
                request += more
            if request:
                body = f"{self._name}\n"
                connection.sendall(f"HTTP/1.1 {self.status} as told\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n"
                                   f"Connection: close\r\n\r\n{body}".encode())
                connection.shutdown(socket.SHUT_WR)
                connection.recv(1)
        except OSError:
            pass
        finally:
            connection.close()


def who_answers(node, address, port, timeout=5):
    """The name of the machine that answers a request made from `node`."""
    connection = http.client.HTTPConnection(address, port)
    connection.sock = node.socket(family_of(address), socket.SOCK_STREAM)
    try:
        connection.sock.settimeout(patiently(timeout))
        connection.sock.connect((address, port))
        connection.request("GET", "/")
        return connection.getresponse().read().decode().strip()
    finally:
        connection.close()
