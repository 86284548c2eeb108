// SPDX-License-Identifier: GPL-2.0-only

//! One cache line of the table: seven slots, their fingerprints, and the lock
//! of the bucket. How slots change under readers is decided here; which
//! bucket holds what is not.

use super::{Link, Node};
use core::{
    hint::spin_loop,
    marker::PhantomData,
    ptr::{self, NonNull},
    sync::atomic::{AtomicPtr, AtomicU64, Ordering},
};

/// Slots in a bucket.
pub(super) const SLOTS: usize = 7;
/// The slot that holds the link to the next bucket of the chain when [`CHAINED`] is set.
const LINK_SLOT: usize = SLOTS - 1;
/// Bit of the word: a writer holds the bucket and its chain.
const LOCKED: u64 = 1 << 63;
/// Bit of the word: the last slot links to a further bucket.
const CHAINED: u64 = 1 << 62;
/// The bytes of the word that hold fingerprints.
const FINGERPRINTS: u64 = (1 << (8 * SLOTS)) - 1;
const EACH_BYTE: u64 = 0x0001_0101_0101_0101;

/// Tag of a slot's pointer: the entry stands under its reverse key.
const TAG_REVERSE: usize = 1;
/// Tag of a slot's pointer: this is the link to the next bucket.
const TAG_CHAIN: usize = 2;
const TAGS: usize = TAG_REVERSE | TAG_CHAIN;

/// Seven slots under one word.
///
/// Byte `i` of `word` is the fingerprint of slot `i`, 0 where the slot is free; byte 7 holds the
/// flags. Storing the word publishes a change of the slots, so a reader that loads the word with
/// acquire order sees the pointers it speaks of.
///
/// A slot keeps its stale pointer when it is freed: only a reader that loaded the word before can
/// still follow it, and the entry outlives that reader by a grace period. In a bucket that left its
/// chain, the first slot is the link to the next one of those, tagged [`TAG_CHAIN`].
///
/// # Invariants
///
/// A slot with a non-zero fingerprint holds a tagged pointer to a live `Node<T>`, and with
/// [`CHAINED`] the last slot holds a pointer tagged [`TAG_CHAIN`] to a live `Bucket`. "Live" means:
/// not freed before a grace period after it was unlinked. Only the holder of the chain's lock (the
/// [`LOCKED`] bit of its first bucket) writes to the words and slots of a chain.
#[repr(C, align(64))]
pub struct Bucket<T> {
    word: AtomicU64,
    slots: [AtomicPtr<u8>; SLOTS],
    _entries: PhantomData<*mut Node<T>>,
}

/// What a reader found in a chain.
pub(super) enum Scan<T, R> {
    /// The entry, and what was said of it.
    Found(NonNull<Node<T>>, R),
    /// Nothing; certain only if the table's geometry did not change meanwhile.
    Missed,
    /// A writer moved slots under the reader: look again.
    Moved,
}

fn tag(node: NonNull<Node<impl Sized>>, link: Link) -> *mut u8 {
    let tag = match link {
        Link::Forward => 0,
        Link::Reverse => TAG_REVERSE,
    };
    node.as_ptr().cast::<u8>().map_addr(|addr| addr | tag)
}

fn untag<T>(tagged: *mut u8) -> (Option<NonNull<Node<T>>>, Link) {
    let link = if tagged.addr() & TAG_REVERSE == 0 {
        Link::Forward
    } else {
        Link::Reverse
    };
    let node = tagged.map_addr(|addr| addr & !TAGS);
    (NonNull::new(node.cast()), link)
}

/// Bit 7 of each byte of the result tells whether that fingerprint is `fingerprint`. It is exact: a
/// wrong match of the last slot would take a link to the next bucket for an entry.
#[inline]
fn matches(word: u64, fingerprint: u8) -> u64 {
    let difference = (word & FINGERPRINTS) ^ EACH_BYTE.wrapping_mul(u64::from(fingerprint));
    // Bit 7 of each byte is set where the byte is not zero; no carry leaves a byte.
    let low_bits = EACH_BYTE.wrapping_mul(0x7f);
    let is_other = (difference & low_bits).wrapping_add(low_bits) | difference;
    !is_other & EACH_BYTE.wrapping_shl(7)
}

