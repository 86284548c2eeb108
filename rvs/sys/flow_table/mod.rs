// SPDX-License-Identifier: GPL-2.0-only

//! A hash table that readers walk under RCU without writing to memory, that
//! grows and shrinks one bucket at a time while in use (linear hashing, Litwin
//! 1980), and in which an entry can stand under two keys. What the keys are is
//! the entry's business.
//!
//! Writers lock one chain of buckets; a reader that crosses a move of slots
//! notices (a tagged pointer, or a changed geometry) and looks again, so an
//! entry that is in the table is always found.

mod bucket;
mod desk;
mod keeper;
mod resize;
mod walk;

pub use bucket::Bucket;
use bucket::Scan;
pub use desk::Custody;
use desk::Desk;
use keeper::Retired;
pub use keeper::{Fate, Keeper, Occasion};
pub use walk::{Place, Walked};

use super::{cpu, memory::Array, rcu::Held, slab::Cache, Arc};
use core::{
    ops::Deref,
    ptr::{self, NonNull},
    sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering},
};

/// Under which of its keys an entry stands in a slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Link {
    /// The key of the packets that created it.
    Forward,
    /// The key of the answers, where it differs.
    Reverse,
}

/// What can be an entry of a [`FlowTable`].
pub trait Entry: Send + Sync + 'static {
    /// What all entries of a table have in common: their keeper holds it for those that leave.
    type Owner: Send + Sync + 'static;

    /// A number that stays with the entry as it is when the entry is inserted: the time, say.
    fn stamp(&self) -> u32 {
        0
    }

    /// Its keeper removes it from the table: nobody will find or pin it any more, but those who have
    /// found it may still look at it.
    fn removed(&self, _owner: &Self::Owner) {}

    /// Its keeper was about to remove it, but it is pinned.
    fn kept(&self) {}
}

/// The hashes of an entry's keys, by a function that its owner keys with a secret: whoever chooses the
/// keys must not be able to choose the buckets.
#[derive(Clone, Copy)]
pub struct Hashes {
    /// Of the key under [`Link::Forward`].
    pub forward: u64,
    /// Of the key under [`Link::Reverse`], if it stands under that too.
    pub reverse: Option<u64>,
}

impl Hashes {
    fn of(&self, link: Link) -> Option<u64> {
        match link {
            Link::Forward => Some(self.forward),
            Link::Reverse => self.reverse,
        }
    }

    /// Slots that the entry uses.
    fn links(&self) -> u64 {
        match self.reverse {
            Some(_) => 2,
            None => 1,
        }
    }
}

/// An entry and the keeper's links, which stand last: readers touch only what `T` puts first.
#[repr(C)]
pub struct Node<T> {
    value: T,
    /// One for the keeper and one for each [`Pinned`]. 0 once the keeper has let go.
    holds: AtomicU32,
    stamp: u32,
    /// The next node of the list this one is on.
    next: AtomicPtr<Node<T>>,
    /// The pointer that points to this node; null if the node is on no list.
    holder: AtomicPtr<AtomicPtr<Node<T>>>,
    /// The next letter; null if there is no letter about this node.
    letter: AtomicPtr<Node<T>>,
    hashes: Hashes,
}

/// An entry of a table, lent under RCU.
///
/// # Invariants
///
/// The read side of RCU is held for `'a`, and the node was found in the table under it.
pub struct Lent<'a, T: Entry> {
    node: &'a Node<T>,
    table: &'a FlowTable<T>,
}

impl<T: Entry> Clone for Lent<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Entry> Copy for Lent<'_, T> {}

impl<T: Entry> Deref for Lent<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.node.value
    }
}

impl<'a, T: Entry> Lent<'a, T> {
    /// Keeps the entry in memory, and in the table unless it is unlinked. `None` if it is about to be
    /// freed.
    pub fn pin(self) -> Option<Pinned<T>> {
        Pinned::new(self.node)
    }

    /// Whether the entry is pinned.
    pub fn is_pinned(self) -> bool {
        self.node.holds.load(Ordering::Relaxed) > 1
    }

    /// What [`Entry::stamp`] said when the entry was inserted.
    pub fn stamp(self) -> u32 {
        self.node.stamp
    }

