// SPDX-License-Identifier: GPL-2.0-only

//! Shortest expected delay, and never queue, which differs while somebody is idle.

use proptest::prelude::*;
use rvs_host_tests::sched::Scheduler;

use crate::server::{pick, servers, Server};

const SED: Scheduler = Scheduler::ShortestExpectedDelay;
const NQ: Scheduler = Scheduler::NeverQueue;

#[test]
fn an_idle_server_competes_with_the_connection_that_it_would_get() {
    let fast = Server::new('A', 3);
    let slow = Server::new('B', 1);
    assert_eq!(pick(SED, &[slow, fast]), "A");
    assert_eq!(pick(SED, &[slow, fast.loaded(1, 0)]), "A");
    assert_eq!(pick(SED, &[slow, fast.loaded(2, 0)]), "B");
    assert_eq!(pick(SED, &[slow, fast.loaded(3, 0)]), "B");
}

#[test]
fn the_first_in_the_list_wins_a_tie() {
    let a = Server::new('A', 2).loaded(1, 0);
    let b = Server::new('B', 4).loaded(3, 0);
    assert_eq!(pick(SED, &[a, b]), "A");
    assert_eq!(pick(SED, &[b, a]), "B");
}

#[test]
fn inactive_connections_do_not_count() {
    let a = Server::new('A', 1).loaded(1, 0);
    let b = Server::new('B', 1).loaded(0, 1000);
    assert_eq!(pick(SED, &[a, b]), "B");
    assert_eq!(pick(NQ, &[a, b]), "B");
}

#[test]
fn never_queue_takes_the_first_idle_server_even_if_a_busy_one_is_faster() {
    let fast = Server::new('A', 100).loaded(1, 0);
    let slow = Server::new('B', 1);
    assert_eq!(pick(SED, &[fast, slow]), "A");
    assert_eq!(pick(NQ, &[fast, slow]), "B");
    assert_eq!(pick(NQ, &[Server::new('C', 9), fast, slow]), "C");
}

#[test]
fn idle_servers_without_weight_or_above_their_threshold_do_not_tempt() {
    let busy = Server::new('A', 1).loaded(5, 0);
    for scheduler in [SED, NQ] {
        let idle = Server::new('B', 0);
        assert_eq!(pick(scheduler, &[idle, busy]), "A");
        let idle = Server::new('B', 9).overloaded();
        assert_eq!(pick(scheduler, &[idle, busy]), "A");
        assert_eq!(pick(scheduler, &[busy.overloaded()]), "-");
    }
}

proptest! {
    #[test]
    fn nobody_available_has_a_shorter_delay_than_the_one_picked(
        servers in servers(prop_oneof![0u32..10, 0..=i32::MAX as u32]),
    ) {
        let delay = |server: &Server| u64::from(server.active) + 1;
        let expected = servers
            .iter()
            .filter(|server| server.is_available())
            .min_by(|a, b| (delay(a) * u64::from(b.weight)).cmp(&(delay(b) * u64::from(a.weight))))
            .map_or('-', |server| server.name);
        prop_assert_eq!(pick(SED, &servers), expected.to_string());
        let idle = servers.iter().find(|server| server.is_available() && server.active == 0);
        prop_assert_eq!(pick(NQ, &servers), idle.map_or(expected, |idle| idle.name).to_string());
    }
}
