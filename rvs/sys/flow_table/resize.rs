// SPDX-License-Identifier: GPL-2.0-only

//! Growing and shrinking a table by one bucket, under readers and writers.
//! When to do so is its owner's decision.

use super::{
    bucket::LockedChain, keeper::Retired, Array, Bucket, Directory, Entry, FlowTable, Geometry,
    MAX_BUCKETS, MIN_BUCKETS, PAGE, SEGMENT,
};
use crate::sys::{
    rcu::{self, GracePeriod, Held},
    slab::Cache,
};
use core::{
    ptr,
    sync::atomic::{AtomicPtr, Ordering},
};

/// Slots per bucket that a table aims at when it is full: grows above.
const FULL: u64 = 5;
/// Slots per bucket below which a table shrinks.
const SPARSE: u64 = 2;

/// What a table needs for the number of slots in use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Need {
    /// More buckets.
    Grow,
    /// Fewer.
    Shrink,
    /// Nothing.
    Fine,
}

impl<T: Entry> FlowTable<T> {
    /// What the table needs when `links` slots are in use.
    pub(super) fn need(&self, links: u64) -> Need {
        let buckets = u64::from(self.geometry(Ordering::Relaxed).buckets());
        if links > buckets.saturating_mul(FULL) && buckets < u64::from(MAX_BUCKETS) {
            Need::Grow
        } else if links < buckets.saturating_mul(SPARSE) && buckets > u64::from(MIN_BUCKETS) {
            Need::Shrink
        } else {
            Need::Fine
        }
    }

    /// Makes the segment of this index exist; `None` when memory is out. Sleeps.
    pub(super) fn provide_segment(&self, segment: usize) -> Option<()> {
        let page = self.pages.get(segment / PAGE)?;
        let mut segments = page.load(Ordering::Acquire);
        if segments.is_null() {
            let directory: Directory<T> = Array::new(PAGE)?;
            segments = directory.into_raw();
            page.store(segments, Ordering::Release);
        }
        // SAFETY: a directory page has `PAGE` elements and lives as long as the table.
        let slot = unsafe { &*segments.add(segment % PAGE) };
        if slot.load(Ordering::Acquire).is_null() {
            let buckets: Array<Bucket<T>> = Array::new(SEGMENT)?;
            slot.store(buckets.into_raw(), Ordering::Release);
        }
        Some(())
    }

    /// Adds a bucket and moves the entries that belong there. `None` when memory is out, with the
    /// table as it was. Only the keeper calls it. Sleeps.
    pub(super) fn grow(&self, retired: &mut Retired<'_, T>) -> Option<()> {
        let old = self.geometry(Ordering::Relaxed);
        let fresh_index = old.buckets();
        if fresh_index >= MAX_BUCKETS {
            return None;
        }
        self.provide_segment(fresh_index as usize / SEGMENT)?;
        let guard = rcu::read_lock();
        let rcu = Held::from(&guard);
        let new = old.with_buckets(fresh_index.checked_add(1)?);
        let split = self.bucket(partner(fresh_index), rcu)?.lock();
        let fresh = self.bucket(fresh_index, rcu)?.lock_second();
        for (node, link, _) in split.entries() {
            // SAFETY: in the table, and the read side is held.
            let hash = unsafe { node.as_ref() }.hashes.of(link)?;
            if new.index(hash) == fresh_index && self.link(&fresh, hash, node, link).is_none() {
                // Readers from before the table shrank may still look here.
                // SAFETY: they came from our cache, and left their chain just now.
                fresh.clear(|bucket| unsafe { retired.take(bucket) });
                return None;
            }
        }
        self.publish(new);
        self.forget_moved(&split, new, fresh_index);
        // SAFETY: they came from our cache, and left their chain just now.
        let take = |bucket| unsafe { retired.take(bucket) };
        split.shorten(|| self.announce_move(), take);
        Some(())
    }

    /// Makes another number of buckets known. Only the keeper calls it.
    fn publish(&self, geometry: Geometry) {
        self.geometry.store(geometry.0, Ordering::Release);
    }

    /// Has readers that miss an entry now look again. Only the keeper calls it.
    pub(super) fn announce_move(&self) {
        let now = self.geometry(Ordering::Relaxed);
        let next = now.with_buckets(now.buckets());
        self.geometry.store(next.0, Ordering::Release);
    }

