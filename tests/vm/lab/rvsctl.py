# SPDX-License-Identifier: GPL-2.0-only
"""Driving rvs with rvsctl; what it knows is read from its JSON."""

import json
import os
import shutil
import tempfile

from .balancer import Balancer, Connection, RealServer, Service, Stats


def _nearby(program):
    """A copy of a program where the guest reads it fast, for it is run often."""
    found = shutil.which(program)
    if not found:
        return program
    folder = tempfile.mkdtemp()
    os.chmod(folder, 0o755)
    return shutil.copy(found, folder)


class Rvsctl(Balancer):
    tool = os.environ.get("RVSCTL") or _nearby("rvsctl")

    def add_service(self, protocol, address, port, scheduler="wlc"):
        service = Service(protocol, address, port)
        self.command("service", "add", *_key(service), "--scheduler", scheduler)
        return service

    def edit_service(self, service, scheduler):
        self.command("service", "set", *_key(service), "--scheduler", scheduler)

    def delete_service(self, service):
        self.command("service", "del", *_key(service))

    def add_server(self, service, address, method, weight=1, port=None):
        end = f"{address}:{port or service.port}"
        self.command("server", "add", *_key(service), end, "--method", method, "--weight", weight)

    def edit_server(self, service, address, method, weight=1, port=None):
        end = f"{address}:{port or service.port}"
        self.command("server", "set", *_key(service), end, "--method", method, "--weight", weight)

    def delete_server(self, service, address, port=None):
        self.command("server", "del", *_key(service), f"{address}:{port or service.port}")

    def flush(self):
        self.command("flush", "--yes")

    def zero(self):
        self.command("zero")

    def set_timeouts(self, tcp, tcp_fin, udp):
        named = {"--tcp": tcp, "--tcp-fin": tcp_fin, "--udp": udp}
        self.command("timeout", "set", *(word for option, value in named.items() if value for word in (option, value)))

    def timeouts(self):
        shown = self._json("timeout", "show")
        return shown["tcp_seconds"], shown["tcp_fin_seconds"], shown["udp_seconds"]

    def services(self):
        return {Service(one["protocol"], one["address"], one["port"]): one["scheduler"] for one in self._json("service", "list")}

    def servers(self, service):
        return {one["address"]: RealServer(one["address"], one["port"], one["method"], one["weight"],
                                           one["active_connections"], one["inactive_connections"])
                for one in self._described(service)["servers"]}

    def stats(self, service):
        return self._numbers("counters", service)

    def rates(self, service):
        return self._numbers("rates", service)

    def connections(self):
        return [Connection(one["protocol"], _pair(one["client"]), _pair(one["virtual"]), _pair(one["server"]), one["state"],
                           one["expires_milliseconds"] // 1000)
                for one in self._json("conn", "list")]

    def totals(self):
        """What `rvsctl stats` says of the whole namespace."""
        return self._json("stats")

    def _numbers(self, which, service):
        described = self._described(service)
        found = {one["address"]: Stats(**one[which]) for one in described["servers"]}
        found[None] = Stats(**described[which])
        return found

    def _described(self, service):
        return self._json("service", "list", *_key(service))[0]

    def _json(self, *arguments):
        return json.loads(self.command(*arguments, "--json"))


def _key(service):
    return service.protocol, str(service)


def _pair(end):
    return end["address"], end["port"]
