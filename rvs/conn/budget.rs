// SPDX-License-Identifier: GPL-2.0-only

//! How many connections may exist. Namespaces that anybody may make share a
//! part of the machine's memory, and none of them gets all of that.

use crate::sys::Arc;
use core::sync::atomic::{AtomicU64, Ordering};

/// Memory that a connection, of IPv6, takes at most, with its part of the table.
const CONNECTION_BYTES: u64 = 256;

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
}

/// What one namespace has of the budget.
pub struct Account {
    budget: Arc<Budget>,
    share: Share,
    own: AtomicU64,
}

impl Account {
    /// An account without connections.
    pub fn new(budget: Arc<Budget>, share: Share) -> Self {
        Self {
            budget,
            share,
            own: AtomicU64::new(0),
        }
    }

    /// Whether the namespace may make no more connections.
    #[inline]
    pub fn is_spent(&self) -> bool {
        let total = self.budget.total;
        let (limit, own_limit) = match self.share {
            Share::Trusted => (total / 2, total / 2),
            Share::Other => (total / 8, total / 64),
        };
        let used = self.budget.used(self.share);
        self.own.load(Ordering::Relaxed) >= own_limit || used.load(Ordering::Relaxed) >= limit
    }

    /// Counts the connections of one of the namespace's tables, which were `before` when it did last.
    pub fn update(&self, before: u64, now: u64) {
        // Wraps to a difference below 0.
        let difference = now.wrapping_sub(before);
        self.own.fetch_add(difference, Ordering::Relaxed);
        self.budget
            .used(self.share)
            .fetch_add(difference, Ordering::Relaxed);
    }
}
