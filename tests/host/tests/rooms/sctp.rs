// SPDX-License-Identifier: GPL-2.0-only

//! SCTP: chunks as they are read, and the state machine against the transitions of IPVS as written down in
//! `sctp_states.txt`.

use rvs_host_tests::packet::sctp::{
    decisive_kind, Chunk, ABORT, CHUNK_LEN, COOKIE_ACK, COOKIE_ECHO, HEADER_LEN, INIT,
};
use rvs_host_tests::packet::transport;
use rvs_host_tests::proto::sctp::{may_open, next, Event, State};
use rvs_host_tests::proto::{Direction, Opening};

const TABLE: &str = include_str!("sctp_states.txt");

const STATES: [&str; State::COUNT] = [
    "NO", "I1", "IN", "CS", "CR", "CW", "CO", "CE", "ES", "SS", "SR", "SA", "RJ", "CL",
];

const EVENTS: [(&str, Event); 10] = [
    ("data", Event::Data),
    ("init", Event::Init),
    ("init_ack", Event::InitAck),
    ("cookie_echo", Event::CookieEcho),
    ("cookie_ack", Event::CookieAck),
    ("shutdown", Event::Shutdown),
    ("shut_ack", Event::ShutdownAck),
    ("shut_compl", Event::ShutdownComplete),
    ("error", Event::Error),
    ("abort", Event::Abort),
];

fn direction(name: &str) -> Option<Direction> {
    match name {
        "INPUT" => Some(Direction::Input),
        "OUTPUT" => Some(Direction::Output),
        "INPUT_ONLY" => Some(Direction::InputOnly),
        _ => None,
    }
}

#[test]
fn every_transition_is_that_of_ipvs() {
    let mut current = None;
    let mut seen = 0;
    for line in TABLE.lines().filter(|line| !line.starts_with('#')) {
        let cells: Vec<_> = line.split_whitespace().collect();
        let Some((&name, cells)) = cells.split_first() else {
            continue;
        };
        if let Some(direction) = direction(name) {
            assert_eq!(cells, STATES);
            current = Some(direction);
            continue;
        }
        let direction = current.expect("a direction before its transitions");
        let (_, event) = EVENTS
            .into_iter()
            .find(|(event, _)| *event == name)
            .unwrap();
        assert_eq!(cells.len(), STATES.len(), "{line}");
        for (state, cell) in State::ALL.into_iter().zip(cells) {
            let expected = match STATES.iter().position(|name| name == cell) {
                Some(number) => State::ALL[number],
                None if *cell == "." => state,
                None => panic!("no state is abbreviated {cell}"),
            };
            assert_eq!(
                next(state, direction, event),
                expected,
                "{direction:?} {name} in {}",
                state.name()
            );
            seen += 1;
        }
    }
    assert_eq!(seen, 3 * 10 * 14);
}

#[test]
fn chunks_have_the_meanings_of_ipvs() {
    let meanings = [
        (1, Event::Init),
        (2, Event::InitAck),
        (6, Event::Abort),
        (7, Event::Shutdown),
        (8, Event::ShutdownAck),
        (9, Event::Error),
        (10, Event::CookieEcho),
        (11, Event::CookieAck),
        (14, Event::ShutdownComplete),
    ];
    for kind in 0..=u8::MAX {
        let expected = meanings
            .iter()
            .find(|(number, _)| *number == kind)
            .map_or(Event::Data, |(_, event)| *event);
        assert_eq!(Event::from_chunk(kind), expected, "chunk type {kind}");
    }
}

#[test]
fn an_init_may_open_an_association_and_if_sloppy_anything_but_an_abort() {
    for kind in 0..=u8::MAX {
        assert_eq!(may_open(kind, Opening::Strict), kind == INIT);
        assert_eq!(may_open(kind, Opening::Sloppy), kind != ABORT);
    }
}

/// A packet of these chunks, each its type and its length with header, without padding.
fn packet(chunks: &[(u8, u16)]) -> Vec<u8> {
    let mut packet = vec![0x9c, 0x40, 0x13, 0x88, 1, 2, 3, 4, 0xaa, 0xbb, 0xcc, 0xdd];
    for &(kind, len) in chunks {
        let [len0, len1] = len.to_be_bytes();
        packet.extend([kind, 0, len0, len1]);
        let value = usize::from(len).saturating_sub(4).next_multiple_of(4);
        packet.extend(std::iter::repeat_n(0, value));
    }
    packet
}

