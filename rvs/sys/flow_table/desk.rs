// SPDX-License-Identifier: GPL-2.0-only

//! Where any context leaves something for the keeper of a table without
//! waiting: new entries, and word that an entry wants to be looked at.

use super::{Entry, FlowTable, Node};
use core::{
    ptr::{self, NonNull},
    sync::atomic::{fence, AtomicPtr, Ordering},
};

/// The right to have an entry freed; there is one for each entry.
///
/// Dropping it leaks the entry: hand it to [`super::FlowTable::post`].
///
/// # Invariants
///
/// The node is live, was put into the table at `table`, no other `Custody` refers to it, and it is on
/// no list.
#[must_use = "an entry without a keeper is never freed"]
pub struct Custody<T: Entry> {
    node: NonNull<Node<T>>,
    /// Only compared, never followed.
    table: *const FlowTable<T>,
}

impl<T: Entry> Custody<T> {
    /// # Safety
    ///
    /// The node is live, was put into this table, is on no list, and no other `Custody` refers to it.
    pub(super) unsafe fn new(node: NonNull<Node<T>>, table: &FlowTable<T>) -> Self {
        // INVARIANT: by the safety requirement.
        Self { node, table }
    }

    /// Whether the entry was put into this table.
    pub(super) fn is_of(&self, table: &FlowTable<T>) -> bool {
        ptr::eq(self.table, table)
    }
}

/// Ends a list of letters, so that a null link tells that an entry is on none.
fn end<T>() -> *mut Node<T> {
    ptr::without_provenance_mut(1)
}

/// One CPU's share of what is left for the keeper.
///
/// # Invariants
///
/// `arrivals` starts a null-terminated list of live nodes, linked by `next`, in the desk's custody.
/// `letters` starts a list of nodes, linked by `letter` and ended by null at the head or [`end`],
/// each live until a grace period after it was buried.
#[repr(align(64))]
pub(super) struct Desk<T> {
    arrivals: AtomicPtr<Node<T>>,
    letters: AtomicPtr<Node<T>>,
}

impl<T> Default for Desk<T> {
    fn default() -> Self {
        Self {
            arrivals: AtomicPtr::new(ptr::null_mut()),
            letters: AtomicPtr::new(ptr::null_mut()),
        }
    }
}

impl<T> Desk<T> {
    /// Leaves a new entry. Whether the desk had none, so that the keeper may have to be woken.
    pub(super) fn post(&self, entry: Custody<T>) -> bool
    where
        T: Entry,
    {
        let node = entry.node.as_ptr();
        let mut head = self.arrivals.load(Ordering::Relaxed);
        loop {
            // SAFETY: the node is live and its `next` belongs to who has custody.
            unsafe { (*node).next.store(head, Ordering::Relaxed) };
            match self.arrivals.compare_exchange_weak(
                head,
                node,
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(_) => return head.is_null(),
                Err(now) => head = now,
            }
        }
    }

    /// Asks for a look at an entry; does nothing if that was asked already. Whether there was no
    /// letter before.
    ///
    /// # Safety
    ///
    /// The caller holds the RCU read side and found the entry in the table under it.
    pub(super) unsafe fn write(&self, node: NonNull<Node<T>>) -> bool {
        // SAFETY: live by the safety requirement.
        let letter = unsafe { &node.as_ref().letter };
        // With the fence in `take_letters`: either we see that an earlier letter was taken, or who
        // took it sees what our caller changed before it asked.
        fence(Ordering::SeqCst);
        let claimed =
            letter.compare_exchange(ptr::null_mut(), end(), Ordering::Relaxed, Ordering::Relaxed);
        if claimed.is_err() {
            return false;
        }
        let mut head = self.letters.load(Ordering::Relaxed);
        loop {
            letter.store(if head.is_null() { end() } else { head }, Ordering::Relaxed);
            match self.letters.compare_exchange_weak(
                head,
                node.as_ptr(),
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(_) => return head.is_null(),
                Err(now) => head = now,
            }
        }
    }

    /// Takes all arrivals.
    pub(super) fn take_arrivals(&self, mut each: impl FnMut(NonNull<Node<T>>)) {
        let mut head = self.arrivals.swap(ptr::null_mut(), Ordering::Acquire);
        while let Some(node) = NonNull::new(head) {
            // SAFETY: live and in our custody by the type invariants; read before it is given on.
            head = unsafe { node.as_ref() }.next.load(Ordering::Relaxed);
            each(node);
        }
    }

    /// Takes all letters.
    ///
    /// # Safety
    ///
    /// No node that was buried is freed before this returns.
    pub(super) unsafe fn take_letters(&self, mut each: impl FnMut(NonNull<Node<T>>)) {
        let mut head = self.letters.swap(ptr::null_mut(), Ordering::Acquire);
        while head != end() {
            let Some(node) = NonNull::new(head) else {
                break;
            };
            // SAFETY: live by the type invariants and the safety requirement. Once the link is null
            // the next letter about this entry may be written.
            head = unsafe { node.as_ref() }
                .letter
                .swap(ptr::null_mut(), Ordering::Relaxed);
            fence(Ordering::SeqCst);
            each(node);
        }
    }
}
