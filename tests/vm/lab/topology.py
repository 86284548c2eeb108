# SPDX-License-Identifier: GPL-2.0-only
"""The network of every scenario.

                 outside, 10.0.0.0/24                     inside, 10.1.0.0/24
      client ----------+---------- director ----------+---------- rs1, rs2, rs3
      10.0.0.2         |  10.0.0.1      10.1.0.1      |           10.1.0.11, .12, .13
                       +----------- router -----------+
                         10.0.0.254      10.1.0.254

The router is also the switch of both networks. The director owns three virtual addresses, one per forwarding method. Real servers
answer for the address of masquerading through the director, their default route; for those of tunneling and direct routing, which
they own too, straight to the client through the router.

A dual stack has the same with IPv6: 2001:db8::/64 outside, 2001:db8:1::/64 inside, with the same last numbers (::254 is the
router), and virtual addresses in 2001:db8:2::/64.
"""

import dataclasses
import socket

import pytest

from . import namespace
from .address import family_of
from .capture import Capture
from .ghost import Ghost
from .marks import dual_stack
from .namespace import Namespace
from .programs import TcpPrograms, UdpPrograms

METHODS = ["masquerading", "tunneling", "direct-routing"]


@dataclasses.dataclass(frozen=True, eq=False)
class Plan:
    """The addresses of one family."""

    name: str
    client: str
    outside: str  # of the director
    inside: str
    ghost_client: str
    ghost_server: str
    far_away: str  # a router somewhere on the way
    vip: dict  # by method

    @property
    def host(self):
        """The length of a prefix that is one address."""
        return 128 if self.is_ipv6 else 32

    @property
    def is_ipv6(self):
        return ":" in self.client


IPV4 = Plan("IPv4", "10.0.0.2", "10.0.0.1", "10.1.0.1", "10.0.0.50", "10.1.0.50", "198.51.100.7",
            dict(zip(METHODS, ("192.0.2.1", "192.0.2.2", "192.0.2.3"))))
IPV6 = Plan("IPv6", "2001:db8::2", "2001:db8::1", "2001:db8:1::1", "2001:db8::50", "2001:db8:1::50", "2001:db8:7::7",
            dict(zip(METHODS, ("2001:db8:2::1", "2001:db8:2::2", "2001:db8:2::3"))))
VIP, VIP6 = IPV4.vip, IPV6.vip
CLIENT, DIRECTOR_OUTSIDE, DIRECTOR_INSIDE = IPV4.client, IPV4.outside, IPV4.inside

# Marks a scenario about what all methods have in common: one stands for all, so that the suite stays quick.
whichever_method = pytest.mark.parametrize("method", ["direct-routing"])

# Runs a scenario over either family, on a dual stack.
either_family = pytest.mark.parametrize("plan", [pytest.param(plan, id=plan.name, marks=dual_stack) for plan in (IPV4, IPV6)])

_ROUTER_OUTSIDE = "10.0.0.254"
_ROUTER_INSIDE = "10.1.0.254"
_ROUTER_OUTSIDE_6 = "2001:db8::254"
_ROUTER_INSIDE_6 = "2001:db8:1::254"
_ROUTES = {"net.ipv4.ip_forward": 1, "net.ipv4.conf.all.rp_filter": 0, "net.ipv4.conf.all.send_redirects": 0}
_AROUND_THE_DIRECTOR = 100  # the routing table of replies that do not pass the director


class Node(Namespace):
    """A machine of the lab: a namespace that knows its addresses."""

    address = ""
    address6 = ""

    def capture(self, device="eth0", family=socket.AF_INET):
        """See the packets of a family that arrive at a device from now on."""
        return Capture(self, device, family=family)

    def address_like(self, other):
        """The machine's address of the family that `other` is of."""
        return self.address if family_of(other) == socket.AF_INET else self.address6


