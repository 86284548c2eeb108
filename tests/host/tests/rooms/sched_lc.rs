// SPDX-License-Identifier: GPL-2.0-only

//! Least-connection.

use proptest::prelude::*;
use rvs_host_tests::sched::Scheduler;

use crate::server::{servers, Server};

fn pick(servers: &[Server]) -> String {
    crate::server::pick(Scheduler::LeastConnection, servers)
}

#[test]
fn the_server_with_the_fewest_connections_is_picked_whatever_its_weight() {
    let a = Server::new('A', 100).loaded(3, 0);
    let b = Server::new('B', 1).loaded(2, 256);
    assert_eq!(pick(&[a, b]), "B");
    assert_eq!(pick(&[a, b.loaded(2, 257)]), "A");
}

#[test]
fn the_first_in_the_list_wins_a_tie() {
    let a = Server::new('A', 1).loaded(1, 1);
    let b = Server::new('B', 9).loaded(1, 1);
    assert_eq!(pick(&[a, b]), "A");
    assert_eq!(pick(&[b, a]), "B");
}

#[test]
fn servers_without_weight_or_above_their_threshold_are_passed_over() {
    let busy = Server::new('A', 1).loaded(9, 9);
    assert_eq!(pick(&[Server::new('B', 0), busy]), "A");
    assert_eq!(pick(&[Server::new('B', 1).overloaded(), busy]), "A");
    assert_eq!(pick(&[busy.overloaded()]), "-");
}

proptest! {
    #[test]
    fn nobody_available_has_less_overhead_than_the_one_picked(servers in servers(0u32..3)) {
        let expected = servers
            .iter()
            .filter(|server| server.is_available())
            .min_by_key(|server| 257 * server.active + server.inactive)
            .map_or('-', |server| server.name);
        prop_assert_eq!(pick(&servers), expected.to_string());
    }
}
