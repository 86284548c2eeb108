// SPDX-License-Identifier: GPL-2.0-only

//! Failover and overflow: the heaviest server, until it is down or full.

use proptest::prelude::*;
use rvs_host_tests::sched::Scheduler;

use crate::server::{pick, servers, Server};

const FO: Scheduler = Scheduler::Failover;
const OVF: Scheduler = Scheduler::Overflow;

#[test]
fn the_heaviest_gets_everything_and_the_first_in_the_list_wins_a_tie() {
    let (a, b, c) = (
        Server::new('A', 2),
        Server::new('B', 3),
        Server::new('C', 3),
    );
    for scheduler in [FO, OVF] {
        assert_eq!(pick(scheduler, &[a, b, c]), "B");
        assert_eq!(pick(scheduler, &[c, a, b]), "C");
    }
    assert_eq!(pick(FO, &[a, b.loaded(1_000_000, 1_000_000)]), "B");
}

#[test]
fn the_next_in_weight_takes_over_from_one_that_is_down() {
    let (a, b) = (Server::new('A', 2), Server::new('B', 3));
    for scheduler in [FO, OVF] {
        assert_eq!(pick(scheduler, &[a, b.overloaded()]), "A");
        assert_eq!(pick(scheduler, &[a, b.quiesced()]), "A");
        assert_eq!(pick(scheduler, &[a.quiesced(), b.overloaded()]), "-");
    }
}

#[test]
fn overflow_goes_on_to_the_next_when_active_connections_exceed_the_weight() {
    let (a, b) = (Server::new('A', 2), Server::new('B', 3));
    assert_eq!(pick(OVF, &[a, b.loaded(3, 99)]), "B");
    assert_eq!(pick(OVF, &[a, b.loaded(4, 0)]), "A");
    assert_eq!(pick(OVF, &[a.loaded(3, 0), b.loaded(4, 0)]), "-");
}

proptest! {
    #[test]
    fn nobody_who_could_take_the_flow_is_heavier_than_the_one_picked(servers in servers(0u32..1500)) {
        let expected = |is_suitable: fn(&&Server) -> bool| {
            let suitable = servers.iter().filter(|server| server.is_available()).filter(is_suitable);
            // Of equals, `max_by_key` takes the last.
            suitable.rev().max_by_key(|server| server.weight).map_or('-', |server| server.name).to_string()
        };
        prop_assert_eq!(pick(FO, &servers), expected(|_| true));
        prop_assert_eq!(pick(OVF, &servers), expected(|server| server.active <= server.weight));
    }
}
