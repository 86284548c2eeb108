# SPDX-License-Identifier: GPL-2.0-only
"""What rvs tells of itself: events as they happen, figures for monitoring, the live view."""

import http.client
import json
import os
import pty
import re
import signal
import subprocess
import termios

import pytest

from lab import VIP, eventually, packet, sysctl
from lab.flood import Flood, long_queues
from lab.kernel_setting import kernel_setting
from lab.rvsctl import Rvsctl
from lab.watcher import Watcher
from test_permissions import NOBODY, OWN_USER_NAMESPACE

pytestmark = pytest.mark.rvs_only


@pytest.fixture
def rvsctl(lab):
    return Rvsctl(lab.director)


def test_every_change_of_the_configuration_is_told_whoever_makes_it(lab, balancer, rvsctl):
    service = {"protocol": "tcp", "address": "192.0.2.1", "port": 80}
    with Watcher(lab.director, "--only", "config") as watch, Watcher(lab.client) as elsewhere:
        def told(event, tool):
            told = watch.next()
            assert (told["event"], told["process"]["program"]) == (event, os.path.basename(tool.tool)), told
            return told

        balancer.add_service("tcp", "192.0.2.1", 80, "rr")
        assert told("service-added", balancer)["service"].items() >= {**service, "scheduler": "rr"}.items()
        rvsctl.command("service", "set", "tcp", "192.0.2.1:80", "--scheduler", "wlc")
        assert told("service-changed", rvsctl)["service"]["scheduler"] == "wlc"
        rvsctl.command("server", "add", "tcp", "192.0.2.1:80", "10.1.0.11", "--weight", "3")
        added = told("server-added", rvsctl)
        assert added["service"] == service
        assert added["server"].items() >= {"address": "10.1.0.11", "port": 80, "method": "direct-routing", "weight": 3}.items()
        balancer.command("-e", "-t", "192.0.2.1:80", "-r", "10.1.0.11:80", "-g", "-w", "0")
        assert told("server-changed", balancer)["server"]["weight"] == 0
        rvsctl.command("zero", "tcp", "192.0.2.1:80")
        assert told("zeroed", rvsctl)["service"] == service
        balancer.zero()
        assert "service" not in told("zeroed", balancer)
        rvsctl.command("server", "del", "tcp", "192.0.2.1:80", "10.1.0.11")
        removed = told("server-removed", rvsctl)
        assert (removed["service"], removed["server"]) == (service, {"address": "10.1.0.11", "port": 80})
        balancer.set_timeouts(0, 0, 42)
        assert told("timeouts-changed", balancer)["timeouts"]["udp_seconds"] == 42
        rvsctl.command("service", "del", "tcp", "192.0.2.1:80")
        assert told("service-removed", rvsctl)["service"] == service
        rvsctl.flush()
        assert told("flushed", rvsctl)["process"]["pid"] > 1
        refused = lab.director.try_run("rvsctl", "service", "del", "mark", "7")
        assert refused.returncode == 3 and watch.told() == []
        assert elsewhere.told() == []  # each namespace hears of itself


def test_servers_defences_tables_and_drops_are_told(lab, rvsctl):
    client, server = lab.ghost_client(), lab.ghost_server()
    service = rvsctl.add_service("udp", VIP["masquerading"], 53, "rr")
    with Watcher(lab.director, "--only", "servers,defence,table,drops") as watch:
        client.send(packet.udp(client.address, 4711, VIP["masquerading"], 53, bytes(72)))
        dropped = watch.next()
        assert (dropped["event"], dropped["reason"]) == ("packet-dropped", "no-server")
        assert dropped["packet"] == {"protocol": "udp", "source": {"address": client.address, "port": 4711},
                                     "destination": {"address": VIP["masquerading"], "port": 53}, "length": 100}

        with lab.director:
            assert sysctl.write("drop_packet", "3\n") == "ok"
        assert watch.next().items() >= {"event": "defence-on", "defence": "drop_packet"}.items()
        with lab.director:
            assert sysctl.write("drop_packet", "0\n") == "ok"
        assert watch.next().items() >= {"event": "defence-off", "defence": "drop_packet"}.items()

        rvsctl.set_timeouts(0, 0, 1)
        rvsctl.command("server", "add", "udp", f"{VIP['masquerading']}:53", server.address, "--method", "nat",
                       "--upper-threshold", "2", "--lower-threshold", "1")
        for port in (4001, 4002):
            client.send(packet.udp(client.address, port, VIP["masquerading"], 53))
        overloaded = watch.next()
        assert overloaded["event"] == "server-overloaded" and overloaded["service"]["port"] == 53
        assert overloaded["server"] == {"address": server.address, "port": 53, "upper_threshold": 2, "lower_threshold": 1,
                                        "active_connections": 0, "inactive_connections": 2}
        assert watch.next().items() >= {"event": "server-recovered"}.items()

        rvsctl.command("server", "set", "udp", f"{VIP['masquerading']}:53", server.address, "--upper-threshold", "0",
                       "--lower-threshold", "0")
        rvsctl.set_timeouts(0, 0, 60)
        with long_queues():
            flood = Flood(lab.client, service, lab.director.mac("eth0"), count=3000, ports=3000, gap=0)
            flood.wait()
        resized = watch.until("table-resized")[-1]
        assert resized["family"] == "ipv4" and resized["slots"] >= 2 * resized["slots_before"] and resized["entries"] > 0
        flood.stop()


