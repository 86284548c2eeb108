# SPDX-License-Identifier: GPL-2.0-only
"""Building, decoding, normalising and comparing packets; what the scenarios' own files must be like."""

import struct

import pytest

from harness import randomly, share, shrink, wire
from harness.addresses import CLIENT, CLIENT_6, DIRECTOR_INSIDE, RS1, RS1_6, VIP, VIP_6
from harness.compare import broken_promises, compare, shown
from harness.coverage import one_for_each_row
from harness.decode import decode
from harness.execute import Entry, Outcome, Packet
from harness.features import Pending, features
from harness.ipvs import connections
from harness.late import without_late_errors
from harness.lists import Intended, intended, judged, unintended
from harness.model import GUE, TUNNEL, Flush, FromClient, FromServer, Server, scenario, tcp_service
from harness.normal import Context, normal
from harness.share import part_of
from harness.wire import ACK, SYN
from scenarios import all_scenarios

_ANY = scenario("any", "§0", ())


def outcome(value, field="field", seconds=0.0):
    return Outcome({field: value}, seconds)


@pytest.mark.parametrize("client, server", [(CLIENT, VIP), (CLIENT_6, VIP_6)])
def test_what_is_built_has_right_checksums_and_is_decoded(client, server):
    for packet, text in [(wire.tcp(client, 1, server, 2, SYN | ACK, b"abc"), "TCP 1 > 2 SYN ACK seq 1000 ack 0"),
                         (wire.udp(client, 1, server, 2, b"abc"), "UDP 1 > 2 |"),
                         (wire.udp(client, 1, server, 2, b"abc", summed=False), "UDP 1 > 2 no sum"),
                         (wire.sctp(client, 1, server, 2, wire.chunk(1, b"abc")), "SCTP 1 > 2 tag 0x1234 INIT"),
                         (wire.echo(client, server), "rest 0x10001")]:
        shown_text = decode(bytes(packet))
        assert text in shown_text and " sum " not in shown_text.replace("no sum", "") and "bad sum" not in shown_text
        assert f"{client} > {server}" in shown_text


def test_a_wrong_checksum_is_decoded_as_such():
    data = bytearray(bytes(wire.tcp(CLIENT, 1, VIP, 2, SYN)))
    data[-1] ^= 1
    assert " sum " in decode(bytes(data))


def test_an_error_shows_what_it_quotes():
    about = wire.udp(CLIENT, 1, VIP, 2, b"abc")
    assert f"quoting IPv4 {CLIENT} > {VIP}" in decode(bytes(wire.icmp_error(VIP, CLIENT, 3, 3, about, quote=28)))
    about = wire.udp(CLIENT_6, 1, VIP_6, 2, b"abc")
    assert f"quoting IPv6 {CLIENT_6} > {VIP_6}" in decode(bytes(wire.icmp_error(VIP_6, CLIENT_6, 1, 4, about)))


def test_the_checksum_of_sctp_is_castagnolis():
    assert wire.crc32c(b"123456789") == 0xE3069283


@pytest.mark.parametrize("client, server", [(CLIENT, RS1), (CLIENT_6, RS1_6)])
def test_fragments_cover_the_packet(client, server):
    whole = wire.udp(client, 1, server, 2, bytes(range(200)))
    pieces = wire.fragments(whole, 64)
    cut = 8 if wire.is_v6(client) else 0
    assert b"".join(piece.payload[cut:] for piece in pieces) == whole.payload


def test_an_extension_header_stands_between_header_and_payload():
    packet = wire.extended(wire.udp(CLIENT_6, 1, RS1_6, 2, b"abc"), (wire.HOP_BY_HOP, bytes(7)), (wire.DESTINATION_OPTIONS, bytes(7)))
    assert "hop-by-hop" in decode(bytes(packet)) and "destination options" in decode(bytes(packet))
    assert "UDP 1 > 2 |" in decode(bytes(packet))


def test_decoding_never_fails():
    data = bytes(wire.icmp_error(VIP, CLIENT, 3, 3, wire.tcp(CLIENT, 1, VIP, 2, SYN)))
    for length in range(len(data)):
        assert decode(data[:length])


# --- Normalising


def gue(sport, identification=5, summed=True):
    inner = bytes(wire.udp(CLIENT, 1, VIP, 2, b"abc"))
    return wire.udp(DIRECTOR_INSIDE, sport, RS1, 6080, b"\0\x04\0\0" + inner, summed, identification=identification)


_GUE = Context(frozenset([RS1]), frozenset([6080]))


@pytest.mark.parametrize("summed", [True, False])
def test_packets_that_differ_in_what_is_random_become_equal(summed):
    assert normal(bytes(gue(40000, 1, summed)), _GUE) == normal(bytes(gue(50000, 2, summed)), _GUE)


