// SPDX-License-Identifier: GPL-2.0-only

//! When defences are on and what they drop: reference §7.

use proptest::prelude::*;
use rvs_host_tests::{
    defense::{
        mode::{drop_rate, is_on, next, Memory},
        victim::{rule, Candidate, Rule, Turns},
    },
    packet::{IPPROTO_SCTP, IPPROTO_TCP, IPPROTO_UDP},
    proto::{sctp, tcp},
};

const LOW: Memory = Memory {
    available: 900,
    threshold: 1000,
};
const ENOUGH: Memory = Memory {
    available: 1000,
    threshold: 1000,
};

#[test]
fn automatic_modes_follow_memory() {
    assert_eq!([0, 1, 2, 3].map(|mode| next(mode, LOW)), [0, 2, 2, 3]);
    assert_eq!([0, 1, 2, 3].map(|mode| next(mode, ENOUGH)), [0, 1, 1, 3]);
}

#[test]
fn a_defence_is_on_in_the_upper_two_modes() {
    assert_eq!([0, 1, 2, 3].map(is_on), [false, false, true, true]);
}

#[test]
fn the_rate_rises_with_the_shortage() {
    let rate_at = |available| {
        let memory = Memory {
            available,
            threshold: 1000,
        };
        drop_rate(2, memory, 7)
    };
    assert_eq!([999, 900, 501, 500, 0].map(rate_at), [1000, 10, 2, 2, 1]);
}

#[test]
fn the_fixed_rate_is_am_droprate_and_one_below_0_drops_all() {
    assert_eq!(drop_rate(3, ENOUGH, 10), 10);
    assert_eq!(drop_rate(3, LOW, 10), 10);
    assert_eq!(drop_rate(3, LOW, 0), 0);
    assert_eq!(drop_rate(3, LOW, -5), 1);
    assert_eq!(drop_rate(3, LOW, i32::MAX), 0x7fff_ffff);
}

#[test]
fn nothing_is_dropped_while_off() {
    assert_eq!([0, 1].map(|mode| drop_rate(mode, LOW, 10)), [0, 0]);
}

proptest! {
    #[test]
    fn a_threshold_of_0_or_less_is_never_undercut(mode in 0..=2, available: u64, threshold in i32::MIN..=0) {
        let memory = Memory { available, threshold };
        prop_assert!(!is_on(next(mode, memory)));
    }

    #[test]
    fn whoever_acts_has_a_rate(mode in 1..=2, available: u64, threshold: i32, am_droprate: i32) {
        let memory = Memory { available, threshold };
        let mode = next(mode, memory);
        prop_assert_eq!(drop_rate(mode, memory, am_droprate) > 0, is_on(mode));
        prop_assert_eq!(next(mode, memory), mode);
    }
}

/// An established connection that has been idle for long after a few packets.
const IDLE: Candidate = Candidate {
    protocol: IPPROTO_TCP,
    state: tcp::State::Established as u8,
    is_template: false,
    controls_others: false,
    idle: 1000,
    packets: 4,
};

#[test]
fn half_open_connections_end() {
    let ends = |protocol, state| {
        let candidate = Candidate {
            protocol,
            state,
            idle: 0,
            ..IDLE
        };
        rule(&candidate) == Rule::End
    };
    let of_tcp: Vec<u8> = (0..20).filter(|state| ends(IPPROTO_TCP, *state)).collect();
    assert_eq!(
        of_tcp,
        [tcp::State::SynRecv, tcp::State::SynAck].map(|state| state as u8)
    );
    let of_sctp: Vec<u8> = (0..20).filter(|state| ends(IPPROTO_SCTP, *state)).collect();
    assert_eq!(
        of_sctp,
        [sctp::State::Init1, sctp::State::Init].map(|state| state as u8)
    );
    assert!((0..20).all(|state| !ends(IPPROTO_UDP, state)));
}

#[test]
fn closing_connections_are_spared_and_established_ones_end_when_idle() {
    let rule_of = |state: tcp::State| {
        rule(&Candidate {
            state: state as u8,
            ..IDLE
        })
    };
    assert_eq!(rule_of(tcp::State::Established), Rule::EndIdle);
    for state in [
        tcp::State::None,
        tcp::State::SynSent,
        tcp::State::FinWait,
        tcp::State::TimeWait,
        tcp::State::CloseWait,
    ] {
        assert_eq!(rule_of(state), Rule::Spare);
    }
}

#[test]
fn whatever_controls_others_is_spared() {
    for protocol in [IPPROTO_TCP, IPPROTO_UDP, 0] {
        for is_template in [false, true] {
            let candidate = Candidate {
                protocol,
                is_template,
                controls_others: true,
                state: tcp::State::SynRecv as u8,
                ..IDLE
            };
            assert_eq!(rule(&candidate), Rule::Spare);
        }
    }
}

#[test]
fn templates_end_unless_a_connection_was_established_under_them() {
    let template = Candidate {
        is_template: true,
        packets: 0,
        state: 0,
        ..IDLE
    };
    assert_eq!(rule(&template), Rule::End);
    assert_eq!(
        rule(&Candidate {
            state: 1,
            ..template
        }),
        Rule::Spare
    );
    assert_eq!(
        rule(&Candidate {
            packets: 3,
            ..template
        }),
        Rule::EndIdle
    );
}

#[test]
fn of_idle_connections_one_in_as_many_as_they_had_packets_ends() {
    let mut turns = Turns::default();
    for packets in 1..=8 {
        let candidate = Candidate { packets, ..IDLE };
        let ended = (0..packets * 10).filter(|_| turns.take(&candidate)).count();
        assert_eq!(ended, 10);
    }
}

#[test]
fn connections_without_packets_or_with_many_are_not_idle() {
    let mut turns = Turns::default();
    for packets in [0, 9, 255, u32::MAX] {
        let candidate = Candidate { packets, ..IDLE };
        assert!((0..100).all(|_| !turns.take(&candidate)));
    }
}

#[test]
fn a_minute_without_a_packet_is_what_makes_a_connection_idle() {
    let candidate = |idle| Candidate {
        idle,
        packets: 1,
        ..IDLE
    };
    assert!(!Turns::default().take(&candidate(59)));
    assert!(Turns::default().take(&candidate(60)));
}
