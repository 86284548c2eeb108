# SPDX-License-Identifier: GPL-2.0-only
"""Scenarios drawn by lot: configurations and sequences of packets, the same for the same seed. What differs on purpose, or is a matter
of chance in C ip_vs, is never drawn."""

import random

from . import model, wire
from .addresses import FAMILIES
from .model import (DIRECT, FALLBACK, NAT, TUNNEL, WITH_PORT, AddServer, Answer, DeleteServer, EditServer, EditService, ErrorAbout,
                    FromClient, FromServer, Look, Server, Service)
from .wire import ACK, FIN, PSH, RST, SYN

_SCHEDULERS = "rr wrr lc wlc sed nq lblc lblcr dh sh mh fo ovf".split()
_BY_DESTINATION = ("lblc", "lblcr", "dh")  # whose choice for an error (schedule_icmp) differs on purpose
_BY_COUNT = ("lc", "wlc", "sed", "nq", "lblc", "lblcr", "ovf")  # who, like thresholds, may count a connection that is replaced
# Without expire_nodest_conn: when connections of a removed server end is up to both modules.
_SYSCTLS = {"expire_quiescent_template": (0, 1), "sloppy_tcp": (0, 1),
            "sloppy_sctp": (0, 1), "nat_icmp_send": (0, 1), "schedule_icmp": (0, 1), "pmtu_disc": (0, 1), "secure_tcp": (0, 3)}
_FLAGS = (SYN, SYN, ACK, ACK, ACK | PSH, FIN | ACK, RST, RST | ACK, SYN | ACK, SYN | FIN, 0, FIN)
_CHUNKS = (0, 1, 1, 2, 3, 6, 7, 8, 9, 10, 11, 14)
_PER_LAB = 100
_CLIENT_PORTS = 4


def sequence(seed, number, missing=frozenset()):
    """The scenario of this number among those of a seed; settings and families of a hundred are the same, as they share a lab.
    Features that are `missing` are not drawn."""
    group = random.Random(f"{seed} {number // _PER_LAB}")
    family = group.choice(FAMILIES)
    sysctls = {"conn_reuse_mode": group.choice((0, 0, 0, 1, 2, 3))}
    sysctls |= {name: group.choice(values) for name, values in _SYSCTLS.items()
               if group.random() < 0.5 and f"sysctl {name}" not in missing}
    drawn = _Draw(random.Random(f"{seed} {number}"), family, number % _PER_LAB, missing, sysctls)
    services = drawn.services()
    return model.Scenario(f"random sequence {number} of seed {seed}", "§0 random", services, tuple(drawn.steps(services)), sysctls,
                          shared=f"random {number // _PER_LAB}")


