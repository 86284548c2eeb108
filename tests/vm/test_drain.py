# SPDX-License-Identifier: GPL-2.0-only
"""Draining: a real server that gets nothing new while what it has comes to its end, or is ended at the deadline."""

import json

import pytest

from lab import VIP, CommandFailed, eventually
from lab.programs import TcpClient, UdpClient
from lab.rvsctl import Rvsctl
from lab.watcher import Watcher

pytestmark = pytest.mark.rvs_only


@pytest.fixture
def rvsctl(lab):
    return Rvsctl(lab.director)


def balance(lab, rvsctl, service, *options):
    rvsctl.command("service", "add", *service.split(), "--scheduler", "rr", *options)
    for server in (lab.rs1, lab.rs2):
        rvsctl.command("server", "add", *service.split(), server.address, "--method", "masquerading")


def server_of(rvsctl, service, address):
    found = [one for one in json.loads(rvsctl.command("server", "list", *service.split(), "--json")) if one["address"] == address]
    return found[0] if found else None


def test_a_drained_server_keeps_its_connections_and_gets_no_more_of_persistent_clients_neither(lab, balancer, rvsctl):
    lab.tcp_programs(80)
    lab.udp_programs(53)
    web, dns = f"tcp {VIP['masquerading']}:80", f"udp {VIP['masquerading']}:53"
    balance(lab, rvsctl, web, "--persistent")
    balance(lab, rvsctl, dns)
    with TcpClient(lab.client, VIP["masquerading"], 80) as client, UdpClient(lab.client, VIP["masquerading"], 53) as udp:
        name = client.ask("who")
        drained, other = (lab.rs1, lab.rs2) if name == lab.rs1.name else (lab.rs2, lab.rs1)
        # Persistence holds its client until now.
        with TcpClient(lab.client, VIP["masquerading"], 80) as second:
            assert second.ask("who") == name
        served = udp.ask(b"hello")[0]
        udp_server, udp_other = (lab.rs1, lab.rs2) if served == lab.rs1.name else (lab.rs2, lab.rs1)
        rvsctl.command("server", "drain", *dns.split(), udp_server.address)
        assert udp.ask(b"hello")[0] == udp_other.name
        assert server_of(rvsctl, dns, udp_server.address)["draining"]["done"]

        rvsctl.command("server", "drain", *web.split(), drained.address, "--no-wait")
        assert client.ask("who") == name
        for _ in range(2):
            with TcpClient(lab.client, VIP["masquerading"], 80) as second:
                assert second.ask("who") == other.name
        assert server_of(rvsctl, web, drained.address)["persistent_connections"] == 0
        eventually(lambda: server_of(rvsctl, web, drained.address)["draining"]["connections_left"], 1)
        assert "(draining: 1 connection left)" in rvsctl.command("server", "list", *web.split())
        # To tools of LVS it has no weight; what they set does not end the draining.
        def weights():
            return [line.split()[3] for line in balancer.command("-Ln", "-t", f"{VIP['masquerading']}:80").splitlines()
                    if drained.address in line]
        assert weights() == ["0"]
        balancer.command("-e", "-t", f"{VIP['masquerading']}:80", "-r", drained.address, "-m", "-w", "3")
        assert weights() == ["0"]
        assert server_of(rvsctl, web, drained.address)["weight"] == 3
    eventually(lambda: server_of(rvsctl, web, drained.address)["draining"]["done"])
    assert server_of(rvsctl, web, drained.address)["weight"] == 3
    rvsctl.command("server", "undrain", *web.split(), drained.address)
    assert weights() == ["3"]
    rvsctl.command("server", "del", *web.split(), other.address)
    with TcpClient(lab.client, VIP["masquerading"], 80) as client:
        assert client.ask("who") == drained.name


def test_at_the_deadline_what_is_left_is_reset_and_the_server_removed_whoever_waits(lab, rvsctl):
    lab.tcp_programs(80)
    web = f"tcp {VIP['masquerading']}:80"
    balance(lab, rvsctl, web)
    clients = {}
    while len(clients) < 2:
        client = TcpClient(lab.client, VIP["masquerading"], 80)
        clients[client.ask("who")] = client
    with Watcher(lab.director, "--only", "servers") as watch:
        rvsctl.command("server", "drain", *web.split(), lab.rs1.address, "--timeout", "3s", "--remove", "--no-wait")
        with pytest.raises(ConnectionResetError):
            clients[lab.rs1.name].socket.recv(1)
        assert [watch.next()["event"] for _ in range(2)] == ["server-draining", "server-drained"]
    eventually(lambda: server_of(rvsctl, web, lab.rs1.address) is None)
    eventually(lambda: lab.rs1.run("ss", "-Htn", "state", "established").strip(), "")
    assert clients[lab.rs2.name].ask("who") == lab.rs2.name

    said = rvsctl.command("server", "drain", *web.split(), lab.rs2.address, "--timeout", "2s", "--drop").splitlines()
    assert said[0].startswith("draining: 1 connection left, 2 s until it is dropped")
    assert said[-1].startswith("drained")
    assert json.loads(rvsctl.command("conn", "list", "--state", "established", "--json")) == []
    lines = [json.loads(line) for line in rvsctl.command("server", "drain", *web.split(), lab.rs2.address, "--json").splitlines()]
    assert [line["state"] for line in lines][-1] == "drained"
    with pytest.raises(CommandFailed) as refused:
        rvsctl.command("server", "drain", *web.split(), lab.rs1.address)
    assert refused.value.status == 3
    with pytest.raises(CommandFailed) as refused:
        rvsctl.command("server", "drain", *web.split(), lab.rs2.address, "--timeout", "100d")
    assert refused.value.status == 1 and "use less than 99 days" in refused.value.stderr
    rvsctl.command("server", "undrain", *web.split(), lab.rs2.address)
    with pytest.raises(CommandFailed) as refused:
        rvsctl.command("server", "undrain", *web.split(), lab.rs2.address)
    assert refused.value.status == 1 and "is not being drained" in refused.value.stderr
    for client in clients.values():
        client.close()
