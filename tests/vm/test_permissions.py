# SPDX-License-Identifier: GPL-2.0-only
"""Who may look and who may change: CAP_NET_ADMIN decides."""

import pathlib

import pytest

from lab import VIP
from lab.rvsctl import Rvsctl

NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all"]
OWN_USER_NAMESPACE = ["unshare", "--user", "--map-root-user", "--net"]
IPVSADM_SAYS = "Can't initialize ipvs: Permission denied (you must be root)"


EVERY_COMMAND = f"""
import errno, sys
sys.path.insert(0, {str(pathlib.Path(__file__).parent / "lab")!r})
from netlink import GenericNetlink
ipvs = GenericNetlink("IPVS")
for number in range(1, 18):
    for dump in (False, True):
        try:
            ipvs.command(number, b"", dump)
            print(number, dump, "ok")
        except OSError as error:
            print(number, dump, "not there" if error.errno == errno.EOPNOTSUPP else errno.errorcode[error.errno])
"""


def answers(lab, *who):
    """What every command of the family IPVS, plain and as a listing, is answered with."""
    return [line.split(" ", 2) for line in lab.director.run(*who, "python3", "-c", EVERY_COMMAND).splitlines()]


@pytest.mark.parametrize("who", [NOBODY, OWN_USER_NAMESPACE], ids=["nobody", "other user namespace"])
def test_every_command_takes_the_capability_of_the_whole_machine(lab, balancer, who):
    allowed = answers(lab)
    assert [answer for *_, answer in allowed].count("not there") == 17
    assert {answer for *_, answer in allowed} == {"ok", "EINVAL", "not there"}
    service = balancer.add_service("tcp", VIP["masquerading"], 80)
    assert answers(lab, *who) == [[number, dump, why if why == "not there" else "EPERM"] for number, dump, why in allowed]
    assert list(balancer.services()) == [service]


def test_ipvsadm_of_a_user_without_the_capability_is_refused(lab, balancer):
    service = balancer.add_service("tcp", VIP["masquerading"], 80)
    for command in (["-L", "-n"], ["-C"], ["-A", "-t", "192.0.2.9:80"], ["-L", "--timeout"]):
        refused = lab.director.try_run(*NOBODY, "ipvsadm", *command)
        assert refused.returncode == 2 and IPVSADM_SAYS in refused.stderr
    assert list(balancer.services()) == [service]


def test_ipvsadm_of_another_user_namespace_is_refused(lab):
    refused = lab.director.try_run(*OWN_USER_NAMESPACE, "ipvsadm", "-L", "-n")
    assert refused.returncode == 2 and IPVSADM_SAYS in refused.stderr


@pytest.mark.rvs_only
def test_rvsctl_of_a_user_without_the_capability_is_refused_and_told_what_it_takes(lab, balancer):
    service = balancer.add_service("tcp", VIP["masquerading"], 80)
    for command in (["service", "list"], ["flush", "--yes"], ["service", "add", "tcp", "192.0.2.9:80"], ["conn", "list"],
                    ["stats"], ["timeout", "show"], ["zero"]):
        refused = lab.director.try_run(*NOBODY, Rvsctl.tool, *command)
        assert (command, refused.returncode) == (command, 5) and "CAP_NET_ADMIN" in refused.stderr
    assert list(balancer.services()) == [service]


@pytest.mark.rvs_only
def test_rvsctl_of_a_user_namespace_that_owns_its_network_may_do_everything_there(lab):
    script = f"{Rvsctl.tool} service add udp 192.0.2.9:53 --scheduler rr && {Rvsctl.tool} service list"
    shown = lab.director.run(*OWN_USER_NAMESPACE, "sh", "-c", script)
    assert "192.0.2.9:53" in shown
    assert Rvsctl(lab.director).services() == {}
