// SPDX-License-Identifier: GPL-2.0-only

//! States and timeouts as the outside sees them.

use rvs_host_tests::proto::{
    sctp, state_name, tcp, timeout, udp, Protocol, TimeoutOutOfRange, Timeouts, MAX_TIMEOUT,
};

/// IPVS: number, name, default timeout in seconds, counted as active.
const TCP: [(u8, &str, u32, bool); 11] = [
    (0, "NONE", 2, false),
    (1, "ESTABLISHED", 900, true),
    (2, "SYN_SENT", 120, true),
    (3, "SYN_RECV", 60, true),
    (4, "FIN_WAIT", 120, false),
    (5, "TIME_WAIT", 120, false),
    (6, "CLOSE", 10, false),
    (7, "CLOSE_WAIT", 60, false),
    (8, "LAST_ACK", 30, false),
    (9, "LISTEN", 120, false),
    (10, "SYNACK", 120, true),
];

/// The same of SCTP.
const SCTP: [(u8, &str, u32, bool); 14] = [
    (0, "NONE", 2, false),
    (1, "INIT1", 4, false),
    (2, "INIT", 61, false),
    (3, "C-SENT", 61, false),
    (4, "C-REPLIED", 61, false),
    (5, "C-WAIT", 61, false),
    (6, "COOKIE", 61, false),
    (7, "C-ECHOED", 61, false),
    (8, "ESTABLISHED", 900, true),
    (9, "S-SENT", 61, false),
    (10, "S-RECEIVED", 61, false),
    (11, "S-ACK-SENT", 61, false),
    (12, "REJECTED", 4, false),
    (13, "CLOSED", 61, false),
];

#[test]
fn tcp_states_have_the_numbers_names_timeouts_and_activity_of_ipvs() {
    let timeouts = Timeouts::default();
    for (number, name, seconds, active) in TCP {
        let state = tcp::State::from_u8(number).expect("a state");
        assert_eq!(state as u8, number);
        assert_eq!(tcp::State::ALL[usize::from(number)], state);
        assert_eq!(state_name(Protocol::Tcp, number), name);
        assert_eq!(timeout(&timeouts, Protocol::Tcp, number), seconds, "{name}");
        assert_eq!(state.is_active(), active, "{name}");
    }
}

#[test]
fn sctp_states_have_the_numbers_names_timeouts_and_activity_of_ipvs() {
    let timeouts = Timeouts::default();
    for (number, name, seconds, active) in SCTP {
        let state = sctp::State::from_u8(number).expect("a state");
        assert_eq!(state as u8, number);
        assert_eq!(sctp::State::ALL[usize::from(number)], state);
        assert_eq!(state_name(Protocol::Sctp, number), name);
        assert_eq!(
            timeout(&timeouts, Protocol::Sctp, number),
            seconds,
            "{name}"
        );
        assert_eq!(state.is_active(), active, "{name}");
    }
}

#[test]
fn ipsec_has_no_states_and_travels_in_the_connection_of_its_key_exchange() {
    let timeouts = Timeouts::default();
    for protocol in [Protocol::Esp, Protocol::Ah] {
        assert_eq!(protocol.carrier(), (Protocol::Udp, Some(500)));
        assert_eq!(state_name(protocol, 0), "ERR!");
        assert_eq!(timeout(&timeouts, protocol, 0), 300);
    }
    for protocol in [Protocol::Tcp, Protocol::Udp, Protocol::Sctp] {
        assert_eq!(protocol.carrier(), (protocol, None));
    }
}

#[test]
fn udp_has_one_state() {
    let timeouts = Timeouts::default();
    assert_eq!(udp::State::from_u8(0), Some(udp::State::Udp));
    assert_eq!(state_name(Protocol::Udp, 0), "UDP");
    assert_eq!(timeout(&timeouts, Protocol::Udp, 0), 300);
}

#[test]
fn a_number_that_is_no_state_is_answered_too() {
    let timeouts = Timeouts::default();
    for number in 11..=u8::MAX {
        assert_eq!(tcp::State::from_u8(number), None);
        assert_eq!(state_name(Protocol::Tcp, number), "ERR!");
        assert_eq!(timeout(&timeouts, Protocol::Tcp, number), 2);
    }
    for number in 14..=u8::MAX {
        assert_eq!(sctp::State::from_u8(number), None);
        assert_eq!(state_name(Protocol::Sctp, number), "ERR!");
        assert_eq!(timeout(&timeouts, Protocol::Sctp, number), 2);
    }
    for number in 1..=u8::MAX {
        assert_eq!(state_name(Protocol::Udp, number), "ERR!");
    }
}

#[test]
fn exactly_the_protocols_of_ipvs_are_balanced() {
    let protocols: Vec<_> = (0..=u8::MAX)
        .filter(|number| Protocol::from_u8(*number).is_some())
        .collect();
    assert_eq!(protocols, [6, 17, 50, 51, 132]);
    assert_eq!((Protocol::Tcp as u8, Protocol::Sctp as u8), (6, 132));
}

#[test]
fn setting_timeouts_changes_established_fin_wait_and_udp_and_nothing_else() {
    let mut timeouts = Timeouts::default();
    assert_eq!(timeouts.set(1000, 100, 10), Ok(()));
    let mut expected = Timeouts::default();
    expected.tcp[1] = 1000;
    expected.tcp[4] = 100;
    expected.udp = 10;
    assert_eq!(timeouts, expected);
}

#[test]
fn setting_a_timeout_to_zero_keeps_it() {
    let mut timeouts = Timeouts::default();
    timeouts.set(0, 0, 0).unwrap();
    assert_eq!(timeouts, Timeouts::default());
    timeouts.set(0, 77, 0).unwrap();
    assert_eq!(timeouts.tcp(tcp::State::FinWait), 77);
    assert_eq!(timeouts.tcp(tcp::State::Established), 900);
}

#[test]
fn a_timeout_out_of_range_is_named_and_nothing_is_set() {
    assert_eq!(MAX_TIMEOUT, 8_589_934);
    let before = Timeouts::default();
    for (arguments, error) in [
        ([MAX_TIMEOUT + 1, 1, 1], TimeoutOutOfRange::Tcp),
        ([1, MAX_TIMEOUT + 1, 1], TimeoutOutOfRange::TcpFin),
        ([1, 1, MAX_TIMEOUT + 1], TimeoutOutOfRange::Udp),
        ([1, 1, u32::MAX], TimeoutOutOfRange::Udp),
    ] {
        let mut timeouts = before;
        let [tcp, tcp_fin, udp] = arguments;
        assert_eq!(timeouts.set(tcp, tcp_fin, udp), Err(error));
        assert_eq!(timeouts, before);
    }
    let mut timeouts = before;
    assert_eq!(timeouts.set(MAX_TIMEOUT, MAX_TIMEOUT, MAX_TIMEOUT), Ok(()));
}
