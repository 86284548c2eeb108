// SPDX-License-Identifier: GPL-2.0-only

//! A table of made-up flows that notice when they are used after they were freed, and that are
//! counted until the last one is gone.

use std::sync::{
    atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    Arc, Mutex,
};

use rvs_host_tests::sys::{
    flow_table::{
        Entry, Fate, FlowTable, Hashes, Inserted, Keeper, Lent, Link, Memory, NotInserted, Pinned,
    },
    heap::{self, Ledger},
    rcu::{read_lock, Held},
    slab::Cache,
};

/// How the numbers that are keys here become hashes.
pub(crate) type Spread = fn(u64) -> u64;

const INTACT: u64 = 0x1f10_3a11_7e5e_ed5a;

/// An entry: it stands under the number `forward` and perhaps under `reverse`.
pub(crate) struct Flow {
    intact: u64,
    pub(crate) forward: u64,
    pub(crate) reverse: Option<u64>,
    /// What the keeper is to do with it.
    pub(crate) is_ended: AtomicBool,
    /// How often it was asked for, and how much of that its keeper knew when it decided last.
    pub(crate) asked: AtomicU64,
    pub(crate) answered: AtomicU64,
    pub(crate) has_arrived: AtomicBool,
    pub(crate) is_buried: AtomicBool,
    /// What the keeper said of it: that it was removed, and how often it was kept because it is pinned.
    pub(crate) is_removed: AtomicBool,
    pub(crate) kept: AtomicU64,
    /// An entry that stays as long as this one does.
    pub(crate) controller: Mutex<Option<Pinned<Flow>>>,
    census: Arc<Census>,
}

/// How many flows there are.
#[derive(Default)]
pub(crate) struct Census {
    alive: AtomicUsize,
}

impl Census {
    pub(crate) fn alive(&self) -> usize {
        self.alive.load(Ordering::Relaxed)
    }
}

impl Flow {
    pub(crate) fn check(&self) {
        assert_eq!(self.intact, INTACT, "used after it was freed");
    }

    /// What a keeper does that keeps everything until it is ended.
    pub(crate) fn fate(&self) -> Fate {
        self.check();
        if self.is_ended.load(Ordering::Relaxed) {
            Fate::Remove
        } else {
            Fate::List(self.forward as usize)
        }
    }
}

