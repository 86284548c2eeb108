// SPDX-License-Identifier: GPL-2.0-only

//! CPUs, of which each thread pretends to run on one, and where a thread may not sleep.

use super::{
    rcu,
    std::{
        cell::Cell,
        sync::atomic::{AtomicUsize, Ordering},
        thread, thread_local,
    },
};
use core::marker::PhantomData;

/// CPUs that there seem to be.
const CPUS: usize = 3;

static NEXT_CPU: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static CPU: usize = NEXT_CPU.fetch_add(1, Ordering::Relaxed) % CPUS;
    static BOTTOM_HALVES_OFF: Cell<u32> = const { Cell::new(0) };
    static IS_ELSEWHERE: Cell<bool> = const { Cell::new(false) };
}

/// Runs what stands for the doings of another thread: what this one holds does not keep it from sleeping.
pub fn elsewhere<R>(run: impl FnOnce() -> R) -> R {
    let before = IS_ELSEWHERE.replace(true);
    let result = run();
    IS_ELSEWHERE.set(before);
    result
}

/// Keeps soft interrupts off this CPU while it exists.
pub struct BottomHalvesOff(PhantomData<*mut ()>);

impl BottomHalvesOff {
    /// Turns them off; nests.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        BOTTOM_HALVES_OFF.set(BOTTOM_HALVES_OFF.get() + 1);
        Self(PhantomData)
    }
}

impl Drop for BottomHalvesOff {
    fn drop(&mut self) {
        BOTTOM_HALVES_OFF.set(BOTTOM_HALVES_OFF.get() - 1);
    }
}

/// The CPU of this thread.
pub fn current_hint() -> usize {
    CPU.with(|cpu| *cpu)
}

/// CPU numbers are below this.
pub fn count() -> usize {
    CPUS
}

/// Lets others run. `true`: nobody kills the process.
pub fn breathe() -> bool {
    might_sleep();
    thread::yield_now();
    true
}

/// Panics where the kernel's function of this name would warn.
pub(super) fn might_sleep() {
    if IS_ELSEWHERE.get() {
        return;
    }
    assert_eq!(BOTTOM_HALVES_OFF.get(), 0, "sleeps with bottom halves off");
    assert!(!rcu::is_reading(), "sleeps inside an RCU read side");
}
