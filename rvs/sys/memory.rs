// SPDX-License-Identifier: GPL-2.0-only

//! Arrays too large to be sure of contiguous pages.
//!
//! C header: `include/linux/slab.h` (`kvmalloc`)

use core::mem::ManuallyDrop;
use kernel::prelude::*;

/// Bytes of memory that the machine has.
pub fn total() -> u64 {
    // SAFETY: an FFI call without preconditions.
    unsafe { super::bindings::rvs_total_memory() }
}

/// Pages of low memory that are free, and so at hand for buffers.
pub fn free_buffer_pages() -> usize {
    // SAFETY: an FFI call without preconditions.
    unsafe { super::bindings::nr_free_buffer_pages() as usize }
}

/// Pages that are free, or hold only what block devices have too and could be free at once.
pub fn free_and_buffer_pages() -> u64 {
    let mut info = super::bindings::sysinfo::default();
    // SAFETY: the memory is ours to be filled.
    unsafe { super::bindings::si_meminfo(&mut info) };
    (info.freeram as u64).saturating_add(info.bufferram as u64)
}

/// A boxed array of default values, allocated as `kvmalloc` does.
///
/// # Invariants
///
/// `elements` is full: its length is its capacity.
pub struct Array<T>(KVVec<T>);

impl<T: Default> Array<T> {
    /// `len` default values; `None` when memory is out. Sleeps.
    pub fn new(len: usize) -> Option<Self> {
        let mut elements = KVVec::with_capacity(len, GFP_KERNEL_ACCOUNT | __GFP_NOWARN).ok()?;
        for _ in 0..len {
            elements.push_within_capacity(T::default()).ok()?;
        }
        Some(Self(elements))
    }
}

impl<T> Array<T> {
    /// Gives the array away as a pointer to its first element.
    pub fn into_raw(self) -> *mut T {
        ManuallyDrop::new(self.0).as_mut_ptr()
    }

    /// Takes an array back.
    ///
    /// # Safety
    ///
    /// `first` came from [`Array::into_raw`] of an array of `len` elements, is given back only
    /// once, and nobody refers to the elements.
    pub unsafe fn from_raw(first: *mut T, len: usize) -> Self {
        // SAFETY: the vector that `into_raw` took apart had at least this capacity (the allocator
        // finds the true size itself) and exactly this length.
        Self(unsafe { KVVec::from_raw_parts(first, len, len) })
    }
}

impl<T> core::ops::Deref for Array<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}
