// SPDX-License-Identifier: GPL-2.0-only

//! The TCP state machine, against the transitions of IPVS as written down in `tcp_states.txt` and
//! `tcp_secure_states.txt`.

use rvs_host_tests::packet::tcp::{payload, Flags, HEADER_LEN};
use rvs_host_tests::proto::tcp::{may_open, next, Event, Machine, State};
use rvs_host_tests::proto::{Direction, Opening};

const MACHINES: [(Machine, &str); 2] = [
    (Machine::Normal, include_str!("tcp_states.txt")),
    (Machine::Secure, include_str!("tcp_secure_states.txt")),
];

const DIRECTIONS: [(&str, Direction); 3] = [
    ("I", Direction::Input),
    ("O", Direction::Output),
    ("X", Direction::InputOnly),
];

const EVENTS: [(&str, Event); 4] = [
    ("syn", Event::Syn),
    ("fin", Event::Fin),
    ("ack", Event::Ack),
    ("rst", Event::Rst),
];

fn state(abbreviation: &str) -> State {
    match abbreviation {
        "NO" => State::None,
        "ES" => State::Established,
        "SS" => State::SynSent,
        "SR" => State::SynRecv,
        "FW" => State::FinWait,
        "TW" => State::TimeWait,
        "CL" => State::Close,
        "CW" => State::CloseWait,
        "LA" => State::LastAck,
        "LI" => State::Listen,
        "SA" => State::SynAck,
        other => panic!("no state is abbreviated {other}"),
    }
}

#[test]
fn every_transition_is_that_of_ipvs() {
    for (machine, table) in MACHINES {
        let mut lines = table
            .lines()
            .filter(|line| !line.starts_with('#') && !line.is_empty())
            .map(|line| line.split_whitespace().collect::<Vec<_>>());
        let columns = lines.next().expect("a line of column names");
        let mut seen = 0;
        for row in lines {
            let current = state(row[0]);
            for (column, cell) in columns.iter().zip(&row).skip(1) {
                let (direction, event) = column.split_once('.').expect("direction.event");
                let (_, direction) = DIRECTIONS
                    .iter()
                    .find(|(name, _)| *name == direction)
                    .unwrap();
                let (_, event) = EVENTS.iter().find(|(name, _)| *name == event).unwrap();
                assert_eq!(
                    next(machine, current, *direction, *event),
                    state(cell),
                    "{machine:?} {} {column}",
                    current.name()
                );
                seen += 1;
            }
        }
        assert_eq!(seen, 11 * 12);
    }
}

#[test]
fn a_segment_without_flags_closes_from_every_state() {
    for (machine, _) in MACHINES {
        for state in State::ALL {
            for (_, direction) in DIRECTIONS {
                assert_eq!(next(machine, state, direction, Event::None), State::Close);
            }
        }
    }
}

/// The flags of a header with this control byte.
fn flags(byte: u8) -> Flags {
    let mut header = [0; HEADER_LEN];
    header[13] = byte;
    Flags::parse(&header)
}

#[test]
fn reset_outranks_syn_outranks_fin_outranks_ack() {
    for byte in 0..=u8::MAX {
        // Control bits of RFC 9293: FIN 1, SYN 2, RST 4, PSH 8, ACK 16.
        let expected = match byte {
            _ if byte & 4 != 0 => Event::Rst,
            _ if byte & 2 != 0 => Event::Syn,
            _ if byte & 1 != 0 => Event::Fin,
            _ if byte & 16 != 0 => Event::Ack,
            _ => Event::None,
        };
        assert_eq!(Event::from_flags(flags(byte)), expected, "flags {byte:#x}");
    }
}

#[test]
fn a_syn_may_open_a_connection_and_if_sloppy_anything_but_a_reset() {
    for byte in 0..=u8::MAX {
        let (syn, rst) = (byte & 2 != 0, byte & 4 != 0);
        assert_eq!(may_open(flags(byte), Opening::Strict), syn && !rst);
        assert_eq!(may_open(flags(byte), Opening::Sloppy), !rst);
    }
}

#[test]
fn flags_are_read_from_the_fourteenth_byte() {
    let mut header = [0; 20];
    header[13] = 0x12;
    let flags = Flags::parse(&header);
    assert!(flags.syn() && flags.ack() && !flags.fin() && !flags.rst());
    header[13] = 0x05;
    let flags = Flags::parse(&header);
    assert!(flags.fin() && flags.rst() && !flags.syn() && !flags.ack());
}

/// The states a connection goes through.
fn walk(machine: Machine, segments: &[(Direction, Event)]) -> Vec<&'static str> {
    let mut state = State::None;
    segments
        .iter()
        .map(|&(direction, event)| {
            state = next(machine, state, direction, event);
            state.name()
        })
        .collect()
}

#[test]
fn a_masqueraded_connection_opens_and_closes_as_seen_from_both_sides() {
    use Direction::{Input, Output};
    assert_eq!(
        walk(
            Machine::Normal,
            &[
                (Input, Event::Syn),
                (Output, Event::Syn),
                (Input, Event::Ack),
                (Output, Event::Ack),
                (Input, Event::Fin),
                (Output, Event::Fin),
                (Input, Event::Ack),
            ]
        ),
        [
            "SYN_RECV",
            "SYN_RECV",
            "ESTABLISHED",
            "ESTABLISHED",
            "CLOSE_WAIT",
            "TIME_WAIT",
            "TIME_WAIT"
        ]
    );
}

#[test]
fn a_directly_routed_connection_opens_and_closes_as_seen_from_the_client_alone() {
    use Direction::InputOnly;
    assert_eq!(
        walk(
            Machine::Normal,
            &[
                (InputOnly, Event::Syn),
                (InputOnly, Event::Ack),
                (InputOnly, Event::Fin),
                (InputOnly, Event::Ack),
            ]
        ),
        ["SYN_RECV", "ESTABLISHED", "FIN_WAIT", "FIN_WAIT"]
    );
}

#[test]
fn while_defended_a_handshake_ends_with_the_real_servers_acknowledgment_alone() {
    use Direction::{Input, Output};
    assert_eq!(
        walk(
            Machine::Secure,
            &[
                (Input, Event::Syn),
                (Output, Event::Syn),
                (Input, Event::Ack),
                (Output, Event::Ack),
            ]
        ),
        ["SYN_RECV", "SYNACK", "SYNACK", "ESTABLISHED"]
    );
}

#[test]
fn what_a_segment_carries_begins_behind_its_options() {
    let mut segment = [0; HEADER_LEN + 8];
    segment[12] = 6 << 4;
    assert_eq!(payload(&segment).map(<[u8]>::len), Some(4));
    segment[12] = 7 << 4;
    assert_eq!(payload(&segment), Some(&[][..]));
}

#[test]
fn a_header_that_ends_before_it_began_or_behind_its_segment_carries_nothing() {
    let mut segment = [0; HEADER_LEN + 8];
    for words in [0, 4, 8, 15] {
        segment[12] = words << 4;
        assert_eq!(payload(&segment), None);
    }
    assert_eq!(payload(&segment[..HEADER_LEN - 1]), None);
}
