// SPDX-License-Identifier: GPL-2.0-only

//! Weighted round-robin.

use std::collections::BTreeSet;

use proptest::prelude::*;
use rvs_host_tests::sched::{Change, Cursor, Scheduler};

use crate::server::{picks, servers, Preparation, Server};

const WRR: Scheduler = Scheduler::WeightedRoundRobin;

fn weighted(weights: &[(char, u32)]) -> Vec<Server> {
    weights
        .iter()
        .map(|&(name, weight)| Server::new(name, weight))
        .collect()
}

fn from_start(weights: &[(char, u32)], count: usize) -> String {
    picks(WRR, &weighted(weights), &mut Cursor::default(), count)
}

#[test]
fn turns_follow_the_weights_and_are_interleaved() {
    assert_eq!(from_start(&[('A', 4), ('B', 2)], 9), "AABAABAAB");
    assert_eq!(from_start(&[('A', 4), ('B', 3), ('C', 2)], 9), "AABABCABC");
    assert_eq!(from_start(&[('A', 1), ('B', 3)], 8), "BBABBBAB");
}

#[test]
fn equal_weights_take_turns_in_list_order() {
    assert_eq!(from_start(&[('A', 7), ('B', 7), ('C', 7)], 6), "ABCABC");
}

#[test]
fn a_server_of_weight_zero_gets_no_turn() {
    assert_eq!(from_start(&[('A', 2), ('B', 0), ('C', 1)], 6), "AACAAC");
    assert_eq!(from_start(&[('A', 0), ('B', 0)], 2), "--");
    assert_eq!(from_start(&[], 2), "--");
}

#[test]
fn turns_of_an_overloaded_server_go_to_the_others() {
    let mut servers = weighted(&[('A', 4), ('B', 2), ('C', 2)]);
    servers[0].overloaded = true;
    assert_eq!(picks(WRR, &servers, &mut Cursor::default(), 6), "BCBCBC");
    servers[1].overloaded = true;
    servers[2].overloaded = true;
    assert_eq!(picks(WRR, &servers, &mut Cursor::default(), 2), "--");
}

#[test]
fn huge_weights_of_overloaded_servers_do_not_cost_a_lap_each() {
    let servers = [Server::new('A', u32::MAX).overloaded(), Server::new('B', 1)];
    let mut cursor = Cursor::default();
    assert_eq!(picks(WRR, &servers, &mut cursor, 100_000).len(), 100_000);
    let servers = [servers[0], servers[1].overloaded()];
    assert_eq!(picks(WRR, &servers, &mut cursor, 1), "-");
}

#[test]
fn any_change_begins_again_at_the_head_of_the_list() {
    let before = weighted(&[('A', 2), ('B', 2), ('C', 2)]);
    for (change, after) in [
        (Change::Edited, before.clone()),
        (
            Change::Removed { index: 0 },
            weighted(&[('B', 2), ('C', 2)]),
        ),
        (
            Change::Added,
            weighted(&[('N', 2), ('A', 2), ('B', 2), ('C', 2)]),
        ),
    ] {
        let mut cursor = Cursor::default();
        assert_eq!(picks(WRR, &before, &mut cursor, 2), "AB");
        let cursor =
            &mut WRR.after_changes(cursor, [change], Preparation::new(WRR, &after).prepared);
        assert_eq!(
            picks(WRR, &after, cursor, after.len()),
            after.iter().map(|server| server.name).collect::<String>()
        );
    }
}

#[test]
fn a_change_keeps_the_threshold_in_step_with_the_new_weights() {
    // Thresholds 5, 4, 3, 2, 1; after three picks of A the cursor stands at 3.
    let mut cursor = Cursor::default();
    assert_eq!(
        picks(WRR, &weighted(&[('A', 5), ('B', 1)]), &mut cursor, 3),
        "AAA"
    );
    // Thresholds 5, 3, 1: 3 is one of them, and B reaches only the last.
    let after = weighted(&[('A', 6), ('B', 2)]);
    let aligned = &mut WRR.after_changes(
        cursor,
        [Change::Edited],
        Preparation::new(WRR, &after).prepared,
    );
    assert_eq!(picks(WRR, &after, aligned, 6), "AABAAA");
    // Threshold 1 only: 3 is too high and becomes 1.
    let after = weighted(&[('A', 2), ('B', 2)]);
    let clamped = WRR.after_changes(
        cursor,
        [Change::Edited],
        Preparation::new(WRR, &after).prepared,
    );
    assert_eq!(picks(WRR, &after, &mut clamped.clone(), 4), "ABAB");
    // It does not come back when there is room for it again.
    let after = weighted(&[('A', 5), ('B', 1)]);
    let clamped = &mut WRR.after_changes(
        clamped,
        [Change::Edited],
        Preparation::new(WRR, &after).prepared,
    );
    assert_eq!(picks(WRR, &after, clamped, 4), "ABAA");
}