def test_of_many_drops_a_sample_is_told_and_how_many_were_not(lab, rvsctl):
    client = lab.ghost_client()
    rvsctl.add_service("udp", VIP["masquerading"], 53, "rr")
    with Watcher(lab.director, "--only", "drops") as watch:
        sent = 300
        for port in range(sent - 1):
            client.send(packet.udp(client.address, 4000 + port, VIP["masquerading"], 53))
        told = watch.told()

        def until_all_are_accounted_for():
            client.send(packet.udp(client.address, 9999, VIP["masquerading"], 53))
            nonlocal sent
            told.extend(watch.told())
            return told[-1]["packet"]["source"]["port"] == 9999

        eventually(until_all_are_accounted_for)
        dropped = {drop["reason"]: drop["count"] for drop in rvsctl.totals()["drops"]}["no-server"]
        assert len(told) < dropped / 2
        told += eventually(lambda: watch.told() or client.send(packet.udp(client.address, 9998, VIP["masquerading"], 53)))
        assert sum(1 + event.get("left_out", 0) for event in told) >= dropped


@pytest.fixture
def short_queues():
    """Sockets that are made meanwhile queue little."""
    with kernel_setting("/proc/sys/net/core/rmem_max", 32768):
        yield


def test_a_slow_listener_is_told_that_it_missed_something_and_what_is_configured(lab, balancer, short_queues):
    service = balancer.add_service("tcp", "192.0.2.1", 80, "rr")
    balancer.add_server(service, lab.rs1.address, "direct-routing")
    with Watcher(lab.director, "--only", "config") as watch:
        os.kill(watch.process.pid, signal.SIGSTOP)
        many = "".join(f"-E -t 192.0.2.1:80 -s {scheduler}\n" for scheduler in ("rr", "wlc") * 300)
        balancer.command("-R", stdin=many)
        balancer.command("-A", "-u", "192.0.2.1:53", "-s", "rr")
        os.kill(watch.process.pid, signal.SIGCONT)
        watch.until("events-lost")
        listing = watch.until("listed")
        assert [(event["event"], event["service"]["protocol"]) for event in listing if "-present" in event["event"]] == [
            ("service-present", "tcp"), ("server-present", "tcp"), ("service-present", "udp")]
        balancer.flush()
        assert watch.next()["event"] == "flushed"


def test_it_ends_as_asked_and_says_when_it_may_not_listen(lab, rvsctl):
    def watch(*arguments, prefix=()):
        return lab.director.try_run(*prefix, Rvsctl.tool, "watch", *arguments)

    over = watch("--count", "1", "--timeout", "1s")
    assert over.returncode == 7 and "no such event" in over.stderr
    wrong = watch("--only", "server")
    assert wrong.returncode == 2 and "'servers'" in wrong.stderr
    refused = watch(prefix=NOBODY)
    assert refused.returncode == 5 and "CAP_NET_ADMIN" in refused.stderr
    script = (f"{Rvsctl.tool} watch --list --count 1 --timeout 20s | while read -r line; do "
              f"case $line in *listed*) {Rvsctl.tool} service add mark 7 ;; *service-added*) echo told ;; esac; done")
    assert "told" in lab.director.run(*OWN_USER_NAMESPACE, "sh", "-c", script)


