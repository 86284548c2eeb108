// SPDX-License-Identifier: GPL-2.0-only

//! Arrays on the counting heap.

use super::{cpu, heap};
use core::{alloc::Layout, mem::ManuallyDrop, ops::Deref, ptr::NonNull, slice};

/// A boxed array of default values.
///
/// # Invariants
///
/// `first` came from [`heap::alloc`] and starts `len` initialised elements.
pub struct Array<T> {
    first: NonNull<T>,
    len: usize,
}

impl<T: Default> Array<T> {
    /// `len` default values; `None` when memory is out. Sleeps.
    pub fn new(len: usize) -> Option<Self> {
        cpu::might_sleep();
        let layout = Layout::array::<T>(len).ok()?;
        let first = heap::alloc(layout, &heap::Ledger::current())?.cast::<T>();
        for i in 0..len {
            // SAFETY: inside of the array just allocated.
            unsafe { first.add(i).write(T::default()) };
        }
        Some(Self { first, len })
    }
}

impl<T> Array<T> {
    /// Gives the array away as a pointer to its first element.
    pub fn into_raw(self) -> *mut T {
        ManuallyDrop::new(self).first.as_ptr()
    }

    /// Takes an array back.
    ///
    /// # Safety
    ///
    /// `first` came from [`Array::into_raw`] of an array of `len` elements, is given back only
    /// once, and nobody refers to the elements.
    pub unsafe fn from_raw(first: *mut T, len: usize) -> Self {
        let first = NonNull::new(first).expect("a null array was given back");
        assert_eq!(
            // SAFETY: by the safety requirement.
            unsafe { heap::object_size(first.cast()) },
            len * size_of::<T>(),
            "an array was given back with another length"
        );
        Self { first, len }
    }
}

impl<T> Deref for Array<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: by the type invariants.
        unsafe { slice::from_raw_parts(self.first.as_ptr(), self.len) }
    }
}

impl<T> Drop for Array<T> {
    fn drop(&mut self) {
        for i in 0..self.len {
            // SAFETY: by the type invariants, and nobody uses the elements any more.
            unsafe { self.first.add(i).drop_in_place() };
        }
        // SAFETY: by the type invariants.
        unsafe { heap::free(self.first.cast()) };
    }
}

// SAFETY: an array owns its elements as a box does.
unsafe impl<T: Send> Send for Array<T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for Array<T> {}