    /// The entry for as long as the read side is held.
    #[inline]
    pub fn get(self) -> &'a T {
        &self.node.value
    }

    /// Asks the keeper to look at the entry soon. Whether the keeper may have to be woken.
    pub fn ask(self) -> bool {
        let Some(desk) = self.table.desk() else {
            return false;
        };
        // SAFETY: by the type invariants.
        unsafe { desk.write(NonNull::from(self.node)) }
    }

    /// Hides the entry from new readers; the keeper still frees it. `false` if it was hidden before.
    /// Never sleeps.
    pub fn unlink(self, rcu: Held<'a>) -> bool {
        self.table.unlink_node(NonNull::from(self.node), None, rcu)
    }
}

/// An entry that stays in memory as long as this exists, for as long as it takes. An entry can hold
/// others of its table that were there before it.
///
/// # Invariants
///
/// The node is live, and one of its holds is ours.
pub struct Pinned<T: Entry>(NonNull<Node<T>>);

// SAFETY: only gives shared access to an entry, which is `Sync`, and is counted atomically; the entry's
// value is dropped by its keeper, never here.
unsafe impl<T: Entry> Send for Pinned<T> {}
// SAFETY: as above.
unsafe impl<T: Entry> Sync for Pinned<T> {}

impl<T: Entry> Pinned<T> {
    /// `None` if the node is about to be freed, or is held too often.
    fn new(node: &Node<T>) -> Option<Self> {
        let held = node
            .holds
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |holds| {
                if holds == 0 {
                    None
                } else {
                    holds.checked_add(1)
                }
            });
        // INVARIANT: counted just now.
        held.is_ok().then_some(Self(NonNull::from(node)))
    }

    /// Pins the entry once more.
    pub fn pin(&self) -> Option<Self> {
        // SAFETY: live by the type invariants.
        Self::new(unsafe { self.0.as_ref() })
    }
}

impl<T: Entry> Deref for Pinned<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: live by the type invariants.
        unsafe { &self.0.as_ref().value }
    }
}

impl<T: Entry> Drop for Pinned<T> {
    fn drop(&mut self) {
        // SAFETY: live by the type invariants. What we did with the entry comes before the keeper's
        // letting go, which acquires.
        unsafe { self.0.as_ref() }
            .holds
            .fetch_sub(1, Ordering::Release);
    }
}

impl<T> Node<T> {
    /// Gives up the keeper's hold if it is the last one: nobody can pin the node after this.
    fn let_go(&self) -> bool {
        self.holds
            .compare_exchange(1, 0, Ordering::Acquire, Ordering::Relaxed)
            .is_ok()
    }
}

/// The caches that a table's entries and overflow buckets come from. Tables can share them.
pub struct Memory<T> {
    /// Entries.
    pub nodes: Cache<Node<T>>,
    /// Overflow buckets.
    pub buckets: Cache<Bucket<T>>,
}

/// Why an entry was not inserted.
pub enum NotInserted<'a, T: Entry> {
    /// The table already holds this one under the same forward key.
    Exists(Lent<'a, T>),
    /// Memory is out.
    NoMemory,
}

/// An entry that was just inserted.
pub struct Inserted<'a, T: Entry> {
    /// The entry, as every reader sees it.
    pub entry: Lent<'a, T>,
    /// For its keeper: hand it to [`FlowTable::post`].
    pub custody: Custody<T>,
    /// Whether a chain it went into is so long that the table should grow soon.
    pub is_crowded: bool,
    /// Whether it stands under all its keys. Otherwise memory ran out midway: unlink it, and let its
    /// keeper remove it.
    pub is_complete: bool,
}

/// Buckets in a segment: 16 KiB.
const SEGMENT: usize = 256;
/// Segments in a directory page: 4 KiB.
const PAGE: usize = 512;
/// Directory pages: together room for 16.7 million buckets.
const PAGES: usize = 128;
/// Buckets that are always there.
const MIN_BUCKETS: u32 = SEGMENT as u32;
const MAX_BUCKETS: u32 = (SEGMENT * PAGE * PAGES) as u32;
/// Buckets in a chain beyond which the table has too few of them, most likely: one that is about to
/// be split has up to twice as many slots in use as the average bucket.
const LONG_CHAIN: usize = 3;

