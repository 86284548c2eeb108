// SPDX-License-Identifier: GPL-2.0-only

//! How much is told of a namespace at most, and what was not told.

use super::{bucket::Bucket, Group};
use crate::sys::{per_cpu::Counters, time};
use core::sync::atomic::{AtomicU64, Ordering};
use kernel::{prelude::*, sync::SetOnce};

/// How often something is told, and how often it was not.
struct Limit {
    bucket: Bucket,
    /// Its place among the counters of events that were left out.
    index: usize,
    /// As many of these were told of.
    told: AtomicU64,
}

impl Limit {
    /// So many a second, after a pause so many at once.
    fn new([rate, burst]: [u32; 2], index: usize) -> Self {
        Self {
            bucket: Bucket::new(rate, burst, time::jiffies()),
            index,
            told: AtomicU64::new(0),
        }
    }

    /// Whether an event is told; if so, how many before it were not.
    fn admit(&self, left_out: &LeftOut) -> Option<u32> {
        if !self.bucket.take(time::jiffies()) {
            left_out.add(self.index, 1);
            return None;
        }
        let now = left_out.sum().get(self.index).copied().unwrap_or(0);
        let before = self.told.fetch_max(now, Ordering::Relaxed);
        Some(u32::try_from(now.saturating_sub(before)).unwrap_or(u32::MAX))
    }
}

/// Events that were left out, for each limit.
type LeftOut = Counters<2>;

/// What is told of a namespace at most, and what could not be told.
pub struct Ledger {
    servers: Limit,
    drops: Limit,
    left_out: SetOnce<LeftOut>,
    lost: AtomicU64,
}

/// Real servers that flap are told of so many times a second, after a pause so many times at once.
const SERVERS: [u32; 2] = [100, 500];
/// As [`SERVERS`], for dropped packets: a sample of them.
const DROPS: [u32; 2] = [20, 20];

impl Ledger {
    /// For a namespace of which nothing was told yet.
    pub fn new() -> Self {
        Self {
            servers: Limit::new(SERVERS, 0),
            drops: Limit::new(DROPS, 1),
            left_out: SetOnce::new(),
            lost: AtomicU64::new(0),
        }
    }

    /// Has events of real servers and of packets told from now on, of which there are none before. One caller at a time;
    /// sleeps.
    pub fn open(&self) -> Result {
        if self.left_out.as_ref().is_none() {
            self.left_out.populate(LeftOut::new()?);
        }
        Ok(())
    }

    /// Whether an event of this group is told; if so, how many before it were not.
    pub(super) fn admit(&self, group: Group) -> Option<u32> {
        let limit = match group {
            Group::Servers => &self.servers,
            Group::Drops => &self.drops,
            Group::Config | Group::Defence | Group::Table => return Some(0),
        };
        limit.admit(self.left_out.as_ref()?)
    }

    /// Notes that nobody heard of an event because memory was out.
    pub(super) fn note_lost(&self) {
        self.lost.fetch_add(1, Ordering::Relaxed);
    }

    /// How many events nobody heard of because memory was out.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}