    /// Frees the slots of a split chain whose entries stand in bucket `moved_to` by now.
    fn forget_moved(&self, split: &LockedChain<'_, T>, new: Geometry, moved_to: u32) {
        split.forget(|node, link| {
            // SAFETY: in the table, and our caller holds the read side.
            let hash = unsafe { node.as_ref() }.hashes.of(link);
            hash.is_some_and(|hash| new.index(hash) == moved_to)
        });
    }

    /// Takes the last bucket away after moving its entries. `None` when that can't be done now, with
    /// the table as it was. Only the keeper calls it. Sleeps.
    pub(super) fn shrink(&self, retired: &mut Retired<'_, T>) -> Option<()> {
        let old = self.geometry(Ordering::Relaxed);
        let last_index = old.buckets().checked_sub(1)?;
        if last_index < MIN_BUCKETS {
            return None;
        }
        {
            let guard = rcu::read_lock();
            let rcu = Held::from(&guard);
            let into = self.bucket(partner(last_index), rcu)?.lock();
            let last = self.bucket(last_index, rcu)?.lock_second();
            for (node, link, fingerprint_here) in last.entries() {
                // SAFETY: as in `link`.
                let linked =
                    unsafe { into.insert(fingerprint_here, node, link, || self.new_bucket()) };
                if linked.is_none() {
                    for (node, link, fingerprint) in last.entries() {
                        into.remove(fingerprint, node, link);
                    }
                    // SAFETY: they came from our cache, and left their chain just now.
                    let take = |bucket| unsafe { retired.take(bucket) };
                    into.shorten(|| self.announce_move(), take);
                    return None;
                }
            }
            self.publish(old.with_buckets(last_index));
            // SAFETY: they came from our cache, and left their chain just now.
            last.clear(|bucket| unsafe { retired.take(bucket) });
        }
        if last_index as usize % SEGMENT == 0 {
            self.retire_segment(last_index as usize / SEGMENT);
        }
        Some(())
    }

    /// Frees a segment that the geometry no longer includes. Sleeps: as long as a reader or a writer
    /// may be in a bucket of the segment, the table must not get another one in its place.
    fn retire_segment(&self, segment: usize) {
        let Some(page) = self.pages.get(segment / PAGE) else {
            return;
        };
        let segments = page.load(Ordering::Acquire);
        if segments.is_null() {
            return;
        }
        // SAFETY: a directory page has `PAGE` elements and lives as long as the table.
        let slot = unsafe { &*segments.add(segment % PAGE) };
        let buckets = slot.swap(ptr::null_mut(), Ordering::AcqRel);
        GracePeriod::start().wait();
        // SAFETY: unlinked, no reader is left, and it came from `into_raw`.
        unsafe { free_array(buckets, SEGMENT) };
    }
}

/// The bucket that a new bucket of this index is split from.
fn partner(index: u32) -> u32 {
    index & !(1 << (31 - (index | 1).leading_zeros()))
}

/// # Safety
///
/// `first` is null or came from [`Array::into_raw`] of an array of `len` elements that nobody
/// refers to any more.
unsafe fn free_array<U>(first: *mut U, len: usize) {
    if !first.is_null() {
        // SAFETY: by the safety requirement.
        drop(unsafe { Array::from_raw(first, len) });
    }
}

impl<T: Entry> Drop for FlowTable<T> {
    /// Frees the table's own memory. Its entries belong to their keepers, who removed them.
    fn drop(&mut self) {
        for page in &mut self.pages {
            let segments = *page.get_mut();
            if segments.is_null() {
                continue;
            }
            for i in 0..PAGE {
                // SAFETY: a directory page has `PAGE` elements.
                let segment: &mut AtomicPtr<Bucket<T>> = unsafe { &mut *segments.add(i) };
                let first = *segment.get_mut();
                if !first.is_null() {
                    // SAFETY: the table goes away, so nobody else refers to the segment.
                    unsafe { free_segment(first, &self.memory.buckets) };
                }
            }
            // SAFETY: as above.
            unsafe { free_array(segments, PAGE) };
        }
    }
}

/// Frees a segment and the overflow buckets of its chains.
///
/// # Safety
///
/// `first` came from [`Array::into_raw`] of a segment that nobody refers to, and its overflow buckets
/// came from `cache`.
unsafe fn free_segment<T>(first: *mut Bucket<T>, cache: &Cache<Bucket<T>>) {
    for i in 0..SEGMENT {
        // SAFETY: a segment has `SEGMENT` buckets.
        let chain = unsafe { &*first.add(i) }.lock();
        // SAFETY: by the safety requirement.
        chain.clear(|bucket| unsafe { cache.free(bucket) });
    }
    // SAFETY: by the safety requirement.
    unsafe { free_array(first, SEGMENT) };
}
