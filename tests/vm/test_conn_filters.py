# SPDX-License-Identifier: GPL-2.0-only
"""`rvsctl conn`: filters that the kernel evaluates, one pass over the table that neither misses nor repeats, and connections
that are ended at both ends."""

import collections
import contextlib
import errno
import json
import struct

import pytest

from lab import VIP, CommandFailed, dual_stack, eventually, several_processors
from lab.flood import Flood
from lab.netlink import GenericNetlink, attribute, u16, u32
from lab.programs import TcpClient, UdpClient
from lab.rvsctl import Rvsctl
from lab.topology import VIP6

pytestmark = [pytest.mark.rvs_only, several_processors]

RESIDENTS, GUESTS = 2000, 12_000
COUNT, KILL, FILTER, ENTRIES, CURSOR, LIMIT = 26, 28, 13, 14, 21, 16


@pytest.fixture
def rvsctl(lab):
    return Rvsctl(lab.director)


def listed(rvsctl, *filters):
    return json.loads(rvsctl.command("conn", "list", "--json", *filters))


def names(connections):
    return {(one["protocol"], one["client"]["address"], one["client"]["port"], one["template"]) for one in connections}


@dual_stack
def test_each_filter_selects_what_the_whole_listing_shows(lab, rvsctl):
    web, dns = VIP["masquerading"], VIP["direct-routing"]
    lab.tcp_programs(80)
    lab.udp_programs(53)
    for service, server, method in [
        (f"tcp {web}:80", lab.rs1.address, "masquerading"), (f"udp {dns}:53", lab.rs2.address, "direct-routing"),
        (f"tcp [{VIP6['masquerading']}]:80", f"[{lab.rs1.address6}]", "masquerading"),
    ]:
        rvsctl.command("service", "add", *service.split(), "--scheduler", "rr", *(["--persistent"] if "udp" in service else []))
        rvsctl.command("server", "add", *service.split(), server, "--method", method)
    rvsctl.command("service", "set", "udp", f"{dns}:53", "--name", "dns")
    rvsctl.command("server", "set", "dns", lab.rs2.address, "--name", "dns-2")
    open_clients = [TcpClient(lab.client, web, 80) for _ in range(3)] + [TcpClient(lab.client, VIP6["masquerading"], 80)]
    for client in open_clients:
        assert client.ask("who") == lab.rs1.name
    with open_clients.pop(0) as closed:
        closed.finish()
        assert closed.at_end()
    with UdpClient(lab.client, dns, 53) as client:
        client.ask(b"hello")
    # What was made from here on is younger.
    eventually(lambda: min(one["idle_milliseconds"] for one in listed(rvsctl)) > 300)
    with TcpClient(lab.client, web, 80) as last:
        last.ask("who")
        everything = listed(rvsctl)
        assert len(everything) == 7
        by_client = f"{lab.client.address}:{last.port}"
        for filters, fits in [
            (f"--service tcp {web}:80", lambda one: one["virtual"]["address"] == web),
            ("--service dns", lambda one: one["virtual"]["address"] == dns),
            ("--service dns --server dns-2 --state udp", lambda one: one["state"] == "UDP"),
            (f"--server {lab.rs2.address}:53", lambda one: one["server"]["port"] == 53),
            (f"--client {by_client}", lambda one: one["client"]["port"] == last.port),
            ("--client 10.0.0.0/24", lambda one: "." in one["client"]["address"]),
            ("--client 2001:db8::/64", lambda one: ":" in one["client"]["address"]),
            ("--state time_wait,udp", lambda one: one["state"] in ("TIME_WAIT", "UDP") and not one["template"]),
            ("--state template", lambda one: one["template"]),
            ("--method nat --state established --client 10.0.0.0/8",
             lambda one: one["state"] == "ESTABLISHED" and "." in one["client"]["address"]),
            ("--protocol udp --max-age 10m --max-idle 10m", lambda one: one["protocol"] == "udp"),
            ("--min-idle 10m", lambda one: False),
        ]:
            wanted = [one for one in everything if fits(one)]
            assert names(listed(rvsctl, *filters.split())) == names(wanted), filters
        assert rvsctl.command("conn", "list", "--count", "--state", "established").strip() == "4"
        oldest, *_, youngest = listed(rvsctl, "--sort", "age", "--reverse")
        assert youngest["client"]["port"] == last.port
        assert oldest["age_milliseconds"] > youngest["age_milliseconds"]
        assert oldest["age_milliseconds"] >= oldest["idle_milliseconds"] >= 0
        assert [one["client"]["port"] for one in listed(rvsctl, "--sort", "age", "--limit", "1")] == [last.port]
        assert len(listed(rvsctl, "--limit", "2")) == 2
        assert [line.split()[-2:] for line in rvsctl.command("conn", "list", "--times").splitlines()][0] == ["AGE", "IDLE"]
    for client in open_clients:
        client.close()


