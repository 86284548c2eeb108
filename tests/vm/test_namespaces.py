# SPDX-License-Identifier: GPL-2.0-only
"""Network namespaces and devices: directors that do not know of each other, and things that vanish under traffic."""

import time

from lab import (METHODS, VIP, Lab, Namespace, either_family, eventually, namespace, patiently, several_processors,
                 whichever_method)
from lab.flood import Flood
from lab.ipvsadm import Ipvsadm
from lab.namespace import execute
from lab.programs import TcpClient, UdpClient

pytestmark = several_processors


@whichever_method
def test_two_directors_do_not_know_of_each_other(lab, balancer, method):
    other = Lab(suffix="-b")
    try:
        labs, balancers = [lab, other], [balancer, Ipvsadm(other.director)]
        for one, its_balancer in zip(labs, balancers):
            one.tcp_programs()
            service = its_balancer.balance("tcp", VIP[method], 80, [one.rs1], method)
        clients = [TcpClient(one.client, VIP[method], 80) for one in labs]
        assert [client.ask("who") for client in clients] == ["rs1", "rs1-b"]
        assert [len(its_balancer.connections()) for its_balancer in balancers] == [1, 1]
        balancers[0].set_timeouts(100, 0, 0)
        balancers[0].delete_service(service)
        assert balancers[1].counts(service) == {other.rs1.address: (1, 0)}
        assert balancers[1].timeouts()[0] == 900
        assert clients[1].ask("who") == "rs1-b"
    finally:
        other.close()


@either_family
def test_the_directors_namespace_is_deleted_under_traffic(lab, balancer, plan):
    lab.tcp_programs(80)
    services = [balancer.balance("udp", plan.vip[method], 53, lab.servers, method) for method in METHODS]
    for method in METHODS:
        balancer.balance("tcp", plan.vip[method], 80, lab.servers, method)
    clients = [TcpClient(lab.client, plan.vip[method], 80) for method in METHODS for _ in range(3)]
    assert {client.ask("who") for client in clients} == {"rs1", "rs2", "rs3"}
    flood = Flood(lab.client, services[0], lab.director.mac("eth0"))
    try:
        eventually(lambda: len(balancer.connections()) > 100)
        lab.delete(lab.director)
    finally:
        flood.stop()


def test_many_namespaces_with_services_go_at_once(lab, balancer):
    service = balancer.balance("tcp", VIP["direct-routing"], 80, [lab.rs1], "direct-routing")
    lab.tcp_programs(80)
    client = TcpClient(lab.client, VIP["direct-routing"], 80)
    assert client.ask("who") == "rs1"
    before, rules = namespace.baseline(), balancer.command("-Sn")
    names = [f"many{number}" for number in range(20)]
    for made in Namespace.create(*names):
        made.run("sh", "-c", "ip link set lo up && ipvsadm -R", stdin=rules)
        made.close()
    execute(["ip", "-batch", "-"], "".join(f"netns del {name}\n" for name in names))
    namespace.all_gone(before)
    assert client.ask("who") == "rs1"
    assert balancer.counts(service) == {lab.rs1.address: (1, 0)}


def test_a_device_is_deleted_under_traffic_and_its_successor_serves(lab, balancer, method):
    lab.udp_programs(53)
    service = balancer.balance("udp", VIP[method], 53, [lab.rs1], method)
    flood = Flood(lab.client, service, lab.director.mac("eth0"), ports=100)
    try:
        eventually(lambda: len(balancer.connections()) > 50)
        start = time.monotonic()
        lab.director.ip("link del eth1")
        assert time.monotonic() - start < patiently(5)  # a cached route that nobody lets go would hold it
        lab.router.ip("link add name port9 type veth peer name eth1 netns director", "link set port9 master inside up")
        lab.director.ip("link set eth1 up", f"addr add {lab.director.address}/24 dev eth1")
    finally:
        flood.stop()
    # The new link is up and its neighbours are known: from here on nothing but the balancer loses packets.
    eventually(lambda: lab.director.try_run("ping", "-c", "1", "-W", "1", lab.rs1.address).returncode, 0, within=20)
    with UdpClient(lab.client, VIP[method], 53) as client:
        assert client.ask(b"hello") == ("rs1", b"hello")


@whichever_method
def test_services_come_and_go_under_traffic(lab, balancer, method):
    flood = Flood(lab.client, balancer.add_service("udp", VIP[method], 53, "wlc"), lab.director.mac("eth0"))
    try:
        for round_number in range(6):
            balancer.flush()
            service = balancer.balance("udp", VIP[method], 53, lab.servers, method, ["rr", "wrr", "wlc"][round_number % 3])
            eventually(lambda: balancer.stats(service)[None].packets_in > 0)
            balancer.delete_server(service, lab.rs2.address)
            balancer.edit_server(service, lab.rs1.address, METHODS[round_number % 3], weight=round_number)
    finally:
        flood.stop()
    live = balancer.counts(service)
    assert set(live) == {lab.rs1.address, lab.rs3.address} and sum(inactive for _, inactive in live.values()) > 0
