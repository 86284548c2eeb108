# SPDX-License-Identifier: GPL-2.0-only
"""Unmodified ldirectord, which drives a balancer by ipvsadm and reads its listings: its checks, its fallback, its end."""

import signal
import subprocess

import pytest

from lab import VIP, eventually, patiently
from lab.http import WebServer, who_answers

CONFIGURATION = """\
checktimeout=2
checkinterval=1
failurecount=1
supervised=yes
cleanstop=yes
""" + "".join(f"""
virtual=192.0.2.1:{port}
	real=10.1.0.11:{port} masq 2
	real=10.1.0.12:{port} masq
	fallback=10.1.0.13:{port} masq
	service=http
	request="/healthy"
	receive="rs"
	scheduler=wrr
	protocol=tcp
	checktype=negotiate
	quiescent={quiescent}
""" for port, quiescent in ((80, "yes"), (81, "no")))

QUIESCENT, REMOVED = "-A -t 192.0.2.1:80 -s wrr", "-A -t 192.0.2.1:81 -s wrr"


def server(number, port, weight):
    return f"-a -t 192.0.2.1:{port} -r 10.1.0.1{number}:{port} -m -w {weight}"


@pytest.fixture
def ldirectord(lab, tmp_path):
    """Started, and ended by force if the test has not seen its end."""
    configuration = tmp_path / "ldirectord.cf"
    configuration.write_text(CONFIGURATION, "ascii")
    with open(tmp_path / "log", "wb") as log:
        process = lab.director.start("ldirectord", configuration, "start", stdout=log, stderr=subprocess.STDOUT)
    yield process
    process.kill()
    process.wait()


def test_ldirectord_removes_or_quiets_servers_that_fail_and_falls_back(lab, balancer, ldirectord):
    def become(*rules):
        eventually(lambda: sorted(balancer.command("-S", "-n").splitlines()), sorted(rules), within=60, every=0.2)

    def answers(port):
        return {who_answers(lab.client, VIP["masquerading"], port) for _ in range(6)}

    web = [[lab.run_program(WebServer(machine, port)) for port in (80, 81)] for machine in lab.servers]
    healthy = [rule for port in (80, 81) for rule in (server(1, port, 2), server(2, port, 1))]
    become(QUIESCENT, REMOVED, *healthy)
    assert answers(80) == answers(81) == {"rs1", "rs2"}

    for one in web[1]:
        one.status = 503
    become(QUIESCENT, server(1, 80, 2), server(2, 80, 0), REMOVED, server(1, 81, 2))
    assert answers(80) == answers(81) == {"rs1"}

    for one in web[0]:
        one.status = 503
    become(QUIESCENT, server(1, 80, 0), server(2, 80, 0), server(3, 80, 1), REMOVED, server(3, 81, 1))
    assert answers(80) == answers(81) == {"rs3"}

    for one in web[0] + web[1]:
        one.status = 200
    become(QUIESCENT, REMOVED, *healthy)
    ldirectord.send_signal(signal.SIGTERM)
    ldirectord.wait(patiently(20))
    assert balancer.services() == {}