def test_connections_of_a_removed_service_are_still_its_own(lab, rvsctl):
    lab.udp_programs(53)
    lab.director.run("nft", "-f", "-", stdin="""\
table ip marking { chain prerouting { type filter hook prerouting priority mangle; udp dport 53 meta mark set 7; }; }
""")
    rvsctl.command("service", "add", "mark", "7", "--scheduler", "rr")
    rvsctl.command("server", "add", "mark", "7", lab.rs1.address, "--method", "masquerading")
    with UdpClient(lab.client, VIP["masquerading"], 53) as client:
        client.ask(b"hello")
        for removed in (False, True):
            if removed:
                rvsctl.command("service", "del", "mark", "7")
            mine, = listed(rvsctl, "--service", "mark", "7")
            assert mine["client"]["port"] == client.port
            assert listed(rvsctl, "--service", "mark", "8") == []
            assert listed(rvsctl, "--service", "mark", "7", "--ipv6") == []


def test_wrong_filters_are_refused_with_what_would_be_right(rvsctl):
    for filters, status, words in [
        ("--state asleep", 1, "there is no such state; use one of those in listings of connections, or TEMPLATE"),
        ("--client 10.0.0.0/33", 2, "0 to 32"),
        ("--service tcp 192.0.2.1", 2, "the port is missing"),
        ("--service wbe", 3, "there is no service called 'wbe'"),
        ("--server web1", 2, "which --service names"),
        ("--min-age never", 2, "90s, 15m"),
    ]:
        with pytest.raises(CommandFailed) as refused:
            rvsctl.command("conn", "list", *filters.split())
        assert refused.value.status == status, filters
        assert words in refused.value.stderr, filters


def test_a_kill_refuses_what_may_mean_fewer_connections_than_it_would_end(lab, rvsctl):
    rvsctl.command("service", "add", "udp", f"{VIP['direct-routing']}:53")
    with lab.director:
        rvs = GenericNetlink("RVS")
    tcp, unknown, short_cursor, limit = u16(2, 6), u32(4000, 1), attribute(CURSOR, bytes(20)), attribute(LIMIT, bytes(8))
    with contextlib.closing(rvs):
        for command, body in [
            (KILL, attribute(FILTER, tcp + unknown)), (KILL, attribute(FILTER, tcp) + short_cursor), (COUNT, short_cursor),
            (KILL, attribute(FILTER, tcp + limit)), (KILL, attribute(FILTER, b"")),
        ]:
            with pytest.raises(OSError) as refused:
                rvs.command(command, body)
            assert refused.value.errno == errno.EINVAL
        assert struct.unpack("=Q", rvs.command(COUNT, attribute(FILTER, tcp + unknown))[0][ENTRIES]) == (0,)


def test_a_listing_meets_every_connection_once_while_the_table_grows_and_shrinks(lab, balancer, rvsctl):
    client, server = lab.ghost_client(), lab.ghost_server()
    server.close()
    service = balancer.add_service("udp", VIP["masquerading"], 53, "rr")
    balancer.add_server(service, server.address, "masquerading")
    towards = lab.director.mac("eth0")
    # A busy machine loses packets that come without a gap.
    while rvsctl.command("conn", "list", "--count").strip() != str(RESIDENTS):
        first = Flood(lab.client, service, towards, source=client.address, first_port=1000, ports=RESIDENTS, count=RESIDENTS, gap=0,
                      processors=1)
        first.wait()
        first.stop()

    def check():
        size = balancer.table_size()
        met = collections.Counter(one["client"]["port"] for one in listed(rvsctl))
        assert [port for port in range(1000, 1000 + RESIDENTS) if met[port] != 1] == []
        assert set(met.values()) == {1}
        return size, balancer.table_size()

    growing = Flood(lab.client, service, towards, source=client.address, first_port=20_000, ports=GUESTS, gap=20_000, processors=1)
    sizes = [check() for _ in range(2)]
    growing.stop()
    assert any(before < after for before, after in sizes), sizes
    assert rvsctl.command("conn", "list", "--min-idle", "10m", "--count").strip() == "0"


