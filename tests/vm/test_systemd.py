# SPDX-License-Identifier: GPL-2.0-only
"""A machine that is booted by systemd with rvs.service enabled, installed as `make install` does it."""

import json
import pathlib

import pytest

from lab import CommandFailed, module
from lab.namespace import execute
from lab.rvsctl import Rvsctl
from lab.systemd import Systemd

pytestmark = pytest.mark.rvs_only

SAVED = pathlib.Path("/etc/rvs/rvs.toml")
WEB = """[[service]]
name = "web"
protocol = "tcp"
address = "192.0.2.1:80"
servers = [{ address = "10.1.0.11:8080", method = "masquerading", weight = 3 }]
"""
DNS = """[[service]]
protocol = "udp"
address = "192.0.2.1:53"
servers = [{ address = "10.1.0.12" }]
"""
MISTAKEN = WEB.replace("weight", "wieght")


@pytest.fixture
def installed():
    """rvsctl, its unit and what else there is are where `make install` puts them."""
    install = ["env", f"RVSCTL={module.PROJECT}/build/rvsctl", module.PROJECT / "scripts/install"]
    execute(install)
    SAVED.parent.mkdir(exist_ok=True)
    yield
    SAVED.unlink(missing_ok=True)
    execute([*install, "--remove"])


@pytest.fixture
def unloaded(tmp_path):
    """rvs can be loaded by its name, and is not loaded."""
    with module.installed(tmp_path):
        module.unload("rvs")
        yield
    if not module.loaded("rvs"):
        module.load("rvs")


@pytest.fixture
def rvsctl(lab):
    return Rvsctl(lab.director)


def weights(rvsctl):
    """The weights of all real servers, by service."""
    return {service["address"] + f":{service['port']}": [server["weight"] for server in service["servers"]]
            for service in json.loads(rvsctl.command("service", "list", "--json"))}


def refused(machine, *command):
    """What is said by a command that fails."""
    with pytest.raises(CommandFailed) as failed:
        machine.run(*command)
    return failed.value.stdout + failed.value.stderr


def test_the_unit_applies_what_is_saved_at_boot_and_again_on_reload_and_leaves_it_when_it_is_stopped(lab, unloaded, installed, rvsctl):
    SAVED.write_text(WEB, "ascii")
    machine = lab.run_program(Systemd(lab.director, "rvs.service"))
    assert machine.run("systemctl", "is-active", "rvs.service").strip() == "active", machine.console
    assert module.loaded("rvs")
    assert weights(rvsctl) == {"192.0.2.1:80": [3]}
    machine.run("systemd-analyze", "verify", "--man=no", "rvs.service")

    SAVED.write_text(WEB.replace("3", "7") + DNS, "ascii")
    machine.run("systemctl", "reload", "rvs.service")
    assert weights(rvsctl) == {"192.0.2.1:80": [7], "192.0.2.1:53": [1]}

    SAVED.write_text(MISTAKEN, "ascii")
    refused(machine, "systemctl", "reload", "rvs.service")
    assert weights(rvsctl) == {"192.0.2.1:80": [7], "192.0.2.1:53": [1]}
    machine.run("systemctl", "stop", "rvs.service")
    assert weights(rvsctl) == {"192.0.2.1:80": [7], "192.0.2.1:53": [1]}
    refused(machine, "systemctl", "start", "rvs.service")
    assert refused(machine, "systemctl", "is-active", "rvs.service").strip() == "failed"
    said = machine.journal("rvs.service")
    assert f"error: {SAVED}:5:67: a server has no 'wieght'" in said
    assert "tip: a similar key exists: 'weight'" in said

    SAVED.unlink()
    machine.run("systemctl", "reset-failed")
    machine.run("systemctl", "start", "rvs.service")  # there is nothing to do
    assert refused(machine, "systemctl", "is-active", "rvs.service").strip() == "inactive"
    assert weights(rvsctl) == {"192.0.2.1:80": [7], "192.0.2.1:53": [1]}
