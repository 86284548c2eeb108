// SPDX-License-Identifier: GPL-2.0-only

//! Who keeps an entry alive, and how long; and what a table needs when little happens.

use std::{sync::Barrier, thread};

use rvs_host_tests::sys::{
    flow_table::{Fate, Link, Occasion},
    rcu::{self, read_lock, GracePeriod, Held},
};

use crate::world::{crowded, even, World};

#[test]
fn an_entry_is_not_freed_under_a_reader() {
    let mut world = World::new(even);
    world.add(1, Some(1));
    world.collect();
    let view = world.view();
    let guard = read_lock();
    let flow = view.find(1, Link::Reverse, Held::from(&guard)).unwrap();
    world.end(1);
    for _ in 0..10 {
        world.collect();
        flow.check();
    }
    assert!(world.keeper.has_waiting(), "it waits for the reader");
    assert_eq!(world.census.alive(), 1);

    drop(guard);
    drop(view);
    world.settle();
    assert_eq!(world.census.alive(), 0);
    world.close();
}

#[test]
fn an_entry_that_is_removed_last_is_still_freed() {
    let mut world = World::new(even);
    world.add(1, None);
    world.collect();
    world.keeper.visit(1, |_| Fate::Remove);
    assert_eq!(world.keeper.entries(), 0);
    assert!(world.keeper.has_waiting(), "a buried entry waits");
    while world.keeper.has_waiting() {
        world.collect();
    }
    assert_eq!(world.census.alive(), 0);
    world.close();
}

#[test]
fn an_entry_that_its_keeper_removes_is_hidden_at_once_and_freed_later() {
    let mut world = World::new(even);
    world.add(1, Some(1));
    world.collect();
    let view = world.view();
    {
        let guard = read_lock();
        let flow = view.find(1, Link::Forward, Held::from(&guard)).unwrap();
        assert!(world.keeper.remove(flow));
        assert!(!world.keeper.remove(flow), "a second time");
        assert_eq!(world.keeper.entries(), 0);
        flow.check();
    }
    assert!(!world.has(1, Link::Forward) && !world.has(1, Link::Reverse));
    drop(view);
    world.settle();
    assert_eq!(world.census.alive(), 0);
    world.close();
}

#[test]
fn an_entry_of_another_table_is_not_removed() {
    let mut world = World::new(even);
    let other = World::new(even);
    world.add(1, None);
    other.add(1, None);
    world.collect();
    {
        let view = other.view();
        let guard = read_lock();
        let flow = view.find(1, Link::Forward, Held::from(&guard)).unwrap();
        assert!(!world.keeper.remove(flow));
    }
    assert!(world.has(1, Link::Forward) && other.has(1, Link::Forward));
    world.close();
    other.close();
}

#[test]
fn a_keeper_frees_what_it_never_collected() {
    let mut world = World::new(crowded);
    for number in 0..100 {
        world.add(number, Some(number));
        if number == 50 {
            world.collect();
        }
    }
    for number in 40..60 {
        world.end(number);
    }
    world.close();
}

/// Waits as the kernel does before the owners of several keepers go, and ends the table, which then waits for nothing.
fn close_without_waiting(world: World) {
    GracePeriod::start().wait();
    let waits = rcu::waits();
    world.close();
    assert_eq!(rcu::waits(), waits);
}

#[test]
fn a_keeper_that_retired_a_grace_period_ago_goes_without_waiting() {
    let mut world = World::new(crowded);
    for number in 0..1000 {
        world.add(number, Some(number));
        if number == 500 {
            world.collect();
        }
    }
    assert!(world.keeper.retire(), "readers may still be there");
    assert_eq!(world.keeper.entries(), 0);
    close_without_waiting(world);

    let mut empty = World::new(even);
    assert!(!empty.keeper.retire());
    close_without_waiting(empty);
}

