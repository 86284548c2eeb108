# SPDX-License-Identifier: GPL-2.0-only
"""Telling a load balancer what to do and asking what it did, the same way for every tool that can."""

import abc
import dataclasses
from typing import NamedTuple

from .address import with_port


class Service(NamedTuple):
    """What a virtual service is known by."""

    protocol: str  # "tcp", "udp" or "sctp"
    address: str
    port: int

    def __str__(self):
        return with_port(self.address, self.port)


class Mark(NamedTuple):
    """What a virtual service of marked packets is known by."""

    mark: int
    is_ipv6: bool = False
    port: int = 0


@dataclasses.dataclass(frozen=True)
class RealServer:
    """A real server as it is configured and the connections it has."""

    address: str
    port: int
    method: str
    weight: int
    active: int
    inactive: int


@dataclasses.dataclass(frozen=True)
class Stats:
    """Counters, or the same per second."""

    connections: int
    packets_in: int
    packets_out: int
    bytes_in: int
    bytes_out: int


@dataclasses.dataclass(frozen=True)
class Connection:
    """An entry of the connection table; its three ends are pairs of address and port, `expires` is in seconds."""

    protocol: str
    client: tuple
    virtual: tuple
    server: tuple
    state: str
    expires: int


class Balancer(abc.ABC):
    """The balancer of one namespace, driven by one tool. Failures come out as `CommandFailed` with what the tool said."""

    tool = ""

    def __init__(self, director):
        self.director = director

    def command(self, *arguments, stdin=None):
        """Run the tool; its standard output."""
        return self.director.run(self.tool, *arguments, stdin=stdin)

    @abc.abstractmethod
    def add_service(self, protocol, address, port, scheduler="wlc"):
        """Make a virtual service and return its key."""

    @abc.abstractmethod
    def edit_service(self, service, scheduler): ...

    @abc.abstractmethod
    def delete_service(self, service): ...

    @abc.abstractmethod
    def add_server(self, service, address, method, weight=1, port=None):
        """Give a service a real server; without `port`, at the service's own."""

    @abc.abstractmethod
    def edit_server(self, service, address, method, weight=1, port=None): ...

    @abc.abstractmethod
    def delete_server(self, service, address, port=None): ...

    @abc.abstractmethod
    def flush(self):
        """Delete every service."""

    @abc.abstractmethod
    def zero(self):
        """Set every counter to 0."""

    @abc.abstractmethod
    def set_timeouts(self, tcp, tcp_fin, udp):
        """Seconds for established TCP, TCP after FIN, and UDP; 0 keeps the present value."""

    @abc.abstractmethod
    def timeouts(self):
        """The same three."""

    @abc.abstractmethod
    def services(self):
        """The scheduler's name of every service."""

    @abc.abstractmethod
    def servers(self, service):
        """The real servers of a service, by address."""

    @abc.abstractmethod
    def stats(self, service):
        """The counters of a service under None, and of its real servers by address."""

    @abc.abstractmethod
    def rates(self, service):
        """As `stats`, per second."""

    @abc.abstractmethod
    def connections(self):
        """Every connection of the namespace."""

    def balance(self, protocol, address, port, servers, method, scheduler="rr", server_port=None):
        """A service with these machines as real servers, added in this order; its key."""
        service = self.add_service(protocol, address, port, scheduler)
        for server in servers:
            self.add_server(service, server.address_like(address), method, port=server_port)
        return service

    def counts(self, service):
        """(ActiveConn, InActConn) of every real server of a service, by address."""
        return {address: (server.active, server.inactive) for address, server in self.servers(service).items()}

    def connection_of(self, client_port):
        """The one connection whose client has this port, or None."""
        found = [connection for connection in self.connections() if connection.client[1] == client_port]
        assert len(found) <= 1, f"several connections of client port {client_port}: {found}"
        return found[0] if found else None

    def state_of(self, client_port):
        """The state of the connection whose client has this port, or None."""
        found = self.connection_of(client_port)
        return found and found.state
