# SPDX-License-Identifier: GPL-2.0-only
"""The configuration as a file: applied as a whole or not at all, compared, written; names and labels; two writers."""

import json
import os
import pty
import subprocess

import pytest

from lab import VIP, CommandFailed
from lab.programs import TcpClient
from lab.rvsctl import Rvsctl

pytestmark = pytest.mark.rvs_only

NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all"]

WEB = """\
[[service]]
name = "web"
labels = { "tier" = "front" }
protocol = "tcp"
address = "192.0.2.1:80"
scheduler = "mh"
scheduler-options = ["mh-port"]
persistent = 600
persistence-mask = "24"
servers = [
  { name = "web1", address = "10.1.0.11:8080", method = "masquerading", weight = 5, upper-threshold = 100, labels = { "rack" = "r1" } },
  { address = "10.1.0.12:80", method = "tunneling", tunnel = { type = "gue", port = 6080, checksum = "full" }, weight = 1 },
]
"""
REST = """\

[[service]]
protocol = "udp"
address = "192.0.2.1:53"
scheduler = "rr"
one-packet = true
servers = [
  { address = "10.1.0.11:53", method = "direct-routing", weight = 0 },
]

[[service]]
mark = 7
family = "ipv6"
scheduler = "wlc"
"""
AS_SAVED = """\
-A -t 192.0.2.1:80 -s mh -p 600 -M 255.255.255.0 -b mh-port
-a -t 192.0.2.1:80 -r 10.1.0.11:8080 -m -w 5
-a -t 192.0.2.1:80 -r 10.1.0.12:80 -i -w 1 --tun-type gue --tun-port 6080 --tun-csum
-A -u 192.0.2.1:53 -s rr -o
-a -u 192.0.2.1:53 -r 10.1.0.11:53 -g -w 0
-A -f 7 -6 -s wlc
"""


class Files(Rvsctl):
    """rvsctl with what it says of files."""

    def apply(self, text, *options):
        return self.command("apply", "-", *options, stdin=text)

    def refused(self, *arguments, stdin=""):
        """The status and the words of a command that fails."""
        with pytest.raises(CommandFailed) as failed:
            self.command(*arguments, stdin=stdin)
        return failed.value.status, failed.value.stderr + failed.value.stdout

    def generation(self):
        return self._json("info")["generation"]


@pytest.fixture
def rvsctl(lab):
    return Files(lab.director)


def test_a_file_is_applied_and_what_is_so_already_is_not_touched(balancer, rvsctl):
    assert rvsctl.generation() == 0
    shown = rvsctl.apply(WEB + REST)
    assert "+ tcp 192.0.2.1:80 (web): name web, labels tier=front, scheduler mh" in shown
    assert shown.endswith("Add 3 services and 3 servers.\n") and "\x1b" not in shown
    assert balancer.command("-S", "-n") == AS_SAVED
    assert rvsctl.generation() == 1

    assert rvsctl.apply(WEB + REST) == "" and rvsctl.generation() == 1
    assert rvsctl.command("diff", "-", stdin=REST + WEB) == ""
    exported = rvsctl.command("export")
    assert exported.partition("\n\n")[2] == WEB + REST
    assert rvsctl.apply(exported) == "" and rvsctl.generation() == 1

    changed = (WEB + REST).replace("weight = 5", "weight = 6").replace('"rr"', '"sed"')
    expected = """\
  tcp 192.0.2.1:80 (web)
  ~ 10.1.0.11:8080 (web1): weight 5 -> 6
~ udp 192.0.2.1:53: scheduler rr -> sed

Change 1 service and 1 server.
"""
    assert rvsctl.refused("diff", "-", stdin=changed) == (8, expected)
    assert "\x1b[33m  ~ 10.1.0.11:8080" in rvsctl.refused("diff", "-", "--color", "always", stdin=changed)[1]
    assert rvsctl.apply(changed, "--dry-run") == expected and rvsctl.generation() == 1
    assert rvsctl.apply(changed) == expected and rvsctl.generation() == 2
    assert rvsctl.command("diff", "-", stdin=changed) == ""


