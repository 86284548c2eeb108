# SPDX-License-Identifier: GPL-2.0-only
"""ipvsadm says the same about the same configuration, to the byte, and refuses the same for the same reason, whichever module is loaded."""

import re

import pytest

from lab import VIP, Lab, Service, Stats, eventually, oracle, packet
from lab.ipvsadm import Ipvsadm

pytestmark = pytest.mark.rvs_only  # it looks at both

WEB, DNS = f"{VIP['masquerading']}:80", f"{VIP['masquerading']}:53"
CONFIGURATION = f"""\
-A -t {WEB} -s wrr -p 600 -M 255.255.255.0
-a -t {WEB} -r 10.1.0.11:8080 -m -w 100 -x 200 -y 50
-a -t {WEB} -r 10.1.0.12:80 -g -w 0
-a -t {WEB} -r 10.1.0.13:80 -i -w 65535 --tun-type gue --tun-port 6080 --tun-csum
-a -t {WEB} -r 10.1.0.14:80 -i -w 1 --tun-type gue --tun-port 6080 --tun-remcsum
-a -t {WEB} -r 10.1.0.15:80 -i -w 1 --tun-type gre --tun-csum
-a -t {WEB} -r 10.1.0.16:80 -i -w 2147483647
-a -t {WEB} -r [2001:db8:1::19]:80 -i -w 1
-A -u {DNS} -s rr -p 300
-A -u 192.0.2.1:54 -s sh -b sh-fallback,sh-port
-A -u 192.0.2.1:55 -s mh -b mh-fallback,mh-port
-A -u 192.0.2.1:56 -s rr -o
-A -u 192.0.2.1:5060 -s wlc -p 60 --pe sip
-A -t 192.0.2.1:0 -s lc -p
-A --sctp-service 192.0.2.1:9 -s sed
-A -t [2001:db8:2::1]:80 -s nq -p 60 -M 64
-a -t [2001:db8:2::1]:80 -r [2001:db8:1::11]:8080 -m -w 3
-a -t [2001:db8:2::1]:80 -r 10.1.0.11:80 -i
-A -f 7 -s lblcr
-a -f 7 -r 10.1.0.11:0 -g -w 5
-A -f 7 -6 -s twos -p 10
-a -f 7 -r [2001:db8:1::11]:0 -g -6
"""

LISTINGS = [
    "-S -n", "-L -n", "-l -n", "-L -n --sort", "-L -n --nosort", "-L -n --stats", "-L -n --stats --exact", "-L -n --thresholds",
    "-L -n --persistent-conn", "-L -n --tun-info", "-L -n --stats --thresholds", "-L -n --rate --exact -t [2001:db8:2::1]:80",
    f"-L -n -t {WEB}", f"-L -n --persistent-conn -t {WEB}", "-L -n -f 7", "-L -n -f 7 -6", f"-L -n --stats -u {DNS}", f"-S -n -t {WEB}",
    "-L --timeout", "-L --daemon", "-L -n -c", "-L -n -c --persistent-conn", "-L -n -c --nosort",
]

COMMANDS = [
    # Services
    f"-A -t {WEB} -s rr", "-A -t 192.0.2.9:80 -s nosuch", "-A -t 192.0.2.9:0 -s rr", "-A -t 192.0.2.9 -s rr", "-A -t 192.0.2.9:99999 -s rr",
    "-A -t nonsense:80 -s rr", "-A -f 0 -s rr", "-A -f 8 -s rr -p 0", "-A -f 8 -s rr -p -5", "-A -f 8 -s rr -p 31536001", "-A -f 8 -s rr -M 255.0.255.0",
    "-A -f 8 -s rr -M 64", "-A -f 8 -6 -s rr -M 0 -p", "-A -f 8 -6 -s rr -M 129 -p", "-A -f 8 -s rr --pe nosuch -p", "-A -f 8 -s sixteen-letters-",
    "-A -t 192.0.2.9:80 -s rr -o", "-A -u 192.0.2.9:80 -s rr -o -p 5", "-A -u 192.0.2.9:81 -s rr -b flag-1,flag-3", "-A -u 192.0.2.9:82 -s rr -b nosuch",
    f"-E -t {WEB} -s nosuch", "-E -t 192.0.2.8:80 -s rr", f"-E -t {WEB} -s mh -b mh-port", f"-E -t {WEB}", f"-E -t {WEB} -s wrr -p 600 -M 255.255.0.0",
    "-D -t 192.0.2.8:80", "-D -f 9", "-Z -t 192.0.2.8:80", f"-Z -t {WEB}", "-L -n -t 192.0.2.8:80", "-L -n -f 9",
    # Servers
    "-a -t 192.0.2.8:80 -r 10.1.0.11 -m", "-e -t 192.0.2.8:80 -r 10.1.0.11 -m", "-d -t 192.0.2.8:80 -r 10.1.0.11", "-a -f 9 -r 10.1.0.11",
    f"-a -t {WEB} -r 10.1.0.11:8080 -m", f"-e -t {WEB} -r 10.1.0.99:80 -m", f"-d -t {WEB} -r 10.1.0.99:80", f"-a -t {WEB} -r 224.0.0.1 -m",
    f"-a -t {WEB} -r 255.255.255.255 -m", f"-a -t {WEB} -r 0.0.0.0 -m", f"-a -t {WEB} -r 127.0.0.1 -m", f"-a -t {WEB} -r 10.1.0.99 -m -w -1",
    f"-a -t {WEB} -r 10.1.0.99 -m -w 2147483648", f"-a -t {WEB} -r 10.1.0.99 -m -w many", f"-a -t {WEB} -r 10.1.0.99 -m -x 5 -y 6",
    f"-a -t {WEB} -r 10.1.0.99 -m -y 6", f"-a -t {WEB} -r 10.1.0.99 -m -x -1", f"-e -t {WEB} -r 10.1.0.11:8080 -m -x 5 -y 6",
    f"-a -t {WEB} -r [2001:db8:1::99]:80 -m", f"-a -t {WEB} -r [2001:db8:1::99]:80 -g", "-a -t [2001:db8:2::1]:80 -r [ff02::1]:80 -m",
    "-a -t [2001:db8:2::1]:80 -r [fe80::1]:80 -m", "-a -t [2001:db8:2::1]:80 -r [::]:80 -m", f"-a -t {WEB} -r 10.1.0.99 -i --tun-type gue",
    f"-a -t {WEB} -r 10.1.0.99 -i --tun-type nosuch", f"-a -t {WEB} -r 10.1.0.99 -i --tun-type gue --tun-port 99999",
    f"-a -t {WEB} -r 10.1.0.12:90 -g", f"-d -t {WEB} -r 10.1.0.13", f"-d -t {WEB} -r 10.1.0.13", f"-e -t {WEB} -r 10.1.0.12 -m -w 9",
    # Timeouts, and nonsense
    "--set 1 2 3", "-L --timeout", "--set 0 0 0", "--set 0 8589934 0", "--set 0 8589935 0", "--set 5 0 2147483647", "--set -1 0 0", "--set 1 2",
    "-L --timeout", "-L -n --stats --rate", "-L -c --stats", "-X", "", "-A", "-a -t 192.0.2.1:80", "-D", "-C nonsense", "-R nonsense",
    "-Z -n", "-L -n",
]