def test_a_source_port_out_of_range_stays():
    assert normal(bytes(gue(40000)), _GUE) != normal(bytes(gue(80)), _GUE)


def test_a_wrong_checksum_stays():
    right, wrong = bytes(gue(40000)), bytearray(bytes(gue(40000)))
    wrong[26] ^= 1
    assert normal(right, _GUE) != normal(bytes(wrong), _GUE)
    wrong = bytearray(right)
    wrong[10] ^= 1
    assert normal(right, _GUE) != normal(bytes(wrong), _GUE)


def test_the_identification_of_a_forwarded_packet_stays():
    one, other = (bytes(wire.udp(CLIENT, 1, RS1, 2, identification=number)) for number in (1, 2))
    assert normal(one, _GUE) != normal(other, _GUE)


def test_identifications_of_errors_that_the_director_made_are_replaced():
    about = wire.udp(CLIENT, 1, VIP, 2)
    one, other = (bytes(wire.icmp_error(VIP, CLIENT, 3, 3, about, identification=number)) for number in (1, 2))
    assert normal(one, Context()) == normal(other, Context())
    assert normal(one, Context(forwards_errors=True)) != normal(other, Context(forwards_errors=True))


def test_identifications_of_fragments_that_the_director_made_are_replaced():
    one, other = (bytes(wire.fragments(wire.udp(CLIENT_6, 1, RS1_6, 2, bytes(20)), 16, number)[0]) for number in (1, 2))
    assert normal(one, Context()) == normal(other, Context())
    assert normal(one, Context(fragment=one[44:48])) == one


# --- Sharing labs


def test_a_scenario_moves_to_other_ports_but_not_those_of_its_servers():
    service = tcp_service(VIP, 80, Server(RS1, 8080))
    one = scenario("one", "§0 x", service, FromClient(wire.tcp(CLIENT, 1, VIP, 80, SYN)), FromServer(wire.tcp(RS1, 8080, CLIENT, 1, SYN)))
    two, = share.packed([one])[:1]
    other = share.packed([one, one])[1]
    assert two.shared == other.shared and two.services == one.services
    assert other.services[0].port == 280 and other.services[0].servers == service.servers
    assert [wire.ports(step.packets[0]) for step in other.steps] == [(201, 280), (8080, 201)]
    assert " sum " not in decode(bytes(other.steps[0].packets[0]))


def test_a_server_without_a_port_of_its_own_moves_with_its_service():
    one = scenario("one", "§0 x", tcp_service(VIP, 80, Server(RS1)), FromServer(wire.tcp(RS1, 80, CLIENT, 1, SYN)))
    assert wire.ports(share.moved(one, 200, "x").steps[0].packets[0]) == (280, 201)


def test_scenarios_that_touch_more_than_their_own_do_not_share():
    packet = wire.tcp(CLIENT, 1, VIP, 80, SYN)
    for alone in (scenario("one", "§0 x", (), Flush()), scenario("one", "§0 x", (), sysctls={"conn_max": 1}),
                  scenario("one", "§0 x", tcp_service(VIP, 0)), scenario("one", "§0 x", (), FromClient(wire.echo(CLIENT, VIP))),
                  scenario("one", "§0 x", (), FromClient(*wire.fragments(packet, 8)))):
        assert not share.can_share(alone)
    assert share.can_share(scenario("one", "§0 x", (), FromClient(packet)))


@pytest.mark.parametrize("client, server, kind", [(CLIENT, VIP, (3, 1)), (CLIENT_6, VIP_6, (1, 4))])
def test_what_an_error_quotes_moves_too(client, server, kind):
    def move(_address, port):
        return port + 200
    for quote in (None, 28 if client == CLIENT else 48):
        error = wire.icmp_error(client, server, *kind, wire.udp(server, 53, client, 4000, b"answer"), quote=quote)
        text = decode(bytes(wire.with_ports(error, move)))
        assert "UDP 253 > 4200" in text
        assert " sum " not in text
    spoiled = error.but(payload=error.payload[:2] + b"\xde\xad" + error.payload[4:])
    assert " sum dead" in decode(bytes(wire.with_ports(spoiled, move)))


@pytest.mark.parametrize("build", [wire.tcp, wire.udp])
def test_moved_packets_keep_right_checksums(build):
    for port in range(1, 60000, 977):
        packet = build(CLIENT, 1, VIP, 2, *([SYN] if build is wire.tcp else []))
        assert " sum " not in decode(bytes(wire.with_ports(packet, lambda _, old, port=port: old + port)))


# --- Comparing


