// SPDX-License-Identifier: GPL-2.0-only

//! Caches of equal-sized objects, on the counting heap.

use super::{
    heap::{self, Ledger},
    Arc,
};
use core::{alloc::Layout, marker::PhantomData, ptr::NonNull};

/// A cache for values of type `T`.
pub struct Cache<T> {
    ledger: Arc<Ledger>,
    _objects: PhantomData<fn() -> T>,
}

impl<T> Cache<T> {
    /// A cache whose objects are counted in `ledger`.
    pub fn new(ledger: Arc<Ledger>) -> Self {
        Self {
            ledger,
            _objects: PhantomData,
        }
    }

    /// Room for one `T`, not initialised. `None` when memory is out; never sleeps.
    pub(super) fn alloc(&self) -> Option<NonNull<T>> {
        heap::alloc(Layout::new::<T>(), &self.ledger).map(NonNull::cast)
    }

    /// Gives an object back without dropping its value.
    ///
    /// # Safety
    ///
    /// `object` came from [`Cache::alloc`] of this cache and nobody refers to it any more.
    pub(super) unsafe fn free(&self, object: NonNull<T>) {
        // SAFETY: by the safety requirement.
        unsafe { heap::free(object.cast()) };
    }
}