def test_what_any_tool_changes_is_noticed_and_put_right(balancer, rvsctl):
    rvsctl.apply(WEB + REST)
    generation = rvsctl.generation()
    for command, difference in [
        ("-E -t 192.0.2.1:80 -s mh -p 600 -M 255.255.255.0", "options none -> mh-port"),
        ("-e -t 192.0.2.1:80 -r 10.1.0.11:8080 -m -w 9", "weight 9 -> 5"),
        ("-a -t 192.0.2.1:80 -r 10.1.0.13:80 -g", "- 10.1.0.13:80"),
        ("-d -t 192.0.2.1:80 -r 10.1.0.12:80", "+ 10.1.0.12:80"),
        ("-A -t 192.0.2.9:80 -s rr", "- tcp 192.0.2.9:80"),
        ("-D -u 192.0.2.1:53", "+ udp 192.0.2.1:53"),
    ]:
        balancer.command(*command.split())
        assert rvsctl.generation() == generation + 1, command
        status, shown = rvsctl.refused("diff", "-", stdin=WEB + REST)
        assert status == 8 and difference in shown, (command, shown)
        rvsctl.apply(WEB + REST, "--yes")
        assert rvsctl.command("diff", "-", stdin=WEB + REST) == ""
        generation = rvsctl.generation()
    balancer.zero()
    balancer.set_timeouts(0, 0, 42)
    assert rvsctl.generation() == generation
    balancer.flush()
    assert rvsctl.generation() == generation + 1


def test_connections_keep_their_servers(lab, rvsctl):
    lab.tcp_programs(80)
    text = """\
[[service]]
protocol = "tcp"
address = "192.0.2.1:80"
scheduler = "rr"
servers = [{ address = "10.1.0.11", method = "masquerading" }]
"""
    rvsctl.apply(text)
    with TcpClient(lab.client, VIP["masquerading"], 80) as client:
        who = client.ask("who")
        rvsctl.apply(text.replace('"rr"', '"wlc"').replace('" }', '", weight = 7 }, { address = "10.1.0.12", method = "masquerading" }'))
        assert client.ask("who") == who
        service, = rvsctl._json("service", "list")
        assert [server["active_connections"] for server in service["servers"]] == [1, 0]


def test_what_ipvsadm_saved_is_taken_too(lab, balancer, rvsctl):
    rvsctl.apply(AS_SAVED)
    assert balancer.command("-S", "-n") == AS_SAVED
    named = balancer.command("-S")
    assert "192.0.2.1:http " in named
    assert rvsctl.command("diff", "-", stdin=named) == ""
    status, words = rvsctl.refused("apply", "-", stdin=named + "-a -t 192.0.2.1:gopher9 -r 10.1.0.1:80\n")
    assert status == 2 and "standard input:7:7: " in words and "'gopher9' is not a port" in words


