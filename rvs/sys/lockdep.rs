// SPDX-License-Identifier: GPL-2.0-only

//! Telling the kernel's lock checker of locks that are a bit of a word: it
//! then proves their order and their contexts as it does for the kernel's own.
//! Without the checker nothing of this is left.
//!
//! C header: `include/linux/lockdep.h`

use core::marker::PhantomData;

/// What the checker knows of a bucket chain's lock that the running context holds.
///
/// # Invariants
///
/// The checker was told that the lock was taken, and is told in `drop` that it was let go. The type
/// is neither `Send` nor `Sync`: locks belong to one context.
pub struct HeldChain(PhantomData<*mut ()>);

impl HeldChain {
    /// The running context is about to take a chain's lock. `nesting` is how many others it holds
    /// then, which are taken in an order that the table guarantees.
    #[inline]
    pub fn new(nesting: u32) -> Self {
        #[cfg(CONFIG_LOCKDEP)]
        // SAFETY: an FFI call without preconditions; `drop` undoes it.
        unsafe {
            super::bindings::rvs_lockdep_acquire_chain(nesting);
        }
        #[cfg(not(CONFIG_LOCKDEP))]
        let _ = nesting;
        // INVARIANT: told just now.
        Self(PhantomData)
    }
}

impl Drop for HeldChain {
    #[inline]
    fn drop(&mut self) {
        #[cfg(CONFIG_LOCKDEP)]
        // SAFETY: undoes `new` in the same context: the type is not `Send`.
        unsafe {
            super::bindings::rvs_lockdep_release_chain();
        }
    }
}
