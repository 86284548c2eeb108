// SPDX-License-Identifier: GPL-2.0-only

//! Weighted least-connection.

use proptest::prelude::*;
use rvs_host_tests::sched::{Change, Cursor, Prepared, Scheduler};

use crate::server::{picks, servers, Preparation, Server};

const WLC: Scheduler = Scheduler::WeightedLeastConnection;

fn pick(servers: &[Server]) -> String {
    crate::server::pick(WLC, servers)
}

#[test]
fn the_server_with_the_fewest_connections_for_its_weight_is_picked() {
    let a = Server::new('A', 1).loaded(10, 0);
    let b = Server::new('B', 3).loaded(29, 0);
    assert_eq!(pick(&[a, b]), "B");
    assert_eq!(pick(&[a, b.loaded(31, 0)]), "A");
}

#[test]
fn the_first_in_the_list_wins_a_tie() {
    let a = Server::new('A', 2).loaded(4, 6);
    let b = Server::new('B', 2).loaded(4, 6);
    let c = Server::new('C', 4).loaded(8, 12);
    assert_eq!(pick(&[a, b, c]), "A");
    assert_eq!(pick(&[c, a, b]), "C");
}

#[test]
fn an_active_connection_weighs_as_much_as_257_inactive_ones() {
    let active = Server::new('A', 1).loaded(1, 0);
    let inactive = Server::new('B', 1);
    assert_eq!(pick(&[active, inactive.loaded(0, 256)]), "B");
    assert_eq!(pick(&[active, inactive.loaded(0, 257)]), "A");
    assert_eq!(pick(&[active, inactive.loaded(0, 258)]), "A");
}

#[test]
fn an_idle_server_without_weight_or_above_its_threshold_is_passed_over() {
    let busy = Server::new('A', 1).loaded(1_000_000, 0);
    assert_eq!(pick(&[Server::new('B', 0), busy]), "A");
    assert_eq!(pick(&[Server::new('B', 9).overloaded(), busy]), "A");
    assert_eq!(pick(&[busy.overloaded()]), "-");
    assert_eq!(pick(&[]), "-");
}

#[test]
fn loads_of_millions_of_connections_at_the_greatest_weights_compare_exactly() {
    let greatest = i32::MAX as u32;
    let a = Server::new('A', greatest).loaded(8_000_001, 0);
    let b = Server::new('B', greatest).loaded(8_000_000, 256);
    assert_eq!(pick(&[a, b]), "B");
}

#[test]
fn the_cursor_is_of_no_interest() {
    let cursor = Cursor::from_bits(0x1234_5678_9abc_def0);
    let servers = [Server::new('A', 1)];
    let after = WLC.after_changes(cursor, [Change::Edited], Prepared::default());
    assert_eq!(after, cursor);
    assert_eq!(picks(WLC, &servers, &mut cursor.clone(), 3), "AAA");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn nobody_available_has_less_overhead_per_weight_than_the_one_picked(
        servers in servers(prop_oneof![0u32..10, 0..=i32::MAX as u32]),
    ) {
        // Exact fractions, compared by cross products that cannot overflow.
        let overhead = |server: &Server| {
            257 * u128::from(server.active) + u128::from(server.inactive)
        };
        let expected = servers
            .iter()
            .enumerate()
            .filter(|(_, server)| server.is_available())
            .min_by(|(_, a), (_, b)| {
                (overhead(a) * u128::from(b.weight)).cmp(&(overhead(b) * u128::from(a.weight)))
            })
            .map(|(index, _)| index);
        let pick = Preparation::new(WLC, &servers).pick(&servers, Cursor::default());
        prop_assert_eq!(pick.map(|pick| pick.index), expected);
    }

    #[test]
    fn new_connections_end_up_shared_out_by_weight(weights in prop::collection::vec(1u32..10, 1..6)) {
        let mut servers: Vec<Server> =
            ('A'..).zip(&weights).map(|(name, &weight)| Server::new(name, weight)).collect();
        let all: u32 = weights.iter().sum();
        for _ in 0..all * 20 {
            let pick = Preparation::new(WLC, &servers).pick(&servers, Cursor::default()).unwrap();
            servers[pick.index].active += 1;
        }
        for server in servers {
            prop_assert_eq!(server.active, server.weight * 20, "{}", server.name);
        }
    }
}
