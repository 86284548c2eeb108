# SPDX-License-Identifier: GPL-2.0-only
"""Driving a balancer, C ip_vs or rvs, with ipvsadm."""

from .address import split_port, with_port
from .balancer import Balancer, Connection, Mark, RealServer, Service, Stats

_PROTOCOL_OPTION = {"tcp": "-t", "udp": "-u", "sctp": "--sctp-service"}
_METHOD_OPTION = {"masquerading": "-m", "tunneling": "-i", "direct-routing": "-g"}
_METHOD_SHOWN = {"Masq": "masquerading", "Tunnel": "tunneling", "Route": "direct-routing"}


class Ipvsadm(Balancer):
    tool = "ipvsadm"

    def add_service(self, protocol, address, port, scheduler="wlc", **settings):
        return self.add(Service(protocol, address, port), scheduler, **settings)

    def add(self, service, scheduler="wlc", **settings):
        """Make a virtual service of this key, which may be a `Mark`, and return it; for `settings` see `_settings`."""
        self.command("-A", *_key(service), "-s", scheduler, *_settings(**settings))
        return service

    def edit_service(self, service, scheduler, **settings):
        self.command("-E", *_key(service), "-s", scheduler, *_settings(**settings))

    def delete_service(self, service):
        self.command("-D", *_key(service))

    def add_server(self, service, address, method, weight=1, port=None, upper=0, lower=0):
        self.command("-a", *_key(service), "-r", _end(service, address, port), _METHOD_OPTION[method], "-w", weight,
                     "-x", upper, "-y", lower)

    def edit_server(self, service, address, method, weight=1, port=None, upper=0, lower=0):
        self.command("-e", *_key(service), "-r", _end(service, address, port), _METHOD_OPTION[method], "-w", weight,
                     "-x", upper, "-y", lower)

    def delete_server(self, service, address, port=None):
        self.command("-d", *_key(service), "-r", _end(service, address, port))

    def flush(self):
        self.command("-C")

    def zero(self):
        self.command("-Z")

    def set_timeouts(self, tcp, tcp_fin, udp):
        self.command("--set", tcp, tcp_fin, udp)

    def timeouts(self):
        return tuple(int(word) for word in self.command("-L", "--timeout").split() if word.isdigit())

    def table_size(self):
        """How large the connection table is, as the first line of every listing tells."""
        return int(self.command("-L", "-n").partition("(size=")[2].partition(")")[0])

    def services(self):
        listed = {}
        for words in self._lines("-Ln"):
            if words[0] in ("TCP", "UDP", "SCTP"):
                address, port = split_port(words[1])
                listed[Service(words[0].lower(), address, port)] = words[2]
        return listed

    def servers(self, service):
        listed = {}
        for words in self._lines("-Ln", *_key(service)):
            if words[0] == "->" and words[2] in _METHOD_SHOWN:
                address, port = split_port(words[1])
                weight, active, inactive = (int(word) for word in words[3:6])
                listed[address] = RealServer(address, port, _METHOD_SHOWN[words[2]], weight, active, inactive)
        return listed

    def stats(self, service):
        return self._numbers("--stats", service)

    def rates(self, service):
        return self._numbers("--rate", service)

    def connections(self):
        found = []
        for protocol, expires, state, *ends in self._lines("-Lnc"):
            if protocol in ("TCP", "UDP", "SCTP", "IP"):
                minutes, seconds = expires.split(":")
                client, virtual, server = (split_port(end) for end in ends)
                found.append(Connection(protocol.lower(), client, virtual, server, state, int(minutes) * 60 + int(seconds)))
        return found

    def _numbers(self, which, service):
        listed = {}
        for words in self._lines("-Ln", which, "--exact", *_key(service)):
            if words[-1].isdigit():
                whose = split_port(words[1])[0] if words[0] == "->" else None
                listed[whose] = Stats(*(int(word) for word in words[2:7]))
        return listed

    def _lines(self, *arguments):
        return [words for line in self.command(*arguments).splitlines() if (words := line.split())]


def _key(service):
    if isinstance(service, Mark):
        return ("-f", service.mark, *(["-6"] if service.is_ipv6 else []))
    return _PROTOCOL_OPTION[service.protocol], str(service)


def _settings(persistence=None, mask=None, one_packet=False):
    """Options of a service: its persistence in seconds, the mask (IPv6: length of the prefix) that tells clients apart then,
    and whether each packet is scheduled by itself."""
    options = {"-p": persistence, "-M": mask}
    return [word for option, value in options.items() if value is not None for word in (option, value)] + ["-o"] * one_packet


def _end(service, address, port):
    return with_port(address, service.port if port is None else port)
