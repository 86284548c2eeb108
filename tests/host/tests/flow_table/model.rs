// SPDX-License-Identifier: GPL-2.0-only

//! The table against an ordinary map, by random sequences of operations.

use std::collections::{HashMap, HashSet};

use proptest::prelude::*;
use rvs_host_tests::sys::{
    flow_table::{Custody, Link, NotInserted},
    rcu::{read_lock, Held},
};

use crate::world::{crowded, patience, Flow, World, SMALL_KEYS};

/// What can be done to a table. Small keys meet in the same buckets; of the others there are
/// enough for the table to grow and shrink.
#[derive(Clone, Debug)]
enum Op {
    Insert { forward: u64, reverse: Option<u64> },
    InsertMany(u64),
    PostAll,
    End(u64),
    EndMany(u64),
    Hide(u64),
    Remove(u64),
    Ask(u64),
    Collect,
    Visit(usize),
    Resize(u32),
}

fn op() -> impl Strategy<Value = Op> {
    let key = || 0..SMALL_KEYS;
    prop_oneof![
        10 => (key(), proptest::option::of(0..SMALL_KEYS / 4))
            .prop_map(|(forward, reverse)| Op::Insert { forward, reverse }),
        2 => (200u64..900).prop_map(Op::InsertMany),
        4 => Just(Op::PostAll),
        6 => key().prop_map(Op::End),
        2 => (200u64..900).prop_map(Op::EndMany),
        2 => key().prop_map(Op::Hide),
        2 => key().prop_map(Op::Remove),
        2 => key().prop_map(Op::Ask),
        4 => Just(Op::Collect),
        1 => (0..crate::world::LISTS).prop_map(Op::Visit),
        4 => prop_oneof![1u32..8, Just(u32::MAX)].prop_map(Op::Resize),
    ]
}

/// What the map knows of an entry that can be found.
struct Known {
    reverse: Option<u64>,
    is_posted: bool,
    is_arrived: bool,
}

/// The table and the map, treated alike.
struct Twins {
    world: World,
    /// Custody of entries that have not been posted.
    unposted: Vec<Custody<Flow>>,
    known: HashMap<u64, Known>,
    /// Large keys in the order of their insertion.
    many: std::ops::Range<u64>,
}

impl Twins {
    fn new() -> Self {
        Self {
            world: World::new(crowded),
            unposted: Vec::new(),
            known: HashMap::new(),
            many: SMALL_KEYS..SMALL_KEYS,
        }
    }

    fn insert(&mut self, forward: u64, reverse: Option<u64>) {
        let view = self.world.view();
        let guard = read_lock();
        match view.insert(forward, reverse, Held::from(&guard)) {
            Ok(inserted) => {
                assert!(inserted.is_complete);
                self.unposted.push(inserted.custody);
                let known = Known {
                    reverse,
                    is_posted: false,
                    is_arrived: false,
                };
                let twin = self.known.insert(forward, known);
                assert!(twin.is_none(), "{forward} is there twice");
            }
            Err(NotInserted::Exists(twin)) => {
                assert_eq!(twin.forward, forward);
                assert_eq!(twin.reverse, self.known[&forward].reverse);
            }
            Err(NotInserted::NoMemory) => panic!("memory is ample"),
        }
    }

    fn end(&mut self, forward: u64) {
        let was_known = self.known.remove(&forward).is_some();
        assert_eq!(self.world.end(forward), was_known, "{forward}");
    }

    /// Takes an entry away without asking for it: only a visit to its list frees it.
    fn hide(&mut self, forward: u64, is_by_keeper: bool) {
        let view = self.world.view();
        let guard = read_lock();
        let rcu = Held::from(&guard);
        let found = view.find(forward, Link::Forward, rcu);
        let known = self.known.remove(&forward);
        assert_eq!(found.is_some(), known.is_some(), "{forward}");
        let (Some(flow), Some(known)) = (found, known) else {
            return;
        };
        let alive = self.world.keeper.entries();
        flow.is_ended
            .store(true, std::sync::atomic::Ordering::Relaxed);
        if is_by_keeper {
            assert!(self.world.keeper.remove(flow));
            let removed = u64::from(known.is_arrived);
            assert_eq!(self.world.keeper.entries(), alive - removed);
        } else {
            assert!(flow.unlink(rcu));
            assert!(!flow.unlink(rcu), "it is hidden already");
        }
    }

    fn apply(&mut self, op: &Op) {
        match *op {
            Op::Insert { forward, reverse } => self.insert(forward, reverse),
            Op::InsertMany(count) => {
                for forward in self.many.end..self.many.end + count {
                    self.insert(forward, Some(forward));
                }
                self.many.end += count;
            }
            Op::PostAll => {
                for custody in self.unposted.drain(..) {
                    self.world.table.post(custody);
                }
                for known in self.known.values_mut() {
                    known.is_posted = true;
                }
            }
            Op::End(forward) => self.end(forward),
            Op::EndMany(count) => {
                for _ in 0..count {
                    if let Some(forward) = self.many.next() {
                        self.end(forward);
                    }
                }
            }
            Op::Hide(forward) => self.hide(forward, false),
            Op::Remove(forward) => self.hide(forward, true),
            Op::Ask(forward) => {
                let view = self.world.view();
                let guard = read_lock();
                if let Some(flow) = view.find(forward, Link::Forward, Held::from(&guard)) {
                    flow.ask();
                }
            }
            Op::Collect => {
                self.world.collect();
                for known in self.known.values_mut() {
                    known.is_arrived = known.is_posted;
                }
            }
            Op::Visit(list) => self.world.keeper.visit(list, |flow| flow.fate()),
            Op::Resize(steps) => {
                self.world.keeper.resize(steps);
                self.check_all();
            }
        }
    }

    fn check_small_keys(&self) {
        for key in 0..SMALL_KEYS {
            let is_known = self.known.contains_key(&key);
            assert_eq!(self.world.has(key, Link::Forward), is_known, "{key}");
            let is_reverse = self.known.values().any(|known| known.reverse == Some(key));
            assert_eq!(self.world.has(key, Link::Reverse), is_reverse, "{key}");
        }
    }

    /// Every entry under both keys, those that are gone under none, and a walk over all.
    fn check_all(&self) {
        self.check_small_keys();
        for key in SMALL_KEYS..self.many.end {
            let is_known = self.known.contains_key(&key);
            assert_eq!(self.world.has(key, Link::Forward), is_known, "{key}");
            assert_eq!(self.world.has(key, Link::Reverse), is_known, "{key}");
        }
        let mut walked = HashSet::new();
        let guard = read_lock();
        for bucket in 0..self.world.table.buckets() {
            self.world.table.bucket_entries(
                bucket,
                |flow| assert!(walked.insert(flow.forward), "{} twice", flow.forward),
                Held::from(&guard),
            );
        }
        assert_eq!(walked, self.known.keys().copied().collect());
    }

    fn close(mut self) {
        self.check_all();
        self.apply(&Op::PostAll);
        self.world.settle();
        for list in 0..crate::world::LISTS {
            self.world.keeper.visit(list, |flow| flow.fate());
        }
        self.world.settle();
        self.check_all();
        assert_eq!(self.world.keeper.entries(), self.known.len() as u64);
        assert_eq!(self.world.census.alive(), self.known.len());
        self.world.close();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24 * patience()))]

    #[test]
    fn the_table_holds_what_a_map_would_hold(ops in proptest::collection::vec(op(), 1..120)) {
        let mut twins = Twins::new();
        for op in &ops {
            twins.apply(op);
            twins.check_small_keys();
        }
        twins.close();
    }

}
