// SPDX-License-Identifier: GPL-2.0-only

//! What the running CPU may be interrupted by, and which one it is.
//!
//! C header: `include/linux/bottom_half.h`

use super::bindings;
use core::marker::PhantomData;

/// Keeps soft interrupts off this CPU while it exists.
pub struct BottomHalvesOff {
    /// Whether they were turned off for it: they are not on while one runs.
    turned_off: bool,
    _on_this_cpu: PhantomData<*mut ()>,
}

impl BottomHalvesOff {
    /// Turns them off; nests.
    #[inline]
    pub fn new() -> Self {
        Self {
            // SAFETY: an FFI call without preconditions; `drop` undoes it.
            turned_off: unsafe { bindings::rvs_local_bh_disable() },
            _on_this_cpu: PhantomData,
        }
    }
}

impl Drop for BottomHalvesOff {
    #[inline]
    fn drop(&mut self) {
        if self.turned_off {
            // SAFETY: undoes `new` on the same CPU: the type is not `Send`.
            unsafe { bindings::rvs_local_bh_enable() };
        }
    }
}

/// The CPU that ran a moment ago: a hint for spreading work, not a promise.
#[inline]
pub fn current_hint() -> usize {
    // SAFETY: an FFI call without preconditions.
    unsafe { bindings::rvs_raw_smp_processor_id() as usize }
}

/// CPU numbers are below this.
pub fn count() -> usize {
    // SAFETY: an FFI call without preconditions.
    unsafe { bindings::rvs_nr_cpu_ids() as usize }
}

/// A CPU that may ever run.
///
/// # Invariants
///
/// The number is that of a possible CPU.
#[derive(Clone, Copy)]
pub struct Cpu(u32);

impl Cpu {
    fn behind(number: i32) -> Option<Self> {
        // SAFETY: an FFI call; -1 starts at the first CPU.
        let next = unsafe { bindings::rvs_next_possible_cpu(number) };
        // INVARIANT: the kernel says so, unless the number is beyond all of them.
        ((next as usize) < count()).then_some(Self(next))
    }

    /// Its number.
    pub fn number(self) -> u32 {
        self.0
    }

    /// The possible CPU with the next higher number.
    pub fn next(self) -> Option<Self> {
        Self::behind(self.0 as i32)
    }
}

/// The CPUs that may ever run.
pub fn possible() -> impl Iterator<Item = Cpu> {
    core::iter::successors(Cpu::behind(-1), |cpu| cpu.next())
}

/// Lets others run, where a long loop in process context can afford it; no lock is held in which one must
/// not sleep. `false` if the process is being killed and nobody waits for what the loop finds.
pub fn breathe() -> bool {
    // SAFETY: callers are in process context and may sleep.
    unsafe { bindings::rvs_cond_resched() }
}
