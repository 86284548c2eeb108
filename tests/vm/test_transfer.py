# SPDX-License-Identifier: GPL-2.0-only
"""TCP transfers of several megabytes arrive whole, by every forwarding method and from everywhere."""

import hashlib

import pytest

from lab import DIRECTOR_INSIDE, VIP
from lab.programs import TcpClient, pattern

SIZE = 4 << 20
CONTENT = pattern(SIZE)
DIGEST = hashlib.sha256(CONTENT).hexdigest()


def transfer_both_ways(balancer, node, address, source=None):
    """The digests of an upload and a download over one connection, which the balancer knows."""
    with TcpClient(node, address, 80, source) as client:
        digests = client.upload(CONTENT), client.download(SIZE)
        assert balancer.state_of(client.port) == "ESTABLISHED"
        return digests


@pytest.mark.parametrize("offloads", [True, False], ids=["offloads-on", "offloads-off"])
def test_megabytes_arrive_whole_in_both_directions(lab, balancer, method, offloads):
    lab.tcp_programs()
    lab.offloads(offloads)
    balancer.balance("tcp", VIP[method], 80, [lab.rs1], method)
    assert transfer_both_ways(balancer, lab.client, VIP[method]) == (DIGEST, DIGEST)


def test_a_client_on_the_director_itself_is_served(lab, balancer, method):
    lab.tcp_programs()
    lab.director.sysctl(**{"net.ipv4.conf.all.accept_local": 1})  # replies from a VIP that is the director's own, too
    balancer.balance("tcp", VIP[method], 80, [lab.rs1], method)
    assert transfer_both_ways(balancer, lab.director, VIP[method], source=DIRECTOR_INSIDE) == (DIGEST, DIGEST)


def test_a_real_server_on_the_director_itself_serves(lab, balancer, method):
    lab.tcp_programs(servers=[lab.director])
    balancer.balance("tcp", VIP[method], 80, [lab.director], method)
    assert transfer_both_ways(balancer, lab.client, VIP[method]) == (DIGEST, DIGEST)


def test_several_clients_transfer_at_once_from_different_servers(lab, balancer, method):
    lab.tcp_programs()
    service = balancer.balance("tcp", VIP[method], 80, lab.servers, method)
    clients = [TcpClient(lab.client, VIP[method], 80) for _ in range(6)]
    for client in clients:
        client.say("get 300000")
    digest = hashlib.sha256(pattern(300000)).hexdigest()
    assert [client.receive(300000) for client in clients] == [digest] * 6
    assert balancer.counts(service) == {server.address: (2, 0) for server in lab.servers}
    for client in clients:
        client.close()