type Directory<T> = Array<AtomicPtr<Bucket<T>>>;

/// How many buckets there are, and which of them a hash selects.
///
/// `buckets` is in the low half; the high half counts changes, so that a reader can tell that
/// entries were moved meanwhile, even if there are as many buckets as before.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Geometry(u64);

impl Geometry {
    fn buckets(self) -> u32 {
        self.0 as u32
    }

    #[inline]
    fn index(self, hash: u64) -> u32 {
        let last = self.buckets().wrapping_sub(1);
        // At least 8 bits are set, so the shift is less than 32.
        let mask = u32::MAX >> (last.leading_zeros() & 31);
        let index = hash as u32 & mask;
        if index > last {
            index & (mask >> 1)
        } else {
            index
        }
    }

    /// The next geometry, with this number of buckets.
    fn with_buckets(self, buckets: u32) -> Self {
        let version = (self.0 >> 32).wrapping_add(1);
        Self((version << 32) | u64::from(buckets))
    }
}

#[inline]
fn fingerprint(hash: u64) -> u8 {
    ((hash >> 56) as u8).max(1)
}

/// The table. See the module's description.
///
/// # Invariants
///
/// Every bucket below the geometry's number exists: its directory page and segment are published
/// before the geometry that includes them, and are freed only a grace period after it excludes
/// them. Every non-null pointer of the directory came from [`Array::into_raw`].
pub struct FlowTable<T: Entry> {
    geometry: AtomicU64,
    pages: [AtomicPtr<AtomicPtr<Bucket<T>>>; PAGES],
    memory: Arc<Memory<T>>,
    desks: Array<Desk<T>>,
}

impl<T: Entry> FlowTable<T> {
    /// An empty table; `None` when memory is out. Sleeps.
    fn new(memory: Arc<Memory<T>>) -> Option<Arc<Self>> {
        let table = Self {
            geometry: AtomicU64::new(u64::from(MIN_BUCKETS)),
            pages: [const { AtomicPtr::new(ptr::null_mut()) }; PAGES],
            memory,
            desks: Array::new(cpu::count())?,
        };
        // A failure drops what there is.
        table.provide_segment(0)?;
        super::new_arc(table)
    }

    fn desks(&self) -> &[Desk<T>] {
        &self.desks
    }

    fn desk(&self) -> Option<&Desk<T>> {
        self.desks.get(cpu::current_hint()).or(self.desks.first())
    }

    /// Hands a new entry of this table to its keeper; one of another table is left where it is, for
    /// ever. Whether the keeper may have to be woken.
    pub fn post(&self, entry: Custody<T>) -> bool {
        entry.is_of(self) && self.desk().is_some_and(|desk| desk.post(entry))
    }

    /// The caches of this table.
    pub fn memory(&self) -> &Arc<Memory<T>> {
        &self.memory
    }

    /// Slots without overflow buckets: the size that listings show.
    pub fn size(&self) -> u32 {
        self.geometry(Ordering::Relaxed)
            .buckets()
            .saturating_mul(bucket::SLOTS as u32)
    }

    /// Buckets that there are now: the end of a walk with [`FlowTable::bucket_entries`].
    pub fn buckets(&self) -> u32 {
        self.geometry(Ordering::Relaxed).buckets()
    }

    #[inline]
    fn geometry(&self, order: Ordering) -> Geometry {
        Geometry(self.geometry.load(order))
    }

    /// The bucket of this index, `None` only if it was freed by a shrinking of which the caller's
    /// geometry does not know yet.
    #[inline]
    fn bucket<'a>(&'a self, index: u32, _rcu: Held<'a>) -> Option<&'a Bucket<T>> {
        let segment = index as usize / SEGMENT;
        let page = self.pages.get(segment / PAGE)?.load(Ordering::Acquire);
        if page.is_null() {
            return None;
        }
        // SAFETY: by the type invariants a directory page has `PAGE` elements, and it lives as long
        // as the table.
        let segments = unsafe { &*page.add(segment % PAGE) };
        let first = segments.load(Ordering::Acquire);
        if first.is_null() {
            return None;
        }
        // SAFETY: a segment has `SEGMENT` buckets; it is freed only a grace period after its
        // pointer was taken away, and the read side is held for `'a`.
        Some(unsafe { &*first.add(index as usize % SEGMENT) })
    }

