# SPDX-License-Identifier: GPL-2.0-only
"""The persistence engine of SIP: the messages of a call go to one real server, whoever sends them, and servers may begin."""

import pytest

from lab import VIP, CommandFailed, module, packet
from lab.programs import UdpClient

NAT, PORT = VIP["masquerading"], 5060
SECOND_CLIENT = "10.0.0.3"


def message(call_id, method="INVITE", field="Call-ID"):
    """A request of SIP as a client sends it; without a call, one that belongs to none."""
    lines = [f"{method} sip:who@example.org SIP/2.0", "Via: SIP/2.0/UDP 10.0.0.2:5060", "Max-Forwards: 70"]
    lines += [f"{field}: {call_id}"] if call_id else []
    return "\r\n".join([*lines, "CSeq: 1 INVITE", "Content-Length: 0", "", ""]).encode()


@pytest.fixture(scope="module", autouse=True)
def engine(balancer_name, loaded_module):
    """C ip_vs has the engine in a module of its own."""
    with module.beside(balancer_name, "ip_vs_pe_sip"):
        yield


def serve(lab, *servers, scheduler="rr", options=()):
    """A service that goes by the call alone, whichever address it comes from."""
    key = ("-u", f"{NAT}:{PORT}")
    lab.director.run("ipvsadm", "-A", *key, "-s", scheduler, "-p", 60, "-M", "0.0.0.0", "--pe", "sip", *options)
    for server in servers:
        lab.director.run("ipvsadm", "-a", *key, "-r", f"{server.address}:{PORT}", "-m")


def server_of(lab, call_id, source=None, **fields):
    with UdpClient(lab.client, NAT, PORT, source=source) as client:
        return client.ask(message(call_id, **fields))[0]


def templates(lab):
    """The last two words of every template's line in ip_vs_conn, and its server."""
    lines = [line.split() for line in lab.director.read("/proc/net/ip_vs_conn").splitlines()[1:]]
    return {words[10]: (words[9], words[5]) for words in lines if len(words) == 11}


@pytest.mark.parametrize("options", [(), ("-o",)], ids=["connections", "each packet scheduled"])
def test_a_call_stays_with_its_server_whoever_sends_its_messages(lab, balancer, options):
    lab.client.ip(f"addr add {SECOND_CLIENT}/24 dev eth0")
    lab.udp_programs(PORT)
    serve(lab, *lab.servers, options=options)
    calls = [f"call{number}@10.0.0.2" for number in range(6)]
    first = {call: server_of(lab, call) for call in calls}
    assert set(first.values()) == {"rs1", "rs2", "rs3"}
    assert {call: server_of(lab, call, source=SECOND_CLIENT, method="BYE") for call in calls} == first
    assert {call: server_of(lab, call, field="i") for call in calls} == first


def test_templates_tell_the_call_they_are_for(lab, balancer):
    lab.udp_programs(PORT)
    serve(lab, lab.rs1, lab.rs2)
    for call in ("one@there", "two@there"):
        server_of(lab, call)
    assert {call: engine for call, (engine, _) in templates(lab).items()} == {"one@there": "sip", "two@there": "sip"}
    assert len({server for _, server in templates(lab).values()}) == 2


def test_a_namespace_ends_with_a_service_that_goes_by_calls_and_keeps_a_cache(lab, balancer):
    lab.udp_programs(PORT)
    serve(lab, lab.rs1, scheduler="lblc")
    assert server_of(lab, "only@there") == "rs1"
    lab.delete(lab.director)  # the kernel has nothing to complain of


def test_letter_case_of_a_call_matters(lab, balancer):
    lab.udp_programs(PORT)
    serve(lab, lab.rs1, lab.rs2)
    assert {server_of(lab, "Abc"), server_of(lab, "abc")} == {"rs1", "rs2"}


@pytest.mark.parametrize("data", [message(None), b"\0\1\2", b"", message("x" * 256)], ids=["no call", "no SIP", "empty", "long"])
def test_what_names_no_call_is_dropped_silently(lab, balancer, data):
    client, server = lab.ghost_client(), lab.ghost_server()
    serve(lab, server)
    client.send(packet.udp(client.address, PORT, NAT, PORT, data))
    client.send(packet.udp(client.address, PORT, NAT, PORT, message("after-it")))
    assert b"after" in server.receive().udp_data
    assert server.received() == [] and client.received() == []


@pytest.mark.parametrize("options", [(), ("-o",)], ids=["connections", "each packet scheduled"])
def test_what_a_server_begins_leaves_in_the_services_name_and_the_client_comes_back_to_it(lab, balancer, options):
    client, server = lab.ghost_client(), lab.ghost_server()
    lab.udp_programs(PORT, servers=[lab.rs2, lab.rs3])
    serve(lab, server, lab.rs2, lab.rs3, options=options)
    server.send(packet.udp(server.address, PORT, client.address, PORT, message("begun@inside")))
    arrived = client.receive()
    assert (arrived.source, arrived.ports, arrived.udp_data) == (NAT, (PORT, PORT), message("begun@inside"))
    assert arrived.transport_valid
    client.send(packet.udp(client.address, PORT, NAT, PORT, message("begun@inside", method="OK")))
    assert b"begun@inside" in server.receive().udp_data
    assert list(templates(lab)) == ["begun@inside"]


def test_what_a_server_begins_without_a_call_is_forwarded_untouched(lab, balancer):
    client, server = lab.ghost_client(), lab.ghost_server()
    serve(lab, server)
    server.send(packet.udp(server.address, PORT, client.address, PORT, message(None)))
    assert client.receive().source == server.address


def test_listings_name_the_engine_and_unknown_ones_are_refused(lab, balancer):
    serve(lab, lab.rs1)
    assert "pe sip" in lab.director.run("ipvsadm", "-L", "-n")
    with pytest.raises(CommandFailed):
        lab.director.run("ipvsadm", "-A", "-u", f"{NAT}:5061", "-p", 60, "--pe", "nosuch")
    lab.director.run("ipvsadm", "-E", "-u", f"{NAT}:{PORT}", "-s", "rr", "-p", 60)
    assert "pe sip" not in lab.director.run("ipvsadm", "-L", "-n")