/// The decisive kind of a packet, and where it looked for a second chunk.
fn decide(packet: &[u8]) -> (u8, Option<usize>) {
    let first = Chunk::parse(packet[HEADER_LEN..].first_chunk().expect("a chunk"));
    let mut looked = None;
    let kind = decisive_kind(first, |offset| {
        looked = Some(offset);
        packet.get(offset..)?.first_chunk::<CHUNK_LEN>().copied()
    });
    (kind, looked)
}

#[test]
fn the_ports_begin_the_header_and_the_checksum_ends_it() {
    let packet = packet(&[]);
    assert_eq!(
        transport::ports(packet.first_chunk().unwrap()),
        (40000, 5000)
    );
    assert_eq!(packet[8..12], [0xaa, 0xbb, 0xcc, 0xdd]);
    assert_eq!(HEADER_LEN, 12);
}

#[test]
fn an_abort_behind_a_cookie_decides() {
    for cookie in [COOKIE_ECHO, COOKIE_ACK] {
        assert_eq!(
            decide(&packet(&[(cookie, 4), (ABORT, 4)])),
            (ABORT, Some(16))
        );
    }
}

#[test]
fn a_chunk_behind_a_cookie_is_looked_for_behind_the_padding() {
    for (len, offset) in [(4, 16), (5, 20), (7, 20), (8, 20), (205, 220)] {
        assert_eq!(
            decide(&packet(&[(COOKIE_ECHO, len), (ABORT, 8)])),
            (ABORT, Some(offset)),
            "cookie of {len} bytes"
        );
    }
}

#[test]
fn a_cookie_with_anything_else_or_nothing_behind_it_decides_itself() {
    assert_eq!(
        decide(&packet(&[(COOKIE_ECHO, 100), (0, 20)])),
        (COOKIE_ECHO, Some(112))
    );
    assert_eq!(decide(&packet(&[(COOKIE_ACK, 4)])), (COOKIE_ACK, Some(16)));
}

#[test]
fn a_cookie_of_impossible_length_decides_itself() {
    for len in 0..4 {
        assert_eq!(
            decide(&packet(&[(COOKIE_ACK, len), (ABORT, 4)])),
            (COOKIE_ACK, None)
        );
    }
    let mut longest = packet(&[(COOKIE_ACK, 4)]);
    longest[14..16].fill(0xff);
    assert_eq!(decide(&longest), (COOKIE_ACK, Some(12 + 65536)));
}

#[test]
fn nothing_is_looked_for_behind_other_chunks() {
    for kind in (0..=u8::MAX).filter(|kind| ![COOKIE_ECHO, COOKIE_ACK].contains(kind)) {
        assert_eq!(decide(&packet(&[(kind, 4), (ABORT, 4)])), (kind, None));
    }
}

/// The states an association goes through.
fn walk(packets: &[(Direction, Event)]) -> Vec<&'static str> {
    let mut state = State::None;
    packets
        .iter()
        .map(|&(direction, event)| {
            state = next(state, direction, event);
            state.name()
        })
        .collect()
}

#[test]
fn a_masqueraded_association_opens_and_closes_as_seen_from_both_sides() {
    use Direction::{Input, Output};
    assert_eq!(
        walk(&[
            (Input, Event::Init),
            (Output, Event::InitAck),
            (Input, Event::CookieEcho),
            (Output, Event::CookieAck),
            (Input, Event::Data),
            (Input, Event::Shutdown),
            (Output, Event::ShutdownAck),
            (Input, Event::ShutdownComplete),
        ]),
        [
            "INIT1",
            "C-SENT",
            "C-REPLIED",
            "ESTABLISHED",
            "ESTABLISHED",
            "S-RECEIVED",
            "S-ACK-SENT",
            "CLOSED"
        ]
    );
}

#[test]
fn a_directly_routed_association_opens_and_closes_as_seen_from_the_client_alone() {
    use Direction::InputOnly;
    assert_eq!(
        walk(&[
            (InputOnly, Event::Init),
            (InputOnly, Event::CookieEcho),
            (InputOnly, Event::Shutdown),
            (InputOnly, Event::ShutdownComplete),
        ]),
        ["INIT1", "ESTABLISHED", "S-RECEIVED", "CLOSED"]
    );
}