/// Bit 7 of each byte of the result tells whether that slot holds an entry.
#[inline]
fn used(word: u64) -> u64 {
    !matches(word, 0) & EACH_BYTE.wrapping_shl(7)
}

#[inline]
fn first_match(matches: u64) -> usize {
    (matches.trailing_zeros() / 8) as usize
}

/// Where the fingerprint of a slot stands in the word.
#[inline]
fn shift_of(index: usize) -> u32 {
    (index as u32).wrapping_mul(8)
}

#[inline]
fn fingerprint_of(word: u64, index: usize) -> u8 {
    word.wrapping_shr(shift_of(index)) as u8
}

/// The word when a slot is free.
#[inline]
fn without(word: u64, index: usize) -> u64 {
    word & !0xff_u64.wrapping_shl(shift_of(index))
}

impl<T> Default for Bucket<T> {
    fn default() -> Self {
        Self {
            word: AtomicU64::new(0),
            slots: [const { AtomicPtr::new(ptr::null_mut()) }; SLOTS],
            _entries: PhantomData,
        }
    }
}

impl<T> Bucket<T> {
    /// Looks through the chain that starts here for the first entry of which `judge` says something.
    ///
    /// # Safety
    ///
    /// The caller holds the RCU read side, or the lock of this chain.
    #[inline]
    pub(super) unsafe fn scan<R>(
        &self,
        fingerprint: u8,
        judge: &impl Fn(&T, Link) -> Option<R>,
    ) -> Scan<T, R> {
        let mut bucket = self;
        loop {
            let word = bucket.word.load(Ordering::Acquire);
            let mut candidates = matches(word, fingerprint);
            while candidates != 0 {
                let Some(slot) = bucket.slots.get(first_match(candidates)) else {
                    break;
                };
                candidates &= candidates.wrapping_sub(1);
                let tagged = slot.load(Ordering::Acquire);
                if tagged.addr() & TAG_CHAIN != 0 {
                    return Scan::Moved;
                }
                let (Some(node), link) = untag::<T>(tagged) else {
                    continue;
                };
                // SAFETY: by the type invariants the node was live when the word was loaded, and
                // it is freed only a grace period after it was unlinked.
                if let Some(said) = judge(unsafe { &node.as_ref().value }, link) {
                    return Scan::Found(node, said);
                }
            }
            if word & CHAINED == 0 {
                return Scan::Missed;
            }
            // SAFETY: the caller's guarantee is ours.
            match unsafe { bucket.follow() } {
                Some(next) => bucket = next,
                None => return Scan::Moved,
            }
        }
    }

    /// The next bucket of the chain, `None` if the last slot holds an entry by now.
    ///
    /// # Safety
    ///
    /// As for [`Bucket::scan`].
    unsafe fn follow(&self) -> Option<&Bucket<T>> {
        let tagged = self.slots[LINK_SLOT].load(Ordering::Acquire);
        if tagged.addr() & TAG_CHAIN == 0 {
            return None;
        }
        let next = tagged.map_addr(|addr| addr & !TAGS).cast::<Bucket<T>>();
        // SAFETY: by the type invariants a chain link points to a bucket that is freed only a grace
        // period after it was unlinked; the caller holds that off.
        unsafe { next.as_ref() }
    }

    /// Links a bucket that left its chain to others that did. A reader that still expects an entry in
    /// the first slot sees the tag and looks again.
    pub(super) fn set_next_retired(&self, next: *mut Self) {
        if let Some(slot) = self.slots.first() {
            let tagged = next.cast::<u8>().map_addr(|addr| addr | TAG_CHAIN);
            slot.store(tagged, Ordering::Release);
        }
    }

    /// What [`Bucket::set_next_retired`] stored.
    pub(super) fn next_retired(&self) -> *mut Self {
        self.slots.first().map_or(ptr::null_mut(), |slot| {
            slot.load(Ordering::Relaxed)
                .map_addr(|addr| addr & !TAGS)
                .cast()
        })
    }

