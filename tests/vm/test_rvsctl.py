# SPDX-License-Identifier: GPL-2.0-only
"""rvsctl against the real module: that it shows the truth, the same as ipvsadm, and says well what went wrong."""

import json

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


# What rvsctl is told, and how ipvsadm says the same.
SAME = {
    "SCTP over IPv6, hashed by address and port": (
        ["service add sctp [2001:db8::10]:3868 --scheduler mh --option mh-port",
         "server add sctp [2001:db8::10]:3868 [2001:db8::11]:3869 --method masquerading"],
        ["-A --sctp-service [2001:db8::10]:3868 -s mh -b mh-port",
         "-a --sctp-service [2001:db8::10]:3868 -r [2001:db8::11]:3869 -m -w 1"]),
    "persistence by network": (
        ["service add tcp 192.0.2.1:443 --scheduler sh --option sh-fallback,sh-port --persistent=600 --persistence-mask 24"],
        ["-A -t 192.0.2.1:443 -s sh -p 600 -M 255.255.255.0 -b sh-fallback,sh-port"]),
    "persistence by prefix": (
        ["service add tcp [2001:db8::10]:443 --persistent --persistence-mask 64"],
        ["-A -t [2001:db8::10]:443 -s wlc -p 300 -M 64"]),
    "all ports": (
        ["service add tcp 192.0.2.1:any --persistent", "server add tcp 192.0.2.1:any 10.1.0.11"],
        ["-A -t 192.0.2.1:0 -s wlc -p 300", "-a -t 192.0.2.1:0 -r 10.1.0.11:0 -g -w 1"]),
    "one packet": (
        ["service add udp 192.0.2.1:53 --scheduler rr --one-packet"],
        ["-A -u 192.0.2.1:53 -s rr -o"]),
    "marks of both families": (
        ["service add mark 7 --persistent", "service add mark 7 --ipv6 --scheduler rr",
         "server add mark 7 10.1.0.11", "server add mark 7 --ipv6 [2001:db8::11] --method masquerading"],
        ["-A -f 7 -s wlc -p 300", "-A -f 7 -6 -s rr",
         "-a -f 7 -r 10.1.0.11:0 -g -w 1", "-a -f 7 -6 -r [2001:db8::11]:0 -m -w 1"]),
    "thresholds": (
        ["service add tcp 192.0.2.1:80",
         "server add tcp 192.0.2.1:80 10.1.0.11 --upper-threshold 100 --lower-threshold 70",
         "server add tcp 192.0.2.1:80 10.1.0.12 --upper-threshold 50"],
        ["-A -t 192.0.2.1:80 -s wlc",
         "-a -t 192.0.2.1:80 -r 10.1.0.11:80 -g -w 1 -x 100 -y 70", "-a -t 192.0.2.1:80 -r 10.1.0.12:80 -g -w 1 -x 50"]),
    "servers of another family": (
        ["service add tcp 192.0.2.1:80", "server add tcp 192.0.2.1:80 [2001:db8::11] --method tunneling"],
        ["-A -t 192.0.2.1:80 -s wlc", "-a -t 192.0.2.1:80 -r [2001:db8::11]:80 -i -w 1"]),
}


def test_both_tools_set_and_show_the_same(balancer, rvsctl):
    def shown():
        return balancer.command("-S", "-n"), balancer.command("-Ln", "--thresholds"), rvsctl.command("service", "list", "--json")

    for what, (ours, theirs) in SAME.items():
        for line in ours:
            rvsctl.command(*line.split())
        by_rvsctl = shown()
        rvsctl.flush()
        for line in theirs:
            balancer.command(*line.split())
        assert shown() == by_rvsctl, what
        rvsctl.flush()


