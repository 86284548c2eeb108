# SPDX-License-Identifier: GPL-2.0-only
"""Connections go away when their timeout has passed without a packet, and not before."""

import time

import pytest

from lab import VIP, eventually, whichever_method
from lab.programs import TcpClient, UdpClient

SLACK = 2  # seconds a timer may be late in a slow guest
TICK = 0.1  # and early anywhere


def lives(balancer, client_port, seconds, since):
    """Whether a connection is there until so long after its last packet, which was sent later than `since`, and then no more."""
    eventually(lambda: balancer.connection_of(client_port) is None, within=seconds + SLACK)
    return time.monotonic() - since > seconds - TICK


@whichever_method
def test_a_udp_flow_expires_after_its_timeout(lab, balancer, method):
    lab.udp_programs(53)
    service = balancer.balance("udp", VIP[method], 53, [lab.rs1], method)
    balancer.set_timeouts(0, 0, 2)
    with UdpClient(lab.client, VIP[method], 53) as client:
        since = time.monotonic()
        client.ask(b"hello")
        assert balancer.counts(service) == {lab.rs1.address: (0, 1)}
        assert lives(balancer, client.port, 2, since)
        eventually(lambda: balancer.counts(service), {lab.rs1.address: (0, 0)})
        assert client.ask(b"again") == ("rs1", b"again")


def test_packets_keep_a_flow_alive(lab, balancer):
    lab.udp_programs(53)
    balancer.balance("udp", VIP["masquerading"], 53, lab.servers, "masquerading")
    balancer.set_timeouts(0, 0, 2)
    with UdpClient(lab.client, VIP["masquerading"], 53) as client:
        start, names = time.monotonic(), set()
        while time.monotonic() < start + 4:
            names.add(client.ask(b"tick")[0])
            assert balancer.connection_of(client.port).expires <= 2
        assert len(names) == 1


def test_a_half_closed_connection_expires_after_the_fin_timeout(lab, balancer, method):
    lab.tcp_programs()
    service = balancer.balance("tcp", VIP[method], 80, [lab.rs1], method)
    balancer.set_timeouts(0, 2, 0)
    with TcpClient(lab.client, VIP[method], 80) as client:
        since = time.monotonic()
        if method == "masquerading":
            client.say("bye")  # the server closes first, the client keeps its half open
            assert client.at_end()
        else:
            client.ask("who")
            client.finish()
        eventually(lambda: balancer.state_of(client.port), "FIN_WAIT")
        assert lives(balancer, client.port, 2, since)
    eventually(lambda: balancer.counts(service), {lab.rs1.address: (0, 0)})


@whichever_method
def test_an_idle_established_connection_expires_and_its_next_segment_is_reset(lab, balancer, method):
    lab.tcp_programs()
    service = balancer.balance("tcp", VIP[method], 80, [lab.rs1], method)
    balancer.set_timeouts(2, 0, 0)
    with TcpClient(lab.client, VIP[method], 80) as client:
        since = time.monotonic()
        client.ask("who")
        assert lives(balancer, client.port, 2, since)
        assert balancer.counts(service) == {lab.rs1.address: (0, 0)}
        with pytest.raises(ConnectionResetError):
            client.ask("who")


def test_a_reset_connection_is_gone_after_ten_seconds(lab, balancer):
    lab.tcp_programs()
    balancer.balance("tcp", VIP["masquerading"], 80, [lab.rs1], "masquerading")
    client = TcpClient(lab.client, VIP["masquerading"], 80)
    client.ask("who")
    port, since = client.port, time.monotonic()
    client.reset()
    eventually(lambda: balancer.state_of(port), "CLOSE")
    assert lives(balancer, port, 10, since)


def test_a_changed_timeout_counts_from_the_next_packet_on(lab, balancer):
    lab.udp_programs(53)
    balancer.balance("udp", VIP["masquerading"], 53, [lab.rs1], "masquerading")
    with UdpClient(lab.client, VIP["masquerading"], 53) as client:
        client.ask(b"hello")
        assert 290 < balancer.connection_of(client.port).expires <= 300
        balancer.set_timeouts(0, 0, 30)
        assert 290 < balancer.connection_of(client.port).expires <= 300
        client.ask(b"hello")
        assert 25 < balancer.connection_of(client.port).expires <= 30


def test_hundreds_of_flows_expire_together(lab, balancer):
    lab.udp_programs(53)
    service = balancer.balance("udp", VIP["masquerading"], 53, [lab.rs1], "masquerading")
    balancer.set_timeouts(0, 0, 2)
    clients = [UdpClient(lab.client, VIP["masquerading"], 53) for _ in range(300)]
    for client in clients:
        client.socket.send(b"hello")
    eventually(lambda: balancer.counts(service)[lab.rs1.address][1] > 0)
    eventually(lambda: (balancer.counts(service), balancer.connections()), ({lab.rs1.address: (0, 0)}, []), within=5 + SLACK)
