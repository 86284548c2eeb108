# SPDX-License-Identifier: GPL-2.0-only
"""`rvsctl explain` tells what becomes of a packet, as it then does, and leaves no trace."""

import json

import pytest

from lab import VIP, CommandFailed
from lab.programs import TcpClient
from lab.rvsctl import Rvsctl

pytestmark = pytest.mark.rvs_only

WEB = f"{VIP['masquerading']}:80"


@pytest.fixture
def rvsctl(lab):
    return Rvsctl(lab.director)


def explain(rvsctl, client, destination=WEB, *more):
    return json.loads(rvsctl.command("explain", "tcp", client, destination, "--json", *more))


def test_a_packet_does_what_was_told_whoever_asks_how_often(lab, rvsctl):
    lab.tcp_programs(80)
    source = f"{lab.client.address}:40000"
    assert explain(rvsctl, source)["outcome"] == "passed"
    rvsctl.command("service", "add", "tcp", WEB, "--scheduler", "rr")
    told = explain(rvsctl, source)
    assert (told["outcome"], told["dropped"]["reason"]) == ("dropped", "no-server")
    names = {server.address: server.name for server in (lab.rs1, lab.rs2)}
    for address in names:
        rvsctl.command("server", "add", "tcp", WEB, address, "--method", "masquerading")

    clients = []
    for _ in range(2):
        told = [explain(rvsctl, source) for _ in range(2)]
        assert told[0] == told[1], "a turn was taken"
        assert told[0]["chosen_by"] == "scheduler" and told[0]["connection"] is None
        clients.append(TcpClient(lab.client, VIP["masquerading"], 80))
        assert clients[-1].ask("who") == names[told[0]["server"]["address"]]
    assert rvsctl.command("conn", "list", "--count").strip() == "2"

    one = f"{lab.client.address}:{clients[0].port}"
    told = explain(rvsctl, one)
    assert (told["chosen_by"], told["way"], told["connection"]["state"]) == ("connection", "in", "ESTABLISHED")
    assert told["method"] == "masquerading" and told["mtu"] == 1500 and told["target_port"] == 80
    back = explain(rvsctl, f"{told['server']['address']}:80", one)
    assert (back["outcome"], back["way"]) == ("forwarded", "out")

    rvsctl.command("service", "set", "tcp", WEB, "--persistent")
    with TcpClient(lab.client, VIP["masquerading"], 80) as kept:
        name = kept.ask("who")
        told = explain(rvsctl, source)
        assert (told["chosen_by"], told["template_usable"]) == ("template", True)
        assert names[told["server"]["address"]] == name
        rvsctl.command("server", "drain", "tcp", WEB, told["server"]["address"], "--no-wait")
        again = explain(rvsctl, source)
        assert again["server"] != told["server"]
        obstacles = {one["address"]: one["obstacle"] for one in again["servers"]}
        assert obstacles[told["server"]["address"]] == "draining"
        text = rvsctl.command("explain", "tcp", source, "to", WEB)
        assert f"{again['server']['address']}:80, by the scheduler" in text
    for client in clients:
        client.close()


def test_a_mark_and_tunnels_are_told_and_what_is_not_a_flow_is_refused(lab, rvsctl):
    rvsctl.command("service", "add", "mark", "7", "--scheduler", "wlc")
    rvsctl.command("server", "add", "mark", "7", lab.rs1.address, "--method", "tunneling", "--tunnel-type", "gre")
    source = f"{lab.client.address}:40000"
    assert explain(rvsctl, source)["outcome"] == "passed"
    told = explain(rvsctl, source, WEB, "--mark", "7")
    assert (told["service"]["fwmark"], told["method"], told["mtu"]) == (7, "tunneling", 1500 - 20 - 4)
    for wrong in (["icmp", source, WEB], ["tcp", source, "[2001:db8::1]:80"], ["tcp", lab.client.address, WEB]):
        with pytest.raises(CommandFailed) as refused:
            rvsctl.command("explain", *wrong)
        assert refused.value.status == 2
