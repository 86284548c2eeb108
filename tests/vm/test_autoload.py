# SPDX-License-Identifier: GPL-2.0-only
"""rvs is loaded when somebody asks for it: by opening a netlink family, or by the names of the modules of ip_vs."""

import pathlib
import shutil

import pytest

from lab import eventually, module
from lab.keepalived import Keepalived
from lab.namespace import execute
from lab.rvsctl import Rvsctl

pytestmark = pytest.mark.rvs_only

CONFIGURATION = module.PROJECT / "dist/modprobe.d/rvs.conf"
INSTALLED = pathlib.Path("/etc/modprobe.d/rvs.conf")


@pytest.fixture(scope="module")
def installed(loaded_module, tmp_path_factory):
    """A module tree that has rvs installed, in the place of the real one."""
    with module.installed(tmp_path_factory.mktemp("tree")):
        yield


@pytest.fixture
def unloaded(installed):
    """Neither module is loaded; afterwards rvs is."""
    module.unload("rvs")
    yield
    module.unload("ip_vs")
    if not module.loaded("rvs"):
        module.load("rvs")


@pytest.fixture
def preferred(unloaded):
    """The configuration that is delivered is in its place."""
    shutil.copy(CONFIGURATION, INSTALLED)
    yield
    INSTALLED.unlink()


def which():
    return [name for name in ("rvs", "ip_vs") if module.loaded(name)]


def test_the_native_family_loads_rvs(lab, unloaded):
    assert Rvsctl(lab.director).services() == {}
    assert which() == ["rvs"]


def test_the_family_of_ip_vs_loads_rvs_if_it_is_preferred(lab, preferred):
    assert lab.director.run("ipvsadm", "-S", "-n") == ""
    assert which() == ["rvs"]


def test_keepalived_loads_rvs_if_it_is_preferred(lab, preferred):
    lab.run_program(Keepalived(lab.director, """virtual_server 192.0.2.1 80 {
        lvs_sched rr
        lvs_method NAT
        protocol TCP
        real_server 10.1.0.11 80 {}
    }"""))
    eventually(which, ["rvs"], within=20)
    eventually(lambda: lab.director.run("ipvsadm", "-S", "-n").splitlines(), within=20,
               expected=["-A -t 192.0.2.1:80 -s rr", "-a -t 192.0.2.1:80 -r 10.1.0.11:80 -m -w 1"])


def test_every_module_of_ip_vs_means_rvs_if_it_is_preferred(preferred):
    assert {path.name.partition(".")[0] for path in module.TREE.glob("ip_vs*")} == set(module.OF_IP_VS)
    would = execute(["modprobe", "--show-depends", "-a", *module.OF_IP_VS, "xt_ipvs"])
    assert would.count("install /sbin/modprobe rvs") > len(module.OF_IP_VS) and "ip_vs" not in would
    execute(["modprobe", "ip_vs_rr"])
    assert which() == ["rvs"]
    execute(["modprobe", "-va", "ip_vs"])  # when it is loaded already, in kube-proxy's way
    module.unload("rvs")
    execute(["modprobe", "ip_vs", "conn_tab_bits=20"])
    assert which() == ["rvs"]
