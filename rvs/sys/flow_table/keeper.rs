// SPDX-License-Identifier: GPL-2.0-only

//! Who owns the entries of a table. The table only points to them; its one
//! keeper has them on lists, looks at them when it is time or when asked, and
//! has them freed when no reader is left. What the lists mean is up to the
//! keeper's owner.

use super::{resize::Need, Bucket, Entry, FlowTable, Lent, Memory, Node};
use crate::sys::{
    cpu,
    memory::Array,
    rcu::{self, GracePeriod, Held},
    Arc,
};
use core::{
    mem,
    ptr::{self, NonNull},
    sync::atomic::{AtomicPtr, Ordering},
};

/// Why the keeper looks at an entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Occasion {
    /// It is new.
    Arrived,
    /// Somebody asked for it.
    Asked,
}

/// What the keeper does with an entry it looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// Keeps it on the list of this number (modulo the number of lists).
    List(usize),
    /// Removes it from the table and has it freed; one that is pinned goes to the first list.
    Remove,
    /// As `Remove`, but one that is pinned goes to the list of this number.
    RemoveOrList(usize),
}

/// After so many entries a walk lets others run.
const BREATH: u32 = 256;

/// What waits for the same grace period.
///
/// # Invariants
///
/// `nodes` starts a null-terminated list of buried nodes, linked by `next`; `buckets` one of overflow
/// buckets that left their chains, linked by [`Bucket::set_next_retired`]. All are live, and ours to
/// free.
struct Batch<T> {
    nodes: *mut Node<T>,
    buckets: *mut Bucket<T>,
}

impl<T> Default for Batch<T> {
    fn default() -> Self {
        Self {
            nodes: ptr::null_mut(),
            buckets: ptr::null_mut(),
        }
    }
}

impl<T> Batch<T> {
    fn is_empty(&self) -> bool {
        self.nodes.is_null() && self.buckets.is_null()
    }

    /// # Safety
    ///
    /// The node is live, on no list, no longer in the table, and ours to free.
    unsafe fn bury(&mut self, node: NonNull<Node<T>>) {
        // SAFETY: live by the safety requirement.
        let this = unsafe { node.as_ref() };
        this.holder.store(ptr::null_mut(), Ordering::Relaxed);
        this.next.store(self.nodes, Ordering::Relaxed);
        self.nodes = node.as_ptr();
    }

    /// Takes over all of another batch.
    fn append(&mut self, other: Self) {
        match NonNull::new(self.nodes) {
            None => self.nodes = other.nodes,
            Some(first) => {
                // SAFETY: nodes of a batch are live and linked by `next`.
                let next = |node: NonNull<Node<T>>| unsafe { &node.as_ref().next };
                let last = last_of(first, |node| next(node).load(Ordering::Relaxed));
                next(last).store(other.nodes, Ordering::Relaxed);
            }
        }
        match NonNull::new(self.buckets) {
            None => self.buckets = other.buckets,
            Some(first) => {
                // SAFETY: buckets of a batch are live.
                let live = |bucket: NonNull<Bucket<T>>| unsafe { bucket.as_ref() };
                let last = last_of(first, |bucket| live(bucket).next_retired());
                live(last).set_next_retired(other.buckets);
            }
        }
    }

    /// # Safety
    ///
    /// A grace period has passed since the last of it was unlinked, and no letter refers to it.
    unsafe fn free(&mut self, memory: &Memory<T>) {
        let mut head = mem::replace(&mut self.nodes, ptr::null_mut());
        let mut freed = 0u32;
        while let Some(node) = NonNull::new(head) {
            // SAFETY: buried nodes are live and linked by `next`; nobody else refers to them.
            unsafe {
                head = node.as_ref().next.load(Ordering::Relaxed);
                ptr::drop_in_place(node.as_ptr());
                memory.nodes.free(node);
            }
            freed = freed.wrapping_add(1);
            if freed % BREATH == 0 {
                cpu::breathe();
            }
        }
        let mut head = mem::replace(&mut self.buckets, ptr::null_mut());
        while let Some(bucket) = NonNull::new(head) {
            // SAFETY: live by the type invariants, and no reader is left; buckets need no drop.
            unsafe {
                head = bucket.as_ref().next_retired();
                memory.buckets.free(bucket);
            }
            freed = freed.wrapping_add(1);
            if freed % BREATH == 0 {
                cpu::breathe();
            }
        }
    }
}

