// SPDX-License-Identifier: GPL-2.0-only

//! Round-robin.

use proptest::prelude::*;
use rvs_host_tests::sched::{Change, Cursor, Prepared, Scheduler};

use crate::server::{picks, servers, Server};

const RR: Scheduler = Scheduler::RoundRobin;

fn named(names: &str) -> Vec<Server> {
    names.chars().map(|name| Server::new(name, 1)).collect()
}

fn after(cursor: Cursor, change: Change) -> Cursor {
    RR.after_changes(cursor, [change], Prepared::default())
}

#[test]
fn servers_take_turns_in_list_order() {
    let mut cursor = Cursor::default();
    assert_eq!(picks(RR, &named("ABC"), &mut cursor, 7), "ABCABCA");
}

#[test]
fn weights_do_not_count_except_for_zero() {
    let servers = [
        Server::new('A', 100),
        Server::new('B', 0),
        Server::new('C', 1).overloaded(),
        Server::new('D', 1),
    ];
    assert_eq!(picks(RR, &servers, &mut Cursor::default(), 5), "ADADA");
}

#[test]
fn the_last_one_picked_is_picked_again_if_it_is_the_only_one_left() {
    let mut servers = named("ABC");
    let mut cursor = Cursor::default();
    picks(RR, &servers, &mut cursor, 2);
    servers[0].weight = 0;
    servers[2].overloaded = true;
    assert_eq!(picks(RR, &servers, &mut cursor, 2), "BB");
}

#[test]
fn nobody_is_picked_when_nobody_is_available() {
    let servers = [Server::new('A', 0), Server::new('B', 1).overloaded()];
    assert_eq!(picks(RR, &servers, &mut Cursor::default(), 2), "--");
    assert_eq!(picks(RR, &[], &mut Cursor::default(), 2), "--");
}

#[test]
fn after_the_last_one_picked_is_removed_its_successor_is_next() {
    let mut cursor = Cursor::default();
    assert_eq!(picks(RR, &named("ABCD"), &mut cursor, 2), "AB");
    let cursor = &mut after(cursor, Change::Removed { index: 1 });
    assert_eq!(picks(RR, &named("ACD"), cursor, 4), "CDAC");
}

#[test]
fn after_the_first_one_is_picked_and_removed_the_list_begins_anew() {
    let mut cursor = Cursor::default();
    assert_eq!(picks(RR, &named("ABC"), &mut cursor, 1), "A");
    let cursor = &mut after(cursor, Change::Removed { index: 0 });
    assert_eq!(picks(RR, &named("BC"), cursor, 3), "BCB");
}

#[test]
fn a_new_server_at_the_head_is_reached_in_the_next_lap() {
    let mut cursor = Cursor::default();
    assert_eq!(picks(RR, &named("ABC"), &mut cursor, 2), "AB");
    let cursor = &mut after(cursor, Change::Added);
    assert_eq!(picks(RR, &named("NABC"), cursor, 5), "CNABC");
}

#[test]
fn a_new_server_is_first_if_nobody_was_picked_yet() {
    let cursor = &mut after(Cursor::default(), Change::Added);
    assert_eq!(picks(RR, &named("NAB"), cursor, 3), "NAB");
}

#[test]
fn an_edit_does_not_disturb_the_turns() {
    let mut cursor = Cursor::default();
    assert_eq!(picks(RR, &named("ABC"), &mut cursor, 2), "AB");
    let cursor = &mut after(cursor, Change::Edited);
    assert_eq!(picks(RR, &named("ABC"), cursor, 2), "CA");
}

#[test]
fn of_many_changes_each_moves_the_turn() {
    let mut cursor = Cursor::default();
    assert_eq!(picks(RR, &named("ABCD"), &mut cursor, 3), "ABC");
    let changes = [2, 0].map(|index| Change::Removed { index });
    let changes = changes.into_iter().chain([Change::Added; 2]);
    let cursor = &mut RR.after_changes(cursor, changes, Prepared::default());
    assert_eq!(picks(RR, &named("NMBD"), cursor, 5), "DNMBD");
}

proptest! {
    #[test]
    fn every_lap_gives_each_available_server_exactly_one_turn(
        servers in servers(0u32..3), laps in 1usize..5,
    ) {
        let available: String =
            servers.iter().filter(|server| server.is_available()).map(|server| server.name).collect();
        prop_assert_eq!(
            picks(RR, &servers, &mut Cursor::default(), available.len() * laps),
            available.repeat(laps)
        );
    }

    /// Against a list that remembers the last pick itself, as a pointer would.
    #[test]
    fn changes_of_the_list_move_the_turn_like_a_pointer_to_the_last_one_picked(
        operations in prop::collection::vec((0u8..4, any::<prop::sample::Index>()), 1..60),
    ) {
        let mut names = 'a'..;
        let mut list: Vec<Server> = Vec::new();
        let mut cursor = Cursor::default();
        let mut last: Option<char> = None;
        for (operation, place) in operations {
            match operation {
                0 => {
                    list.insert(0, Server::new(names.next().unwrap(), 1));
                    cursor = after(cursor, Change::Added);
                }
                1 if !list.is_empty() => {
                    let index = place.index(list.len());
                    let removed = list.remove(index);
                    if last == Some(removed.name) {
                        last = index.checked_sub(1).map(|before| list[before].name);
                    }
                    cursor = after(cursor, Change::Removed { index });
                }
                _ if !list.is_empty() => {
                    let position = list.iter().position(|server| Some(server.name) == last);
                    let next = position.map_or(0, |position| (position + 1) % list.len());
                    last = Some(list[next].name);
                    prop_assert_eq!(
                        picks(RR, &list, &mut cursor, 1),
                        list[next].name.to_string()
                    );
                }
                _ => {}
            }
        }
    }
}
