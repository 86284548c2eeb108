// SPDX-License-Identifier: GPL-2.0-only

//! What the running CPU may be interrupted by, and which one it is.
//!
//! C header: `include/linux/bottom_half.h`

use super::bindings;
use core::marker::PhantomData;

/// Keeps soft interrupts off this CPU while it exists.
pub struct BottomHalvesOff(PhantomData<*mut ()>);

impl BottomHalvesOff {
    /// Turns them off; nests.
    #[inline]
    pub fn new() -> Self {
        // SAFETY: an FFI call without preconditions; `drop` undoes it.
        unsafe { bindings::rvs_local_bh_disable() };
        Self(PhantomData)
    }
}

impl Drop for BottomHalvesOff {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: undoes `new` on the same CPU: the type is not `Send`.
        unsafe { bindings::rvs_local_bh_enable() };
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

/// The CPUs that may ever run.
pub fn possible() -> impl Iterator<Item = u32> {
    let end = count() as u32;
    let next = move |after: i32| {
        // SAFETY: an FFI call; -1 starts at the first CPU.
        let cpu = unsafe { bindings::rvs_next_possible_cpu(after) };
        (cpu < end).then_some(cpu)
    };
    core::iter::successors(next(-1), move |cpu| next(*cpu as i32))
}

/// Lets others run, where a long loop of a worker can afford it.
pub fn breathe() {
    // SAFETY: callers are in process context and hold no lock: it may sleep.
    unsafe { bindings::rvs_cond_resched() };
}