    /// Takes the lock of the chain that starts here, with bottom halves off.
    pub(super) fn lock(&self) -> LockedChain<'_, T> {
        self.lock_nested(0)
    }

    /// As [`Bucket::lock`], while the lock of a chain with a lower index is held.
    pub(super) fn lock_second(&self) -> LockedChain<'_, T> {
        self.lock_nested(1)
    }

    fn lock_nested(&self, nesting: u32) -> LockedChain<'_, T> {
        let bh = crate::sys::cpu::BottomHalvesOff::new();
        let known = crate::sys::lockdep::HeldChain::new(nesting);
        loop {
            let word = self.word.load(Ordering::Relaxed);
            if word & LOCKED == 0
                && self
                    .word
                    .compare_exchange_weak(
                        word,
                        word | LOCKED,
                        Ordering::Acquire,
                        Ordering::Relaxed,
                    )
                    .is_ok()
            {
                return LockedChain {
                    first: self,
                    _known: known,
                    _bh: bh,
                };
            }
            spin_loop();
        }
    }
}

/// A chain of buckets that only this writer changes.
///
/// # Invariants
///
/// The [`LOCKED`] bit of `first` was set by this guard.
pub(super) struct LockedChain<'a, T> {
    first: &'a Bucket<T>,
    // In the order of their drops.
    _known: crate::sys::lockdep::HeldChain,
    _bh: crate::sys::cpu::BottomHalvesOff,
}

impl<T> Drop for LockedChain<'_, T> {
    fn drop(&mut self) {
        let word = self.first.word.load(Ordering::Relaxed);
        self.first.word.store(word & !LOCKED, Ordering::Release);
    }
}

