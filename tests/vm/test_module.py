# SPDX-License-Identifier: GPL-2.0-only
"""Loading and unloading the module, under traffic and beside the C module."""

import pytest

from lab import IPV4, IPV6, METHODS, VIP, CommandFailed, dual_stack, eventually, in_that_time, module, several_processors, whichever_method
from lab.address import with_port
from lab.flood import Flood
from lab.memory import kernel_memory
from lab.programs import TcpClient, UdpClient
from lab.rvsctl import Rvsctl

pytestmark = several_processors

CYCLES = in_that_time(200)
SETTLED = CYCLES // 10  # by then the kernel has made what it keeps


def rules(plan=IPV4, protocols=(("-u", 53),), servers=("10.1.0.11", "10.1.0.12"), options=""):
    """A service of each method and protocol, as `ipvsadm -R` takes them."""
    return "".join(
        f"-A {protocol} {with_port(plan.vip[method], port)} -s wlc {options}\n" + "".join(
            f"-a {protocol} {with_port(plan.vip[method], port)} -r {with_port(server, port)} {word}\n" for server in servers)
        for method, word in zip(METHODS, ("-m", "-i", "-g")) for protocol, port in protocols)


@pytest.fixture
def reloaded(balancer_name):
    """Whatever the test does to the module, it is loaded afterwards, and alone."""
    yield
    module.unload(balancer_name)
    module.unload("ip_vs")
    module.load(balancer_name)


def test_loaded_and_unloaded_again_and_again_under_traffic_it_leaves_nothing_behind(lab, balancer, balancer_name, reloaded):
    service = balancer.add_service("udp", VIP["masquerading"], 53)
    flood, configuration = Flood(lab.client, service, lab.director.mac("eth0"), ports=50_000, first_port=10_000, gap=2_000_000), rules()
    try:
        for cycle in range(CYCLES):
            if balancer_name == "ip_vs":
                balancer.flush()  # it refuses to go while there are services
            module.unload(balancer_name)
            if cycle == SETTLED:
                before = kernel_memory()
            module.load(balancer_name)
            balancer.command("-R", stdin=configuration)
            if cycle % 10 == 0:
                eventually(lambda: sum(inactive for _, inactive in balancer.counts(service).values()) > 10)
    finally:
        flood.stop()
    if balancer_name == "ip_vs":
        balancer.flush()
    module.unload(balancer_name)
    assert module.slab_caches(balancer_name) == []
    grown = {name: after - before[name] for name, after in kernel_memory().items()}
    assert all(kilobytes < 700 for kilobytes in grown.values()), grown  # less than a page for each time that Debian's kernel has


@dual_stack
def test_it_unloads_with_entries_of_every_kind_and_forgets_them(lab, balancer, balancer_name, reloaded):
    lab.tcp_programs()
    lab.udp_programs(53)
    clients = []
    configuration = "".join(rules(plan, (("-t", 80), ("-u", 53)), [server.address_like(plan.client) for server in lab.servers], "-p 300")
                            for plan in (IPV4, IPV6))
    for _ in range(2):
        balancer.command("-R", stdin=configuration)
        for plan in (IPV4, IPV6):
            for method in METHODS:
                clients.append(TcpClient(lab.client, plan.vip[method], 80))
                assert clients[-1].ask("who").startswith("rs")
                with UdpClient(lab.client, plan.vip[method], 53) as client:
                    client.ask(b"hello")
        assert len(balancer.connections()) == 24  # half of them templates
        if balancer_name == "ip_vs":
            balancer.flush()
        module.unload(balancer_name)
        assert module.slab_caches(balancer_name) == []
        module.load(balancer_name)
        assert (balancer.services(), balancer.connections()) == ({}, [])
    for client in clients:
        client.reset()


@pytest.mark.rvs_only
def test_it_serves_beside_c_ip_vs_which_keeps_its_names(lab, balancer, reloaded, kernel_log):
    lab.tcp_programs()
    module.unload("rvs")
    module.load("ip_vs")
    kernel_log.news()
    module.load("rvs")
    told = [message for message in kernel_log.news() if "rvs" in message and "IPVS" in message]
    assert len(told) == 1

    rvsctl = Rvsctl(lab.director)
    for method in ("masquerading", "direct-routing"):
        rvsctl.balance("tcp", VIP[method], 80, [lab.rs1], method)
    balancer.balance("tcp", VIP["tunneling"], 80, [lab.rs2], "tunneling")
    clients = {method: TcpClient(lab.client, VIP[method], 80) for method in METHODS}
    assert {method: client.ask("who") for method, client in clients.items()} == {
        "masquerading": "rs1", "direct-routing": "rs1", "tunneling": "rs2"}
    assert {one.virtual[0] for one in rvsctl.connections()} == {VIP["masquerading"], VIP["direct-routing"]}
    assert {one.virtual[0] for one in balancer.connections()} == {VIP["tunneling"]}
    balancer.flush()


@pytest.mark.rvs_only
def test_a_port_of_ftp_that_is_named_twice_is_refused(reloaded, clean_kernel, kernel_log):
    module.unload("rvs")
    kernel_log.news()
    with pytest.raises(CommandFailed):
        module.load("rvs", "ftp_ports=21,2121,21")
    assert [message for message in kernel_log.news() if "ftp_ports names port 21 twice" in message]


@pytest.mark.rvs_only
def test_without_the_module_rvsctl_says_that_it_is_not_loaded(lab, reloaded):
    module.unload("rvs")
    refused = lab.director.try_run(Rvsctl.tool, "service", "list")
    assert refused.returncode == 6 and "rvs is not loaded" in refused.stderr


def test_the_parameter_of_ip_vs_is_taken(reloaded, balancer_name, clean_kernel, kernel_log):
    module.unload(balancer_name)
    module.load(balancer_name, "conn_tab_bits=20")
    assert not [message for message in kernel_log.news() if "conn_tab_bits" in message]
    module.unload(balancer_name)
    with pytest.raises(CommandFailed):
        module.load(balancer_name, "conn_tab_bits=many")


@pytest.mark.rvs_only
@whichever_method
def test_a_namespace_made_before_the_module_is_served_as_one_made_after(lab, balancer, method, reloaded):
    lab.tcp_programs()
    module.unload("rvs")
    module.load("rvs")
    balancer.balance("tcp", VIP[method], 80, [lab.rs1], method)
    with TcpClient(lab.client, VIP[method], 80) as client:
        assert client.ask("who") == "rs1"
