# SPDX-License-Identifier: GPL-2.0-only
"""rvsctl against the real module: that it shows the truth, the same as ipvsadm, and says well what went wrong."""

import pytest

from lab import METHODS, VIP, CommandFailed, eventually, packet
from lab.programs import TcpClient, UdpClient
from lab.rvsctl import Rvsctl

pytestmark = pytest.mark.rvs_only


@pytest.fixture
def rvsctl(lab):
    return Rvsctl(lab.director)


def test_a_configuration_by_rvsctl_is_what_ipvsadm_shows(lab, balancer, rvsctl):
    service = rvsctl.add_service("tcp", "192.0.2.1", 80, "wrr")
    for weight, (server, method) in enumerate(zip(lab.servers, METHODS), start=1):
        rvsctl.add_server(service, server.address, method, weight, port=8080 if method == "masquerading" else None)
    assert balancer.command("-S", "-n") == """\
-A -t 192.0.2.1:80 -s wrr
-a -t 192.0.2.1:80 -r 10.1.0.11:8080 -m -w 1
-a -t 192.0.2.1:80 -r 10.1.0.12:80 -i -w 2 --tun-type ipip
-a -t 192.0.2.1:80 -r 10.1.0.13:80 -g -w 3
"""
    rvsctl.edit_service(service, "rr")
    rvsctl.edit_server(service, lab.rs2.address, "masquerading", weight=0)
    rvsctl.delete_server(service, lab.rs3.address)
    assert balancer.command("-S", "-n") == """\
-A -t 192.0.2.1:80 -s rr
-a -t 192.0.2.1:80 -r 10.1.0.11:8080 -m -w 1
-a -t 192.0.2.1:80 -r 10.1.0.12:80 -m -w 0
"""
    rvsctl.delete_service(service)
    assert balancer.command("-S", "-n") == ""


def test_both_tools_tell_the_same_of_services_servers_connections_and_counters(lab, balancer, rvsctl):
    lab.tcp_programs(80)
    lab.udp_programs(53)
    services = [balancer.balance("tcp", VIP[method], 80, lab.servers, method) for method in METHODS]
    services += [balancer.balance("udp", VIP[method], 53, lab.servers, method, "wlc") for method in METHODS]
    clients = [TcpClient(lab.client, service.address, 80) for service in services[:3] for _ in range(4)]
    for client in clients:
        client.ask("who")
    clients.pop().reset()
    for service in services[3:]:
        with UdpClient(lab.client, service.address, 53) as client:
            client.ask(b"hello")
    assert len(balancer.connections()) == 15

    assert rvsctl.services() == balancer.services()
    for service in services:
        eventually(lambda: rvsctl.servers(service) == balancer.servers(service))
        eventually(lambda: rvsctl.stats(service) == balancer.stats(service))

    def without_time(connections):
        return sorted((one.protocol, one.client, one.virtual, one.server, one.state) for one in connections)

    assert without_time(rvsctl.connections()) == without_time(balancer.connections())


def test_counters_are_exact_in_the_totals_too(lab, rvsctl):
    client, server = lab.ghost_client(), lab.ghost_server()
    service = rvsctl.add_service("udp", VIP["masquerading"], 53, "rr")
    rvsctl.add_server(service, server.address, "masquerading")
    for _ in range(3):
        client.send(packet.udp(client.address, 4000, VIP["masquerading"], 53, bytes(72)))
        server.receive()
    server.send(packet.udp(server.address, 53, client.address, 4000, bytes(172)))
    client.receive()
    totals = rvsctl.totals()
    assert totals["connection_entries"] == 1
    assert totals["counters"] == {"connections": 1, "packets_in": 3, "packets_out": 1, "bytes_in": 300, "bytes_out": 200}
    rvsctl.zero()
    assert set(rvsctl.totals()["counters"].values()) == {0}
    assert rvsctl.totals()["connection_entries"] == 1