class Lab:
    """The topology, freshly made, with IPv6 too if `dual`. `suffix` tells several of them apart."""

    def __init__(self, suffix="", dual=False):
        self._dual, self._suffix = dual, suffix
        self._programs = []
        self.nodes = Node.create(*(name + suffix for name in ("client", "director", "router", "rs1", "rs2", "rs3")))
        self.client, self.director, self.router, *self.servers = self.nodes
        self.rs1, self.rs2, self.rs3 = self.servers
        try:
            self._connect()
            if dual:
                self._connect6()
        except BaseException:
            self.close()
            raise

    def close(self):
        """Stop the programs and delete the namespaces; that they are really gone, `namespace.all_gone` tells."""
        for programs in self._programs:
            programs.close()
        for node in self.nodes:
            node.close()
        namespace.execute(["ip", "-batch", "-"], "".join(f"netns del {node.name}\n" for node in self.nodes))
        self.nodes = []

    def delete(self, node):
        """Delete one machine's namespace now."""
        self.nodes.remove(node)
        node.delete()

    def second_director(self):
        """Another machine with a device in either network, 10.0.0.3 and 10.1.0.3, that routes between them."""
        [node] = Node.create("director2" + self._suffix)
        self.nodes.append(node)
        for bridge, device in (("outside", "eth0"), ("inside", "eth1")):
            self.router.ip(f"link add name {bridge}2 type veth peer name {device} netns {node.name}", f"link set {bridge}2 master {bridge} up")
        node.ip("link set lo up", "link set eth0 up", "addr add 10.0.0.3/24 dev eth0", "link set eth1 up", "addr add 10.1.0.3/24 dev eth1")
        node.sysctl(**_ROUTES)
        return node

    def tcp_programs(self, port=80, servers=None):
        """Every real server answers on this TCP port; see `TcpPrograms` for what it understands."""
        anywhere = ["0.0.0.0", "::"] if self._dual else ["0.0.0.0"]
        return [self._started(TcpPrograms(server, address, port)) for server in servers or self.servers for address in anywhere]

    def udp_programs(self, port=53, servers=None):
        """Every real server answers on this UDP port, at each of its addresses."""
        started = []
        for server in servers or self.servers:
            own = []
            for plan in (IPV4, IPV6) if self._dual else (IPV4,):
                own.append(server.address_like(plan.client))
                own += [] if server is self.director else _owned_by_servers(plan)
            started.append(self._started(UdpPrograms(server, own, port)))
        return started

    def ghost_client(self, plan=IPV4):
        """A client's address that says only what the test says."""
        address = plan.ghost_client
        self.director.ip(f"neigh replace {address} lladdr {self.client.mac('eth0').hex(':')} dev eth0")
        return Ghost(self.client, address, peer=self.director.mac("eth0"))

    def ghost_server(self, plan=IPV4):
        """A real server's address that says only what the test says; its packets go to the director.

        It is at the device of rs1, which stops to answer for virtual addresses itself.
        """
        address, shared = plan.ghost_server, _owned_by_servers(plan)
        self.rs1.ip(*(f"addr del {vip}/{plan.host} dev lo" for vip in shared))
        self.director.ip(f"neigh replace {address} lladdr {self.rs1.mac('eth0').hex(':')} dev eth1")
        return Ghost(self.rs1, address, peer=self.director.mac("eth1"), also=shared)

    def offloads(self, on, nodes=()):
        """Segmentation and checksum offloads of every device of these machines, or of all but the router."""
        value = "on" if on else "off"
        for node in nodes or (self.client, self.director, *self.servers):
            for device in ("eth0", "eth1") if node is self.director else ("eth0",):
                node.run("ethtool", "-K", device, *(word for name in ("tx", "tso", "gso", "gro") for word in (name, value)))

    def run_program(self, program):
        """Close this together with the lab."""
        return self._started(program)

    def _started(self, programs):
        self._programs.append(programs)
        return programs

    def _connect(self):
        self._switch()
        self._client()
        self._director()
        for number, server in enumerate(self.servers, start=1):
            self._server(server, number)

    def _switch(self):
        """Both networks, every machine's cable, and the router's addresses."""
        cables = [("outside", self.client, "eth0"), ("outside", self.director, "eth0"), ("inside", self.director, "eth1")]
        cables += [("inside", server, "eth0") for server in self.servers]
        # With an address of its own a bridge does not take that of a port that comes later.
        lines = [f"link add name {bridge} address 02:00:00:00:00:0{number} type bridge mcast_snooping 0"
                 for number, bridge in enumerate(("outside", "inside"), start=1)]
        for number, (bridge, node, device) in enumerate(cables):
            lines += [f"link add name port{number} type veth peer name {device} netns {node.name}",
                      f"link set port{number} master {bridge} up"]
        lines += [f"addr add {_ROUTER_OUTSIDE}/24 dev outside", f"addr add {_ROUTER_INSIDE}/24 dev inside",
                  "link set outside up", "link set inside up"]
        self.router.ip(*lines)
        self.router.sysctl(**_ROUTES)

    def _client(self):
        self.client.address = CLIENT
        self.client.ip("link set lo up", "link set eth0 up", f"addr add {CLIENT}/24 dev eth0",
                       f"route add 192.0.2.0/24 via {DIRECTOR_OUTSIDE}", f"route add 10.1.0.0/24 via {DIRECTOR_OUTSIDE}")
        self.client.sysctl(**{"net.ipv4.conf.all.rp_filter": 0})

    def _director(self):
        self.director.address = DIRECTOR_INSIDE
        self.director.ip("link set lo up", *(f"addr add {vip}/32 dev lo" for vip in VIP.values()),
                         "link set eth0 up", f"addr add {DIRECTOR_OUTSIDE}/24 dev eth0",
                         "link set eth1 up", f"addr add {DIRECTOR_INSIDE}/24 dev eth1")
        self.director.sysctl(**_ROUTES, **{"net.ipv4.icmp_ratelimit": 0})

    def _server(self, server, number):
        server.address = f"10.1.0.1{number}"
        own = _owned_by_servers(IPV4)
        server.sysctl(**{"net.ipv4.conf.all.rp_filter": 0, "net.ipv4.conf.all.arp_ignore": 1,
                         "net.ipv4.conf.all.arp_announce": 2, "net.ipv4.icmp_ratelimit": 0})
        server.ip("link set lo up", *(f"addr add {vip}/32 dev lo" for vip in own), "link add tunl0 type ipip", "link set tunl0 up",
                  "link set eth0 up", f"addr add {server.address}/24 dev eth0", f"route add default via {DIRECTOR_INSIDE}",
                  f"route add 10.1.0.0/24 dev eth0 table {_AROUND_THE_DIRECTOR}",
                  f"route add default via {_ROUTER_INSIDE} table {_AROUND_THE_DIRECTOR}",
                  *(f"rule add from {vip} lookup {_AROUND_THE_DIRECTOR}" for vip in own))
        server.sysctl(**{"net.ipv4.conf.tunl0.rp_filter": 0, "net.ipv4.conf.eth0.rp_filter": 0})

    def _connect6(self):
        """The addresses and routes of IPv6; nobody has addresses that it was not given."""
        for node in self.nodes:
            node.sysctl(**{"net.ipv6.conf.all.addr_gen_mode": 1, "net.ipv6.conf.all.accept_ra": 0,
                           "net.ipv6.conf.all.disable_ipv6": 0, "net.ipv6.icmp.ratelimit": 0})
        for node in (self.director, self.router):
            node.sysctl(**{"net.ipv6.conf.all.forwarding": 1})
        # Who sends from an address that is not of the link asks for neighbours from one that is.
        self.router.ip(f"addr add {_ROUTER_OUTSIDE_6}/64 dev outside nodad", f"addr add {_ROUTER_INSIDE_6}/64 dev inside nodad",
                       "addr add fe80::254/64 dev outside nodad", "addr add fe80::254/64 dev inside nodad")
        self.client.address6, self.director.address6 = IPV6.client, IPV6.inside
        self.client.ip(f"addr add {IPV6.client}/64 dev eth0 nodad", f"route add 2001:db8:1::/64 via {IPV6.outside}",
                       f"route add 2001:db8:2::/64 via {IPV6.outside}")
        self.director.ip(*(f"addr add {vip}/128 dev lo nodad" for vip in VIP6.values()),
                         f"addr add {IPV6.outside}/64 dev eth0 nodad", f"addr add {IPV6.inside}/64 dev eth1 nodad",
                         "addr add fe80::1/64 dev eth0 nodad", "addr add fe80::1/64 dev eth1 nodad")
        for number, server in enumerate(self.servers, start=1):
            self._server6(server, number)

    def _server6(self, server, number):
        server.address6 = f"2001:db8:1::1{number}"
        own = _owned_by_servers(IPV6)
        server.ip("link add ip6tnl0 type ip6tnl mode any", "link add sit0 type sit", "link set ip6tnl0 up", "link set sit0 up",
                  *(f"addr add {vip}/128 dev lo nodad" for vip in own),
                  f"addr add {server.address6}/64 dev eth0 nodad", f"addr add fe80::1{number}/64 dev eth0 nodad",
                  f"route add default via {IPV6.inside}",
                  f"route add 2001:db8:1::/64 dev eth0 table {_AROUND_THE_DIRECTOR}",
                  f"route add default via {_ROUTER_INSIDE_6} table {_AROUND_THE_DIRECTOR}",
                  *(f"rule add from {vip} lookup {_AROUND_THE_DIRECTOR}" for vip in own), options=["-6"])


def _owned_by_servers(plan):
    """The virtual addresses that real servers have themselves."""
    return [plan.vip[method] for method in METHODS if method != "masquerading"]