impl Drop for Flow {
    fn drop(&mut self) {
        self.check();
        self.intact = 0;
        self.census.alive.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Entry for Flow {
    type Owner = ();

    fn removed(&self, (): &()) {
        self.check();
        assert!(
            !self.is_removed.swap(true, Ordering::Relaxed),
            "removed twice"
        );
    }

    fn kept(&self) {
        self.check();
        assert!(
            !self.is_removed.load(Ordering::Relaxed),
            "kept after its removal"
        );
        self.kept.fetch_add(1, Ordering::Relaxed);
    }
}

/// The hash of a key. A forward key and a reverse key of the same number have nothing in common.
pub(crate) fn hash_of(key: u64, link: Link, spread: Spread) -> u64 {
    spread(match link {
        Link::Forward => key * 2,
        Link::Reverse => key * 2 + 1,
    })
}

/// An even spread: the finalizer of SplitMix64 (Steele, Lea, Flood 2014).
pub(crate) fn even(number: u64) -> u64 {
    let z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// An even spread but for small keys and each eighth of the others, which crowd in a few buckets
/// under a few fingerprints: the lowest ones, where a fingerprint is like that of a free slot or
/// differs in one bit.
pub(crate) fn crowded(number: u64) -> u64 {
    let hash = even(number);
    if number < 2 * SMALL_KEYS || number / 2 % 8 == 0 {
        hash & 0x0300_0000_0000_0701
    } else {
        hash
    }
}

/// Keys below this are crowded by [`crowded`].
pub(crate) const SMALL_KEYS: u64 = 64;

/// Lists of the keepers here.
pub(crate) const LISTS: usize = 4;

/// How many times longer than usual the tests with threads run: `RVS_STRESS`, or once.
pub(crate) fn patience() -> u32 {
    std::env::var("RVS_STRESS").map_or(1, |times| times.parse().expect("RVS_STRESS is a number"))
}

/// A table, its keeper, and what they have allocated.
pub(crate) struct World {
    pub(crate) table: Arc<FlowTable<Flow>>,
    pub(crate) keeper: Keeper<Flow>,
    pub(crate) spread: Spread,
    pub(crate) census: Arc<Census>,
    /// Entries.
    pub(crate) nodes: Arc<Ledger>,
    /// Overflow buckets.
    pub(crate) buckets: Arc<Ledger>,
    /// Segments, directory pages and the like.
    pub(crate) arrays: Arc<Ledger>,
}

impl World {
    /// `None` when memory is out.
    pub(crate) fn try_new(spread: Spread) -> Option<Self> {
        let (nodes, buckets, arrays) = (Ledger::new(), Ledger::new(), Ledger::new());
        arrays.make_current();
        let memory = Arc::new(Memory {
            nodes: Cache::new(nodes.clone()),
            buckets: Cache::new(buckets.clone()),
        });
        let Some((table, keeper)) = Keeper::with_table(memory, LISTS, ()) else {
            assert_eq!(arrays.objects(), 0, "a table that could not be made leaks");
            return None;
        };
        Some(Self {
            table,
            keeper,
            spread,
            census: Arc::default(),
            nodes,
            buckets,
            arrays,
        })
    }

    pub(crate) fn new(spread: Spread) -> Self {
        Self::try_new(spread).expect("memory is ample")
    }

    /// What inserts into and looks up in this table, from any thread.
    pub(crate) fn view(&self) -> View {
        View {
            table: self.table.clone(),
            spread: self.spread,
            census: self.census.clone(),
        }
    }

    /// Inserts a flow and hands it to the keeper. `false` if there is one with its forward key.
    pub(crate) fn add(&self, forward: u64, reverse: Option<u64>) -> bool {
        let guard = read_lock();
        match self.view().insert(forward, reverse, Held::from(&guard)) {
            Ok(inserted) => {
                assert!(inserted.is_complete, "memory is ample");
                self.table.post(inserted.custody);
                true
            }
            Err(NotInserted::Exists(_)) => false,
            Err(NotInserted::NoMemory) => panic!("memory is ample"),
        }
    }

    /// Ends the flow of a forward key. `false` if there is none.
    pub(crate) fn end(&self, forward: u64) -> bool {
        let guard = read_lock();
        self.view().end(forward, Held::from(&guard))
    }

    pub(crate) fn has(&self, key: u64, link: Link) -> bool {
        let guard = read_lock();
        self.view().find(key, link, Held::from(&guard)).is_some()
    }

    /// Lets the keeper take in what waits for it.
    pub(crate) fn collect(&mut self) {
        self.keeper.collect(|flow, _| flow.fate());
    }

    /// Lets the keeper work until nothing waits to be freed and the table has the right size.
    pub(crate) fn settle(&mut self) {
        self.collect();
        while self.keeper.resize(u32::MAX) || self.keeper.has_waiting() {
            self.collect();
        }
    }

    /// Ends the table, and checks that everything was freed.
    pub(crate) fn close(self) {
        let Self {
            table,
            keeper,
            census,
            nodes,
            buckets,
            arrays,
            ..
        } = self;
        drop(keeper);
        assert_eq!(census.alive(), 0, "flows outlive their keeper");
        assert_eq!(nodes.objects(), 0, "entries leak");
        assert_eq!(Arc::strong_count(&table), 1);
        drop(table);
        assert_eq!(buckets.objects(), 0, "overflow buckets leak");
        assert_eq!(arrays.objects(), 0, "segments or directory pages leak");
        heap::check_freed_memory();
    }
}

/// A table as packets see it.
pub(crate) struct View {
    pub(crate) table: Arc<FlowTable<Flow>>,
    pub(crate) spread: Spread,
    census: Arc<Census>,
}

impl View {
    pub(crate) fn insert<'a>(
        &'a self,
        forward: u64,
        reverse: Option<u64>,
        rcu: Held<'a>,
    ) -> Result<Inserted<'a, Flow>, NotInserted<'a, Flow>> {
        self.census.alive.fetch_add(1, Ordering::Relaxed);
        let flow = Flow {
            intact: INTACT,
            forward,
            reverse,
            is_ended: AtomicBool::new(false),
            asked: AtomicU64::new(0),
            answered: AtomicU64::new(0),
            has_arrived: AtomicBool::new(false),
            is_buried: AtomicBool::new(false),
            is_removed: AtomicBool::new(false),
            kept: AtomicU64::new(0),
            controller: Mutex::default(),
            census: self.census.clone(),
        };
        let is_same = |_: &Flow, other: &Flow, link| {
            other.check();
            match link {
                Link::Forward => other.forward == forward,
                Link::Reverse => other.reverse == reverse,
            }
        };
        let hashes = Hashes {
            forward: hash_of(forward, Link::Forward, self.spread),
            reverse: reverse.map(|key| hash_of(key, Link::Reverse, self.spread)),
        };
        self.table.insert(flow, hashes, is_same, rcu)
    }

    pub(crate) fn find<'a>(
        &'a self,
        key: u64,
        link: Link,
        rcu: Held<'a>,
    ) -> Option<Lent<'a, Flow>> {
        let is_match = |flow: &Flow, under: Link| {
            flow.check();
            let is_it = match under {
                Link::Forward => flow.forward == key,
                Link::Reverse => flow.reverse == Some(key),
            };
            (is_it && under == link).then_some(under)
        };
        let hash = hash_of(key, link, self.spread);
        let (flow, under) = self.table.lookup(hash, is_match, rcu)?;
        assert_eq!(under, link);
        Some(flow)
    }

    /// Ends a flow as the owner of a connection does: says so, hides it, asks the keeper.
    pub(crate) fn end_flow<'a>(&self, flow: Lent<'a, Flow>, rcu: Held<'a>) {
        flow.is_ended.store(true, Ordering::Relaxed);
        flow.unlink(rcu);
        flow.ask();
    }

    /// Ends the flow of a forward key. `false` if there is none.
    pub(crate) fn end<'a>(&'a self, forward: u64, rcu: Held<'a>) -> bool {
        match self.find(forward, Link::Forward, rcu) {
            Some(flow) => {
                self.end_flow(flow, rcu);
                true
            }
            None => false,
        }
    }
}
