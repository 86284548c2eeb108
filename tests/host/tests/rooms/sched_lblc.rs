// SPDX-License-Identifier: GPL-2.0-only

//! Locality-based least-connection, without and with replication: what is decided about a destination that the
//! cache has.

use proptest::prelude::*;
use rvs_host_tests::sched::{
    lblc,
    lblcr::{self, Choice, Decision},
    locality::{Sweep, HARD_LIMIT},
};

use crate::server::{servers, Server};

/// A server with so many active connections and this weight.
fn busy(name: char, active: u32, weight: u32) -> Server {
    Server::new(name, weight).loaded(active, 0)
}

#[test]
fn a_destination_that_is_not_cached_gets_the_least_busy_server_for_its_weight() {
    let servers = [busy('A', 3, 1), busy('B', 4, 2), busy('C', 4, 2)];
    assert_eq!(lblc::choose(&servers), Some(1));
    assert_eq!(
        lblc::choose(&[servers[0].quiesced(), servers[1].overloaded()]),
        None
    );
}

#[test]
fn the_cached_server_is_kept_however_idle_the_others_are_while_it_has_no_more_than_its_weight() {
    let (cached, idle) = (busy('A', 10, 10), busy('B', 0, 100));
    assert!(lblc::keeps(&cached, &[idle, cached]));
    assert!(lblc::keeps(&cached.overloaded(), &[idle, cached]));
}

#[test]
fn the_cached_server_is_left_when_it_has_more_than_its_weight_and_another_less_than_half() {
    let cached = busy('A', 11, 10);
    assert!(!lblc::keeps(&cached, &[busy('B', 4, 10), cached]));
    assert!(lblc::keeps(&cached, &[busy('B', 5, 10), cached]));
    assert!(lblc::keeps(&cached, &[cached]));
    // Whether the other one could take it is not asked.
    assert!(!lblc::keeps(
        &cached,
        &[busy('B', 4, 10).overloaded(), cached]
    ));
}

#[test]
fn the_cached_server_is_left_when_it_was_removed_or_lost_its_weight() {
    let cached = busy('A', 0, 1);
    assert!(!lblc::keeps(&cached.removed(), &[busy('B', 9, 1)]));
    assert!(!lblc::keeps(&cached.quiesced(), &[busy('B', 9, 1)]));
}

#[test]
fn of_a_set_the_least_busy_member_for_its_weight_that_takes_flows_is_chosen() {
    let set = [
        busy('A', 8, 8),
        busy('B', 3, 4),
        busy('C', 6, 8),
        busy('D', 0, 9),
    ];
    let choice = |set: &[Server]| lblcr::decide(set, &[busy('Z', 0, 9)], false).choice;
    assert_eq!(choice(&set[..3]), Choice::Member(1));
    assert_eq!(choice(&[set[2], set[1]]), Choice::Member(0));
    for unfit in [set[3].removed(), set[3].quiesced(), set[3].overloaded()] {
        assert_eq!(choice(&[unfit, set[0], set[1]]), Choice::Member(2));
    }
}

#[test]
fn a_congested_set_sends_the_flow_to_the_least_busy_server_of_all() {
    let set = [busy('A', 3, 2), busy('B', 5, 2)];
    let servers = [busy('C', 2, 4), busy('D', 1, 4), set[0], set[1]];
    let decision = lblcr::decide(&set, &servers, false);
    assert_eq!(
        decision,
        Decision {
            choice: Choice::Server(1),
            leaves: None
        }
    );
    // Nobody has less than half of its weight.
    let servers = [busy('C', 2, 4), busy('D', 2, 4), set[0], set[1]];
    assert_eq!(
        lblcr::decide(&set, &servers, false).choice,
        Choice::Member(0)
    );
}

#[test]
fn a_set_of_which_nobody_is_left_is_as_good_as_none() {
    let set = [busy('A', 0, 1).removed()];
    assert_eq!(
        lblcr::decide(&set, &[busy('B', 9, 1)], false).choice,
        Choice::Server(0)
    );
    assert_eq!(
        lblcr::decide(&set, &[], true),
        Decision {
            choice: Choice::Nobody,
            leaves: None
        }
    );
    assert_eq!(
        lblcr::decide(&[], &[busy('B', 9, 1)], true).choice,
        Choice::Server(0)
    );
}

