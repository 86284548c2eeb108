# SPDX-License-Identifier: GPL-2.0-only
"""SCTP: associations of the kernel's own implementation through the balancer, and packets that make none."""

import hashlib
import socket
import threading

import pytest

from lab import VIP, either_family, eventually, namespace, packet, patiently, sysctl
from lab.address import family_of
from lab.programs import pattern
from lab.server import Reader

PORT = 7000
CONTENT = pattern(200_000)
INIT, DATA, ABORT = 1, 0, 6


@pytest.fixture(scope="module", autouse=True)
def protocol():
    namespace.execute(["modprobe", "sctp"])


class Echo(Reader):
    """An SCTP server: it says its name to each association, then sends back what it receives."""

    def __init__(self, node, address, port):
        super().__init__()
        self._name = node.name.encode()
        self._listener = sctp_socket(node, address)
        self._listener.bind((address, port))
        self._listener.listen(5)
        self.wait_for(self._listener)
        self.start()

    def readable(self, any_socket):
        if any_socket is self._listener:
            association, _ = self._listener.accept()
            association.settimeout(patiently(20))
            association.sendall(self._name)
            self.wait_for(association)
        else:
            self._answer(any_socket)

    def _answer(self, association):
        try:
            data = association.recv(65535)
            association.sendall(data)
        except OSError:
            data = b""
        if not data:
            self.forget(association)


def sctp_socket(node, address):
    made = node.socket(family_of(address), socket.SOCK_STREAM, socket.IPPROTO_SCTP)
    made.settimeout(patiently(20))
    return made


def associate(node, source, address, port):
    """An association from one address, so that the other side knows no second one."""
    client = sctp_socket(node, address)
    client.bind((source, 0))
    client.connect((address, port))
    return client, client.recv(100).decode()


def echoed(client, data):
    """The digest of what comes back of `data`."""
    sender = threading.Thread(target=client.sendall, args=[data])
    sender.start()
    digest, left = hashlib.sha256(), len(data)
    while left > 0:
        got = client.recv(65535)
        digest.update(got)
        left -= len(got)
    sender.join()
    return digest.hexdigest()


@either_family
def test_associations_are_balanced_and_their_data_arrives_whole(lab, balancer, plan):
    for method, port in (("masquerading", PORT + 1), ("direct-routing", PORT)):
        vip = plan.vip[method]
        service = balancer.add_service("sctp", vip, PORT, "rr")
        for server in lab.servers[:2]:
            balancer.add_server(service, server.address_like(vip), method, port=port)
            lab.run_program(Echo(server, server.address_like(vip) if method == "masquerading" else vip, port))
        (one, first), (other, second) = [associate(lab.client, plan.client, vip, PORT) for _ in range(2)]
        assert [first, second] == ["rs2", "rs1"]
        assert echoed(one, CONTENT) == echoed(other, CONTENT) == hashlib.sha256(CONTENT).hexdigest()
        assert balancer.counts(service) == {server.address_like(vip): (1, 0) for server in lab.servers[:2]}
        numbers = [one.getsockname()[1], other.getsockname()[1]]
        assert {(found.protocol, found.state) for found in map(balancer.connection_of, numbers)} == {("sctp", "ESTABLISHED")}
        one.close()
        eventually(lambda: balancer.state_of(numbers[0]), "CLOSED")
        assert balancer.counts(service)[lab.rs2.address_like(vip)] == (0, 1)


def test_only_an_init_makes_an_entry_unless_sloppiness_is_asked_for_and_checksums_follow_the_port(lab, balancer):
    client, server = lab.ghost_client(), lab.ghost_server()
    vip = VIP["masquerading"]
    service = balancer.add_service("sctp", vip, PORT, "rr")
    balancer.add_server(service, server.address, "masquerading", port=PORT + 1)
    init, data = packet.chunk(INIT, bytes(16)), packet.chunk(DATA, b"data" * 10)

    def sent(port, *chunks):
        client.send(packet.sctp(client.address, port, vip, PORT, *chunks))
        return packet.sctp(client.address, port, server.address, PORT + 1, *chunks, ttl=63)

    wanted = sent(4000, init)
    assert server.receive() == wanted and balancer.state_of(4000) == "INIT1"
    reply = packet.sctp(server.address, PORT + 1, client.address, 4000, packet.chunk(2, bytes(16)))
    server.send(reply)
    assert client.receive() == packet.sctp(vip, PORT, client.address, 4000, packet.chunk(2, bytes(16)), ttl=63)
    assert balancer.state_of(4000) == "C-SENT"
    sent(4001, data)
    with lab.director:
        assert sysctl.write("sloppy_sctp", "1") == "ok"
    sent(4002, packet.chunk(ABORT))
    wanted = sent(4003, data)
    assert server.receive() == wanted and balancer.state_of(4003) == "ESTABLISHED"
    assert sorted(one.client[1] for one in balancer.connections()) == [4000, 4003]