def test_names_are_unique_and_take_the_place_of_addresses(rvsctl):
    rvsctl.command("service", "add", "tcp", "192.0.2.1:80", "--name", "web", "--label", "tier=front", "--label", "site=a")
    rvsctl.command("server", "add", "web", "10.1.0.11", "--name", "web1")
    rvsctl.command("server", "set", "web", "web1", "--weight", 3, "--label", "rack=r1")
    service, = rvsctl._json("service", "list", "web")
    assert (service["name"], service["labels"]) == ("web", {"tier": "front", "site": "a"})
    server, = service["servers"]
    assert (server["name"], server["labels"], server["weight"]) == ("web1", {"rack": "r1"}, 3)
    listed = rvsctl.command("service", "list")
    assert "tcp 192.0.2.1:80 (web)" in listed and "10.1.0.11:80 (web1)" in listed and "site=a, tier=front" in listed

    rvsctl.command("service", "set", "web", "--scheduler", "rr")
    assert rvsctl._json("service", "list", "web")[0]["labels"] == {"tier": "front", "site": "a"}
    rvsctl.command("service", "add", "udp", "192.0.2.1:53")
    for command, status, words in [
        ("service set udp 192.0.2.1:53 --name web", 4, "another service has this name"),
        ("server add web 10.1.0.12 --name web1", 4, "another real server of the service has this name"),
        ("service del wbe", 3, "a similar name exists: 'web'"),
        ("server del web webb1", 3, "a similar name exists: 'web1'"),
        ("zero nonsense", 3, "there is no service called 'nonsense'"),
        ("service set web --name tcp", 2, "cannot be a name"),
        ("service set web --label x", 2, "tier=front"),
    ]:
        assert (command, *rvsctl.refused(*command.split()))[:2] == (command, status)
        assert words in rvsctl.refused(*command.split())[1], command
    rvsctl.command("service", "set", "web", "--name", "", "--no-labels")
    rvsctl.command("service", "set", "udp", "192.0.2.1:53", "--name", "web")
    assert [one["name"] for one in rvsctl._json("service", "list")] == [None, "web"]
    # They swap what they are called.
    names = "[[service]]\nname = \"{}\"\nprotocol = \"tcp\"\naddress = \"192.0.2.1:80\"\nscheduler = \"rr\"\n" \
            "[[service]]\nname = \"{}\"\nprotocol = \"udp\"\naddress = \"192.0.2.1:53\"\n"
    rvsctl.apply(names.format("one", "two"), "--yes")
    rvsctl.apply(names.format("two", "one"))
    assert [one["name"] for one in rvsctl._json("service", "list")] == ["two", "one"]
    rvsctl.command("service", "del", "one")
    assert rvsctl.refused("service", "list", "one")[0] == 3


def test_a_wrong_file_is_refused_with_the_place_and_what_would_be_right(lab, balancer, rvsctl):
    rvsctl.apply(REST)
    before, generation = balancer.command("-S", "-n"), rvsctl.generation()
    for text, place, *words in [
        (WEB.replace("weight", "wieght", 1), "11:73", "a server has no 'wieght'", "a similar key exists: 'weight'"),
        (WEB.replace("600", '"long"'), "8:14", "a number from 1 to 2678400 is expected"),
        (WEB.replace(':80"', '"', 1), "5:11", "the port is missing, as in 192.0.2.1:80"),
        (WEB + WEB.replace('"web"', '"web2"'), "14:1", "tcp 192.0.2.1:80 is there already, in line 1"),
        (WEB + "[[service]", "14:", "expected"),
    ]:
        status, said = rvsctl.refused("apply", "-", stdin=text)
        assert status == 2 and f"standard input:{place}" in said, said
        assert all(word in said for word in words), said
    assert rvsctl.refused("apply", "/nowhere.toml")[0] == 2
    # What only the kernel can tell: the first operations would be possible.
    text = WEB.replace('{ address = "10.1.0.12:80"', '{ address = "224.0.0.1:80"')
    status, said = rvsctl.refused("apply", "-", "--yes", stdin=text)
    assert status == 1 and "cannot add the real server 224.0.0.1:80 to tcp 192.0.2.1:80; nothing was changed" in said, said
    assert "neither a unicast nor a local one" in said
    status, said = rvsctl.refused("apply", "-", stdin=WEB)
    assert status == 2 and "this would remove 2 services, and there is no terminal to ask on" in said, said
    refused = lab.director.try_run(*NOBODY, Rvsctl.tool, "apply", "/dev/null", "--yes")
    assert refused.returncode == 5 and "CAP_NET_ADMIN" in refused.stderr
    assert (balancer.command("-S", "-n"), rvsctl.generation()) == (before, generation)