#[test]
fn what_waits_already_is_freed_with_what_is_retired() {
    let mut world = World::new(crowded);
    for number in 0..100 {
        world.add(number, Some(number));
    }
    world.collect();
    let guard = read_lock();
    for number in 0..50 {
        world.end(number);
    }
    world.collect();
    assert!(world.keeper.has_waiting(), "for this reader");
    assert!(world.keeper.retire());
    assert_eq!(world.census.alive(), 100);
    drop(guard);
    close_without_waiting(world);
}

#[test]
fn what_is_retired_is_not_freed_under_a_reader_that_came_after_what_waits_already() {
    let mut world = World::new(even);
    world.add(1, None);
    world.add(2, None);
    world.collect();
    let (is_reading, is_over) = (Barrier::new(2), Barrier::new(2));
    thread::scope(|scope| {
        scope.spawn(|| {
            let _earlier_reader = read_lock();
            is_reading.wait();
            is_over.wait();
        });
        is_reading.wait();
        world.end(1);
        world.collect();
        assert!(world.keeper.has_waiting(), "for the earlier reader");
        let of_earlier_readers = GracePeriod::start();
        let view = world.view();
        let guard = read_lock();
        let flow = view.find(2, Link::Forward, Held::from(&guard)).unwrap();
        assert!(world.keeper.retire());
        is_over.wait();
        while !of_earlier_readers.is_over() {
            thread::yield_now();
        }
        world.collect();
        flow.check();
        assert_eq!(world.census.alive(), 2);
    });
    close_without_waiting(world);
}

#[test]
fn a_table_becomes_small_again_when_its_entries_are_gone() {
    let mut world = World::new(even);
    let empty = (world.table.size(), world.arrays.bytes());
    for number in 0..30_000 {
        world.add(number, Some(number));
    }
    world.collect();
    assert!(world.keeper.resize(100), "it grows in steps");
    while world.keeper.resize(1000) {}
    assert!(world.table.size() >= 60_000, "a slot for each key");
    assert!(world.buckets.objects() > 0, "some chains are long");

    for list in 0..crate::world::LISTS {
        world.keeper.visit(list, |_| Fate::Remove);
    }
    while world.keeper.resize(1000) {}
    assert_eq!(world.table.size(), empty.0, "it shrinks in one go");
    world.settle();
    assert_eq!((world.table.size(), world.arrays.bytes()), empty);
    assert_eq!(world.buckets.objects(), 0);
    world.close();
}

#[test]
fn a_new_entry_is_decided_as_new_and_again_when_asked_for() {
    let mut world = World::new(even);
    world.add(1, None);
    let mut occasions = Vec::new();
    world.keeper.collect(|_, occasion| {
        occasions.push(occasion);
        Fate::List(2)
    });
    let view = world.view();
    let guard = read_lock();
    let flow = view.find(1, Link::Forward, Held::from(&guard)).unwrap();
    assert!(flow.ask(), "the keeper has nothing to do so far");
    assert!(!flow.ask(), "it was told already");
    drop(guard);
    for _ in 0..2 {
        world.keeper.collect(|_, occasion| {
            occasions.push(occasion);
            Fate::List(3)
        });
    }
    assert_eq!(occasions, [Occasion::Arrived, Occasion::Asked]);

    let mut lists = [0; crate::world::LISTS];
    for (list, count) in lists.iter_mut().enumerate() {
        world.keeper.visit(list, |_| {
            *count += 1;
            Fate::List(list)
        });
    }
    assert_eq!(lists, [0, 0, 0, 1]);
    drop(view);
    world.close();
}

#[test]
fn an_entry_asked_for_before_it_arrived_is_decided_once() {
    let mut world = World::new(even);
    let view = world.view();
    let guard = read_lock();
    let Ok(inserted) = view.insert(1, None, Held::from(&guard)) else {
        panic!("memory is ample");
    };
    assert!(inserted.entry.ask());
    world.keeper.collect(|_, _| panic!("it has not arrived"));
    assert!(inserted.entry.ask(), "it may be asked for again");
    assert!(world.table.post(inserted.custody));
    let mut decisions = 0;
    world.keeper.collect(|_, _| {
        decisions += 1;
        Fate::Remove
    });
    assert_eq!(decisions, 1);
    drop(guard);
    drop(view);
    world.close();
}