def test_every_drop_has_its_reason_counted(lab, rvsctl):
    client = lab.ghost_client()
    service = rvsctl.add_service("udp", VIP["masquerading"], 53, "rr")
    before = {drop["reason"]: drop["count"] for drop in rvsctl.totals()["drops"]}
    client.send(packet.udp(client.address, 4000, VIP["masquerading"], 53))
    client.receive()
    rvsctl.add_server(service, lab.rs1.address, "masquerading")
    client.send(packet.udp(client.address, 4000, VIP["masquerading"], 53, ttl=1))
    client.receive()
    drops = rvsctl.totals()["drops"]
    assert sum(drop["count"] - before[drop["reason"]] for drop in drops) == 2
    assert sorted(drop["count"] for drop in drops if drop["count"]) == [1, 1]
    assert all(drop["meaning"] for drop in drops)


def test_timeouts_are_the_same_for_both_tools(balancer, rvsctl):
    assert rvsctl.timeouts() == balancer.timeouts() == (900, 120, 300)
    rvsctl.set_timeouts(0, 0, 42)
    assert rvsctl.timeouts() == balancer.timeouts() == (900, 120, 42)


def test_flushing_asks_for_certainty_and_removes_every_service(lab, rvsctl):
    for method in METHODS:
        rvsctl.add_service("tcp", VIP[method], 80)
    with pytest.raises(CommandFailed):
        rvsctl.command("flush", stdin="")
    assert len(rvsctl.services()) == 3
    rvsctl.flush()
    assert rvsctl.services() == {}


WRONG_COMMANDS = [
    ("service add tcp 192.0.2.1:80", 4, "tcp 192.0.2.1:80 exists already"),
    ("service add tcp 192.0.2.1:81 --scheduler nonsense", 1, "'nonsense'"),
    ("service set tcp 192.0.2.1:82 --scheduler rr", 3, "there is no service tcp 192.0.2.1:82"),
    ("service del tcp 192.0.2.1:82", 3, "there is no service tcp 192.0.2.1:82"),
    ("service list tcp 192.0.2.1:82", 3, "there is no service tcp 192.0.2.1:82"),
    ("zero tcp 192.0.2.1:82", 3, "there is no service tcp 192.0.2.1:82"),
    ("server add tcp 192.0.2.1:82 10.1.0.11", 3, "there is no service tcp 192.0.2.1:82"),
    ("server add tcp 192.0.2.1:80 10.1.0.11", 4, "has the real server 10.1.0.11:80 already"),
    ("server set tcp 192.0.2.1:80 10.1.0.99 --weight 2", 3, "no real server 10.1.0.99:80"),
    ("server del tcp 192.0.2.1:80 10.1.0.99", 3, "no real server 10.1.0.99:80"),
    ("server add tcp 192.0.2.1:80 224.0.0.1 --method masquerading", 1, "unicast"),
    ("server add tcp 192.0.2.1:80 rs1", 2, "'rs1'"),
    ("service add tcp 192.0.2.1", 2, "'192.0.2.1'"),
    ("--netns nowhere service list", 3, "'nowhere'"),
]


def test_wrong_commands_say_which_argument_and_change_nothing(lab, balancer, rvsctl):
    rvsctl.balance("tcp", "192.0.2.1", 80, [lab.rs1], "masquerading")
    before = balancer.command("-S", "-n")
    for command, status, words in WRONG_COMMANDS:
        with pytest.raises(CommandFailed) as failed:
            rvsctl.command(*command.split())
        assert (command, failed.value.status) == (command, status)
        assert words in failed.value.stderr, f"{command}: {failed.value.stderr}"
        assert balancer.command("-S", "-n") == before


def test_it_works_in_another_namespace_by_name(lab, balancer):
    balancer.add_service("tcp", VIP["masquerading"], 80, "rr")
    assert "192.0.2.1:80" in lab.client.run(Rvsctl.tool, "--netns", lab.director.name, "service", "list")
