# SPDX-License-Identifier: GPL-2.0-only
"""Who may look and who may change: CAP_NET_ADMIN decides."""

import pytest

from lab import VIP
from lab.rvsctl import Rvsctl

NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all"]
OWN_USER_NAMESPACE = ["unshare", "--user", "--map-root-user", "--net"]
IPVSADM_SAYS = "Can't initialize ipvs: Permission denied (you must be root)"


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