def established(server):
    return server.run("ss", "-Htn", "state", "established").strip()


def is_reset(client):
    """Whether the client learns of the end without having said anything."""
    try:
        client.socket.recv(1)
    except ConnectionResetError:
        return True
    return False


@dual_stack
def test_killed_tcp_connections_are_reset_at_both_ends_however_silent_they_are(lab, balancer, rvsctl):
    lab.tcp_programs(80)
    for addresses, server in [(VIP, lab.rs1.address), (VIP6, f"[{lab.rs1.address6}]")]:
        for method, vip in addresses.items():
            service = ["tcp", f"[{vip}]:80" if ":" in vip else f"{vip}:80"]
            rvsctl.command("service", "add", *service)
            rvsctl.command("server", "add", *service, server, "--method", method)
    clients = [TcpClient(lab.client, vip, 80) for vip in (*VIP.values(), *VIP6.values())]
    for client in clients:
        assert client.ask("who") == lab.rs1.name
    spared = TcpClient(lab.client, VIP["masquerading"], 80)
    assert spared.ask("who") == lab.rs1.name
    for client in clients:
        name = f"[{lab.client.address6}]" if client.socket.family.name == "AF_INET6" else lab.client.address
        assert rvsctl.command("conn", "kill", "--client", f"{name}:{client.port}") == "1 ended\n"
        assert is_reset(client)
    eventually(lambda: len(established(lab.rs1).splitlines()), 1)
    assert spared.ask("who") == lab.rs1.name
    assert {one["state"] for one in listed(rvsctl) if one["client"]["port"] != spared.port} == {"CLOSE"}
    assert rvsctl.command("conn", "kill", "--state", "close") == "0 ended\n"

    # In the midst of a transfer; and one client begins anew from its port while the old connection is still there.
    spared.say("put 100000000")
    with pytest.raises(OSError):
        killed = False
        while True:
            spared.socket.sendall(bytes(1 << 20))
            if not killed:
                killed = rvsctl.command("conn", "kill", "--client", f"{lab.client.address}:{spared.port}") == "1 ended\n"
    eventually(lambda: established(lab.rs1), "")
    port = clients[0].port
    clients[0].close()
    again = lab.client.socket()
    again.bind((lab.client.address, port))
    again.connect((VIP["masquerading"], 80))
    again.sendall(b"who\n")
    assert again.recv(100).decode().strip() == lab.rs1.name
    for client in clients[1:]:
        client.close()


def test_killed_flows_without_ends_to_tell_are_gone_at_once(lab, rvsctl):
    lab.tcp_programs(80)
    lab.udp_programs(53)
    for service, method in [(f"udp {VIP['masquerading']}:53", "masquerading"), (f"tcp {VIP['masquerading']}:80", "masquerading")]:
        rvsctl.command("service", "add", *service.split(), "--persistent")
        rvsctl.command("server", "add", *service.split(), lab.rs1.address, "--method", method)
    with UdpClient(lab.client, VIP["masquerading"], 53) as udp, TcpClient(lab.client, VIP["masquerading"], 80) as tcp:
        udp.ask(b"hello")
        tcp.ask("who")
        assert rvsctl.command("conn", "kill", "--protocol", "udp") == "2 ended\n"
        assert {one["protocol"] for one in listed(rvsctl)} == {"tcp"}
        assert udp.ask(b"hello")[0] == lab.rs1.name
        for wrong in (["kill"], ["kill", "--all"]):
            with pytest.raises(CommandFailed) as refused:
                rvsctl.command("conn", *wrong)
            assert refused.value.status == 2
        assert rvsctl.command("conn", "kill", "--all", "--yes", "--silent") == "4 ended\n"
        assert listed(rvsctl) == []
