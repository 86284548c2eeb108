// SPDX-License-Identifier: GPL-2.0-only

//! A token bucket: how often something is told at most. Many may ask at once,
//! in any context, and nobody waits.

#![forbid(unsafe_code)]

use crate::sys::time::HZ;
use core::sync::atomic::{AtomicU64, Ordering};

/// What one event costs. A tick brings as many as events a second are allowed.
const COST: u32 = HZ;

/// Lets through `rate` events a second, and up to `burst` at once after a pause. Who is turned away writes nothing.
pub struct Bucket {
    rate: u32,
    full: u32,
    /// The tick at which it was filled last in the upper half, what was in it then in the lower.
    state: AtomicU64,
}

const fn pack(tick: u32, tokens: u32) -> u64 {
    ((tick as u64) << 32) | tokens as u64
}

impl Bucket {
    /// A full bucket at the tick `now`.
    #[must_use]
    pub const fn new(rate: u32, burst: u32, now: u32) -> Self {
        let full = burst.saturating_mul(COST);
        Self {
            rate,
            full,
            state: AtomicU64::new(pack(now, full)),
        }
    }

    /// Asks to let an event through at the tick `now`.
    pub fn take(&self, now: u32) -> bool {
        let mut state = self.state.load(Ordering::Relaxed);
        loop {
            let filled = (state >> 32) as u32;
            // Other CPUs may have seen the next tick already.
            let passed = match now.wrapping_sub(filled) {
                behind if behind > u32::MAX - HZ => 0,
                passed => passed,
            };
            let tokens = (state as u32)
                .saturating_add(passed.saturating_mul(self.rate))
                .min(self.full);
            let Some(rest) = tokens.checked_sub(COST) else {
                return false;
            };
            let swapped = self.state.compare_exchange_weak(
                state,
                pack(filled.wrapping_add(passed), rest),
                Ordering::Relaxed,
                Ordering::Relaxed,
            );
            match swapped {
                Ok(_) => return true,
                Err(changed) => state = changed,
            }
        }
    }
}
