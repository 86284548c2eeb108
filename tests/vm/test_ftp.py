# SPDX-License-Identifier: GPL-2.0-only
"""FTP through masquerading: data connections find the real server of their control connection, in every mode."""

import hashlib
import socket

import pytest

from lab import eventually, module, namespace
from lab.ftp import MODES, FtpServer, FtpSession, transfer
from lab.programs import pattern
from lab.tracking import rules

VIP = "192.0.2.100"  # longer than the real servers' addresses: sequence numbers have to be adjusted
VIP6, CLIENT6, OUTSIDE6, INSIDE6, SERVER6 = "fd00:f::1", "fd00:a::2", "fd00:a::1", "fd00:b::1", "fd00:b::11"
PATTERN = hashlib.sha256(pattern(FtpServer.SIZE)).hexdigest()

STATEFUL = """table ip filter {
    chain input { type filter hook input priority 0; policy drop;
        ct state established,related accept
        ct state new tcp dport 21 accept
    }
    chain forward { type filter hook forward priority 0; policy drop; ct state established,related accept; }
}"""


@pytest.fixture(scope="module", autouse=True)
def helper(balancer_name, loaded_module):
    """C ip_vs has FTP in a module of its own."""
    with module.beside(balancer_name, "ip_vs_ftp"):
        yield


@pytest.fixture
def servers(lab, balancer):
    """Two FTP servers behind a virtual address."""
    lab.director.ip(f"addr add {VIP}/32 dev lo")
    started = [FtpServer(server) for server in (lab.rs1, lab.rs2)]
    balancer.balance("tcp", VIP, 21, [lab.rs1, lab.rs2], "masquerading")
    yield started
    for server in started:
        server.close()


@pytest.fixture
def two_ports(balancer_name, namespaces_before):
    """FTP is understood at port 2121 too."""
    def load(*ports):
        if balancer_name == "ip_vs":
            module.reload_beside("ip_vs_ftp", *(f"ports={value}" for value in ports))
        else:
            module.unload(balancer_name)
            module.load(balancer_name, *(f"ftp_ports={value}" for value in ports))
    load("21,2121")
    yield
    namespace.all_gone(namespaces_before)  # C ip_vs_ftp does not leave connections behind
    load()


@pytest.mark.parametrize("mode", MODES)
def test_files_travel_both_ways_in_every_mode(lab, servers, mode):
    for _ in servers:
        assert transfer(lab.client, VIP, mode) == {PATTERN}
    assert [server.received("stored") for server in servers] == [PATTERN, PATTERN]


def test_a_passive_reply_names_the_virtual_address_and_a_port_is_awaited(lab, balancer, servers):
    with FtpSession(lab.client, VIP) as session:
        words = session.passive()
        numbers = words.partition("(")[2].partition(")")[0].split(",")
        assert ".".join(numbers[:4]) == VIP
        port = int(numbers[4]) * 256 + int(numbers[5])
        [awaited] = [one for one in balancer.connections() if one.virtual[1] == port]
        assert (awaited.client, awaited.state) == ((lab.client.address, 0), "LISTEN")
        assert awaited.server[1] == port
        with lab.client.socket() as data:
            data.settimeout(10)
            data.connect((VIP, port))
            own = data.getsockname()[1]
            eventually(lambda: balancer.state_of(own) == "ESTABLISHED")
            assert [one.client for one in balancer.connections() if one.virtual[1] == port] == [(lab.client.address, own)]
            with lab.client.socket() as late:
                late.settimeout(10)
                with pytest.raises(OSError):
                    late.connect((VIP, port))
                    late.recv(1)


def test_the_ports_of_ftp_are_a_parameter_of_the_module(two_ports, lab, balancer, servers):
    lab.director.run("ipvsadm", "-A", "-t", f"{VIP}:2121", "-s", "rr")
    for server in (lab.rs1, lab.rs2):
        lab.director.run("ipvsadm", "-a", "-t", f"{VIP}:2121", "-r", f"{server.address}:21", "-m")
    for mode in ("PASV", "PORT"):
        assert transfer(lab.client, f"{VIP}:2121", mode) == {PATTERN}
    with FtpSession(lab.client, VIP, 2121) as session:
        session.pwd()
        users = {port: int(count) for _, port, count, _ in (line.split() for line in lab.director.read("/proc/net/ip_vs_app").splitlines())
                 if port != "port"}
    assert set(users) == {"21", "2121"} and users["21"] == 0 < users["2121"]


def test_only_the_port_of_an_extended_passive_reply_is_kept(lab, balancer, servers):
    with FtpSession(lab.client, VIP) as session:
        words = session.passive("EPSV")
        port = int(words.partition("|||")[2].partition("|")[0])
        assert balancer.connection_of(0).virtual == (VIP, port)


def test_the_control_connection_goes_on_after_many_replies_that_changed_their_length(lab, servers):
    with FtpSession(lab.client, VIP) as session:
        for _ in range(20):
            assert session.passive().startswith("227 ")
            assert session.pwd() == "/"


@pytest.mark.parametrize("mode", ["PASV", "PORT"])
@pytest.mark.rvs_only
def test_stateful_rules_take_data_connections_for_related(lab, servers, mode):
    """C ip_vs needs the kernel's own helper for that."""
    rules(lab.director, STATEFUL)
    assert transfer(lab.client, VIP, mode) == {PATTERN}


@pytest.mark.parametrize("mode", ["EPSV", "EPRT"])
def test_extended_modes_carry_ipv6(lab, balancer, mode):
    for node in (lab.client, lab.director, lab.rs1):
        node.sysctl(**{"net.ipv6.conf.all.disable_ipv6": 0, "net.ipv6.conf.all.forwarding": int(node is lab.director)})
    lab.director.ip(f"addr add {OUTSIDE6}/64 dev eth0 nodad", f"addr add {INSIDE6}/64 dev eth1 nodad", f"addr add {VIP6}/128 dev lo")
    lab.client.ip(f"addr add {CLIENT6}/64 dev eth0 nodad", f"route add default via {OUTSIDE6}")
    lab.rs1.ip(f"addr add {SERVER6}/64 dev eth0 nodad", f"route add default via {INSIDE6}")
    server = FtpServer(lab.rs1, socket.AF_INET6)
    try:
        lab.director.run("ipvsadm", "-A", "-t", f"[{VIP6}]:21", "-s", "rr")
        lab.director.run("ipvsadm", "-a", "-t", f"[{VIP6}]:21", "-r", f"[{SERVER6}]:21", "-m")
        assert transfer(lab.client, f"[{VIP6}]", mode) == {PATTERN}
        assert server.received("stored") == PATTERN
    finally:
        server.close()
