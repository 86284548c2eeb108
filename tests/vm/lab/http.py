# SPDX-License-Identifier: GPL-2.0-only
"""Web servers whose health the test decides, and a client of them."""

import http.client
import socket

from .address import family_of
from .patience import patiently
from .server import TcpServer


class WebServer(TcpServer):
    """An HTTP server that answers every request with its machine's name and the status `status`."""

    def __init__(self, node, port, address="0.0.0.0"):
        self.status = 200
        super().__init__(node, address, port)

    def serve(self, connection):
        try:
            connection.settimeout(patiently(5))
            request = b""
            while b"\r\n\r\n" not in request and (more := connection.recv(4096)):
                request += more
            if request:
                body = f"{self.name}\n"
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
