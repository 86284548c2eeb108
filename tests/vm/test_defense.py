# SPDX-License-Identifier: GPL-2.0-only
"""Defences against floods: their modes follow memory, and each drops what it says and nothing else."""

import os

import pytest

from lab import VIP, eventually, packet, sysctl, whichever_method
from lab.packet import ACK, SYN
from lab.rvsctl import Rvsctl

MODES = ["drop_entry", "drop_packet", "secure_tcp"]
ALWAYS_LOW, NEVER_LOW = f"{2**31 - 1}\n", "0\n"


@pytest.fixture
def one_cpu():
    """All packets of the test are sent on one CPU, since each may count its own."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {0})
    yield
    os.sched_setaffinity(0, before)


def settings(node, **values):
    with node:
        for name, value in values.items():
            assert sysctl.write(name, f"{value}".rstrip("\n") + "\n") == "ok"


def mode(node, name):
    with node:
        return int(sysctl.read(name))


@pytest.mark.parametrize("name", MODES)
def test_an_automatic_mode_becomes_active_while_memory_is_low(lab, name):
    settings(lab.director, amemthresh=ALWAYS_LOW, **{name: 1})
    assert mode(lab.director, name) == 2
    settings(lab.director, amemthresh=NEVER_LOW)
    eventually(lambda: mode(lab.director, name), 1)
    settings(lab.director, amemthresh=ALWAYS_LOW)
    eventually(lambda: mode(lab.director, name), 2)
    settings(lab.director, **{name: 0})
    assert mode(lab.director, name) == 0


@pytest.mark.parametrize("name", MODES)
def test_an_automatic_mode_written_as_active_is_inactive_if_there_is_memory(lab, name):
    settings(lab.director, amemthresh=NEVER_LOW, **{name: 2})
    assert mode(lab.director, name) == 1
    settings(lab.director, **{name: 3})
    assert mode(lab.director, name) == 3


@whichever_method
def test_drop_packet_drops_one_of_so_many_packets_that_would_create_a_connection(lab, balancer, method, one_cpu, balancer_name):
    client, server = lab.ghost_client(), lab.ghost_server()
    service = balancer.add_service("udp", VIP[method], 53, "rr")
    balancer.add_server(service, server.address, method)

    def send(port):
        client.send(packet.udp(client.address, port, VIP[method], 53))

    send(39999)
    server.receive()
    settings(lab.director, am_droprate=5, drop_packet=3)
    for port in range(40000, 40020):
        send(port)
    for _ in range(50):
        send(39999)  # has its connection, and comes after all that were before it
    ports = [received.ports[0] for received in (server.receive() for _ in range(66))]
    assert len([port for port in ports if port != 39999]) == 16
    assert ports.count(39999) == 50
    if balancer_name == "rvs":
        counts = {drop["reason"]: drop["count"] for drop in Rvsctl(lab.director).totals()["drops"]}
        assert counts["drop-packet"] == 4
    settings(lab.director, drop_packet=0)
    for port in range(41000, 41010):
        send(port)
        server.receive()


def test_drop_packet_drops_all_at_a_rate_of_one(lab, balancer):
    client, server = lab.ghost_client(), lab.ghost_server()
    service = balancer.add_service("udp", VIP["masquerading"], 53, "rr")
    balancer.add_server(service, server.address, "masquerading")
    settings(lab.director, am_droprate=1, drop_packet=3)
    for port in range(40000, 40010):
        client.send(packet.udp(client.address, port, VIP["masquerading"], 53))
    settings(lab.director, drop_packet=0)
    client.send(packet.udp(client.address, 40010, VIP["masquerading"], 53))
    assert server.receive().ports[0] == 40010
    assert [one.client[1] for one in balancer.connections()] == [40010]


def test_drop_entry_ends_half_open_connections_and_no_others(lab, balancer):
    client, server = lab.ghost_client(), lab.ghost_server()
    vip = VIP["masquerading"]
    for protocol in ("tcp", "udp"):
        service = balancer.add_service(protocol, vip, 80, "rr")
        balancer.add_server(service, server.address, "masquerading")
    for port in range(20000, 20300):
        client.send(packet.tcp(client.address, port, vip, 80, SYN))
    for port in range(30000, 30020):
        client.send(packet.tcp(client.address, port, vip, 80, SYN))
        client.send(packet.tcp(client.address, port, vip, 80, ACK))
        client.send(packet.udp(client.address, port, vip, 80))

    def states():
        shown = [one.state for one in balancer.connections()]
        return {state: shown.count(state) for state in ("SYN_RECV", "ESTABLISHED", "UDP")}

    eventually(states, {"SYN_RECV": 300, "ESTABLISHED": 20, "UDP": 20})
    settings(lab.director, drop_entry=3)
    eventually(lambda: states()["SYN_RECV"] < 200, within=30, every=0.5)
    left = states()
    assert (left["ESTABLISHED"], left["UDP"]) == (20, 20)


def test_secure_tcp_believes_only_the_real_server(lab, balancer):
    client, server = lab.ghost_client(), lab.ghost_server()
    vip = VIP["masquerading"]
    service = balancer.add_service("tcp", vip, 80, "rr")
    balancer.add_server(service, server.address, "masquerading")
    settings(lab.director, secure_tcp=3)

    def client_says(flags, state):
        client.send(packet.tcp(client.address, 40000, vip, 80, flags))
        server.receive()
        assert balancer.state_of(40000) == state

    def server_says(flags, state):
        server.send(packet.tcp(server.address, 80, client.address, 40000, flags))
        client.receive()
        assert balancer.state_of(40000) == state

    client_says(SYN, "SYN_RECV")
    client_says(ACK, "SYN_RECV")
    server_says(SYN | ACK, "SYNACK")
    client_says(ACK, "SYNACK")
    server_says(ACK, "ESTABLISHED")
    settings(lab.director, secure_tcp=0)
    client_says(ACK, "ESTABLISHED")
