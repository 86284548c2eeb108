// SPDX-License-Identifier: GPL-2.0-only

//! How many connections may exist. Namespaces that anybody may make share a
//! part of the machine's memory, so that nobody uses up all of it.

use core::sync::atomic::{AtomicU64, Ordering};

/// Memory that a connection takes at most, with its part of the table.
const CONNECTION_BYTES: u64 = 192;

/// The connections of the whole machine, as of a quarter of a second ago, and their limits.
pub struct Budget {
    used: AtomicU64,
    total: u64,
}

/// The part of a namespace.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Share {
    /// Half of the machine's memory: the initial namespace.
    Initial,
    /// An eighth, together with all others of this kind.
    Other,
}

impl Budget {
    /// A budget for a machine with this much memory, in bytes.
    pub const fn new(memory: u64) -> Self {
        Self {
            used: AtomicU64::new(0),
            total: memory / CONNECTION_BYTES,
        }
    }

    /// Whether no more connections may be made.
    #[inline]
    pub fn is_spent(&self, share: Share) -> bool {
        let limit = match share {
            Share::Initial => self.total / 2,
            Share::Other => self.total / 8,
        };
        self.used.load(Ordering::Relaxed) >= limit
    }

    /// Counts the connections of a namespace, which were `before` when it did last.
    pub fn update(&self, before: u64, now: u64) {
        // Wraps to a difference below 0.
        self.used
            .fetch_add(now.wrapping_sub(before), Ordering::Relaxed);
    }
}
