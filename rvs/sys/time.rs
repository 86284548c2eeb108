// SPDX-License-Identifier: GPL-2.0-only

//! The kernel's tick counter, and its clocks.
//!
//! C headers: `include/linux/jiffies.h`, `include/linux/timekeeping.h`

use super::bindings;

/// Ticks per second of [`jiffies`].
pub const HZ: u32 = bindings::RVS_HZ;

/// The low 32 bits of the tick counter.
///
/// They wrap after 198 days at 250 Hz: only differences between moments less than half of that apart
/// mean anything.
#[inline]
pub fn jiffies() -> u32 {
    // SAFETY: `jiffies` is a live variable of the kernel that the timer interrupt changes; a
    // volatile read of an aligned word is how C reads it.
    unsafe { core::ptr::read_volatile(&raw const bindings::jiffies) as u32 }
}

/// The time of day: nanoseconds since the start of 1970, without leap seconds.
pub fn real_nanoseconds() -> u64 {
    // SAFETY: an FFI call without preconditions.
    unsafe { bindings::rvs_real_time() }
}

/// Nanoseconds of a clock that nobody sets (`CLOCK_MONOTONIC`).
pub fn monotonic_nanoseconds() -> u64 {
    // SAFETY: an FFI call without preconditions.
    unsafe { bindings::rvs_monotonic_time() }
}

/// Seconds as ticks, saturating at the longest span that still compares.
#[inline]
pub fn seconds(seconds: u32) -> u32 {
    seconds.saturating_mul(HZ).min(i32::MAX as u32)
}

/// Milliseconds as ticks, rounded up, saturating at the longest span that can be counted.
pub fn milliseconds(milliseconds: u64) -> u32 {
    let ticks = milliseconds.saturating_mul(u64::from(HZ)).div_ceil(1000);
    u32::try_from(ticks).unwrap_or(u32::MAX)
}

/// Ticks as milliseconds.
pub fn as_milliseconds(ticks: u32) -> u64 {
    u64::from(ticks).saturating_mul(1000) / u64::from(HZ)
}
