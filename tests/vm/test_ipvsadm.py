# SPDX-License-Identifier: GPL-2.0-only
"""Unmodified ipvsadm: every command, what it prints, and how it fails."""

import re
import resource

import pytest

from lab import VIP, CommandFailed, eventually
from lab.programs import UdpClient

HERE = "192.0.2.1:80"
HEADER = "Prot LocalAddress:Port Scheduler Flags\n  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn\n"
CONFIGURATION = """\
-A -t 192.0.2.1:80 -s rr
-a -t 192.0.2.1:80 -r 10.1.0.11:8080 -m -w 3
-a -t 192.0.2.1:80 -r 10.1.0.12:80 -g -w 1
-a -t 192.0.2.1:80 -r 10.1.0.13:80 -i -w 0 --tun-type ipip
-A -u 192.0.2.1:53 -s wlc
-a -u 192.0.2.1:53 -r 10.1.0.11:53 -m -w 1
"""


@pytest.fixture
def restored(balancer):
    balancer.command("-R", stdin=CONFIGURATION)
    return balancer


def without_version(listing):
    """A listing of everything after its first line, which holds the size of the connection table."""
    first, _, rest = listing.partition("\n")
    assert re.fullmatch(r"IP Virtual Server version 1\.2\.1 \(size=\d+\)", first)
    return rest


def test_what_is_restored_is_saved_again_as_it_was(restored):
    assert restored.command("-S", "-n") == CONFIGURATION


def test_the_listing_shows_services_and_servers(restored):
    assert without_version(restored.command("-L", "-n")) == HEADER + """\
TCP  192.0.2.1:80 rr
  -> 10.1.0.11:8080               Masq    3      0          0         
  -> 10.1.0.12:80                 Route   1      0          0         
  -> 10.1.0.13:80                 Tunnel  0      0          0         
UDP  192.0.2.1:53 wlc
  -> 10.1.0.11:53                 Masq    1      0          0         
"""


def test_one_service_is_listed_alone(restored):
    assert restored.command("-L", "-n", "-u", "192.0.2.1:53") == HEADER + """\
UDP  192.0.2.1:53 wlc
  -> 10.1.0.11:53                 Masq    1      0          0         
"""


def test_counters_and_rates_are_listed_for_services_and_servers(restored):
    names = [["TCP", "192.0.2.1:80"], ["->", "10.1.0.11:8080"], ["->", "10.1.0.12:80"], ["->", "10.1.0.13:80"],
             ["UDP", "192.0.2.1:53"], ["->", "10.1.0.11:53"]]
    for option, title in (("--stats", "Conns   InPkts  OutPkts  InBytes OutBytes"), ("--rate", "CPS    InPPS   OutPPS    InBPS   OutBPS")):
        title_line, remote_line, *lines = without_version(restored.command("-L", "-n", option)).splitlines()
        assert title_line.endswith(title) and "RemoteAddress" in remote_line
        assert [line.split() for line in lines] == [[*name, "0", "0", "0", "0", "0"] for name in names]


def test_thresholds_are_listed(restored):
    listed = without_version(restored.command("-L", "-n", "--thresholds"))
    assert "  -> 10.1.0.11:8080               0          0          0          0         \n" in listed


def test_connections_are_listed_with_their_three_ends(lab, balancer):
    lab.udp_programs(53)
    balancer.balance("udp", VIP["masquerading"], 5353, [lab.rs1], "masquerading", server_port=53)
    with UdpClient(lab.client, VIP["masquerading"], 5353) as client:
        client.ask(b"hello")
        title, columns, line = balancer.command("-L", "-n", "-c").splitlines()
        assert (title, columns.split()) == ("IPVS connection entries", ["pro", "expire", "state", "source", "virtual", "destination"])
        protocol, expires, *rest = line.split()
        assert (protocol, rest) == ("UDP", ["UDP", f"10.0.0.2:{client.port}", "192.0.2.1:5353", "10.1.0.11:53"])
        assert expires in ("05:00", "04:59", "04:58", "04:57")


def test_edits_change_what_they_name(restored):
    restored.command("-E", "-t", HERE, "-s", "wrr")
    restored.command("-e", "-t", HERE, "-r", "10.1.0.12:80", "-m", "-w", "7")
    restored.command("-d", "-t", HERE, "-r", "10.1.0.13:80")
    restored.command("-D", "-u", "192.0.2.1:53")
    assert restored.command("-S", "-n") == """\
-A -t 192.0.2.1:80 -s wrr
-a -t 192.0.2.1:80 -r 10.1.0.11:8080 -m -w 3
-a -t 192.0.2.1:80 -r 10.1.0.12:80 -m -w 7
"""


