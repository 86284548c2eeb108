// SPDX-License-Identifier: GPL-2.0-only

//! How much is told of a namespace at most, and what was not told.

use super::{bucket::Bucket, Group};
use crate::sys::{per_cpu::Counters, time};
use core::sync::atomic::{AtomicU64, Ordering};
use kernel::prelude::*;

/// How often something is told, and how often it was not.
struct Limit {
    bucket: Bucket,
    /// Events that were left out.
    left_out: Counters<1>,
    /// As many of these were told of.
    told: AtomicU64,
}

impl Limit {
    /// So many a second, after a pause so many at once. Sleeps.
    fn new([rate, burst]: [u32; 2]) -> Result<Self> {
        Ok(Self {
            bucket: Bucket::new(rate, burst, time::jiffies()),
            left_out: Counters::new()?,
            told: AtomicU64::new(0),
        })
    }

    /// Whether an event is told; if so, how many before it were not.
    fn admit(&self) -> Option<u32> {
        if !self.bucket.take(time::jiffies()) {
            self.left_out.add(0, 1);
            return None;
        }
        let [now] = self.left_out.sum();
        let before = self.told.fetch_max(now, Ordering::Relaxed);
        Some(u32::try_from(now.saturating_sub(before)).unwrap_or(u32::MAX))
    }
}

/// What is told of a namespace at most, and what could not be told.
pub struct Ledger {
    servers: Limit,
    drops: Limit,
    lost: AtomicU64,
}

/// Real servers that flap are told of so many times a second, after a pause so many times at once.
const SERVERS: [u32; 2] = [100, 500];
/// As [`SERVERS`], for dropped packets: a sample of them.
const DROPS: [u32; 2] = [20, 20];

impl Ledger {
    /// For a namespace of which nothing was told yet. Sleeps.
    pub fn new() -> Result<Self> {
        Ok(Self {
            servers: Limit::new(SERVERS)?,
            drops: Limit::new(DROPS)?,
            lost: AtomicU64::new(0),
        })
    }

    /// Whether an event of this group is told; if so, how many before it were not.
    pub(super) fn admit(&self, group: Group) -> Option<u32> {
        match group {
            Group::Servers => self.servers.admit(),
            Group::Drops => self.drops.admit(),
            Group::Config | Group::Defence | Group::Table => Some(0),
        }
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
