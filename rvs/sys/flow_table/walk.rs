// SPDX-License-Identifier: GPL-2.0-only

//! A walk over all entries of a table that may take as long as it likes, while
//! the table changes, grows and shrinks. What is done with the entries is the
//! walker's business.
//!
//! A bucket holds the hashes that end in the same bits, so read backwards, bit by bit, they are all
//! numbers between two bounds. The walk goes through these numbers upwards: where a bucket is
//! split or two become one, only bounds between buckets change, never the order.

use super::{bucket::LockedChain, Entry, FlowTable, Geometry, Held, Lent, Link, Node};
use core::{ptr::NonNull, sync::atomic::Ordering};

/// How far a walk got. The default is the start.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Place {
    /// The forward hash, read backwards, below which every entry was met.
    at: u64,
    /// How many entries with just this one were met.
    passed: u64,
}

impl Place {
    /// The place that [`Place::to_words`] gave these words for.
    pub const fn from_words([at, passed]: [u64; 2]) -> Self {
        Self { at, passed }
    }

    /// The place as two words, to be kept between two steps. Any two words are a place.
    pub const fn to_words(self) -> [u64; 2] {
        [self.at, self.passed]
    }

    /// Whether entries may follow that have the hash of one that was met.
    pub const fn is_amid_equals(self) -> bool {
        self.passed != 0
    }

    /// Behind an entry whose hash, read backwards, is `order`.
    fn behind(self, order: u64) -> Self {
        let passed = if order == self.at { self.passed } else { 0 };
        Self {
            at: order,
            passed: passed.wrapping_add(1),
        }
    }
}

/// Where a step of a walk ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Walked {
    /// Further on: at the end of a bucket, or amid a long one.
    On(Place),
    /// Before an entry that the walker did not take.
    Stopped(Place),
    /// At the end of the table.
    Through,
}

impl Geometry {
    /// The bound of a bucket, of hashes read backwards: its own are below. `None` for the last one.
    fn bound(self, index: u32) -> Option<u64> {
        let last = self.buckets().wrapping_sub(1);
        let mask = u32::MAX >> (last.leading_zeros() & 31);
        // The bit by which a bucket differs from the one that was split off it.
        let split = mask ^ (mask >> 1);
        let is_whole = index & split == 0 && index | split > last;
        let bits = mask.count_ones().wrapping_sub(u32::from(is_whole));
        let width = 1u64.checked_shl(u64::BITS.wrapping_sub(bits))?;
        u64::from(index).reverse_bits().checked_add(width)
    }
}

impl<T: Entry> FlowTable<T> {
    /// Takes a walk one bucket further, or a part of a bucket with very many entries. From a default [`Place`] on, it meets every entry that is in the
    /// table from its first step to its last just once, whether the table grows, shrinks or neither;
    /// of entries that come and go meanwhile, some. Only where one of several entries with the very same
    /// hash comes or goes between two steps, another of these can be missed or met twice.
    ///
    /// `visit` says whether it has taken the entry. It is called with the bucket locked: it must not
    /// sleep, nor insert or unlink anything.
    pub fn walk<'a>(
        &'a self,
        from: Place,
        visit: impl FnMut(Lent<'a, T>) -> bool,
        rcu: Held<'a>,
    ) -> Walked {
        let hash = from.at.reverse_bits();
        loop {
            let index = self.geometry(Ordering::Acquire).index(hash);
            let Some(bucket) = self.bucket(index, rcu) else {
                continue;
            };
            let chain = bucket.lock();
            // Nobody splits or empties the chain while it is locked, so if this is the bucket now, it has
            // the same hashes until then.
            let now = self.geometry(Ordering::Acquire);
            if now.index(hash) == index {
                return self.walk_chain(&chain, from, now.bound(index), visit, rcu);
            }
        }
    }

    fn walk_chain<'a>(
        &'a self,
        chain: &LockedChain<'_, T>,
        from: Place,
        bound: Option<u64>,
        mut visit: impl FnMut(Lent<'a, T>) -> bool,
        rcu: Held<'a>,
    ) -> Walked {
        let mut place = from;
        let (few, has_more) = next_few(chain, place);
        for (order, node) in few.into_iter().flatten() {
            // SAFETY: in the table, and the read side is held for `'a`.
            if !visit(unsafe { self.lend(node, rcu) }) {
                return Walked::Stopped(place);
            }
            place = place.behind(order);
        }
        match bound {
            _ if has_more => Walked::On(place),
            Some(at) => Walked::On(Place { at, passed: 0 }),
            None => Walked::Through,
        }
    }
}

/// Entries of a bucket that one step visits at most: each step looks through the chain once, however
/// long that is.
const FEW: usize = 16;

/// An entry of a chain, with its forward hash read backwards.
type Next<T> = Option<(u64, NonNull<Node<T>>)>;

/// The entries that come next in a chain, which keeps no order, and whether there are more.
fn next_few<T>(chain: &LockedChain<'_, T>, place: Place) -> ([Next<T>; FEW], bool) {
    let mut few = [const { None }; FEW];
    let (mut passed, mut has_more) = (0u64, false);
    for (node, link, _) in chain.entries() {
        if link != Link::Forward {
            continue;
        }
        // SAFETY: in the chain, which is locked.
        let order = unsafe { node.as_ref() }.hashes.forward.reverse_bits();
        if order == place.at && passed < place.passed {
            passed = passed.wrapping_add(1);
        } else if order >= place.at {
            has_more |= insert(&mut few, (order, node));
        }
    }
    (few, has_more)
}

/// Puts an entry among those in order, behind its equals. Whether one had to go for it, or it found no
/// place.
fn insert<T>(few: &mut [Next<T>; FEW], entry: (u64, NonNull<Node<T>>)) -> bool {
    let mut carried = entry;
    let mut has_place = false;
    for slot in few {
        match slot.replace(carried) {
            None => return false,
            Some(held) if has_place || carried.0 < held.0 => {
                has_place = true;
                carried = held;
            }
            Some(held) => *slot = Some(held),
        }
    }
    true
}