def test_clearing_leaves_nothing(restored):
    restored.command("-C")
    assert restored.command("-S", "-n") == ""
    restored.command("-C")


def test_ten_thousand_services_are_restored_and_saved_in_linear_time(balancer):
    rules = [f"-A -u 192.0.2.{1 + number // 5000}:{1 + number % 5000} -s rr\n" for number in range(10_000)]

    def seconds(action):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        result = action()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, result

    few, _ = seconds(lambda: balancer.command("-R", stdin="".join(rules[:2000])))
    many, _ = seconds(lambda: balancer.command("-R", stdin="".join(rules[2000:])))
    assert many < 8 * few  # four times as many
    saving, saved = seconds(lambda: balancer.command("-S", "-n"))
    assert saved == "".join(rules)
    print(f"restored in {few + many:.1f} s, saved in {saving:.1f} s")
    balancer.command("-C")
    assert balancer.services() == {}


def test_one_service_can_be_zeroed_alone(lab, balancer):
    lab.udp_programs(53)
    first = balancer.balance("udp", VIP["masquerading"], 53, [lab.rs1], "masquerading")
    second = balancer.balance("udp", VIP["direct-routing"], 53, [lab.rs1], "direct-routing")
    for service in (first, second):
        with UdpClient(lab.client, service.address, 53) as client:
            client.ask(b"hello")
    eventually(lambda: [balancer.stats(service)[None].packets_in for service in (first, second)], [1, 1])
    balancer.command("-Z", "-u", first)
    assert [balancer.stats(service)[None].packets_in for service in (first, second)] == [0, 1]


def test_timeouts_are_set_and_0_keeps_what_is(balancer):
    assert balancer.command("-L", "--timeout") == "Timeout (tcp tcpfin udp): 900 120 300\n"
    balancer.command("--set", "10", "20", "30")
    balancer.command("--set", "0", "21", "0")
    assert balancer.command("-L", "--timeout") == "Timeout (tcp tcpfin udp): 10 21 30\n"


WRONG_COMMANDS = [
    (f"-A -t {HERE} -s rr", 255, "Service already exists"),
    ("-A -t 192.0.2.1:81 -s nonsense", 255, "Scheduler or persistence engine not found"),
    (f"-E -t {HERE} -s nonsense", 255, "Scheduler or persistence engine not found"),
    ("-E -t 192.0.2.1:82 -s rr", 255, "No such service"),
    ("-D -t 192.0.2.1:82", 255, "No such service"),
    ("-Z -t 192.0.2.1:82", 255, "No such service"),
    ("-L -n -t 192.0.2.1:82", 1, "No such service"),
    ("-a -t 192.0.2.1:82 -r 10.1.0.11 -m", 255, "Service not defined"),
    ("-e -t 192.0.2.1:82 -r 10.1.0.11 -m", 255, "Service not defined"),
    ("-d -t 192.0.2.1:82 -r 10.1.0.11", 255, "Service not defined"),
    ("-a -u 192.0.2.1:80 -r 10.1.0.11 -m", 255, "Service not defined"),
    (f"-a -t {HERE} -r 10.1.0.11:8080 -m", 255, "Destination already exists"),
    (f"-e -t {HERE} -r 10.1.0.99:80 -m", 255, "No such destination"),
    (f"-d -t {HERE} -r 10.1.0.99:80", 255, "No such destination"),
    (f"-a -t {HERE} -r 224.0.0.1 -m", 255, "Invalid operation.  Possibly wrong module version, address not unicast, ..."),
    (f"-a -t {HERE} -r 10.1.0.99 -m -x 5 -y 6", 255, "Numerical result out of range"),
]


def test_wrong_commands_fail_as_they_always_did_and_change_nothing(restored):
    for command, status, message in WRONG_COMMANDS:
        with pytest.raises(CommandFailed) as failed:
            restored.command(*command.split())
        assert (command, failed.value.status, failed.value.stderr.strip()) == (command, status, message)
        assert (command, restored.command("-S", "-n")) == (command, CONFIGURATION)
