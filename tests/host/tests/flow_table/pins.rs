// SPDX-License-Identifier: GPL-2.0-only

//! Entries that are held by others: they stay, whatever their keeper would do, and go when nobody holds
//! them any more.

use std::{
    sync::{
        atomic::{AtomicBool, Ordering},
        Mutex,
    },
    thread,
};

use rvs_host_tests::sys::{
    flow_table::{Fate, Link, Pinned},
    rcu::{read_lock, Held},
};

use crate::world::{even, patience, Flow, View, World};

fn pin(view: &View, key: u64) -> Option<Pinned<Flow>> {
    let guard = read_lock();
    view.find(key, Link::Forward, Held::from(&guard))?.pin()
}

/// Has the entry of `child` hold that of `controller` for as long as it lives.
fn hold(view: &View, child: u64, controller: u64) {
    let pinned = pin(view, controller).expect("it is there");
    let guard = read_lock();
    let child = view
        .find(child, Link::Forward, Held::from(&guard))
        .expect("it is there");
    *child.controller.lock().unwrap() = Some(pinned);
}

#[test]
fn a_pinned_entry_stays_findable_and_is_looked_at_again_on_the_list_that_was_chosen() {
    let mut world = World::new(even);
    let view = world.view();
    world.add(1, Some(1));
    world.collect();
    let pinned = pin(&view, 1).unwrap();
    for round in 1..=3 {
        let from = if round == 1 { 1 } else { 3 };
        world.keeper.visit(from, |_| Fate::RemoveOrList(3));
        assert_eq!(pinned.kept.load(Ordering::Relaxed), round);
        assert_eq!(world.keeper.entries(), 1);
        assert!(world.has(1, Link::Forward) && world.has(1, Link::Reverse));
    }
    drop(pinned);
    world.keeper.visit(3, |flow| {
        assert!(!flow.is_removed.load(Ordering::Relaxed));
        Fate::RemoveOrList(3)
    });
    assert_eq!(world.keeper.entries(), 0);
    world.settle();
    assert_eq!(world.census.alive(), 0);
    drop(view);
    world.close();
}

#[test]
fn a_pinned_entry_that_is_hidden_is_freed_only_after_its_holder_let_go() {
    let mut world = World::new(even);
    let view = world.view();
    world.add(1, None);
    world.collect();
    let pinned = pin(&view, 1).unwrap();
    {
        let guard = read_lock();
        let flow = view.find(1, Link::Forward, Held::from(&guard)).unwrap();
        assert!(world.keeper.remove(flow), "it is hidden");
    }
    assert!(!world.has(1, Link::Forward));
    world.settle();
    pinned.check();
    assert_eq!(world.census.alive(), 1);
    drop(pinned);
    world.keeper.visit(0, |_| Fate::Remove);
    world.settle();
    assert_eq!(world.census.alive(), 0);
    drop(view);
    world.close();
}

#[test]
fn an_entry_that_its_keeper_let_go_cannot_be_pinned() {
    let mut world = World::new(even);
    let view = world.view();
    world.add(1, None);
    world.collect();
    let guard = read_lock();
    let flow = view.find(1, Link::Forward, Held::from(&guard)).unwrap();
    assert!(!flow.is_pinned());
    world.keeper.visit(1, |_| Fate::Remove);
    assert!(flow.pin().is_none(), "it is about to be freed");
    flow.check();
    drop(guard);
    drop(view);
    world.close();
}

#[test]
fn a_keeper_that_retires_leaves_what_is_pinned_for_later() {
    let mut world = World::new(even);
    let view = world.view();
    world.add(1, None);
    world.add(2, None);
    let pinned = pin(&view, 1).unwrap();
    assert!(world.keeper.retire());
    assert_eq!(world.keeper.entries(), 1);
    assert!(world.has(1, Link::Forward) && !world.has(2, Link::Forward));
    world.settle();
    pinned.check();
    assert!(world.keeper.retire(), "one is still there");
    drop(pinned);
    drop(view);
    world.close();
}

#[test]
fn a_keeper_that_goes_frees_entries_that_hold_each_other() {
    let mut world = World::new(even);
    let view = world.view();
    for key in 1..=4 {
        world.add(key, None);
    }
    world.collect();
    // 4 holds 3, which holds 2; 1 is held by two.
    for (child, controller) in [(2, 1), (3, 2), (4, 3)] {
        hold(&view, child, controller);
    }
    let mut extra = Vec::new();
    for key in 5..=300 {
        world.add(key, None);
        extra.push(key);
    }
    for key in extra {
        hold(&view, key, 1);
    }
    drop(view);
    world.close();
}

#[test]
fn a_keeper_that_goes_waits_for_whoever_holds_an_entry_from_outside() {
    let mut world = World::new(even);
    let view = world.view();
    world.add(1, None);
    world.collect();
    let pinned = pin(&view, 1).unwrap();
    drop(view);
    let has_let_go = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..1000 {
                pinned.check();
                thread::yield_now();
            }
            has_let_go.store(true, Ordering::Release);
            drop(pinned);
        });
        world.close();
        assert!(has_let_go.load(Ordering::Acquire));
    });
}

#[test]
fn pins_taken_while_the_keeper_removes_never_outlive_their_entry() {
    const KEYS: u64 = 8;
    let mut world = World::new(even);
    let views: Vec<_> = (0..3).map(|_| Mutex::new(world.view())).collect();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        for view in &views {
            scope.spawn(|| {
                let view = view.lock().unwrap();
                let mut held = Vec::new();
                let mut round = 0;
                while !is_over.load(Ordering::Relaxed) {
                    held.extend(pin(&view, round % KEYS));
                    round += 1;
                    if held.len() > 4 {
                        held.iter().for_each(|pinned| pinned.check());
                        held.clear();
                    }
                }
            });
        }
        for round in 0..20_000 * u64::from(patience()) {
            world.add(round % KEYS, Some(round % KEYS));
            world.end(round % KEYS);
            world.collect();
        }
        is_over.store(true, Ordering::Relaxed);
    });
    drop(views);
    world.close();
}
