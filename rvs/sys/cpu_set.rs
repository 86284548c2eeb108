// SPDX-License-Identifier: GPL-2.0-only

//! Sets of CPUs, and their lists as people write them.
//!
//! C header: `include/linux/cpumask.h`

use super::bindings;
use core::fmt;
use kernel::prelude::*;

/// A set of CPUs.
///
/// # Invariants
///
/// It has the words of a `struct cpumask`.
pub struct CpuSet(KVec<usize>);

impl CpuSet {
    /// No CPU. Sleeps.
    pub fn new() -> Result<Self> {
        // SAFETY: an FFI call without preconditions.
        let words = unsafe { bindings::rvs_cpumask_size() }.div_ceil(size_of::<usize>());
        let mut bits = KVec::with_capacity(words, GFP_KERNEL_ACCOUNT)?;
        bits.resize(words, 0, GFP_KERNEL_ACCOUNT)?;
        // INVARIANT: as many as the kernel says.
        Ok(Self(bits))
    }

    /// The CPUs of a list such as `0-3,5`, which may be empty. `EINVAL` if it is none, `ERANGE` if
    /// there can be no such CPU. Sleeps.
    pub fn parse(list: &[u8]) -> Result<Self> {
        let mut text = KVec::with_capacity(list.len().saturating_add(1), GFP_KERNEL)?;
        text.extend_from_slice(list, GFP_KERNEL)?;
        text.push_within_capacity(0).map_err(|_| ENOMEM)?;
        let mut set = Self::new()?;
        // SAFETY: a text that ends with 0, and by the type invariants the room of a mask.
        let parsed =
            unsafe { bindings::rvs_cpulist_parse(text.as_ptr().cast(), set.0.as_mut_ptr()) };
        kernel::error::to_result(parsed)?;
        Ok(set)
    }

    /// The CPUs that kernel threads run on where nobody says otherwise. Sleeps.
    pub fn of_kernel_threads() -> Result<Self> {
        let mut set = Self::new()?;
        // SAFETY: by the type invariants there is room for a mask.
        unsafe { bindings::rvs_housekeeping_cpus(set.0.as_mut_ptr()) };
        Ok(set)
    }

    /// The CPUs that the present task may run on. Sleeps.
    pub fn of_current_task() -> Result<Self> {
        let mut set = Self::new()?;
        // SAFETY: as above.
        unsafe { bindings::rvs_current_cpus(set.0.as_mut_ptr()) };
        Ok(set)
    }

    /// Takes the CPUs away that `other` does not have.
    pub fn keep_only(&mut self, other: &Self) {
        for (bits, allowed) in self.0.iter_mut().zip(other.0.iter()) {
            *bits &= *allowed;
        }
    }

    fn has(&self, cpu: usize) -> bool {
        let word = self.0.get(cpu / usize::BITS as usize).copied();
        word.is_some_and(|bits| bits >> (cpu & (usize::BITS as usize - 1)) & 1 != 0)
    }
}

impl fmt::Display for CpuSet {
    /// As a list: `0-3,5`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = self.0.len().saturating_mul(usize::BITS as usize);
        let mut separator = "";
        let mut cpu = 0;
        while cpu < end {
            let first = cpu;
            while self.has(cpu) {
                cpu = cpu.saturating_add(1);
            }
            match cpu.saturating_sub(first) {
                0 => {}
                1 => write!(f, "{separator}{first}")?,
                _ => write!(f, "{separator}{first}-{}", cpu.saturating_sub(1))?,
            }
            if cpu != first {
                separator = ",";
            }
            cpu = cpu.saturating_add(1);
        }
        Ok(())
    }
}