class Transcript:
    """What ipvsadm did in one run: for each command its status, output and complaint."""

    def __init__(self):
        self.lab = Lab(dual=True)
        try:
            self.balancer = Ipvsadm(self.lab.director)
            self.said = {}
            self._play()
        finally:
            self.lab.close()

    def _play(self):
        self._run("-R", stdin=CONFIGURATION)
        self._traffic()
        for command in LISTINGS:
            self._run(command)
        for number, command in enumerate(COMMANDS):
            self._run(command, f"{number}: {command}")
        self._run("-S -n", "what is left")
        self._run("-R", "rules that stop in the middle", stdin="-A -f 20 -s rr\n-A -f 21 -s nosuch\n-A -f 22 -s rr\n")
        self._run("-S -n", "what came of them")
        self._run("-C")
        self._run("-L -n", "nothing is left")

    def _traffic(self):
        """Three datagrams to a persistent service, of which all counters know."""
        client, server = self.lab.ghost_client(), self.lab.ghost_server()
        self._run(f"-a -u {DNS} -r {server.address} -m")
        for _ in range(3):
            client.send(packet.udp(client.address, 4000, VIP["masquerading"], 53, bytes(72)))
            server.receive()
        counted = Stats(1, 3, 0, 300, 0)
        eventually(lambda: self.balancer.stats(Service("udp", VIP["masquerading"], 53)), {None: counted, server.address: counted})

    def _run(self, command, title=None, stdin=None):
        done = self.lab.director.try_run("ipvsadm", *command.split(), stdin=stdin)
        self.said[title or command] = (done.returncode, _comparable(command, done.stdout), done.stderr)


def _comparable(command, output):
    """Output without what is no promise: the table's size, seconds that pass, and the order of services if none was asked for."""
    output = re.sub(r"\(size=\d+\)", "(size=)", output)
    if "-c" in command.split():
        output = re.sub(r"(?m)^(TCP|UDP|IP ) (\d\d:\d\d) ", r"\1 mm:ss ", output)
        return sorted(output.splitlines())
    if "--nosort" in command:
        return sorted(re.split(r"\n(?=\S)", output.rstrip("\n")))
    return output


@pytest.fixture(scope="module")
def transcripts(loaded_module):
    return oracle.under_both(lambda: Transcript().said)


@pytest.mark.parametrize("command", [*LISTINGS, "what is left", "what came of them", "nothing is left"])
def test_a_listing_is_the_same_to_the_byte(transcripts, command):
    assert transcripts["rvs"][command] == transcripts["ip_vs"][command]


def test_every_rule_is_taken_and_saved(transcripts):
    assert transcripts["rvs"]["-R"] == (0, "", "")
    saved = transcripts["rvs"]["-S -n"][1].splitlines()
    assert len(saved) == len(CONFIGURATION.splitlines()) + 1


def test_every_command_ends_the_same_and_says_the_same(transcripts):
    of_rvs, of_ip_vs = ({command: said[command] for command in said if command not in LISTINGS} for said in transcripts.values())
    assert of_rvs == of_ip_vs