impl<'a, T> LockedChain<'a, T> {
    fn buckets(&self) -> impl Iterator<Item = &'a Bucket<T>> {
        core::iter::successors(Some(self.first), |bucket| {
            if bucket.word.load(Ordering::Relaxed) & CHAINED == 0 {
                return None;
            }
            // SAFETY: the chain is locked by the type invariants.
            unsafe { bucket.follow() }
        })
    }

    /// Every entry of the chain with the key under which it stands here, and its fingerprint.
    pub(super) fn entries(&self) -> Entries<'a, T> {
        let word = self.first.word.load(Ordering::Relaxed);
        Entries {
            bucket: Some(self.first),
            word,
            rest: used(word),
        }
    }

    /// Looks for an entry in the locked chain.
    pub(super) fn find(
        &self,
        fingerprint: u8,
        is_match: &impl Fn(&T, Link) -> bool,
    ) -> Option<NonNull<Node<T>>> {
        let judge = |entry: &T, link| is_match(entry, link).then_some(());
        // SAFETY: this guard holds the chain's lock.
        match unsafe { self.first.scan(fingerprint, &judge) } {
            Scan::Found(node, ()) => Some(node),
            Scan::Missed | Scan::Moved => None,
        }
    }

    /// Puts an entry into a free slot, into a new bucket from `more` where none is free. Gives the
    /// number of buckets in the chain, or `None` when there was no memory.
    ///
    /// # Safety
    ///
    /// `node` is live until a grace period after it is removed, and a bucket from `more` is fresh
    /// and lives until a grace period after [`LockedChain::shorten`] or [`LockedChain::clear`] gave it
    /// back.
    #[inline]
    pub(super) unsafe fn insert(
        &self,
        fingerprint: u8,
        node: NonNull<Node<T>>,
        link: Link,
        more: impl FnOnce() -> Option<NonNull<Bucket<T>>>,
    ) -> Option<usize> {
        // Most chains are one bucket with a slot to spare.
        let word = self.first.word.load(Ordering::Relaxed);
        let free = matches(word, 0);
        if word & CHAINED == 0 && free != 0 {
            self.first
                .fill(first_match(free), tag(node, link), fingerprint);
            return Some(1);
        }
        // SAFETY: the caller's guarantee is ours.
        unsafe { self.insert_further(fingerprint, node, link, more) }
    }

    /// [`LockedChain::insert`] for a chain of several buckets, or one that is full.
    ///
    /// # Safety
    ///
    /// As there.
    #[inline(never)]
    unsafe fn insert_further(
        &self,
        fingerprint: u8,
        node: NonNull<Node<T>>,
        link: Link,
        more: impl FnOnce() -> Option<NonNull<Bucket<T>>>,
    ) -> Option<usize> {
        let mut depth = 0usize;
        let mut last = self.first;
        for bucket in self.buckets() {
            depth = depth.saturating_add(1);
            last = bucket;
            let word = bucket.word.load(Ordering::Relaxed);
            let usable = if word & CHAINED == 0 {
                SLOTS
            } else {
                LINK_SLOT
            };
            let free = matches(word, 0);
            let index = first_match(free);
            if free != 0 && index < usable {
                bucket.fill(index, tag(node, link), fingerprint);
                return Some(depth);
            }
        }
        let fresh = more()?;
        // SAFETY: by the safety requirement it is a live bucket; nobody else knows it yet.
        let overflow = unsafe { fresh.as_ref() };
        let word = last.word.load(Ordering::Relaxed);
        // The entry in the last slot moves over to make room for the link. A reader that still
        // expects it there sees the tag and looks again.
        let moved = last.slots[LINK_SLOT].load(Ordering::Relaxed);
        overflow.fill(0, moved, fingerprint_of(word, LINK_SLOT));
        overflow.fill(1, tag(node, link), fingerprint);
        let next = fresh
            .as_ptr()
            .cast::<u8>()
            .map_addr(|addr| addr | TAG_CHAIN);
        last.slots[LINK_SLOT].store(next, Ordering::Release);
        last.word
            .store(without(word, LINK_SLOT) | CHAINED, Ordering::Release);
        Some(depth.saturating_add(1))
    }

    /// Has readers meet `node` before `other`, which stands here under the same key, if it would be met
    /// after it.
    pub(super) fn put_before(&self, node: NonNull<Node<T>>, other: NonNull<Node<T>>, link: Link) {
        let (ours, theirs) = (tag(node, link), tag(other, link));
        let mut first = None;
        for bucket in self.buckets() {
            let word = bucket.word.load(Ordering::Relaxed);
            for (index, slot) in (0..SLOTS).zip(&bucket.slots) {
                if fingerprint_of(word, index) == 0 {
                    continue;
                }
                let tagged = slot.load(Ordering::Relaxed);
                if tagged == theirs {
                    first = Some(slot);
                } else if tagged == ours {
                    // The fingerprints are the same. A reader in between meets ours twice, and it matches
                    // whatever theirs matches.
                    if let Some(first) = first {
                        first.store(ours, Ordering::Release);
                        slot.store(theirs, Ordering::Release);
                    }
                    return;
                }
            }
        }
    }

    /// Frees the slot of this very entry and key, which has this fingerprint. Whether it was there.
    pub(super) fn remove(&self, fingerprint: u8, node: NonNull<Node<T>>, link: Link) -> bool {
        let wanted = tag(node, link);
        for bucket in self.buckets() {
            let word = bucket.word.load(Ordering::Relaxed);
            let mut candidates = matches(word, fingerprint);
            while candidates != 0 {
                let index = first_match(candidates);
                candidates &= candidates.wrapping_sub(1);
                let slot = bucket.slots.get(index);
                if slot.is_some_and(|slot| slot.load(Ordering::Relaxed) == wanted) {
                    bucket.word.store(without(word, index), Ordering::Release);
                    return true;
                }
            }
        }
        false
    }

    /// Frees the slots of all entries that are gone.
    pub(super) fn forget(&self, is_gone: impl Fn(NonNull<Node<T>>, Link) -> bool) {
        for bucket in self.buckets() {
            let word = bucket.word.load(Ordering::Relaxed);
            let mut left = word;
            let mut rest = used(word);
            while rest != 0 {
                let index = first_match(rest);
                rest &= rest.wrapping_sub(1);
                let slot = bucket.slots.get(index);
                let tagged = slot.map_or(ptr::null_mut(), |slot| slot.load(Ordering::Relaxed));
                if let (Some(node), link) = untag(tagged) {
                    if is_gone(node, link) {
                        left = without(left, index);
                    }
                }
            }
            bucket.word.store(left, Ordering::Release);
        }
    }

    /// Takes overflow buckets away that the chain can do without, last first, after moving their
    /// entries to free slots before them.
    ///
    /// A reader that passed the free slot before it was filled, and comes to the end of the chain,
    /// would miss the entry: `announce` is called before the bucket is unlinked, and must have such a
    /// reader look again.
    pub(super) fn shorten(
        &self,
        announce: impl Fn(),
        mut unlinked: impl FnMut(NonNull<Bucket<T>>),
    ) {
        while self.first.word.load(Ordering::Relaxed) & CHAINED != 0 {
            let Some((before_last, last)) = self.end_if_spare() else {
                return;
            };
            let mut has_moved = false;
            for (tagged, fingerprint) in last.contents() {
                self.fill_first_free(tagged, fingerprint);
                has_moved = true;
            }
            if has_moved {
                announce();
            }
            let word = before_last.word.load(Ordering::Relaxed);
            before_last.word.store(word & !CHAINED, Ordering::Release);
            unlinked(NonNull::from(last));
        }
    }

    /// The last two buckets, if the others have room for the entries of the last one.
    fn end_if_spare(&self) -> Option<(&'a Bucket<T>, &'a Bucket<T>)> {
        let mut before_last = None;
        let mut last = self.first;
        let mut used = last.used();
        let mut room = 0usize;
        for bucket in self.buckets().skip(1) {
            before_last = Some(last);
            last = bucket;
            used = used.saturating_add(bucket.used());
            // The slot of the link is no room: the next entry should not need a bucket again.
            room = room.saturating_add(LINK_SLOT);
        }
        (used <= room).then_some((before_last?, last))
    }

    /// Puts a slot's contents into the first free slot of a chain where the last bucket is spare.
    fn fill_first_free(&self, tagged: *mut u8, fingerprint: u8) {
        for bucket in self.buckets() {
            let free = matches(bucket.word.load(Ordering::Relaxed), 0);
            let index = first_match(free);
            if free != 0 && index < LINK_SLOT {
                bucket.fill(index, tagged, fingerprint);
                return;
            }
        }
    }

    /// Frees all slots of the chain and takes its overflow buckets away, last first.
    pub(super) fn clear(&self, unlinked: impl FnMut(NonNull<Bucket<T>>)) {
        for bucket in self.buckets() {
            let word = bucket.word.load(Ordering::Relaxed);
            bucket.word.store(word & !FINGERPRINTS, Ordering::Release);
        }
        self.shorten(|| {}, unlinked);
    }
}

