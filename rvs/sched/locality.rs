// SPDX-License-Identifier: GPL-2.0-only

//! How much a cache of `lblc` or `lblcr` holds, and what of it has to go. The figures are IPVS's.

/// Destinations beyond which those that were not asked for lately have to go.
const SOFT_LIMIT: u32 = 16_384;

/// Destinations that a cache takes in at most.
pub const HARD_LIMIT: u32 = SOFT_LIMIT / 2 * 3;

/// Seconds without a flow after which a destination may go beyond the soft limit.
const CROWDED_TIMEOUT: u32 = 6 * 60;

/// What one look at all destinations drops.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sweep {
    /// Those without a flow for so many seconds.
    pub timeout: u32,
    /// But no more than so many.
    pub at_most: u32,
}

impl Sweep {
    /// What to drop of so many destinations, where they expire after so many seconds.
    #[must_use]
    pub fn of(destinations: u32, expiration: u32) -> Sweep {
        let excess = destinations.saturating_sub(SOFT_LIMIT);
        if excess == 0 {
            return Sweep {
                timeout: expiration,
                at_most: u32::MAX,
            };
        }
        // A third more than necessary, to have peace for a while.
        let goal = excess.saturating_mul(4) / 3;
        Sweep {
            timeout: CROWDED_TIMEOUT.min(expiration),
            at_most: goal.min(SOFT_LIMIT / 2),
        }
    }
}