def answer(lab, arguments, reply):
    """What rvsctl says on a terminal where its question is answered by the text that `reply` returns; its status too."""
    terminal, end = pty.openpty()
    with subprocess.Popen(["ip", "netns", "exec", lab.director.name, Rvsctl.tool, *arguments], stdin=end, stdout=end, stderr=end,
                          env=os.environ | {"NO_COLOR": "1"}) as program:
        os.close(end)
        said = b""
        while b"[y/N] " not in said:
            said += os.read(terminal, 4096)
        os.write(terminal, reply().encode())
        program.wait()
        said += os.read(terminal, 4096)
    os.close(terminal)
    return program.returncode, said.decode().replace("\r\n", "\n")


def test_a_person_is_asked_and_two_writers_do_not_overwrite_each_other(lab, balancer, rvsctl, tmp_path):
    rvsctl.apply(WEB + REST)
    file = tmp_path / "rvs.toml"
    file.write_text(REST)
    before = balancer.command("-S", "-n")
    status, said = answer(lab, ["apply", str(file)], lambda: "n\n")
    assert status == 1 and "Remove 1 service? [y/N]" in said and "nothing was changed" in said
    assert balancer.command("-S", "-n") == before

    def while_another_writes():
        balancer.command("-A", "-t", "192.0.2.9:80", "-s", "rr")
        return "y\n"

    status, said = answer(lab, ["apply", str(file)], while_another_writes)
    assert status == 9 and "changed by somebody else meanwhile" in said
    assert "-A -t 192.0.2.1:80" in balancer.command("-S", "-n") and "192.0.2.9:80" in balancer.command("-S", "-n")
    status, said = answer(lab, ["apply", str(file)], lambda: "y\n")
    assert status == 0 and "Remove 2 services?" in said
    assert rvsctl.command("diff", str(file)) == ""


SERVICES = 1000


def peak(lab, *words):
    """Kilobytes that rvsctl holds at most."""
    return int(lab.director.run("busybox", "time", "-f", "%M", "-o", "/dev/stdout", Rvsctl.tool, *words).split()[-1])


def test_a_change_in_a_thousand_services_is_one_small_transaction(lab, balancer, rvsctl, tmp_path):
    without_any = peak(lab, "export")
    file = tmp_path / "rvs.toml"
    servers = "".join(f'  {{ address = "10.1.0.{number}:8080", method = "masquerading" }},\n' for number in range(10, 20))
    file.write_text("".join(f'[[service]]\nname = "web{number}"\nprotocol = "tcp"\naddress = "192.0.{number // 250}.{number % 250}:80"\n'
                            f"servers = [\n{servers}]\n" for number in range(SERVICES)))
    assert rvsctl.command("apply", str(file)).endswith(f"Add {SERVICES} services and {10 * SERVICES} servers.\n")
    assert rvsctl.command("apply", str(file)) == "" and rvsctl.generation() == 1
    text = file.read_text()
    at = text.index('"web567"')
    file.write_text(text[:at] + text[at:].replace("10.1.0.15:8080", "10.1.0.115:8080", 1))
    assert rvsctl.command("apply", str(file), "--yes").endswith("Add 1 server, remove 1 server.\n")
    assert rvsctl.command("diff", str(file)) == ""
    assert peak(lab, "export") < without_any + 1000  # one service after the other
    assert len([line for line in balancer.command("-S", "-n").splitlines() if line.startswith("-a")]) == 10 * SERVICES
    # One operation that cannot be done undoes all the others.
    before = balancer.command("-S", "-n")
    file.write_text(text.replace('"masquerading" }', '"masquerading", weight = 2 }') + "\n[[service]]\nmark = 1\nscheduler = \"nonsense\"\n")
    status, said = rvsctl.refused("apply", str(file), "--yes")
    assert status == 1 and "the kernel has no scheduler 'nonsense'; nothing was changed" in said
    assert balancer.command("-S", "-n") == before and rvsctl.generation() == 2
    rvsctl.flush()
    assert json.loads(rvsctl.command("service", "list", "--json")) == []
