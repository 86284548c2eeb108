// SPDX-License-Identifier: GPL-2.0-only

//! When a defence is on (reference §7): by mode and by how much memory there
//! is.

#![forbid(unsafe_code)]

/// Automatic, off as long as there is memory.
const WATCHING: i32 = 1;
/// Automatic, on because memory is low.
const ACTING: i32 = 2;
/// On.
const ALWAYS: i32 = 3;

/// Memory at hand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Memory {
    /// Pages that are free or could be at once.
    pub available: u64,
    /// Pages below which that is low: `amemthresh`.
    pub threshold: i32,
}

impl Memory {
    /// How many pages are missing to the threshold, and that.
    fn shortage(self) -> Option<(u64, u64)> {
        let threshold = u64::try_from(self.threshold).unwrap_or(0);
        let missing = threshold.checked_sub(self.available)?;
        (missing != 0).then_some((missing, threshold))
    }
}

/// What becomes of a mode: the automatic ones follow memory.
#[must_use]
pub fn next(mode: i32, memory: Memory) -> i32 {
    match (mode, memory.shortage()) {
        (WATCHING, Some(_)) => ACTING,
        (ACTING, None) => WATCHING,
        _ => mode,
    }
}

/// Whether a defence in this mode is on.
#[inline]
#[must_use]
pub const fn is_on(mode: i32) -> bool {
    mode >= ACTING
}

/// One of how many packets `drop_packet` drops in a mode that [`next`] gave; 0 for none.
#[must_use]
pub fn drop_rate(mode: i32, memory: Memory, am_droprate: i32) -> u32 {
    match mode {
        ALWAYS => u32::try_from(am_droprate).unwrap_or(1),
        ACTING => {
            let (missing, threshold) = memory.shortage().unwrap_or((1, 0));
            let rate = threshold.checked_div(missing).unwrap_or(0);
            u32::try_from(rate).unwrap_or(u32::MAX)
        }
        _ => 0,
    }
}
