// SPDX-License-Identifier: GPL-2.0-only

//! What any thread leaves for the keeper: nothing is lost, nothing is decided twice or too late.

use std::{
    sync::{
        atomic::{AtomicBool, AtomicU64, Ordering},
        Barrier,
    },
    thread,
};

use rvs_host_tests::sys::{
    flow_table::{Custody, Fate, Link, NotInserted, Occasion},
    rcu::{read_lock, Held},
};

use crate::world::{even, patience, Flow, View, World};

/// Keys that the threads fight for.
const KEYS: u64 = 300;
/// What each thread does.
const DEEDS: u64 = 30_000;

/// Set by who leaves something where nothing was before, as the owner of a table wakes its keeper.
#[derive(Default)]
struct Bell(AtomicBool);

impl Bell {
    fn ring_if(&self, is_needed: bool) {
        if is_needed {
            self.0.store(true, Ordering::Release);
        }
    }

    fn was_rung(&self) -> bool {
        self.0.swap(false, Ordering::Acquire)
    }
}

/// A keeper's decision, which checks that it is one that should be made.
fn decide(flow: &Flow, occasion: Occasion) -> Fate {
    flow.check();
    assert!(!flow.is_buried.load(Ordering::Relaxed), "after its burial");
    let had_arrived = flow.has_arrived.swap(true, Ordering::Relaxed);
    assert_eq!(had_arrived, occasion != Occasion::Arrived);
    let asked = flow.asked.load(Ordering::Relaxed);
    flow.answered.store(asked, Ordering::Relaxed);
    let fate = flow.fate();
    flow.is_buried
        .store(fate == Fate::Remove, Ordering::Relaxed);
    fate
}

/// Inserts, asks, ends, and posts late.
fn meddle(view: &View, bell: &Bell, inserted: &AtomicU64, seed: u64) {
    let mut unposted: Vec<Custody<Flow>> = Vec::new();
    for round in 0..DEEDS * u64::from(patience()) {
        let dice = even((seed << 32) | round);
        let key = dice % KEYS;
        let guard = read_lock();
        let rcu = Held::from(&guard);
        match (dice >> 32) % 8 {
            0..3 => match view.insert(key, (key % 2 == 0).then_some(key), rcu) {
                Ok(new) => {
                    inserted.fetch_add(1, Ordering::Relaxed);
                    unposted.push(new.custody);
                }
                Err(NotInserted::Exists(flow)) => flow.check(),
                Err(NotInserted::NoMemory) => panic!("memory is ample"),
            },
            3..6 => {
                if let Some(flow) = view.find(key, Link::Forward, rcu) {
                    flow.asked.fetch_add(1, Ordering::Relaxed);
                    bell.ring_if(flow.ask());
                }
            }
            6 => {
                if let Some(flow) = view.find(key, Link::Forward, rcu) {
                    flow.is_ended.store(true, Ordering::Relaxed);
                    flow.unlink(rcu);
                    bell.ring_if(flow.ask());
                }
            }
            _ => {
                for custody in unposted.drain(..) {
                    bell.ring_if(view.table.post(custody));
                }
            }
        }
    }
    for custody in unposted {
        bell.ring_if(view.table.post(custody));
    }
}

#[test]
fn each_arrival_is_decided_once_and_each_wish_is_heard() {
    let mut world = World::new(even);
    let bell = Bell::default();
    let inserted = AtomicU64::new(0);
    let mut arrived = 0u64;
    let mut removed = 0u64;
    let mut count = |flow: &Flow, occasion| {
        let fate = decide(flow, occasion);
        arrived += u64::from(occasion == Occasion::Arrived);
        removed += u64::from(fate == Fate::Remove);
        fate
    };
    let threads = 3;
    let barrier = Barrier::new(threads + 1);
    thread::scope(|scope| {
        let mut meddlers = Vec::new();
        for seed in 0..threads as u64 {
            let (view, barrier) = (world.view(), &barrier);
            let (bell, inserted) = (&bell, &inserted);
            meddlers.push(scope.spawn(move || {
                barrier.wait();
                meddle(&view, bell, inserted, seed);
            }));
        }
        barrier.wait();
        while !meddlers.iter().all(|thread| thread.is_finished()) {
            // Only when it is told to, so that a bell that is not rung would be noticed below.
            if bell.was_rung() {
                world.keeper.collect(&mut count);
            }
            thread::yield_now();
        }
    });
    if bell.was_rung() {
        world.keeper.collect(&mut count);
    }
    println!("{arrived} arrivals");
    assert_eq!(arrived, inserted.into_inner(), "arrivals decided");
    assert_eq!(world.keeper.entries(), arrived - removed);
    for list in 0..crate::world::LISTS {
        world.keeper.visit(list, |flow| {
            let asked = flow.asked.load(Ordering::Relaxed);
            assert_eq!(flow.answered.load(Ordering::Relaxed), asked);
            assert!(!flow.is_ended.load(Ordering::Relaxed), "it asked to go");
            Fate::List(list)
        });
    }
    world.settle();
    assert_eq!(world.census.alive() as u64, arrived - removed);
    world.close();
}