def test_a_change_of_one_setting_leaves_the_others(balancer, rvsctl):
    rvsctl.command("service", "add", "tcp", "192.0.2.1:80", "--scheduler", "sh", "--option", "sh-port", "--persistent=600")
    rvsctl.command("server", "add", "tcp", "192.0.2.1:80", "10.1.0.11", "--upper-threshold", "9", "--weight", "4")
    for change, service, weight, thresholds in [
        ("service set {} --persistence-mask 16", "sh -p 600 -M 255.255.0.0 -b sh-port", 4, ["9", "0"]),
        ("service set {} --option sh-fallback", "sh -p 600 -M 255.255.0.0 -b sh-fallback,sh-port", 4, ["9", "0"]),
        ("service set {} --no-option sh-port", "sh -p 600 -M 255.255.0.0 -b sh-fallback", 4, ["9", "0"]),
        ("server set {} 10.1.0.11 --lower-threshold 5", "sh -p 600 -M 255.255.0.0 -b sh-fallback", 4, ["9", "5"]),
        ("server set {} 10.1.0.11 --weight 2", "sh -p 600 -M 255.255.0.0 -b sh-fallback", 2, ["9", "5"]),
        ("service set {} --no-persistent", "sh -b sh-fallback", 2, ["9", "5"]),
        ("service set {} --scheduler rr", "rr", 2, ["9", "5"]),
    ]:
        rvsctl.command(*change.format("tcp 192.0.2.1:80").split())
        assert balancer.command("-S", "-n") == f"""\
-A -t 192.0.2.1:80 -s {service}
-a -t 192.0.2.1:80 -r 10.1.0.11:80 -g -w {weight}
""", change
        assert balancer.command("-Ln", "--thresholds").split()[-4:-2] == thresholds, change


def test_templates_are_told_from_connections(lab, balancer, rvsctl):
    lab.tcp_programs(80)
    lab.director.run("nft", "-f", "-", stdin="""\
table ip marking { chain prerouting { type filter hook prerouting priority mangle; tcp dport 80 meta mark set 7; }; }
""")
    rvsctl.command("service", "add", "mark", "7", "--persistent", "--persistence-mask", "24")
    rvsctl.command("server", "add", "mark", "7", lab.rs1.address, "--method", "masquerading")
    with TcpClient(lab.client, VIP["masquerading"], 80) as client:
        assert client.ask("who")
        template, = [one for one in json.loads(rvsctl.command("conn", "list", "--json")) if one["template"]]
        assert template["fwmark"] == 7
        assert template["client"] == {"address": "10.0.0.0", "port": 0}
        assert template["server"]["address"] == lab.rs1.address
        lines = [line.split() for line in rvsctl.command("conn", "list").splitlines()]
        line, = [line for line in lines if "TEMPLATE" in line]
        assert line[:6] == ["ip", "10.0.0.0:any", "mark", "7", f"{lab.rs1.address}:any", "TEMPLATE"]
        assert len([line for line in lines if "ESTABLISHED" in line]) == 1
        assert "0.0.0.7:0" in balancer.command("-Lnc")
        server, = json.loads(rvsctl.command("server", "list", "mark", "7", "--json"))
        assert server["persistent_connections"] == 1


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
    eventually(lambda: rvsctl.totals()["connection_entries"], 1)  # counted four times a second
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
    ("service add tcp 192.0.2.1:any", 2, "--persistent"),
    ("service add tcp 192.0.2.1:81 --one-packet", 2, "'--one-packet'"),
    ("service add tcp 192.0.2.1:81 --option sh-port", 2, "'sh-port'"),
    ("service set tcp 192.0.2.1:80 --option mh-port", 2, "'mh-port'"),
    ("service add mark 7 --ipv6 --persistent --persistence-mask 255.0.0.0", 2, "'--persistence-mask'"),
    ("service add tcp 192.0.2.1:81 --scheduler wlcc", 1, "'wlc'"),
    ("server add mark 7 10.1.0.11", 3, "there is no service mark 7"),
    ("server add tcp 192.0.2.1:80 [2001:db8::11]", 2, "--method tunneling"),
    ("server set tcp 192.0.2.1:80 10.1.0.11 --lower-threshold 5", 2, "--upper-threshold"),
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