/// The last of a null-terminated list. Sleeps.
fn last_of<N>(first: NonNull<N>, next: impl Fn(NonNull<N>) -> *mut N) -> NonNull<N> {
    let mut last = first;
    let mut passed = 0u32;
    while let Some(next) = NonNull::new(next(last)) {
        last = next;
        passed = passed.wrapping_add(1);
        if passed % BREATH == 0 {
            cpu::breathe();
        }
    }
    last
}

/// Overflow buckets that left their chains and wait for the last reader.
pub(super) struct Retired<'k, T>(&'k mut Batch<T>);

impl<T> Retired<'_, T> {
    /// Takes an overflow bucket that left its chain.
    ///
    /// # Safety
    ///
    /// It is live, came from the cache of the keeper's table, and nobody else gives it here or frees
    /// it.
    pub(super) unsafe fn take(&mut self, bucket: NonNull<Bucket<T>>) {
        // SAFETY: live by the safety requirement.
        unsafe { bucket.as_ref() }.set_next_retired(self.0.buckets);
        self.0.buckets = bucket.as_ptr();
    }
}

/// The one keeper of a table.
///
/// # Invariants
///
/// The lists hold live nodes of `table`, linked by `next`; the `holder` of each points to the
/// pointer that points to it, and is null exactly for nodes on no list. Only the keeper writes
/// these links once an entry arrived.
pub struct Keeper<T: Entry> {
    table: Arc<FlowTable<T>>,
    owner: T::Owner,
    lists: NonNull<AtomicPtr<Node<T>>>,
    list_count: usize,
    entries: u64,
    arrived: u64,
    links: u64,
    fresh: Batch<T>,
    waiting: Batch<T>,
    grace_period: Option<GracePeriod>,
}

// SAFETY: the nodes hold `T: Send + Sync`, the owner is both; the rest is plain memory of the keeper's own.
unsafe impl<T: Entry> Send for Keeper<T> {}

impl<T: Entry> Keeper<T> {
    /// A table and its keeper, who has `list_count` lists. `None` when memory is out. Sleeps.
    pub fn with_table(
        memory: Arc<Memory<T>>,
        list_count: usize,
        owner: T::Owner,
    ) -> Option<(Arc<FlowTable<T>>, Self)> {
        let lists: Array<AtomicPtr<Node<T>>> = Array::new(list_count.max(1))?;
        let table = FlowTable::new(memory)?;
        let keeper = Self {
            table: table.clone(),
            owner,
            lists: NonNull::new(lists.into_raw())?,
            list_count: list_count.max(1),
            entries: 0,
            arrived: 0,
            links: 0,
            fresh: Batch::default(),
            waiting: Batch::default(),
            grace_period: None,
        };
        Some((table, keeper))
    }

    /// Entries on the keeper's lists.
    pub fn entries(&self) -> u64 {
        self.entries
    }

    /// Entries that have arrived so far.
    pub fn arrived(&self) -> u64 {
        self.arrived
    }

    /// Slots of the table.
    pub fn table_size(&self) -> u32 {
        self.table.size()
    }

    fn list(&self, list: usize) -> &AtomicPtr<Node<T>> {
        let index = list.checked_rem(self.list_count).unwrap_or(0);
        // SAFETY: the index is below the length of the array, which lives as long as we do.
        unsafe { self.lists.add(index).as_ref() }
    }

