// SPDX-License-Identifier: GPL-2.0-only

//! The power of two random choices.

use proptest::prelude::*;
use rvs_host_tests::sched::{Cursor, Flow, Scheduler};

use crate::server::{servers, Preparation, Server};

/// The pick if these two numbers, of those from 0 to the sum of weights, are drawn.
fn drawn(servers: &[Server], draws: [u64; 2]) -> char {
    let total: u64 = servers
        .iter()
        .filter(|server| server.is_available())
        .map(|server| u64::from(server.weight))
        .sum();
    let mut draws = draws.into_iter();
    // The smallest random number that stands for the one drawn.
    let random = || {
        let draw = u128::from(draws.next().expect("two draws"));
        (draw << 64).div_ceil(u128::from(total) + 1) as u64
    };
    Preparation::new(Scheduler::TwoChoices, servers)
        .pick_with(servers, Cursor::default(), &Flow::default(), random)
        .map_or('-', |pick| servers[pick.index].name)
}

#[test]
fn a_draw_stands_for_the_first_server_up_to_which_the_weights_add_up_to_it() {
    let servers = [
        Server::new('A', 2),
        Server::new('X', 0),
        Server::new('Y', 5).overloaded(),
        Server::new('B', 3),
        Server::new('C', 1),
    ];
    let names: String = (0..=6).map(|draw| drawn(&servers, [draw, draw])).collect();
    assert_eq!(names, "AAABBBC");
}

#[test]
fn the_one_with_less_overhead_for_its_weight_of_the_two_is_picked_and_the_first_drawn_on_a_tie() {
    let a = Server::new('A', 1).loaded(1, 0);
    let b = Server::new('B', 2).loaded(2, 0);
    assert_eq!(drawn(&[a, b], [1, 3]), 'A');
    assert_eq!(drawn(&[a, b], [3, 1]), 'B');
    let b = b.loaded(2, 1);
    assert_eq!(drawn(&[a, b], [3, 1]), 'A');
    assert_eq!(drawn(&[a.loaded(1, 1), b], [1, 3]), 'B');
}

#[test]
fn random_numbers_are_asked_for_only_by_it() {
    let servers = [Server::new('A', 1)];
    for scheduler in Scheduler::ALL {
        let mut asked = 0;
        let random = || {
            asked += 1;
            u64::MAX
        };
        let preparation = Preparation::new(scheduler, &servers);
        let pick = preparation.pick_with(&servers, Cursor::default(), &Flow::default(), random);
        assert_eq!(pick.map(|pick| pick.index), Some(0));
        assert_eq!(asked > 0, scheduler == Scheduler::TwoChoices);
    }
}

#[test]
fn loads_stay_close_together_though_nobody_looks_at_all_servers() {
    let mut servers: Vec<Server> = ('A'..).take(16).map(|name| Server::new(name, 4)).collect();
    let mut state = 1u64;
    // SplitMix64 (Steele, Lea, Flood, 2014).
    let mut random = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mix = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mix = (mix ^ (mix >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mix ^ (mix >> 31)
    };
    let preparation = Preparation::new(Scheduler::TwoChoices, &servers);
    for _ in 0..16_000 {
        let pick =
            preparation.pick_with(&servers, Cursor::default(), &Flow::default(), &mut random);
        servers[pick.expect("a server").index].active += 1;
    }
    // With one choice each, the standard deviation alone would be 31.
    assert!(servers
        .iter()
        .all(|server| server.active.abs_diff(1000) <= 5));
}

proptest! {
    #[test]
    fn picks_are_those_of_the_rule_taken_literally(
        servers in servers(0u32..6), draws: [prop::sample::Index; 2],
    ) {
        let available: Vec<&Server> =
            servers.iter().filter(|server| server.is_available()).collect();
        let total: u32 = available.iter().map(|server| server.weight).sum();
        let draws = draws.map(|draw| draw.index(total as usize + 1) as u64);
        let expected = draws.map(|mut left| {
            available.iter().find(|server| {
                let is_reached = left <= u64::from(server.weight);
                left = left.saturating_sub(u64::from(server.weight));
                is_reached
            })
        });
        let overhead = |server: &Server| 257 * server.active + server.inactive;
        let expected = match expected {
            [Some(a), Some(b)] if b.weight * overhead(a) > a.weight * overhead(b) => b.name,
            [Some(a), _] => a.name,
            _ => '-',
        };
        prop_assert_eq!(drawn(&servers, draws), expected);
    }
}