class _Draw:
    def __init__(self, lots, family, place, missing, sysctls):
        self._lots, self._family, self._missing = lots, family, missing
        self._reuses = sysctls["conn_reuse_mode"] != 0
        self._schedulers = [name for name in _SCHEDULERS if self._has(f"scheduler {name}") and
                            not (sysctls.get("schedule_icmp") and name in _BY_DESTINATION) and
                            not (self._reuses and name in _BY_COUNT)]
        self._lost = set()  # services that lost a server: errors about its connections differ on purpose
        self._vport, self._cport = 1000 + place * 4, 20000 + place * _CLIENT_PORTS
        self._addresses = [family.RS1, family.RS2, family.RS3, family.RS4, family.LOCAL, family.DISTANT]
        self._server_port = 5000 + place
        self._made = {}  # what a server of a service is, for as often as it comes

    def _has(self, tag):
        return tag not in self._missing

    def services(self):
        return tuple(self._service(self._vport + number) for number in range(self._lots.choice((1, 1, 1, 2))))

    def _service(self, port):
        lots = self._lots
        protocols = [wire.TCP] * 5 + [wire.UDP] * 3 + [wire.SCTP] * (2 if self._has("sctp") else 0)
        scheduler = lots.choice(self._schedulers)
        flags = lots.choice((0, FALLBACK, WITH_PORT, FALLBACK | WITH_PORT)) if scheduler in ("sh", "mh") else 0
        protocol = lots.choice(protocols)
        if protocol == wire.UDP and lots.random() < 0.15 and self._has("one-packet scheduling"):
            flags |= model.ONE_PACKET
        persistent = lots.choice((60, 300)) if lots.random() < 0.25 and self._has("persistence") else None
        addresses = lots.sample(self._addresses, lots.randint(0, 4))
        return Service(protocol, self._family.VIP, port, scheduler, tuple(self._server(address, port) for address in addresses), flags,
                       persistent)

    def _server(self, address, port):
        if (address, port) not in self._made:
            self._made[address, port] = self._new_server(address, port)
        return self._made[address, port]

    def _new_server(self, address, port):
        lots = self._lots
        method = lots.choice((NAT, NAT, NAT, DIRECT, TUNNEL))
        upper = lots.choice((0, 0, 0, 2, 3)) * (not self._reuses)
        kinds = [(model.IPIP, 0, 0)] * 2
        kinds += [(model.GUE, 6080, flags) for flags in (0, 1, 2)] if self._has("tunnel gue") else []
        kinds += [(model.GRE, 0, flags) for flags in (0, 1)] if self._has("tunnel gre") else []
        kind, tunnel_port, flags = lots.choice(kinds) if method == TUNNEL else (model.IPIP, 0, 0)
        return Server(address, self._server_port if method == NAT else port, method, lots.choice((0, 1, 1, 1, 2, 5)), upper,
                      lots.choice((0, 1)) if upper else 0, kind, tunnel_port, flags)

    def steps(self, services):
        """Up to forty of them."""
        servers = {service.key: list(service.servers) for service in services}
        for _ in range(self._lots.randint(5, 40)):
            yield self._step(self._lots.choice(services), servers)

    def _step(self, service, servers):
        lot = self._lots.random()
        if lot < 0.55:
            return self._from_client(self._segment(service))
        if lot < 0.75:
            return Answer(self._lots.choice(_FLAGS), self._payload(), (self._chunk(),))
        if lot < 0.80:
            return self._stray(service)
        if lot < 0.86 and service.key not in self._lost:
            return self._error(service)
        if lot < 0.88:
            return Look()
        if lot < 0.90:
            return EditService(service.but(scheduler=self._lots.choice(self._schedulers)))
        return self._change_of_servers(service, servers[service.key])

    def _from_client(self, packet):
        """A packet as it is, with its checksum left to whom it may concern, or in fragments: through a tunnel these differ on purpose."""
        lot = self._lots.random()
        if lot < 0.1 and packet.protocol in (wire.TCP, wire.UDP):
            return FromClient(packet, offload=0)
        is_large = packet.protocol == wire.UDP and len(packet.payload) > 512
        if lot < 0.2 and is_large and all(server.method != TUNNEL for server in self._made.values()):
            return FromClient(*wire.fragments(packet.but(dont_fragment=False) if self._family.number == 4 else packet, 512))
        return FromClient(packet)

    def _client(self):
        return self._lots.choice((self._family.CLIENT, self._family.CLIENT2)), self._cport + self._lots.randrange(_CLIENT_PORTS)

    def _payload(self):
        return bytes(self._lots.choice((0, 0, 1, 7, 100, 1200, 1400)))

    def _fields(self):
        lots = self._lots
        fields = {"ttl": lots.choice((64, 64, 64, 64, 2, 1)), "tos": lots.choice((0, 0, 0, 2, 0xB8))}
        if self._family.number == 4:
            fields |= {"dont_fragment": lots.random() < 0.5, "identification": lots.randrange(1, 65536)}
        return fields

    def _segment(self, service):
        client, cport = self._client()
        return self._packet(service.protocol, client, cport, service.address, service.port)

    def _packet(self, protocol, source, sport, destination, dport):
        ends = source, sport, destination, dport
        if protocol == wire.TCP:
            return wire.tcp(*ends, self._lots.choice(_FLAGS), self._payload(), **self._fields())
        if protocol == wire.UDP:
            return wire.udp(*ends, self._payload(), **self._fields())
        return wire.sctp(*ends, self._chunk(), **self._fields())

    def _chunk(self):
        return wire.chunk(self._lots.choice(_CHUNKS), bytes(16))

    def _stray(self, service):
        """From some server to some client, whether or not there is a connection."""
        client, cport = self._client()
        source = self._lots.choice(self._addresses[:4])
        return FromServer(self._packet(service.protocol, source, self._server_port, client, cport))

    def _error(self, service):
        kinds = ((1, 0), (1, 4), (3, 0)) if self._family.number == 6 else ((3, 1), (3, 3), (11, 0), (12, 0))
        if self._lots.random() < 0.5 and all(server.method != TUNNEL for server in self._made.values()):
            return ErrorAbout("inside", *self._lots.choice(kinds), quote=self._lots.choice((None, 48, 60)))
        client, cport = self._client()
        about = self._packet(service.protocol, service.address, service.port, client, cport)
        return FromClient(wire.icmp_error(client, service.address, *self._lots.choice(kinds), about))

    def _change_of_servers(self, service, servers):
        """Add, delete or edit one; what `servers` are is kept up to date. The method of one stays what it is."""
        lot = self._lots.random()
        known = {server.address for server in servers}
        if lot < 0.4 and servers:
            server = self._lots.choice(servers)
            servers.remove(server)
            self._lost.add(service.key)
            return DeleteServer(service, server)
        if lot < 0.7 and servers:
            server = self._lots.choice(servers)
            edited = server.but(weight=self._lots.choice((0, 1, 3)), upper=self._lots.choice((0, 1, 4)) * (not self._reuses), lower=0)
            servers[servers.index(server)] = edited
            return EditServer(service, edited)
        server = self._server(self._lots.choice(self._addresses), service.port)
        if server.address not in known:
            servers.append(server)
        return AddServer(service, server)