impl<T> Bucket<T> {
    /// Slots in use.
    fn used(&self) -> usize {
        used(self.word.load(Ordering::Relaxed)).count_ones() as usize
    }

    /// The tagged pointers of the slots in use, and their fingerprints.
    fn contents(&self) -> impl Iterator<Item = (*mut u8, u8)> + use<'_, T> {
        let word = self.word.load(Ordering::Relaxed);
        (0..SLOTS)
            .zip(&self.slots)
            .filter_map(move |(index, slot)| {
                let fingerprint = fingerprint_of(word, index);
                (fingerprint != 0).then(|| (slot.load(Ordering::Relaxed), fingerprint))
            })
    }

    /// Puts a tagged pointer into a free slot.
    #[inline]
    fn fill(&self, index: usize, tagged: *mut u8, fingerprint: u8) {
        if let Some(slot) = self.slots.get(index) {
            slot.store(tagged, Ordering::Release);
            let word = self.word.load(Ordering::Relaxed);
            let bits = u64::from(fingerprint).wrapping_shl(shift_of(index));
            self.word.store(word | bits, Ordering::Release);
        }
    }
}

/// Goes through the entries of a locked chain.
pub(super) struct Entries<'a, T> {
    bucket: Option<&'a Bucket<T>>,
    /// The word of `bucket`, as it was when the walk came to it.
    word: u64,
    /// What of [`used`] is still ahead.
    rest: u64,
}

impl<T> Iterator for Entries<'_, T> {
    type Item = (NonNull<Node<T>>, Link, u8);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let bucket = self.bucket?;
            while self.rest != 0 {
                let index = first_match(self.rest);
                self.rest &= self.rest.wrapping_sub(1);
                let (node, link) = untag(bucket.slots.get(index)?.load(Ordering::Relaxed));
                if let Some(node) = node {
                    return Some((node, link, fingerprint_of(self.word, index)));
                }
            }
            self.bucket = if self.word & CHAINED == 0 {
                None
            } else {
                // SAFETY: the walk's owner holds the chain's lock.
                unsafe { bucket.follow() }
            };
            self.word = self
                .bucket
                .map_or(0, |bucket| bucket.word.load(Ordering::Relaxed));
            self.rest = used(self.word);
        }
    }
}
