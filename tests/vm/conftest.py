# SPDX-License-Identifier: GPL-2.0-only
"""What every scenario starts from: the module loaded once, a fresh topology for each test, and a clean kernel after it.

    python3 -m pytest tests/vm                      rvs
    python3 -m pytest tests/vm --balancer=ip_vs     the same scenarios against the C module, as a check of the scenarios
"""

import collections
import itertools
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))

from lab import METHODS, Lab, marks, module, namespace, shares  # noqa: E402
from lab.ipvsadm import Ipvsadm  # noqa: E402
from lab.kernel_log import KernelLog  # noqa: E402


def pytest_addoption(parser):
    parser.addoption("--share", metavar="FOLDER", help="play only what no other guest takes; the folder shows who took what")
    parser.addoption("--balancer", choices=["rvs", "ip_vs"], default="rvs", help="the kernel module under test")


def pytest_configure(config):
    marks.register(config)


def pytest_collection_modifyitems(config, items):
    if config.getoption("--balancer") == "ip_vs":
        for item in items:
            if item.get_closest_marker("rvs_only"):
                item.add_marker(pytest.mark.skip(reason="C ip_vs does not have this"))


def pytest_runtestloop(session):
    """With `--share`: only the scenarios that no other guest has taken."""
    folder = session.config.getoption("--share")
    if folder is None or session.config.option.collectonly:
        return None
    scenarios = shares.of(session.items, folder)
    item = next(scenarios, None)
    while item is not None:
        following = next(scenarios, None)
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if session.shouldfail:
            raise session.Failed(session.shouldfail)
        if session.shouldstop:
            raise session.Interrupted(session.shouldstop)
        item = following
    return True


def pytest_terminal_summary(terminalreporter):
    """Which files took longest: by that they are shared out."""
    spent = collections.Counter()
    for report in itertools.chain(*terminalreporter.stats.values()):
        if hasattr(report, "duration"):
            spent[report.nodeid.partition("::")[0]] += report.duration
    if len(spent) > 1:
        terminalreporter.write_sep("=", "slowest files")
        for name, seconds in spent.most_common(12):
            terminalreporter.write_line(f"{seconds:.0f}s {name}")


@pytest.fixture(scope="session")
def balancer_name(request):
    return request.config.getoption("--balancer")


@pytest.fixture(scope="session")
def kernel_log():
    return KernelLog()


@pytest.fixture(scope="session")
def namespaces_before():
    return namespace.baseline()


@pytest.fixture(scope="session")
def hooks_stay_enabled():
    """A rule set on every hook of either family, far from all traffic.

    The kernel patches its code when the first hook of a kind is registered anywhere and when the last one goes. QEMU's emulation
    of several processors sometimes runs the breakpoint that marks such a place, long after it was removed (Oops: int3). This keeps
    the places as they are while the scenarios register and unregister hooks under traffic.
    """
    chains = "".join(f"chain {hook} {{ type filter hook {hook} priority 0; }}\n"
                     for hook in ("prerouting", "input", "forward", "output", "postrouting"))
    families = ["ip", "ip6"]
    namespace.execute(["nft", "-f", "-"], "".join(f"table {family} hooks_stay_enabled {{\n{chains}}}\n" for family in families))
    yield
    for family in families:
        namespace.execute(["nft", "delete", "table", family, "hooks_stay_enabled"])


@pytest.fixture(scope="session")
def loaded_module(balancer_name, kernel_log, hooks_stay_enabled):
    """The module under test is loaded, the modules of tunnels and bridges too; at the end it unloads without a trace."""
    namespace.execute(["modprobe", "-a", "ipip", "sit", "ip6_tunnel", "veth", "bridge"])
    module.load(balancer_name)
    yield
    module.unload(balancer_name)
    assert not module.slab_caches(balancer_name)
    assert not kernel_log.trouble()


@pytest.fixture(autouse=True)
def clean_kernel(loaded_module, kernel_log, namespaces_before):
    """No test leaves a network namespace or a complaint of the kernel behind."""
    kernel_log.news()
    yield
    namespace.all_gone(namespaces_before)
    assert not kernel_log.trouble()


@pytest.fixture
def lab(clean_kernel, request):
    made = Lab(dual=bool(request.node.get_closest_marker("dual_stack")))
    yield made
    made.close()


@pytest.fixture
def balancer(lab):
    return Ipvsadm(lab.director)


@pytest.fixture(params=METHODS)
def method(request):
    return request.param