    /// The entry under this hash of which `judge` says something, and what that is. It gets entries of other keys
    /// too.
    #[inline]
    pub fn lookup<'a, R>(
        &'a self,
        hash: u64,
        judge: impl Fn(&T, Link) -> Option<R>,
        rcu: Held<'a>,
    ) -> Option<(Lent<'a, T>, R)> {
        loop {
            let geometry = self.geometry(Ordering::Acquire);
            if let Some(bucket) = self.bucket(geometry.index(hash), rcu) {
                // SAFETY: the read side is held.
                match unsafe { bucket.scan(fingerprint(hash), &judge) } {
                    Scan::Found(node, said) => {
                        // SAFETY: found in the table with the read side held for `'a`.
                        return Some((unsafe { self.lend(node, rcu) }, said));
                    }
                    // The loads of the scan have acquire order, so this load comes after them: a
                    // slot that a resize emptied is noticed.
                    Scan::Missed if self.geometry(Ordering::Acquire) == geometry => return None,
                    Scan::Missed | Scan::Moved => {}
                }
            }
        }
    }

    /// Runs `change` on the locked chain that a hash selects.
    fn with_chain<R>(
        &self,
        hash: u64,
        rcu: Held<'_>,
        change: impl FnOnce(&bucket::LockedChain<'_, T>) -> R,
    ) -> R {
        loop {
            let geometry = self.geometry(Ordering::Acquire);
            let Some(bucket) = self.bucket(geometry.index(hash), rcu) else {
                continue;
            };
            let chain = bucket.lock();
            // A resize holds the lock of each chain it moves from and publishes the geometry before
            // it lets go, so what is equal now stays so until the lock is dropped.
            let now = self.geometry(Ordering::Acquire);
            if now == geometry || now.index(hash) == geometry.index(hash) {
                return change(&chain);
            }
        }
    }

    /// # Safety
    ///
    /// The node was in this table at some moment while the read side was held for `'a`.
    #[inline]
    unsafe fn lend<'a>(&'a self, node: NonNull<Node<T>>, _rcu: Held<'a>) -> Lent<'a, T> {
        // INVARIANT: by the safety requirement.
        Lent {
            // SAFETY: it is freed only a grace period after it left the table.
            node: unsafe { node.as_ref() },
            table: self,
        }
    }

    fn new_bucket(&self) -> Option<NonNull<Bucket<T>>> {
        let bucket = self.memory.buckets.alloc()?;
        // SAFETY: fresh memory of the right size and alignment.
        unsafe { bucket.as_ptr().write(Bucket::default()) };
        Some(bucket)
    }

    /// Puts `value` into the table under all its keys, which have these hashes.
    ///
    /// `is_same` tells whether two entries have the same key. There is one of a forward key; of several of
    /// a reverse key the newest is found, unless a chain has become shorter since. Never sleeps; may be called
    /// from any context but hard interrupts.
    pub fn insert<'a>(
        &'a self,
        value: T,
        hashes: Hashes,
        is_same: impl Fn(&T, &T, Link) -> bool,
        rcu: Held<'a>,
    ) -> Result<Inserted<'a, T>, NotInserted<'a, T>> {
        let hash = hashes.forward;
        let Some(node) = self.memory.nodes.alloc() else {
            return Err(NotInserted::NoMemory);
        };
        let stamp = value.stamp();
        // SAFETY: fresh memory of the right size and alignment.
        unsafe {
            node.as_ptr().write(Node {
                value,
                holds: AtomicU32::new(1),
                stamp,
                next: AtomicPtr::new(ptr::null_mut()),
                holder: AtomicPtr::new(ptr::null_mut()),
                letter: AtomicPtr::new(ptr::null_mut()),
                hashes,
            });
        }
        let linked = self.with_chain(hash, rcu, |chain| {
            // SAFETY: nobody but us has the node.
            let value = unsafe { &node.as_ref().value };
            let is_twin =
                |other: &T, link| link == Link::Forward && is_same(value, other, Link::Forward);
            if let Some(twin) = chain.find(fingerprint(hash), &is_twin) {
                // SAFETY: in the table, and the read side is held for `'a`.
                return Err(NotInserted::Exists(unsafe { self.lend(twin, rcu) }));
            }
            self.link(chain, hash, node, Link::Forward)
                .ok_or(NotInserted::NoMemory)
        });
        let depth = match linked {
            Ok(depth) => depth,
            Err(why) => {
                // SAFETY: nobody but us has seen the node.
                unsafe { self.free_unlinked(node) };
                return Err(why);
            }
        };
        // SAFETY: the node is live, and this is its first and only custody.
        let custody = unsafe { Custody::new(node, self) };
        // SAFETY: it went into the table with the read side held for `'a`.
        let entry = unsafe { self.lend(node, rcu) };
        let reverse_depth = match hashes.reverse {
            None => Some(0),
            Some(hash) => self.with_chain(hash, rcu, |chain| {
                let value = entry.get();
                let is_older =
                    |other: &T, link| link == Link::Reverse && is_same(value, other, Link::Reverse);
                let older = chain.find(fingerprint(hash), &is_older);
                let depth = self.link(chain, hash, node, Link::Reverse)?;
                if let Some(older) = older {
                    chain.put_before(node, older, Link::Reverse);
                }
                Some(depth)
            }),
        };
        Ok(Inserted {
            entry,
            custody,
            is_crowded: depth.max(reverse_depth.unwrap_or(depth)) > LONG_CHAIN,
            is_complete: reverse_depth.is_some(),
        })
    }

    #[inline]
    fn link(
        &self,
        chain: &bucket::LockedChain<'_, T>,
        hash: u64,
        node: NonNull<Node<T>>,
        link: Link,
    ) -> Option<usize> {
        // SAFETY: the node is freed only by `free_unlinked` or by a graveyard, both after it left
        // the table; buckets come from our cache and go back through a graveyard.
        unsafe { chain.insert(fingerprint(hash), node, link, || self.new_bucket()) }
    }

    /// # Safety
    ///
    /// The node came from this table's cache, holds a value, and nobody refers to it.
    unsafe fn free_unlinked(&self, node: NonNull<Node<T>>) {
        // SAFETY: by the safety requirement.
        unsafe {
            ptr::drop_in_place(node.as_ptr());
            self.memory.nodes.free(node);
        }
    }

    fn unlink_node(
        &self,
        node: NonNull<Node<T>>,
        mut retired: Option<&mut Retired<'_, T>>,
        rcu: Held<'_>,
    ) -> bool {
        let mut was_linked = false;
        for link in [Link::Forward, Link::Reverse] {
            // SAFETY: the caller has the node from the table under RCU, or in its custody.
            let Some(hash) = unsafe { node.as_ref() }.hashes.of(link) else {
                continue;
            };
            self.with_chain(hash, rcu, |chain| {
                was_linked |= chain.remove(fingerprint(hash), node, link);
                if let Some(retired) = retired.as_mut() {
                    // SAFETY: they came from our cache, and left their chain just now.
                    let take = |bucket| unsafe { retired.take(bucket) };
                    chain.shorten(|| self.announce_move(), take);
                }
            });
        }
        was_linked
    }

    /// The entries of bucket `cursor` that stand there under their forward key, or `None` behind
    /// the last bucket. A walk with rising cursors meets every entry that stays in the table
    /// meanwhile once; but if the table grows on the way, it may meet some twice, and miss some if it
    /// shrinks: [`FlowTable::walk`] does neither. `visit` is called with the bucket locked: it must not sleep,
    /// nor insert or unlink anything.
    pub fn bucket_entries<'a>(
        &'a self,
        cursor: u32,
        mut visit: impl FnMut(Lent<'a, T>),
        rcu: Held<'a>,
    ) -> Option<()> {
        if cursor >= self.geometry(Ordering::Acquire).buckets() {
            return None;
        }
        let chain = self.bucket(cursor, rcu)?.lock();
        for (node, link, _) in chain.entries() {
            if link == Link::Forward {
                // SAFETY: in the table, and the read side is held for `'a`.
                visit(unsafe { self.lend(node, rcu) });
            }
        }
        Some(())
    }
}
