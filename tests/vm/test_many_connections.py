# SPDX-License-Identifier: GPL-2.0-only
"""The connection table under thousands of flows at once."""

import os

import pytest

from lab import VIP, eventually, several_processors
from lab.flood import Flood

pytestmark = several_processors

FLOWS = 20_000
PORT = 53


def ghost_service(lab, balancer, method):
    """A source of packets, and a service with one server that does not answer."""
    client, server = lab.ghost_client(), lab.ghost_server()
    server.close()
    service = balancer.add_service("udp", VIP[method], PORT, "rr")
    balancer.add_server(service, server.address, method)
    return client.address, service, server.address


def flood_all_flows(lab, service, source, processors):
    """Two packets of each flow from every processor: the second if the first finds a queue full."""
    flood = Flood(lab.client, service, lab.director.mac("eth0"), source=source, ports=FLOWS, count=2 * FLOWS, gap=0,
                  processors=processors)
    flood.wait()
    flood.stop()


# Two processors that see a new flow's packets at the same time make two connections of it in C ip_vs.
@pytest.mark.parametrize("processors", [1, pytest.param(os.cpu_count(), marks=pytest.mark.rvs_only)])
def test_twenty_thousand_flows_have_one_connection_each(lab, balancer, processors):
    source, service, server = ghost_service(lab, balancer, "masquerading")
    size = balancer.table_size()
    flood_all_flows(lab, service, source, processors)
    assert balancer.counts(service) == {server: (0, FLOWS)}
    ports = [connection.client[1] for connection in balancer.connections()]
    assert len(ports) == FLOWS and set(ports) == set(range(20000, 20000 + FLOWS))
    eventually(lambda: balancer.stats(service)[None].connections, FLOWS)
    eventually(lambda: balancer.table_size() > size)


def test_thousands_of_flows_expire_and_the_table_is_as_good_as_new(lab, balancer):
    source, service, server = ghost_service(lab, balancer, "direct-routing")
    balancer.set_timeouts(0, 0, 1)
    for _ in range(2):
        flood_all_flows(lab, service, source, processors=1)
        eventually(lambda: (balancer.counts(service), balancer.connections()), ({server: (0, 0)}, []), within=20, every=0.2)
    assert balancer.stats(service)[None].connections >= 2 * FLOWS