#[test]
fn an_old_set_of_several_loses_its_busiest_member_for_its_weight() {
    let set = [
        busy('A', 8, 8),
        busy('B', 6, 4),
        busy('C', 3, 2),
        busy('D', 99, 0),
    ];
    let leaves = |set: &[Server], is_old| lblcr::decide(set, set, is_old).leaves;
    assert_eq!(leaves(&set, true), Some(1));
    assert_eq!(leaves(&set, false), None);
    assert_eq!(leaves(&[set[0].removed(), set[3]], true), Some(0));
    assert_eq!(leaves(&set[..1], true), None);
}

#[test]
fn a_member_may_get_a_last_flow_when_it_leaves() {
    let set = [busy('A', 1, 1).quiesced(), busy('B', 1, 1)];
    let decision = lblcr::decide(&set, &set, true);
    assert_eq!(
        decision,
        Decision {
            choice: Choice::Member(1),
            leaves: Some(1)
        }
    );
}

#[test]
fn a_cache_with_room_drops_only_what_has_expired() {
    for destinations in [0, 1, 16_384] {
        let sweep = Sweep::of(destinations, 86_400);
        assert_eq!((sweep.timeout, sweep.at_most), (86_400, u32::MAX));
    }
}

#[test]
fn a_crowded_cache_drops_what_was_idle_for_six_minutes_and_a_third_more_than_it_has_to() {
    let sweep = |destinations, expiration| {
        let Sweep { timeout, at_most } = Sweep::of(destinations, expiration);
        (timeout, at_most)
    };
    assert_eq!(sweep(16_387, 86_400), (360, 4));
    assert_eq!(sweep(22_528, 86_400), (360, 8192));
    assert_eq!(sweep(HARD_LIMIT, 86_400), (360, 8192));
    assert_eq!(sweep(HARD_LIMIT, 60), (60, 8192));
    assert_eq!(HARD_LIMIT, 24_576);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn decisions_about_sets_are_those_of_the_rule_taken_literally(
        set in servers(0u32..500), servers in servers(0u32..2500), removed: [bool; 9], is_old: bool,
    ) {
        let set: Vec<Server> = set
            .iter()
            .zip(removed)
            .map(|(server, removed)| Server { removed, ..*server })
            .collect();
        let overhead = |server: &Server| 257 * u64::from(server.active) + u64::from(server.inactive);
        let by_load = |a: &&Server, b: &&Server| {
            (overhead(a) * u64::from(b.weight)).cmp(&(overhead(b) * u64::from(a.weight)))
        };
        let least = set.iter().filter(|server| server.is_available() && !server.removed).min_by(by_load);
        let fits = least.filter(|least| {
            least.active <= least.weight
                || !servers.iter().any(|server| 2 * server.active < server.weight)
        });
        let all = servers.iter().filter(|server| server.is_available()).min_by(by_load);
        let decision = lblcr::decide(&set, &servers, is_old);
        let chosen = match decision.choice {
            Choice::Member(index) => Some(&set[index]),
            Choice::Server(index) => Some(&servers[index]),
            Choice::Nobody => None,
        };
        prop_assert_eq!(chosen, fits.or(all));
        prop_assert_eq!(matches!(decision.choice, Choice::Member(_)), fits.is_some());
        // Of equals, `max_by` takes the last.
        let most = set.iter().rev().filter(|server| server.weight > 0).max_by(by_load);
        let most = most.filter(|_| is_old && set.len() > 1);
        prop_assert_eq!(decision.leaves.map(|index| &set[index]), most);
        prop_assert_eq!(
            set.first().map(|first| lblc::keeps(first, &servers)),
            set.first().map(|first| {
                !first.removed
                    && first.weight > 0
                    && (first.active <= first.weight
                        || !servers.iter().any(|server| 2 * server.active < server.weight))
            })
        );
    }
}
