// SPDX-License-Identifier: GPL-2.0-only

//! How many connections may exist. Namespaces that anybody may make share a
//! part of the machine's memory, and none of them gets all of that.

use core::sync::atomic::{AtomicU64, Ordering};

/// Memory that a connection takes at most, with its part of the table.
const CONNECTION_BYTES: u64 = 192;

/// The part of a namespace.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Share {
    /// Namespaces of the initial user namespace: together half of the machine's memory.
    Trusted,
    /// Namespaces of other user namespaces: together an eighth, each of them at most an eighth of that.
    Other,
}

/// The connections of the whole machine, as of a quarter of a second ago, and their limits.
pub struct Budget {
    trusted: AtomicU64,
    other: AtomicU64,
    total: u64,
}

impl Budget {
    /// A budget for a machine with this much memory, in bytes.
    pub const fn new(memory: u64) -> Self {
        Self {
            trusted: AtomicU64::new(0),
            other: AtomicU64::new(0),
            total: memory / CONNECTION_BYTES,
        }
    }

    fn used(&self, share: Share) -> &AtomicU64 {
        match share {
            Share::Trusted => &self.trusted,
            Share::Other => &self.other,
        }
    }

    /// Whether a namespace that has `own` connections may make no more.
    #[inline]
    pub fn is_spent(&self, share: Share, own: u64) -> bool {
        let (limit, own_limit) = match share {
            Share::Trusted => (self.total / 2, self.total / 2),
            Share::Other => (self.total / 8, self.total / 64),
        };
        own >= own_limit || self.used(share).load(Ordering::Relaxed) >= limit
    }

    /// Counts the connections of a namespace, which were `before` when it did last.
    pub fn update(&self, share: Share, before: u64, now: u64) {
        // Wraps to a difference below 0.
        self.used(share)
            .fetch_add(now.wrapping_sub(before), Ordering::Relaxed);
    }
}
