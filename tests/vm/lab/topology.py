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
"""

import pytest

from . import namespace
from .capture import Capture
from .ghost import Ghost
from .namespace import Namespace
from .programs import TcpPrograms, UdpPrograms

METHODS = ["masquerading", "tunneling", "direct-routing"]
VIP = {"masquerading": "192.0.2.1", "tunneling": "192.0.2.2", "direct-routing": "192.0.2.3"}
CLIENT = "10.0.0.2"
DIRECTOR_OUTSIDE = "10.0.0.1"
DIRECTOR_INSIDE = "10.1.0.1"

# Marks a scenario about what all methods have in common: one stands for all, so that the suite stays quick.
whichever_method = pytest.mark.parametrize("method", ["direct-routing"])

_ROUTER_OUTSIDE = "10.0.0.254"
_ROUTER_INSIDE = "10.1.0.254"
_AROUND_THE_DIRECTOR = 100  # the routing table of replies that do not pass the director


class Node(Namespace):
    """A machine of the lab: a namespace that knows its address."""

    address = ""

    def capture(self, device="eth0"):
        """See the IPv4 packets that arrive at a device from now on."""
        return Capture(self, device)


class Lab:
    """The topology, freshly made. `suffix` tells several of them apart."""

    def __init__(self, suffix=""):
        self._programs = []
        self.nodes = Node.create(*(name + suffix for name in ("client", "director", "router", "rs1", "rs2", "rs3")))
        self.client, self.director, self.router, *self.servers = self.nodes
        self.rs1, self.rs2, self.rs3 = self.servers
        try:
            self._connect()
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

    def tcp_programs(self, port=80, servers=None):
        """Every real server answers on this TCP port; see `TcpPrograms` for what it understands."""
        return [self._started(TcpPrograms(server, "0.0.0.0", port)) for server in servers or self.servers]

    def udp_programs(self, port=53, servers=None):
        """Every real server answers on this UDP port, at each of its addresses."""
        started = []
        for server in servers or self.servers:
            own = [server.address] if server is self.director else [server.address, VIP["tunneling"], VIP["direct-routing"]]
            started.append(self._started(UdpPrograms(server, own, port)))
        return started

    def ghost_client(self, address="10.0.0.50"):
        """A client's address that says only what the test says."""
        self.director.ip(f"neigh replace {address} lladdr {self.client.mac('eth0').hex(':')} dev eth0")
        return Ghost(self.client, address, peer=self.director.mac("eth0"))

    def ghost_server(self, address="10.1.0.50"):
        """A real server's address that says only what the test says; its packets go to the director.

        It is at the device of rs1, which stops to answer for virtual addresses itself.
        """
        shared = [VIP["tunneling"], VIP["direct-routing"]]
        self.rs1.ip(*(f"addr del {vip}/32 dev lo" for vip in shared))
        self.director.ip(f"neigh replace {address} lladdr {self.rs1.mac('eth0').hex(':')} dev eth1")
        return Ghost(self.rs1, address, peer=self.director.mac("eth1"), also=shared)

    def offloads(self, on):
        """Segmentation and checksum offloads of every device of every machine."""
        value = "on" if on else "off"
        for node in (self.client, self.director, *self.servers):
            for device in ("eth0", "eth1") if node is self.director else ("eth0",):
                node.run("ethtool", "-K", device, *(word for name in ("tx", "tso", "gso", "gro") for word in (name, value)))

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
        self.router.sysctl(**{"net.ipv4.ip_forward": 1, "net.ipv4.conf.all.rp_filter": 0,
                              "net.ipv4.conf.all.send_redirects": 0})

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
        self.director.sysctl(**{"net.ipv4.ip_forward": 1, "net.ipv4.conf.all.rp_filter": 0,
                                "net.ipv4.conf.all.send_redirects": 0, "net.ipv4.icmp_ratelimit": 0})

    def _server(self, server, number):
        server.address = f"10.1.0.1{number}"
        own = [VIP["tunneling"], VIP["direct-routing"]]
        server.sysctl(**{"net.ipv4.conf.all.rp_filter": 0, "net.ipv4.conf.all.arp_ignore": 1,
                         "net.ipv4.conf.all.arp_announce": 2, "net.ipv4.icmp_ratelimit": 0})
        server.ip("link set lo up", *(f"addr add {vip}/32 dev lo" for vip in own), "link set tunl0 up",
                  "link set eth0 up", f"addr add {server.address}/24 dev eth0", f"route add default via {DIRECTOR_INSIDE}",
                  f"route add 10.1.0.0/24 dev eth0 table {_AROUND_THE_DIRECTOR}",
                  f"route add default via {_ROUTER_INSIDE} table {_AROUND_THE_DIRECTOR}",
                  *(f"rule add from {vip} lookup {_AROUND_THE_DIRECTOR}" for vip in own))
        server.sysctl(**{"net.ipv4.conf.tunl0.rp_filter": 0, "net.ipv4.conf.eth0.rp_filter": 0})
