// SPDX-License-Identifier: GPL-2.0-only

//! Readers, writers and the keeper at the same time.

use std::{
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
    thread,
};

use rvs_host_tests::sys::{
    flow_table::{Link, NotInserted},
    heap::Shortage,
    rcu::{read_lock, Held},
};

use crate::world::{crowded, even, patience, View, World};

/// Keys that are in the table all the time; the small ones are crowded.
const STABLE: u64 = 300;
/// Flows that each writer adds and ends again.
const TIDE: u64 = 600;
const WRITERS: u64 = 2;
/// How often the table turns from growing to shrinking or back.
const TURNS: u32 = 8;

/// Sizes at which the tide turns.
const HIGH: u32 = 7 * 520;
const LOW: u32 = 7 * 340;

/// What the threads tell each other.
#[derive(Default)]
struct Signals {
    is_over: AtomicBool,
    is_ebbing: AtomicBool,
    lookups: AtomicU32,
}

impl Signals {
    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    fn wait_for_tide(&self, is_ebbing: bool) {
        while self.is_ebbing.load(Ordering::Relaxed) != is_ebbing && !self.is_over() {
            thread::yield_now();
        }
    }

    /// Turns the tide if the table's size says so. Whether it did.
    fn turn_tide(&self, size: u32) -> bool {
        let is_ebbing = self.is_ebbing.load(Ordering::Relaxed);
        let turns = if is_ebbing { size < LOW } else { size > HIGH };
        self.is_ebbing.fetch_xor(turns, Ordering::Relaxed);
        turns
    }
}

/// Ends the run when it is dropped, in a panic too, so that no thread waits for one that is gone.
struct EndsRun<'a>(&'a Signals);

impl Drop for EndsRun<'_> {
    fn drop(&mut self) {
        self.0.is_over.store(true, Ordering::Relaxed);
    }
}

/// Looks up what must be there.
fn read(view: &View, signals: &Signals, first: u64) {
    let _ends = EndsRun(signals);
    let mut lookups = 0;
    for key in (0..STABLE).cycle().skip(first as usize) {
        if signals.is_over() {
            break;
        }
        let guard = read_lock();
        for link in [Link::Forward, Link::Reverse] {
            let flow = view.find(key, link, Held::from(&guard));
            assert!(flow.is_some(), "{key} is not found under {link:?}");
        }
        lookups += 2;
    }
    signals.lookups.fetch_add(lookups, Ordering::Relaxed);
}

/// Adds flows, waits until the table has grown, ends them, waits until it has shrunk, and so on.
fn write(view: &View, signals: &Signals, writer: u64) {
    let _ends = EndsRun(signals);
    let first = 1_000_000 * (writer + 1);
    while !signals.is_over() {
        let added: Vec<u64> = (first..first + TIDE)
            .filter(|&key| add(view, key))
            .collect();
        signals.wait_for_tide(true);
        for key in added {
            let guard = read_lock();
            let rcu = Held::from(&guard);
            assert!(view.find(key, Link::Reverse, rcu).is_some(), "{key}");
            assert!(view.end(key, rcu), "{key} is lost");
            assert!(!view.end(key, rcu), "{key} was there twice");
            assert!(view.find(key, Link::Reverse, rcu).is_none(), "{key}");
        }
        signals.wait_for_tide(false);
    }
}

/// Whether there was memory.
fn add(view: &View, key: u64) -> bool {
    let guard = read_lock();
    let rcu = Held::from(&guard);
    match view.insert(key, Some(key), rcu) {
        Ok(inserted) => {
            if !inserted.is_complete {
                view.end_flow(inserted.entry, rcu);
            }
            view.table.post(inserted.custody);
            inserted.is_complete
        }
        Err(NotInserted::NoMemory) => false,
        Err(NotInserted::Exists(_)) => panic!("{key} is not gone"),
    }
}

/// Lets all of them loose on one table. `scarcity`: one in so many allocations fails.
fn run(mut world: World, scarcity: Option<u64>) {
    for key in 0..STABLE {
        assert!(world.add(key, Some(key)));
    }
    let signals = Signals::default();
    let scarce = |seed| scarcity.map(|one_in| Shortage::one_in(one_in, seed));
    let turns_wanted = TURNS * patience();
    let mut turns = 0;
    thread::scope(|scope| {
        let ends = EndsRun(&signals);
        for first in [0, STABLE / 2] {
            let (view, signals) = (world.view(), &signals);
            scope.spawn(move || read(&view, signals, first));
        }
        for writer in 0..WRITERS {
            let (view, signals) = (world.view(), &signals);
            scope.spawn(move || {
                let _shortage = scarce(writer);
                write(&view, signals, writer);
            });
        }
        let _shortage = scarce(WRITERS);
        for round in 0.. {
            if turns == turns_wanted || signals.is_over() {
                break;
            }
            world.collect();
            world.keeper.visit(round, |flow| flow.fate());
            world.keeper.resize(1 << (round % 10));
            turns += u32::from(signals.turn_tide(world.table.size()));
        }
        drop(ends);
    });
    println!(
        "{turns} turns, {} lookups",
        signals.lookups.load(Ordering::Relaxed)
    );
    assert_eq!(turns, turns_wanted);
    for key in 0..STABLE {
        assert!(world.end(key));
    }
    world.close();
}

#[test]
fn readers_find_what_is_there_while_the_table_grows_and_shrinks() {
    run(World::new(crowded), None);
}

#[test]
fn readers_find_what_is_there_while_memory_runs_out_again_and_again() {
    run(World::new(even), Some(30));
}
