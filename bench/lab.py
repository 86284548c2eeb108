# SPDX-License-Identifier: GPL-2.0-only
"""The network the packets are measured in: a generator's namespace, the director's namespace, and what the director sends to.

::

    generator                      director
    +-----------+   veth pair   +---------------------------------+
    | gen       |---------------| in        10.0.1.1              |
    | 10.0.1.2  |               | lo        10.9.0.1 (the VIP)    |
    +-----------+               | servers   10.2.0.1  dummy ------+--> 10.2.0.10 …  real servers
                                | clients   10.3.0.1  dummy ------+--> 10.3.0.2     router towards 10.1.0.0/16, the clients
                                +---------------------------------+

IPv6 goes the same ways: for 10.a.b.c it has fd00:a:b::c. The dummy devices swallow what they are given and count it; their neighbours are permanent entries, so no ARP is seen. What is
*done* to the packets (services, filters) does not live here.
"""

import contextlib
import json
import os
import subprocess

GENERATOR = "generator"
DIRECTOR = "director"

SOURCE_DEVICE = "gen"
INGRESS = "in"
TO_SERVERS = "servers"
TO_CLIENTS = "clients"

INGRESS_MAC = "02:00:00:00:01:01"
VIP = "10.9.0.1"
VIP_PORT = 80
SERVERS = ("10.2.0.10", "10.2.0.11", "10.2.0.12", "10.2.0.13")
SERVER_PORT = 8080
CLIENT = "10.1.0.1"

VIP6 = "fd00:9::1"
SERVERS6 = ("fd00:2::10", "fd00:2::11", "fd00:2::12", "fd00:2::13")
CLIENT6 = "fd00:1::1"


class CommandFailed(Exception):
    """A command of the set-up ended with another status than 0."""


def run(*words, stdin=None):
    """Runs a command and returns what it printed; raises `CommandFailed` with its error text if it fails."""
    done = subprocess.run(words, input=stdin, capture_output=True, text=True)
    if done.returncode != 0:
        raise CommandFailed(f"{' '.join(words)}: exit status {done.returncode}: {(done.stderr or done.stdout).strip()}")
    return done.stdout


@contextlib.contextmanager
def inside(namespace):
    """The calling thread is in the named network namespace for the length of the block."""
    before = os.open("/proc/self/ns/net", os.O_RDONLY)
    wanted = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    try:
        os.setns(wanted, os.CLONE_NEWNET)
        yield
    finally:
        os.setns(before, os.CLONE_NEWNET)
        os.close(before)
        os.close(wanted)


def write(path, text):
    """Writes one line into a file of procfs."""
    with open(path, "w", encoding="ascii") as file:
        file.write(text + "\n")


def batch(namespace, *lines):
    """Gives the lines to one `ip -batch` in the namespace."""
    run("ip", "-netns", namespace, "-batch", "-", stdin="\n".join(lines) + "\n")


def _quiet_namespace(name):
    run("ip", "netns", "add", name)
    with inside(name):
        # Neither router solicitations nor multicast reports may be counted as packets, and asymmetric paths are on purpose.
        for scope in ("all", "default"):
            write(f"/proc/sys/net/ipv6/conf/{scope}/disable_ipv6", "1")
            write(f"/proc/sys/net/ipv4/conf/{scope}/rp_filter", "0")


def _add_ipv6():
    """Gives the director's devices IPv6, which then says nothing of itself."""
    # Reports of multicast groups go out, but once (for all namespaces), and before anything is counted.
    write("/proc/sys/net/ipv6/mld_qrv", "1")
    with inside(DIRECTOR):
        for device in (INGRESS, TO_SERVERS, TO_CLIENTS, "lo"):
            conf = f"/proc/sys/net/ipv6/conf/{device}"
            for version in (1, 2):
                write(f"{conf}/mldv{version}_unsolicited_report_interval", "1")
            for setting, value in (("addr_gen_mode", "1"), ("accept_dad", "0"), ("accept_ra", "0"), ("router_solicitations", "0")):
                write(f"{conf}/{setting}", value)
            write(f"{conf}/disable_ipv6", "0")
        write("/proc/sys/net/ipv6/conf/all/forwarding", "1")
    batch(
        DIRECTOR,
        f"addr add fd00:0:1::1/64 dev {INGRESS} nodad",
        f"addr add fd00:2::1/64 dev {TO_SERVERS} nodad",
        f"addr add fd00:3::1/64 dev {TO_CLIENTS} nodad",
        f"addr add {VIP6}/128 dev lo nodad",
        *(f"neigh add {server} lladdr 02:00:00:00:02:{i:02x} dev {TO_SERVERS} nud permanent" for i, server in enumerate(SERVERS6)),
        f"neigh add fd00:3::2 lladdr 02:00:00:00:03:02 dev {TO_CLIENTS} nud permanent",
        f"route add fd00:1::/64 via fd00:3::2 dev {TO_CLIENTS}",
    )


@contextlib.contextmanager
def lab():
    """Builds the network, and removes it (with every connection in it) at the end of the block."""
    try:
        _quiet_namespace(GENERATOR)
        _quiet_namespace(DIRECTOR)
        batch(
            DIRECTOR,
            f"link add {INGRESS} address {INGRESS_MAC} type veth peer name {SOURCE_DEVICE} netns {GENERATOR}",
            f"link add {TO_SERVERS} type dummy",
            f"link add {TO_CLIENTS} type dummy",
            f"addr add 10.0.1.1/24 dev {INGRESS}",
            f"addr add 10.2.0.1/24 dev {TO_SERVERS}",
            f"addr add 10.3.0.1/24 dev {TO_CLIENTS}",
            f"addr add {VIP}/32 dev lo",
            "link set lo up",
            f"link set {INGRESS} up",
            f"link set {TO_SERVERS} up",
            f"link set {TO_CLIENTS} up",
            *(f"neigh add {server} lladdr 02:00:00:00:02:{i:02x} dev {TO_SERVERS} nud permanent" for i, server in enumerate(SERVERS)),
            f"neigh add 10.3.0.2 lladdr 02:00:00:00:03:02 dev {TO_CLIENTS} nud permanent",
            f"route add 10.1.0.0/16 via 10.3.0.2 dev {TO_CLIENTS}",
        )
        with inside(DIRECTOR):
            write("/proc/sys/net/ipv4/ip_forward", "1")
        _add_ipv6()
        batch(GENERATOR, f"addr add 10.0.1.2/24 dev {SOURCE_DEVICE}", f"link set {SOURCE_DEVICE} up")
        yield
    finally:
        for name in (DIRECTOR, GENERATOR):
            if os.path.exists(f"/run/netns/{name}"):
                run("ip", "netns", "delete", name)


def in_director(*words):
    """Runs a command in the director's namespace."""
    with inside(DIRECTOR):
        return run(*words)


def sent_by(device):
    """Packets and bytes that a device of the director has sent so far."""
    link = json.loads(run("ip", "-netns", DIRECTOR, "-json", "-statistics", "link", "show", "dev", device))[0]
    counters = link["stats64"]["tx"]
    return counters["packets"], counters["bytes"]


def received_by(device):
    """Packets that a device of the director has received so far."""
    link = json.loads(run("ip", "-netns", DIRECTOR, "-json", "-statistics", "link", "show", "dev", device))[0]
    return link["stats64"]["rx"]["packets"]
