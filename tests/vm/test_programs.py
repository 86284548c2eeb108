# SPDX-License-Identifier: GPL-2.0-only
"""Everyday programs through the balancer, by each method and family.

iperf3 with all offloads on, a DNS server and its client, the test program of the tools for SCTP.
"""

import itertools
import json
import re

from lab import IPV4, IPV6, METHODS, CommandFailed, dual_stack, eventually, namespace, patiently
from lab.programs import TcpClient

pytestmark = dual_stack

IPERF, DNS, SCTP = 5201, 53, 7000
WINDOW = 64 << 10  # bytes; Linux takes twice as many at each end, and what is there when the client ends counts as sent only
MESSAGES_BY_SIZE = 4  # the case of sctp_test that sends
SIZES = [1, 1000, 2000, 3000, 5000, 10000, 15000, 20000, 25000, 32768]
MEGABYTES, DATAGRAMS, DATAGRAM = 3 << 20, 300, 1000  # bytes, number, bytes
LONG = "".join(f"{number:04}" for number in range(500))  # more than an answer over UDP may be without EDNS


class Process:
    """A program that runs until the lab is closed."""

    def __init__(self, node, *command, **options):
        self._process = node.start(*command, **options)

    def close(self):
        self._process.terminate()
        self._process.wait(patiently(20))


def each_way():
    return itertools.product(METHODS, (IPV4, IPV6))


def own_address(server, method, vip):
    """Where a server takes what comes by a method."""
    return server.address_like(vip) if method == "masquerading" else vip


def is_served(node, address, port):
    try:
        TcpClient(node, address, port).close()
        return True
    except OSError:
        return False


class Iperf3:
    """A server of iperf3 behind each virtual address, at an address of its own there: it answers UDP from where it is bound."""

    def __init__(self, lab, balancer):
        namespace.execute(["modprobe", "sctp"])
        self._lab, self._balancer, self._services = lab, balancer, {}
        for method, plan in each_way():
            vip = plan.vip[method]
            own = own_address(lab.rs1, method, vip)
            lab.run_program(Process(lab.rs1, "iperf3", "--server", "--bind", own, "--port", IPERF, "--logfile", "/dev/null"))
            eventually(lambda: is_served(lab.rs1, own, IPERF), within=20)
            for protocol in ("tcp", "udp", "sctp"):
                self._services[vip, protocol] = balancer.balance(protocol, vip, IPERF, [lab.rs1], method)

    def run(self, plan, method, protocol, *options):
        """What the client says at the end of a run, if it has no complaint, and what the balancer has counted."""
        vip = plan.vip[method]
        try:
            report = self._lab.client.run("iperf3", "--json", "--client", vip, "--bind", plan.client, "--connect-timeout", 5000, *options)
        except CommandFailed as failed:
            raise AssertionError(failed.stdout) from None
        return json.loads(report)["end"], self._balancer.stats(self._services[vip, protocol])[None]


def test_iperf3_over_tcp_udp_and_sctp_arrives_whole_by_each_method(lab, balancer):
    lab.offloads(True)
    lab.client.sysctl(**{"net.ipv4.tcp_min_tso_segs": 8})  # however slowly they go, many leave the stack as one
    iperf = Iperf3(lab, balancer)
    for method, plan in each_way():
        way = method, plan.name
        end, counted = iperf.run(plan, method, "tcp", "--bytes", MEGABYTES, "--bidir", "--window", WINDOW)
        received = end["sum_received"]["bytes"]
        assert received >= MEGABYTES - 4 * WINDOW and end["sum_received_bidir_reverse"]["bytes"] > 0, (way, end)
        # Nobody has cut what the client's device was to cut.
        assert counted.bytes_in >= received and counted.bytes_in > 3000 * counted.packets_in, (way, counted)

        end, counted = iperf.run(plan, method, "udp", "--udp", "--bitrate", "4M", "--length", DATAGRAM, "--bytes", DATAGRAMS * DATAGRAM)
        assert end["sum"]["packets"] >= DATAGRAMS and end["sum"]["lost_packets"] == 0, (way, end)
        assert counted.packets_in >= end["sum"]["packets"] and counted.connections == 1, (way, counted)

        end, counted = iperf.run(plan, method, "sctp", "--sctp", "--bytes", MEGABYTES // 4, "--window", WINDOW)
        received = end["sum_received"]["bytes"]
        assert received >= MEGABYTES // 4 - 4 * WINDOW, (way, end)
        assert counted.bytes_in >= received and counted.connections == 1, (way, counted)


def test_names_are_asked_of_each_server_in_turn_over_udp_and_tcp(lab, balancer):
    shared = [plan.vip[method] for method, plan in each_way() if method != "masquerading"]
    for server in lab.servers:
        listening = ["127.0.0.1", server.address, server.address6, *shared]
        lab.run_program(Process(server, "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts",
                                "--user=root", "--pid-file=", f"--port={DNS}", "--bind-interfaces",
                                *(f"--listen-address={address}" for address in listening), f"--txt-record=who.example,{server.name}",
                                *(f"--txt-record=long.example,{LONG[at:at + 250]}" for at in range(0, len(LONG), 250))))
    for server in lab.servers:
        eventually(lambda: is_served(server, "127.0.0.1", DNS), within=20)
    for (method, plan), protocol in itertools.product(each_way(), ("udp", "tcp")):
        balancer.balance(protocol, plan.vip[method], DNS, lab.servers, method)
        question, times = ["dig", f"@{plan.vip[method]}", "+short", "who.example", "TXT"], len(lab.servers)
        if protocol == "tcp":  # over which one client asks everything in one connection
            answers = "".join(lab.client.run(*question, "+tcp") for _ in range(times))
        else:
            answers = lab.client.run(*question, *["who.example", "TXT"] * (times - 1))
        assert sorted(answers.split()) == ['"rs1"', '"rs2"', '"rs3"'], (method, plan.name, protocol)
    # An answer too long for a datagram: the client asks again over TCP, perhaps another server.
    answer = lab.client.run("dig", f"@{IPV4.vip['masquerading']}", "+noedns", "+short", "long.example", "TXT")
    assert len(answer.replace('"', "").replace("\n", "")) == len(LONG)


class SctpTest(Process):
    """The receiving side of `sctp_test`, which tells of each message."""

    def __init__(self, node, address, folder):
        self._told = folder / f"sctp_test-{address}"
        with open(self._told, "wb") as told:
            super().__init__(node, "stdbuf", "-oL", "sctp_test", "-H", address, "-P", SCTP, "-l", stdout=told)
        eventually(lambda: "Receiving packets" in self._told.read_text("ascii"), within=20)

    def received(self):
        """Bytes until now; long messages may be told of in parts."""
        return sum(map(int, re.findall(r"recvmsg\(.*\) Data (\d+) bytes", self._told.read_text("ascii"))))


def test_sctp_test_sends_messages_of_all_sizes_by_each_method(lab, balancer, tmp_path):
    namespace.execute(["modprobe", "sctp"])
    for method, plan in each_way():
        vip = plan.vip[method]
        server = lab.run_program(SctpTest(lab.rs1, own_address(lab.rs1, method, vip), tmp_path))
        service = balancer.balance("sctp", vip, SCTP, [lab.rs1], method)
        lab.client.run("sctp_test", "-H", plan.client, "-P", 0, "-h", vip, "-p", SCTP, "-s", "-c", MESSAGES_BY_SIZE, "-x", 2)
        eventually(server.received, 2 * sum(SIZES), within=20)
        assert balancer.stats(service)[None].connections == 1, (method, plan.name)
