// SPDX-License-Identifier: GPL-2.0-only

//! Counters that each CPU bumps for itself, in any context, without locks.
//!
//! C header: `include/linux/percpu.h`

use super::{
    bindings,
    cpu::{self, Cpu},
};
use core::ptr::NonNull;
use kernel::prelude::*;

/// `N` 64-bit counters for each CPU.
///
/// # Invariants
///
/// `base` is the per-CPU address of `N` contiguous `u64` from `alloc_percpu`.
pub struct Counters<const N: usize> {
    base: NonNull<u64>,
}

// SAFETY: the counters are only touched by `this_cpu_add` and by single-word reads.
unsafe impl<const N: usize> Send for Counters<N> {}
// SAFETY: as above.
unsafe impl<const N: usize> Sync for Counters<N> {}

impl<const N: usize> Counters<N> {
    /// Counters at 0. Sleeps.
    pub fn new() -> Result<Self> {
        // SAFETY: an FFI call without preconditions; the memory comes zeroed.
        let base = unsafe {
            bindings::rvs_alloc_percpu(size_of::<u64>().saturating_mul(N), align_of::<u64>())
        };
        // INVARIANT: allocated for `N` words just now.
        Ok(Self {
            base: NonNull::new(base.cast()).ok_or(ENOMEM)?,
        })
    }

    /// Adds to counter `i` of this CPU. Safe against interrupts and preemption.
    #[inline]
    pub fn add(&self, i: usize, value: u64) {
        if i < N {
            // SAFETY: the word lies within the allocation by the type invariants.
            unsafe { bindings::rvs_this_cpu_add_u64(self.base.as_ptr().wrapping_add(i), value) };
        }
    }

    /// Counts one more at counter `i` of this CPU; what it stood at before. Safe against interrupts and
    /// preemption.
    #[inline]
    pub fn bump(&self, i: usize) -> u64 {
        if i >= N {
            return 0;
        }
        let counter = self.base.as_ptr().wrapping_add(i);
        // SAFETY: the word lies within the allocation by the type invariants.
        let now = unsafe { bindings::rvs_this_cpu_inc_return_u64(counter) };
        now.wrapping_sub(1)
    }

    /// The counters of one CPU, which it may be bumping meanwhile.
    pub fn of(&self, cpu: Cpu) -> [u64; N] {
        let cpu = cpu.number();
        core::array::from_fn(|i| {
            // SAFETY: the word lies within the allocation, which every possible CPU has.
            unsafe { bindings::rvs_per_cpu_read_u64(self.base.as_ptr().wrapping_add(i), cpu) }
        })
    }

    /// The sums over all CPUs, which others may be bumping meanwhile.
    pub fn sum(&self) -> [u64; N] {
        let mut sums = [0u64; N];
        for cpu in cpu::possible() {
            for (sum, value) in sums.iter_mut().zip(self.of(cpu)) {
                *sum = sum.wrapping_add(value);
            }
        }
        sums
    }
}

impl<const N: usize> Drop for Counters<N> {
    fn drop(&mut self) {
        // SAFETY: allocated by `alloc_percpu`, and nobody refers to it any more.
        unsafe { bindings::free_percpu(self.base.as_ptr().cast()) };
    }
}