def test_equal_outcomes_do_not_differ_and_others_do():
    packet = Packet(RS1, bytes(wire.udp(CLIENT, 1, RS1, 2)))
    assert not compare(_ANY, outcome([packet]), outcome([packet]))
    assert compare(_ANY, outcome([packet]), outcome([]))
    assert compare(_ANY, outcome([packet]), outcome([Packet("10.1.0.12", packet.data)]))
    assert compare(_ANY, outcome("ok"), outcome("ENOENT"))
    assert compare(_ANY, outcome("ok"), Outcome({}))


def test_a_difference_the_decoder_does_not_tell_is_shown_in_hexadecimal():
    one = wire.tcp(CLIENT, 1, VIP, 2, SYN, options=b"\1\1\1\1")
    other = wire.tcp(CLIENT, 1, VIP, 2, SYN, options=b"\1\1\1\0")
    difference, = compare(_ANY, outcome([Packet(RS1, bytes(one))]), outcome([Packet(RS1, bytes(other))])).values()
    assert bytes(one).hex() in difference and bytes(other).hex() in difference


def test_timers_may_differ_by_a_second_and_what_the_scenario_took():
    def ends(seconds):
        return [Entry("TCP", seconds)]
    assert not compare(_ANY, outcome(ends(60.0)), outcome(ends(59.1)))
    assert compare(_ANY, outcome(ends(60.0)), outcome(ends(58.5)))
    assert not compare(_ANY, outcome(ends(60.0)), outcome(ends(58.5), seconds=0.6))


def test_fields_that_are_random_in_the_oracle_are_not_compared():
    assert not compare(scenario("any", "§0", (), ignore=("fi*",)), outcome("a"), outcome("b"))


def test_a_promise_that_the_oracle_breaks_is_told():
    promising = scenario("any", "§0", (), expects={"field": "CLOSE"})
    assert broken_promises(promising, outcome("ESTABLISHED"))
    assert not broken_promises(promising, outcome("a CLOSE"))


def test_an_intended_difference_is_allowed_in_its_scenario_and_field_only():
    entry = Intended("any", "step 1 *", "because", shows="no sum")
    assert not unintended(_ANY, {"step 1 inside": "+ UDP no sum"}, [entry]) and entry.used
    assert unintended(_ANY, {"step 2 inside": "+ UDP no sum"}, [entry])
    assert unintended(_ANY, {"step 1 inside": "+ UDP"}, [entry])
    assert unintended(scenario("other", "§0", ()), {"step 1 inside": "+ UDP no sum"}, [entry])


def test_features_are_told_from_the_data():
    service = tcp_service(VIP_6, 80, Server(RS1, method=TUNNEL, tunnel=GUE, tunnel_port=6080), scheduler="sh", persistent=60)
    one = scenario("one", "§0", service, FromClient(wire.tcp(CLIENT_6, 1, VIP_6, 80, SYN)), sysctls={"pmtu_disc": 0, "ipv4/x": 1})
    assert features(one) == ["ipv6", "mixed families", "persistence", "scheduler sh", "sysctl pmtu_disc", "tunnel gue"]
    assert Pending({"tunnel gue": "", "sctp": ""}).of(one) == ["tunnel gue"]


def test_connections_are_read_from_the_kernels_table():
    table = "Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData\n" \
            "TCP 0A000002 9C40 C0000201 0050 0A01000B 1F90 ESTABLISHED     899\n" \
            "UDP fd00:0000:0000:0000:0000:0000:0000:0002 0001 2001:0db8:0000:0000:0000:0000:0000:0001 0002 " \
            "fd00:0001:0000:0000:0000:0000:0000:0011 0003 UDP             299 sip call\n"
    assert connections(table) == [
        (f"TCP {CLIENT} 40000 -> {VIP} 80 -> {RS1} 8080 ESTABLISHED", 899),
        (f"UDP {CLIENT_6} 1 -> {VIP_6} 2 -> {RS1_6} 3 UDP sip call", 299)]
    assert len(connections(table, {(VIP, 80)})) == len(connections(table, {(VIP_6, 2)})) == 1


def test_values_are_shown_in_lines():
    assert shown([]) == ["nothing"] and shown("ok") == ["ok"]
    assert shown([Packet("", struct.pack("!B", 0))]) == ["taken: 1 bytes 00"]


# --- The scenarios


def test_every_scenario_says_which_row_it_covers_and_has_a_name_of_its_own():
    from scenarios import all_scenarios
    for one in all_scenarios():
        assert one.rows and all(row.startswith("§") and " " in row for row in one.rows), one.name


def test_every_pending_feature_is_needed_by_a_scenario():
    from harness import lists
    from scenarios import all_scenarios
    needed = {tag for one in all_scenarios() for tag in features(one)}
    assert not set(lists.pending().missing) - needed


# --- Drawing by lot


