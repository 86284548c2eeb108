// SPDX-License-Identifier: GPL-2.0-only

//! Caches of equal-sized, cache-line aligned objects.
//!
//! C header: `include/linux/slab.h`

use super::bindings;
use core::{marker::PhantomData, ptr::NonNull};
use kernel::prelude::*;

/// A slab cache for values of type `T`.
///
/// # Invariants
///
/// `cache` is a live `kmem_cache` for objects of `T`'s size, aligned as `T`.
pub struct Cache<T> {
    cache: NonNull<bindings::kmem_cache>,
    _objects: PhantomData<T>,
}

// SAFETY: a `kmem_cache` may be used from any thread; the objects are given out as raw memory.
unsafe impl<T> Send for Cache<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for Cache<T> {}

impl<T> Cache<T> {
    /// Makes a cache that `/proc/slabinfo` shows under `name`. May sleep.
    pub fn new(name: &'static CStr) -> Result<Self> {
        let mut args = bindings::kmem_cache_args {
            align: align_of::<T>() as u32,
            ..Default::default()
        };
        // SAFETY: `name` lives for ever, the arguments live for the call.
        let cache = unsafe {
            bindings::__kmem_cache_create_args(
                name.as_char_ptr().cast(),
                size_of::<T>() as u32,
                &raw mut args,
                bindings::RVS_SLAB_NO_MERGE,
            )
        };
        // INVARIANT: the cache was made for `T`.
        Ok(Self {
            cache: NonNull::new(cache).ok_or(ENOMEM)?,
            _objects: PhantomData,
        })
    }

    /// Room for one `T`, not initialised. `None` when memory is out; never sleeps.
    #[inline]
    pub(super) fn alloc(&self) -> Option<NonNull<T>> {
        // SAFETY: the cache is live by the type invariants.
        let object = unsafe {
            bindings::kmem_cache_alloc_noprof(self.cache.as_ptr(), bindings::RVS_GFP_NEW_ENTRY)
        };
        NonNull::new(object.cast())
    }

    /// Gives an object back without dropping its value.
    ///
    /// # Safety
    ///
    /// `object` came from [`Cache::alloc`] of this cache and nobody refers to it any more.
    #[inline]
    pub(super) unsafe fn free(&self, object: NonNull<T>) {
        // SAFETY: by the safety requirement.
        unsafe { bindings::kmem_cache_free(self.cache.as_ptr(), object.as_ptr().cast()) };
    }
}

impl<T> Drop for Cache<T> {
    fn drop(&mut self) {
        // SAFETY: the cache is live; objects still out would be reported by the kernel, and no
        // one can allocate any more.
        unsafe { bindings::kmem_cache_destroy(self.cache.as_ptr()) };
    }
}