#[test]
fn a_service_that_takes_the_scheduler_begins_with_the_weights_it_has_then() {
    let start = |weights| WRR.start(Preparation::new(WRR, &weighted(weights)).prepared);
    let after = weighted(&[('N', 3), ('A', 1)]);
    let change = [Change::Added];
    let prepared = Preparation::new(WRR, &after).prepared;
    let cursor = &mut WRR.after_changes(start(&[('A', 1)]), change, prepared);
    assert_eq!(picks(WRR, &after, cursor, 6), "NANNNA");
    // None of weight above 0 then: the first that comes decides.
    let cursor = &mut WRR.after_changes(start(&[('A', 0)]), change, prepared);
    assert_eq!(picks(WRR, &after, cursor, 6), "NNNANN");
}

#[test]
fn a_round_that_finds_nobody_begins_a_new_cycle() {
    let servers = weighted(&[('A', 3), ('B', 2)]);
    let full: Vec<Server> = servers.iter().map(|server| server.overloaded()).collect();
    let mut cursor = Cursor::default();
    assert_eq!(picks(WRR, &servers, &mut cursor, 3), "AAB");
    assert_eq!(picks(WRR, &full, &mut cursor, 1), "-");
    assert_eq!(picks(WRR, &servers, &mut cursor, 3), "AAB");
}

#[test]
fn a_round_that_finds_nobody_from_the_midst_of_the_last_lap_leaves_the_turn_with_the_next() {
    let servers = weighted(&[('A', 3), ('B', 2)]);
    let full: Vec<Server> = servers.iter().map(|server| server.overloaded()).collect();
    let mut cursor = Cursor::default();
    assert_eq!(picks(WRR, &servers, &mut cursor, 4), "AABA");
    assert_eq!(picks(WRR, &full, &mut cursor, 2), "--");
    assert_eq!(picks(WRR, &servers, &mut cursor, 3), "BAA");
}

/// The rule of IPVS taken literally: walk the list lap by lap, lowering the threshold after each, until everybody was
/// passed over in the last one.
struct LapByLap {
    position: usize,
    threshold: u32,
}

impl LapByLap {
    fn pick(&mut self, servers: &[Server], step: u32, top: u32) -> Option<usize> {
        let mut passed_over = BTreeSet::new();
        while passed_over.len() < servers.len() && top > 0 {
            if self.position == servers.len() {
                self.begin_lap(step, top);
            }
            let index = self.position;
            self.position += 1;
            let server = &servers[index];
            if !server.overloaded && server.weight >= self.threshold {
                return Some(index);
            }
            if self.threshold <= step {
                passed_over.insert(index);
            }
        }
        if self.position == servers.len() {
            self.begin_lap(step, top);
        }
        None
    }

    fn begin_lap(&mut self, step: u32, top: u32) {
        self.position = 0;
        self.threshold = match self.threshold > step {
            true => self.threshold - step,
            false => top,
        };
    }
}

fn greatest_common_divisor(servers: &[Server]) -> u32 {
    let weights: Vec<u32> = servers
        .iter()
        .map(|server| server.weight)
        .filter(|&weight| weight > 0)
        .collect();
    let smallest = weights.iter().copied().min().unwrap_or(1);
    (1..=smallest)
        .rev()
        .find(|divisor| weights.iter().all(|weight| weight % divisor == 0))
        .unwrap_or(1)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn a_cycle_gives_each_server_its_weight_in_turns(
        servers in servers(0u32..40), scale in 1u32..1000, start in 0usize..100,
    ) {
        let servers: Vec<Server> = servers
            .iter()
            .map(|server| Server { weight: server.weight * scale, overloaded: false, ..*server })
            .collect();
        let divisor = greatest_common_divisor(&servers);
        let cycle = servers.iter().map(|server| (server.weight / divisor) as usize).sum();
        let mut cursor = Cursor::default();
        // A cycle is a cycle wherever one begins to count.
        picks(WRR, &servers, &mut cursor, start);
        let turns = picks(WRR, &servers, &mut cursor, cycle);
        for server in &servers {
            let got = turns.chars().filter(|&name| name == server.name).count();
            prop_assert_eq!(got as u32, server.weight / divisor, "{}", server.name);
        }
    }

    #[test]
    fn picks_are_those_of_the_rule_taken_literally_whoever_is_overloaded(
        mut servers in servers(0u32..30),
        rounds in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>(), 0usize..20), 0..20),
    ) {
        let step = greatest_common_divisor(&servers);
        let greatest = servers.iter().map(|server| server.weight).max().unwrap_or(0);
        let top = greatest.saturating_sub(step - 1);
        let preparation = Preparation::new(WRR, &servers);
        let mut cursor = Cursor::default();
        let mut model = LapByLap { position: 0, threshold: top };
        for (place, overloaded, count) in rounds {
            if !servers.is_empty() {
                let index = place.index(servers.len());
                servers[index].overloaded = overloaded;
            }
            for _ in 0..count {
                let pick = preparation.pick(&servers, cursor);
                prop_assert_eq!(
                    pick.map(|pick| pick.index),
                    model.pick(&servers, step, top)
                );
                cursor = preparation.after(pick, cursor);
            }
        }
    }
}