class Exporter:
    """`rvsctl metrics --listen` in a namespace; whoever asks it is in that namespace too."""

    def __init__(self, node, *arguments, netns=None):
        before = ["--netns", netns.name] if netns else []
        self._node = node
        self.process = node.start(Rvsctl.tool, *before, "metrics", "--listen", "127.0.0.1:0", *arguments,
                                  stderr=subprocess.PIPE, text=True)
        self.port = int(re.search(r"http://127.0.0.1:(\d+)/metrics", self.process.stderr.readline())[1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.stderr.close()
        assert self.process.wait() == 0

    def get(self, path="/metrics", method="GET"):
        """Status, type and text."""
        with self._node:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
            connection.request(method, path)
            answer = connection.getresponse()
            return answer.status, answer.getheader("Content-Type"), answer.read().decode()


def test_figures_are_printed_and_served_fresh_to_each_who_asks(lab, rvsctl):
    client, server = lab.ghost_client(), lab.ghost_server()
    service = rvsctl.add_service("udp", VIP["masquerading"], 53, "rr")
    client.send(packet.udp(client.address, 4000, VIP["masquerading"], 53, bytes(72)))
    rvsctl.add_server(service, server.address, "masquerading", weight=7)
    rvsctl.command("service", "set", "udp", str(service), "--name", "dns", "--label", "tier=front", "--label", "run=7")
    rvsctl.command("server", "set", "dns", server.address, "--name", "dns-1")
    of_service = f'service="udp {service}",service_name="dns"'
    names = f'{of_service},server="{server.address}:53",server_name="dns-1"'

    def lines(packets):
        return {f'rvs_server_packets_total{{{names},direction="in"}} {packets}', f"rvs_packets_total{{direction=\"in\"}} {packets}",
                f"rvs_server_traffic_bytes_total{{{names},direction=\"in\"}} {packets * 100}", f"rvs_server_weight{{{names}}} 7",
                'rvs_dropped_packets_total{reason="no-server"} 1', f"rvs_connection_entries {min(packets, 1)}", "# EOF",
                f'rvs_service_info{{{of_service},service_label_run="7",service_label_tier="front"}} 1'}

    assert lines(0) <= set(rvsctl.command("metrics").splitlines())
    by_tier = f'rvs_service_packets_total{{{of_service},service_label_tier="front",direction="in"}} 0'
    assert by_tier in rvsctl.command("metrics", "--label", "tier").splitlines()
    with Exporter(lab.director) as exporter, Exporter(lab.client, netns=lab.director) as elsewhere:
        silent = [lab.director.socket() for _ in range(8)]
        for one in silent:
            one.connect(("127.0.0.1", exporter.port))
            one.send(b"GET /metr")
        for packets in (1, 2):
            client.send(packet.udp(client.address, 4000, VIP["masquerading"], 53, bytes(72)))
            server.receive()
            for served in (exporter, elsewhere):
                eventually(lambda: lines(packets) <= set(served.get()[2].splitlines()))
        status, kind, text = exporter.get()
        assert (status, kind) == (200, "application/openmetrics-text; version=1.0.0; charset=utf-8")
        assert text.endswith("# EOF\n")
        assert exporter.get("/")[0] == 404 and exporter.get(method="POST")[0] == 405
        taken = lab.director.try_run(Rvsctl.tool, "metrics", "--listen", f"127.0.0.1:{exporter.port}")
        assert taken.returncode == 1 and f"127.0.0.1:{exporter.port}" in taken.stderr
    refused = lab.director.try_run(*NOBODY, Rvsctl.tool, "metrics", "--listen", "127.0.0.1:0")
    assert refused.returncode == 5 and "CAP_NET_ADMIN" in refused.stderr


def test_rates_are_those_of_the_interval(lab, rvsctl):
    service = rvsctl.balance("udp", VIP["masquerading"], 53, [lab.rs1, lab.rs2], "masquerading")
    flood = Flood(lab.client, service, lab.director.mac("eth0"), ports=10, gap=2_000_000)
    before = json.loads(rvsctl.command("stats", "--json"))["counters"]["packets_in"]
    pace = json.loads(rvsctl.command("top", "--json", "--interval", "2s"))
    after = json.loads(rvsctl.command("stats", "--json"))["counters"]["packets_in"]
    flood.stop()
    seconds = pace["interval_milliseconds"] / 1000
    rate = pace["totals"]["rates"]["packets_in"]
    assert 2 <= seconds < 10 and 0 < rate * seconds <= (after - before) * 1.01
    shown, = pace["services"]
    assert abs(shown["rates"]["packets_in"] - rate) < rate / 5
    assert abs(sum(server["rates"]["packets_in"] for server in shown["servers"]) - rate) < rate / 5
    once = rvsctl.command("top", "--once", "--interval", "1s", "--filter", lab.rs1.address)
    assert "PKT/S IN" in once and lab.rs1.address in once and lab.rs2.address not in once


def test_the_live_view_gives_the_terminal_back_however_it_ends(lab, rvsctl):
    rvsctl.add_service("udp", VIP["masquerading"], 53, "rr")
    ours, theirs = pty.openpty()
    before = termios.tcgetattr(theirs)
    termios.tcsetwinsize(theirs, (24, 80))
    try:
        for end in (b"q", b"\x03", signal.SIGTERM):
            live = lab.director.start(Rvsctl.tool, "top", stdin=theirs, stdout=theirs, stderr=theirs, env={**os.environ, "TERM": "xterm"},
                                      start_new_session=True)
            shown = b""
            while b"udp" not in shown:
                shown += os.read(ours, 4096)
            assert termios.tcgetattr(theirs) != before
            if end is signal.SIGTERM:
                live.send_signal(end)
            else:
                os.write(ours, end)
            assert live.wait(timeout=30) == 0, end
            assert termios.tcgetattr(theirs) == before, end
            rest = os.read(ours, 65536)
            assert b"\x1b[?1049l" in rest and b"\x1b[?25h" in rest, end  # the other screen is left, the cursor is back
    finally:
        os.close(theirs)
        os.close(ours)


def test_the_live_view_ends_with_its_terminal(lab):
    ours, theirs = pty.openpty()
    live = lab.director.start(Rvsctl.tool, "top", stdin=theirs, stdout=theirs, stderr=theirs, env={**os.environ, "TERM": "xterm"},
                              start_new_session=True)
    os.close(theirs)
    os.read(ours, 4096)
    os.close(ours)
    live.wait(timeout=30)


def test_without_a_terminal_the_live_view_says_what_to_do(lab):
    refused = lab.director.try_run(Rvsctl.tool, "top")
    assert refused.returncode == 2 and "--once" in refused.stderr
