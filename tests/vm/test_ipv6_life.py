# SPDX-License-Identifier: GPL-2.0-only
"""IPv6 services and devices that come and go while there are connections."""

import contextlib
import time

import pytest

from lab import IPV4, IPV6, METHODS, VIP, VIP6, dual_stack, eventually, patiently, several_processors, whichever_method
from lab.programs import UdpClient

pytestmark = [dual_stack, several_processors]


@whichever_method
def test_after_the_last_ipv6_service_ipv6_is_left_alone_and_ipv4_goes_on(lab, balancer, method):
    lab.udp_programs(53)
    services = {plan: balancer.balance("udp", plan.vip[method], 53, lab.servers, method) for plan in (IPV4, IPV6)}
    with UdpClient(lab.client, VIP[method], 53) as client4, UdpClient(lab.client, VIP6[method], 53) as client6:
        before = client4.ask(b"hello"), client6.ask(b"hello")
        balancer.delete_service(services[IPV6])
        with pytest.raises(ConnectionRefusedError):  # the director has no such program
            client6.ask(b"hello")
        assert client4.ask(b"hello") == before[0]
        assert {one.client[1] for one in balancer.connections()} == {client4.port, client6.port}
        balancer.balance("udp", VIP6[method], 53, lab.servers, method)
        balancer.delete_service(services[IPV4])
        with pytest.raises(ConnectionRefusedError):
            client4.ask(b"hello")
        assert client6.ask(b"hello") == before[1]  # its connection was still there
        assert len(balancer.connections()) == 2


def test_a_device_goes_with_the_routes_of_every_method_and_family_and_its_successor_serves(lab, balancer):
    lab.udp_programs(53)
    with contextlib.ExitStack() as opened:
        clients = []
        for plan in (IPV4, IPV6):
            for method in METHODS:
                balancer.balance("udp", plan.vip[method], 53, [lab.rs1], method)
                clients.append(opened.enter_context(UdpClient(lab.client, plan.vip[method], 53)))
        assert [client.ask(b"hello")[0] for client in clients] == ["rs1"] * 6
        start = time.monotonic()
        lab.director.ip("link del eth1")
        assert time.monotonic() - start < patiently(5)  # a cached route that nobody lets go would hold it
        lab.router.ip("link add name port9 type veth peer name eth1 netns director", "link set port9 master inside up")
        lab.director.ip("link set eth1 up", f"addr add {IPV4.inside}/24 dev eth1", f"addr add {IPV6.inside}/64 dev eth1 nodad",
                        "addr add fe80::1/64 dev eth1 nodad")
        for address in (lab.rs1.address, lab.rs1.address6):
            eventually(lambda: lab.director.try_run("ping", "-c", "1", "-W", "1", address).returncode, 0, within=20)
        assert [client.ask(b"again")[0] for client in clients] == ["rs1"] * 6
        assert len(balancer.connections()) == 6