    /// # Safety
    ///
    /// The node is live, in our custody and on no list.
    unsafe fn push(&self, list: usize, node: NonNull<Node<T>>) {
        let head = self.list(list);
        // SAFETY: live by the safety requirement; all on our lists are.
        unsafe {
            let first = head.load(Ordering::Relaxed);
            node.as_ref().next.store(first, Ordering::Relaxed);
            node.as_ref()
                .holder
                .store(ptr::from_ref(head).cast_mut(), Ordering::Relaxed);
            if let Some(first) = first.as_ref() {
                first.holder.store(
                    ptr::from_ref(&node.as_ref().next).cast_mut(),
                    Ordering::Relaxed,
                );
            }
        }
        head.store(node.as_ptr(), Ordering::Relaxed);
    }

    /// Takes a node off its list; `false` if it is on none.
    ///
    /// # Safety
    ///
    /// The node is live.
    unsafe fn take_off(&self, node: NonNull<Node<T>>) -> bool {
        // SAFETY: live by the safety requirement; a holder is the link of a live node or a head.
        unsafe {
            let this = node.as_ref();
            let holder = this.holder.swap(ptr::null_mut(), Ordering::Relaxed);
            let Some(holder) = holder.as_ref() else {
                return false;
            };
            let next = this.next.load(Ordering::Relaxed);
            holder.store(next, Ordering::Relaxed);
            if let Some(next) = next.as_ref() {
                next.holder
                    .store(ptr::from_ref(holder).cast_mut(), Ordering::Relaxed);
            }
        }
        true
    }

    /// # Safety
    ///
    /// The node is live, in our custody, on no list, and counted.
    unsafe fn settle(&mut self, node: NonNull<Node<T>>, fate: Fate) {
        let list_if_pinned = match fate {
            // SAFETY: by the safety requirement.
            Fate::List(list) => return unsafe { self.push(list, node) },
            Fate::Remove => 0,
            Fate::RemoveOrList(list) => list,
        };
        // SAFETY: live by the safety requirement.
        let this = unsafe { node.as_ref() };
        if !this.let_go() {
            this.value.kept();
            // SAFETY: by the safety requirement.
            return unsafe { self.push(list_if_pinned, node) };
        }
        this.value.removed(&self.owner);
        self.entries = self.entries.saturating_sub(1);
        self.links = self.links.saturating_sub(this.hashes.links());
        let guard = rcu::read_lock();
        let mut retired = Retired(&mut self.fresh);
        self.table
            .unlink_node(node, Some(&mut retired), Held::from(&guard));
        // SAFETY: out of the table and on no list.
        unsafe { self.fresh.bury(node) };
    }

    /// Takes in what was posted and asked for since the last time, and frees what no reader can see
    /// any more. Sleeps.
    pub fn collect(&mut self, mut decide: impl FnMut(&T, Occasion) -> Fate) {
        // Letters about buried entries come from readers of before the burial: once the grace
        // period is over, the letters taken below are the last of them.
        let is_over = self.grace_period.is_some_and(GracePeriod::is_over);
        let table = self.table.clone();
        let mut taken = 0u32;
        let mut breathe = || {
            taken = taken.wrapping_add(1);
            if taken % BREATH == 0 {
                cpu::breathe();
            }
        };
        for desk in table.desks() {
            desk.take_arrivals(|node| {
                breathe();
                // SAFETY: live and in our custody from here on, on no list.
                unsafe {
                    self.entries = self.entries.saturating_add(1);
                    self.arrived = self.arrived.wrapping_add(1);
                    self.links = self.links.saturating_add(node.as_ref().hashes.links());
                    let fate = decide(&node.as_ref().value, Occasion::Arrived);
                    self.settle(node, fate);
                }
            });
            // SAFETY: nothing is freed before the end of this function.
            unsafe {
                desk.take_letters(|node| {
                    breathe();
                    // An entry that has not arrived yet, or is buried, is on no list.
                    if self.take_off(node) {
                        let fate = decide(&node.as_ref().value, Occasion::Asked);
                        self.settle(node, fate);
                    }
                });
            }
        }
        if is_over {
            self.grace_period = None;
            // SAFETY: all of the batch was unlinked before the grace period started, and the
            // letters about it are taken.
            unsafe { self.waiting.free(self.table.memory()) };
        }
        if self.grace_period.is_none() && !self.fresh.is_empty() {
            mem::swap(&mut self.fresh, &mut self.waiting);
            self.grace_period = Some(GracePeriod::start());
        }
    }

