// SPDX-License-Identifier: GPL-2.0-only

//! A token bucket: how often something is told at most. Many may ask at once,
//! in any context, and nobody waits.

#![forbid(unsafe_code)]

use crate::sys::time::HZ;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// What one event costs. A tick brings as many as events a second are allowed.
const COST: u32 = HZ;

/// Lets through `rate` events a second, and up to `burst` at once after a pause.
pub struct Bucket {
    rate: u32,
    full: u32,
    /// The tick at which it was filled last in the upper half, what was in it then in the lower.
    state: AtomicU64,
    left_out: AtomicU32,
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
            left_out: AtomicU32::new(0),
        }
    }

    /// Asks to let an event through at the tick `now`. Gives how many were not let through since the last
    /// one that was; `None` if this one is not.
    pub fn take(&self, now: u32) -> Option<u32> {
        let mut state = self.state.load(Ordering::Relaxed);
        loop {
            let passed = now.wrapping_sub((state >> 32) as u32);
            let tokens = (state as u32)
                .saturating_add(passed.saturating_mul(self.rate))
                .min(self.full);
            let Some(rest) = tokens.checked_sub(COST) else {
                self.left_out.fetch_add(1, Ordering::Relaxed);
                return None;
            };
            let swapped = self.state.compare_exchange_weak(
                state,
                pack(now, rest),
                Ordering::Relaxed,
                Ordering::Relaxed,
            );
            match swapped {
                Ok(_) => return Some(self.left_out.swap(0, Ordering::Relaxed)),
                Err(changed) => state = changed,
            }
        }
    }
}
