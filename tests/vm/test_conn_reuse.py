# SPDX-License-Identifier: GPL-2.0-only
"""A client that uses its port again: whether its connection begins anew, and with whom."""

import pytest

from lab import VIP, eventually, packet, sysctl, whichever_method
from lab.packet import ACK, FIN, RST, SYN

STORIES = {"FIN_WAIT": [SYN, ACK, FIN | ACK], "CLOSE": [SYN, ACK, RST], "ESTABLISHED": [SYN, ACK]}
BEGINS_ANEW = {"0": set(), "1": {"CLOSE"}, "2": {"CLOSE", "FIN_WAIT"}, "3": {"CLOSE", "FIN_WAIT"}}


@pytest.fixture
def pair(lab, balancer, method):
    """A client and two servers, of which one at a time takes new connections."""
    client, old = lab.ghost_client(), lab.ghost_server()
    new = lab.rs2
    service = balancer.add_service("tcp", VIP[method], 80, "rr")
    balancer.add_server(service, old.address, method)
    balancer.add_server(service, new.address, method, weight=0)

    def prefer(server):
        for one in (old, new):
            balancer.edit_server(service, one.address, method, weight=int(one is server))

    return client, old, new, prefer


@whichever_method
def test_a_port_is_used_again_with_another_server_in_the_states_that_conn_reuse_mode_names(lab, balancer, pair, method):
    client, old, new, prefer = pair
    arriving = new.capture()
    port = 40000
    for mode, expected in BEGINS_ANEW.items():
        with lab.director:
            assert sysctl.write("conn_reuse_mode", mode) == "ok"
        begun_anew = set()
        for state, story in STORIES.items():
            port += 1
            prefer(old)
            for flags in story:
                client.send(packet.tcp(client.address, port, VIP[method], 80, flags))
                old.receive()
            assert balancer.state_of(port) == state
            prefer(new)
            client.send(packet.tcp(client.address, port, VIP[method], 80, SYN))
            eventually(lambda: balancer.state_of(port), "ESTABLISHED" if state == "ESTABLISHED" else "SYN_RECV")
            if balancer.connection_of(port).server[0] == new.address:
                begun_anew.add(state)
                arrived = arriving.first(lambda seen: seen.protocol == packet.TCP)  # the very same packet
            else:
                arrived = old.receive()
            assert (arrived.ports[0], arrived.tcp_flags) == (port, SYN)
        assert (mode, begun_anew) == (mode, expected)
    assert old.received() == []


@whichever_method
def test_with_expire_nodest_conn_a_new_connection_leaves_a_quiesced_server_whatever_its_state(lab, balancer, pair, method):
    client, old, new, prefer = pair
    for flags in STORIES["ESTABLISHED"]:
        client.send(packet.tcp(client.address, 40000, VIP[method], 80, flags))
        old.receive()
    prefer(new)
    with lab.director:
        assert sysctl.write("expire_nodest_conn", "1") == "ok"
    client.send(packet.tcp(client.address, 40000, VIP[method], 80, ACK))
    assert old.receive().tcp_flags == ACK
    client.send(packet.tcp(client.address, 40000, VIP[method], 80, SYN))
    eventually(lambda: balancer.connection_of(40000).server[0], new.address)
    assert old.received() == []


@whichever_method
def test_a_port_is_used_again_under_its_template_with_the_same_server(lab, balancer, method):
    client, old = lab.ghost_client(), lab.ghost_server()
    service = balancer.add_service("tcp", VIP[method], 80, "rr", persistence=300)
    balancer.add_server(service, old.address, method)
    for flags in [*STORIES["CLOSE"], SYN]:
        client.send(packet.tcp(client.address, 40000, VIP[method], 80, flags))
        old.receive()
    balancer.add_server(service, lab.rs2.address, method)
    client.send(packet.tcp(client.address, 40000, VIP[method], 80, SYN))
    assert old.receive().tcp_flags == SYN
    assert balancer.connection_of(40000).server[0] == old.address