    /// Whether something that was removed waits to be freed by a later [`Keeper::collect`].
    pub fn has_waiting(&self) -> bool {
        self.grace_period.is_some() || !self.fresh.is_empty()
    }

    /// Looks at every entry of a list. Sleeps.
    pub fn visit(&mut self, list: usize, mut decide: impl FnMut(&T) -> Fate) {
        let mut head = self.list(list).swap(ptr::null_mut(), Ordering::Relaxed);
        let mut visited = 0u32;
        while let Some(node) = NonNull::new(head) {
            // SAFETY: a live node of our list, which is taken off it here.
            unsafe {
                head = node.as_ref().next.load(Ordering::Relaxed);
                node.as_ref()
                    .holder
                    .store(ptr::null_mut(), Ordering::Relaxed);
                let fate = decide(&node.as_ref().value);
                self.settle(node, fate);
            }
            visited = visited.wrapping_add(1);
            if visited % BREATH == 0 {
                cpu::breathe();
            }
        }
    }

    /// Removes all entries that are not pinned, and has the grace period begin after which they can be freed: whoever is
    /// about to drop several keepers retires all of them first, and has one to wait for instead of one for each. Whether
    /// anything is left. Sleeps. Nothing may be inserted any more.
    pub fn retire(&mut self) -> bool {
        self.collect(|_, _| Fate::Remove);
        for list in 0..self.list_count {
            self.visit(list, |_| Fate::Remove);
        }
        if !self.fresh.is_empty() {
            // Those that wait already wait a little longer.
            self.waiting.append(mem::take(&mut self.fresh));
            self.grace_period = Some(GracePeriod::start());
        }
        self.entries != 0 || self.has_waiting()
    }

    /// Removes an entry. `false` if it was not in the keeper's table, or is not there any more. One
    /// that has not arrived yet, or is pinned, is only hidden: what becomes of it is decided as for any
    /// other.
    pub fn remove(&mut self, entry: Lent<'_, T>) -> bool {
        if !ptr::eq(entry.table, &*self.table) {
            return false;
        }
        let guard = rcu::read_lock();
        let node = NonNull::from(entry.node);
        let mut retired = Retired(&mut self.fresh);
        let was_linked = self
            .table
            .unlink_node(node, Some(&mut retired), Held::from(&guard));
        if !was_linked {
            return false;
        }
        // SAFETY: it was in our table until just now, and only we have nodes of it freed.
        unsafe {
            if self.take_off(node) {
                self.settle(node, Fate::Remove);
            }
        }
        true
    }

    /// Makes the table fit the number of its entries, a bounded step at a time. Whether there is
    /// more to do. Sleeps.
    pub fn resize(&mut self, mut steps: u32) -> bool {
        let table = self.table.clone();
        while steps > 0 {
            let mut retired = Retired(&mut self.fresh);
            let done = match table.need(self.links) {
                Need::Grow => table.grow(&mut retired),
                Need::Shrink => table.shrink(&mut retired),
                Need::Fine => return false,
            };
            if done.is_none() {
                return false;
            }
            steps -= 1;
            if steps % BREATH == 0 {
                cpu::breathe();
            }
        }
        true
    }
}

impl<T: Entry> Drop for Keeper<T> {
    /// Removes and frees all entries; waits for those that something outside the table has pinned.
    /// Sleeps. Nothing may be inserted any more.
    fn drop(&mut self) {
        // What entries had pinned among themselves is free to go when these are freed.
        while self.retire() {
            self.grace_period.unwrap_or_else(GracePeriod::start).wait();
        }
        // SAFETY: the array of heads came from `into_raw`.
        unsafe { drop(Array::from_raw(self.lists.as_ptr(), self.list_count)) };
    }
}