def test_the_same_seed_draws_the_same_and_another_does_not():
    assert randomly.sequence(1, 7) == randomly.sequence(1, 7)
    assert randomly.sequence(1, 7) != randomly.sequence(2, 7)


def test_what_is_drawn_keeps_apart_in_its_lab_and_wants_what_the_others_want():
    drawn = [randomly.sequence(1, number) for number in range(100)]
    ports = [service.port for one in drawn for service in one.services]
    assert len(set(ports)) == len(ports)
    assert len({one.shared for one in drawn}) == 1 and len({tuple(one.sysctls.items()) for one in drawn}) == 1


def test_what_is_missing_is_not_drawn():
    missing = {"sctp", "tunnel gue", "tunnel gre", "scheduler sh", "persistence", "sysctl nat_icmp_send"}
    assert not missing & {tag for number in range(300) for tag in features(randomly.sequence(3, number, missing))}


def test_a_failing_sequence_is_made_as_short_as_it_still_fails():
    whole = randomly.sequence(1, 7)
    guilty = whole.steps[2]

    def compared(scenarios):
        return [(one, {"field": "differs"} if guilty in one.steps else {}) for one in scenarios]
    short, = shrink.shortest([whole], compared)
    assert short.scenario.steps == (guilty,) and short.differences
    assert any(field.startswith("differs: ") for field in short.told())


# --- Choosing


def test_a_cross_section_covers_every_row_and_is_always_the_same():
    scenarios = [scenario(f"{name}", covers, ()) for name, covers in
                 (("a", "§1 x"), ("b", "§1 x; §1 y"), ("c", "§2"), ("d", "§2"), ("e", "§1 y; §2"))]
    chosen = one_for_each_row(scenarios)
    assert {row for one in chosen for row in one.rows} == {"§1 x", "§1 y", "§2"}
    assert chosen == one_for_each_row(scenarios) == [one for one in scenarios if one in chosen]
    assert len(chosen) < len(scenarios)


def test_parts_are_whole_labs_and_together_everything():
    scenarios = [scenario(f"{number}", "§0", (), shared=shared) for number, shared in enumerate(("", "x", "x", "", "y", "x", ""))]
    parts = [part_of(scenarios, which, 3) for which in (1, 2, 3)]
    assert sorted(one.name for part in parts for one in part) == sorted(one.name for one in scenarios)
    assert all(len({number for number, part in enumerate(parts) for one in part if one.shared == shared}) == 1 for shared in "xy")


def test_every_intended_difference_names_a_scenario():
    assert [entry.scenario for entry in intended() if not any(map(entry.names, all_scenarios()))] == []


def test_an_intended_difference_is_judged_by_a_run_that_played_all_that_it_names():
    names = [one for one in all_scenarios() if one.name.startswith("source port 0")]
    entries = [entry for entry in intended() if entry.scenario.startswith("source port 0")]
    assert len(names) == 2 and judged(entries, names) == entries and judged(entries, names[:1]) == []


def test_a_checksum_of_icmpv6_that_is_left_to_the_sender_is_computed_and_a_wrong_one_stays():
    right = bytes(wire.icmp_error(VIP_6, CLIENT_6, 1, 4, wire.udp(CLIENT_6, 1, VIP_6, 2, b"abc")))
    pseudo_header = right[8:40] + struct.pack("!II", len(right) - 40, wire.ICMPV6)
    left = right[:42] + struct.pack("!H", ~wire.checksum(pseudo_header) & 0xFFFF) + right[44:]
    assert normal(left, _GUE) == normal(right, _GUE) == right
    wrong = right[:42] + b"\xde\xad" + right[44:]
    assert normal(wrong, _GUE) == wrong


@pytest.mark.parametrize(("ours", "is_forgiven"), [
    ("+ connections 1, packets in 2, packets out 2, bytes in 1580, bytes out 80", True),
    ("+ connections 1, packets in 2, packets out 3, bytes in 1580, bytes out 80", False),
    ("+ connections 1, packets in 1, packets out 2, bytes in 1580, bytes out 80", False),
    ("+ connections 1, packets in 2, packets out 2, bytes in 1580, bytes out 148", False),
    ("+ connections 1, packets in 2, packets out 4, bytes in 1580, bytes out 216", False),
])
def test_only_errors_that_ip_vs_counts_for_a_connection_that_ends_are_forgiven(ours, is_forgiven):
    counters = "- connections 1, packets in 2, packets out 3, bytes in 1580, bytes out 148\n" + ours
    late = {"end counters tcp 192.0.2.1 80": counters}
    assert without_late_errors(late) == ({} if is_forgiven else late)
    both = late | {"step 3 FromClient packet 1 outside": "- nothing\n+ to 10.0.0.2: x"}
    assert without_late_errors(both) == both
