// SPDX-License-Identifier: GPL-2.0-only

//! What a reader finds when writers and the keeper run in the middle of its lookup. A lookup calls
//! back for each entry whose fingerprint fits, and all entries here have the same one.

use std::{
    cell::RefCell,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use proptest::prelude::*;
use rvs_host_tests::sys::{
    cpu::elsewhere,
    flow_table::Link,
    rcu::{read_lock, Held},
};

use crate::world::{even, hash_of, patience, Flow, View, World};

/// Keys below this are in one bucket until there are more than [`SPLIT`], and in two then.
const CROWD: u64 = 10_000;
/// The bucket that the crowd's first bucket is split into.
const SPLIT: u64 = 270;

fn one_crowd(number: u64) -> u64 {
    let key = number / 2;
    if key < CROWD {
        (0x55 << 56) | (SPLIT - 256 + (key & 1) * 256)
    } else {
        even(number)
    }
}

/// What happens between two steps of a lookup.
#[derive(Clone, Debug)]
enum Event {
    Add,
    End(usize),
    Collect,
    /// Other entries come until the crowd is split.
    Grow,
    /// They go until it is one again.
    Shrink,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        16 => Just(Event::Add),
        16 => any::<usize>().prop_map(Event::End),
        16 => Just(Event::Collect),
        1 => Just(Event::Grow),
        1 => Just(Event::Shrink),
    ];
    proptest::collection::vec(event, 0..12)
}

struct Crowd {
    world: World,
    /// The crowd's keys in the table, but for the one that is looked for.
    present: Vec<u64>,
    next: u64,
    others: std::ops::Range<u64>,
}

impl Crowd {
    /// A crowd of so many, and the key that is looked for: the one that came last.
    fn new(count: u64) -> (Self, u64) {
        let mut crowd = Self {
            world: World::new(one_crowd),
            present: Vec::new(),
            next: count + 1,
            others: CROWD..CROWD,
        };
        // The table never becomes smaller than that, so no event sleeps over a segment.
        crowd.grow();
        crowd.shrink();
        for key in 0..=count {
            crowd.world.add(key, None);
        }
        crowd.present.extend(0..count);
        crowd.world.settle();
        (crowd, count)
    }

    fn resize(&mut self) {
        self.world.collect();
        // Too few steps to take a breath in between.
        self.world.keeper.resize(255);
    }

    /// Entries in the table.
    fn count(&self) -> u64 {
        self.present.len() as u64 + self.others.end - self.others.start
    }

    fn grow(&mut self) {
        while self.count() < 5 * (SPLIT + 3) {
            self.world.add(self.others.end, None);
            self.others.end += 1;
        }
        self.resize();
    }

    fn shrink(&mut self) {
        while self.count() > 2 * (SPLIT - 5) {
            self.world.end(self.others.start);
            self.others.start += 1;
        }
        self.resize();
    }

    fn happen(&mut self, event: &Event) {
        match *event {
            Event::Add => {
                self.world.add(self.next, None);
                self.present.push(self.next);
                self.next += 1;
            }
            Event::End(index) if !self.present.is_empty() => {
                let key = self.present.remove(index % self.present.len());
                assert!(self.world.end(key), "{key}");
            }
            Event::End(_) => {}
            Event::Collect => self.world.collect(),
            Event::Grow => self.grow(),
            Event::Shrink => self.shrink(),
        }
    }
}

/// Looks for a key of the crowd, and calls `between` at each step.
fn interrupted_lookup(
    crowd: &RefCell<Crowd>,
    key: u64,
    mut between: impl FnMut(&mut Crowd),
) -> bool {
    let view = crowd.borrow().world.view();
    let between = RefCell::new(&mut between);
    let guard = read_lock();
    let found = view.table.lookup(
        hash_of(key, Link::Forward, one_crowd),
        |flow, _| {
            flow.check();
            elsewhere(|| (*between.borrow_mut())(&mut crowd.borrow_mut()));
            (flow.forward == key).then_some(())
        },
        Held::from(&guard),
    );
    found.is_some()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200 * patience()))]

    #[test]
    fn what_is_there_is_found_whatever_happens_meanwhile(
        count in 0u64..24, turns in proptest::collection::vec(events(), 1..20),
    ) {
        let (crowd, wanted) = Crowd::new(count);
        let crowd = RefCell::new(crowd);
        let mut turns = turns.iter();
        while turns.len() > 0 {
            let is_found = interrupted_lookup(&crowd, wanted, |crowd| {
                turns.next().into_iter().flatten().for_each(|event| crowd.happen(event));
            });
            prop_assert!(is_found);
            // Nothing is left whose grace period could end during the next lookup.
            crowd.borrow_mut().world.settle();
            turns.next();
        }
        crowd.into_inner().world.close();
    }
}

/// The wanted entry is in an overflow bucket; the reader has read that the chain goes on.
#[test]
fn a_chain_that_is_shortened_and_grows_again_does_not_hide_an_entry() {
    let (crowd, wanted) = Crowd::new(7);
    let crowd = RefCell::new(crowd);
    let mut is_first = true;
    let is_found = interrupted_lookup(&crowd, wanted, |crowd| {
        if std::mem::take(&mut is_first) {
            // Six stay, in one bucket; then a seventh and an eighth come.
            let events = [
                Event::End(3),
                Event::End(3),
                Event::Collect,
                Event::Add,
                Event::Add,
            ];
            events.iter().for_each(|event| crowd.happen(event));
        }
    });
    assert!(is_found);
    crowd.into_inner().world.close();
}

/// Runs `act` while another thread lends an entry from the table. That one waits until `has_begun`
/// says that `act` has come to where it must wait, gives it time to go on wrongly, and `inspect`s.
fn under_a_reader(
    world: World,
    key: u64,
    has_begun: impl Fn(&View) -> bool + Sync,
    inspect: impl Fn(&Flow) + Sync,
    act: impl FnOnce(World),
) {
    let view = world.view();
    let is_reading = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let view = view;
            let guard = read_lock();
            let flow = view.find(key, Link::Forward, Held::from(&guard));
            is_reading.store(true, Ordering::Release);
            while !has_begun(&view) {
                thread::yield_now();
            }
            for _ in 0..1000 {
                thread::yield_now();
            }
            inspect(flow.expect("it is in the table").get());
        });
        while !is_reading.load(Ordering::Acquire) {
            thread::yield_now();
        }
        act(world);
    });
}

#[test]
fn a_keeper_that_ends_waits_for_readers() {
    let (mut crowd, _) = Crowd::new(3);
    let key = crowd.present[0];
    crowd.world.settle();
    under_a_reader(
        crowd.world,
        key,
        |view| {
            let guard = read_lock();
            view.find(key, Link::Forward, Held::from(&guard)).is_none()
        },
        Flow::check,
        |world| drop(world.keeper),
    );
}

#[test]
fn a_table_that_shrinks_keeps_its_buckets_for_readers() {
    let (mut crowd, _) = Crowd::new(3);
    crowd.world.settle();
    let smallest = 256;
    assert!(crowd.world.table.buckets() > smallest);
    let arrays = crowd.world.arrays.clone();
    let before = arrays.objects();
    let key = crowd.present[0];
    under_a_reader(
        crowd.world,
        key,
        |view| view.table.buckets() == smallest,
        |_| assert_eq!(arrays.objects(), before, "a segment was freed"),
        |mut world| {
            for key in crowd.others {
                world.end(key);
            }
            world.settle();
            assert_eq!(arrays.objects(), before - 1, "the segment is still there");
            world.close();
        },
    );
}
