# SPDX-License-Identifier: GPL-2.0-only
"""Direct routing, packet by packet."""

from lab import VIP, packet

HERE = VIP["direct-routing"]


def test_the_request_arrives_as_it_was_sent_one_hop_older(lab, balancer):
    client, arriving = lab.ghost_client(), lab.rs2.capture()
    service = balancer.add_service("tcp", HERE, 80, "rr")
    balancer.add_server(service, lab.rs2.address, "direct-routing")
    sent = packet.tcp(client.address, 40000, HERE, 80, packet.SYN, identification=9, tos=0x10)
    client.send(sent)
    arrived = arriving.first(lambda seen: seen.protocol == packet.TCP)
    assert arrived == sent.but(ttl=63) and arrived.valid


def test_the_other_servers_see_nothing_of_it(lab, balancer):
    client, arriving, elsewhere = lab.ghost_client(), lab.rs2.capture(), lab.rs1.capture()
    service = balancer.add_service("udp", HERE, 53, "rr")
    balancer.add_server(service, lab.rs2.address, "direct-routing")
    client.send(packet.udp(client.address, 40000, HERE, 53))
    arriving.first(lambda seen: seen.protocol == packet.UDP)
    assert not [seen for seen in elsewhere.all() if seen.destination == HERE]
