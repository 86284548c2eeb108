// SPDX-License-Identifier: GPL-2.0-only

//! Counters and rates. Each packet bumps the per-CPU counters of its real
//! server; whatever else is shown is a sum or a difference of them, computed
//! when somebody asks.

pub mod drops;

use crate::sys::{cpu::Cpu, per_cpu, time};
use kernel::prelude::*;

/// Counters of one real server, in the order of [`Totals`].
pub struct Counters(per_cpu::Counters<5>);

const CONNS: usize = 0;
const IN_PKTS: usize = 1;
const OUT_PKTS: usize = 2;
const IN_BYTES: usize = 3;
const OUT_BYTES: usize = 4;

impl Counters {
    /// Counters at 0. Sleeps.
    pub fn new() -> Result<Self> {
        Ok(Self(per_cpu::Counters::new()?))
    }

    /// Counts a scheduled connection.
    #[inline]
    pub fn count_connection(&self) {
        self.0.add(CONNS, 1);
    }

    /// Counts a packet of `bytes` (from the IP header on) towards the real server.
    #[inline]
    pub fn count_in(&self, bytes: usize) {
        self.0.add(IN_PKTS, 1);
        self.0.add(IN_BYTES, bytes as u64);
    }

    /// Counts a packet of `bytes` from the real server.
    #[inline]
    pub fn count_out(&self, bytes: usize) {
        self.0.add(OUT_PKTS, 1);
        self.0.add(OUT_BYTES, bytes as u64);
    }

    /// The values summed over all CPUs.
    pub fn totals(&self) -> Totals {
        Totals::from(self.0.sum())
    }

    /// What one CPU counted.
    pub fn of(&self, cpu: Cpu) -> Totals {
        Totals::from(self.0.of(cpu))
    }
}

/// Values of the counters that IPVS shows (reference §10).
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Totals {
    /// Connections scheduled.
    pub conns: u64,
    /// Packets towards real servers.
    pub in_pkts: u64,
    /// Packets from real servers.
    pub out_pkts: u64,
    /// Bytes towards real servers, from the IP header on.
    pub in_bytes: u64,
    /// Bytes from real servers.
    pub out_bytes: u64,
}

impl From<[u64; 5]> for Totals {
    fn from(counters: [u64; 5]) -> Self {
        Self {
            conns: counters[CONNS],
            in_pkts: counters[IN_PKTS],
            out_pkts: counters[OUT_PKTS],
            in_bytes: counters[IN_BYTES],
            out_bytes: counters[OUT_BYTES],
        }
    }
}

impl Totals {
    fn with(self, other: Self, op: impl Fn(u64, u64) -> u64) -> Self {
        Self {
            conns: op(self.conns, other.conns),
            in_pkts: op(self.in_pkts, other.in_pkts),
            out_pkts: op(self.out_pkts, other.out_pkts),
            in_bytes: op(self.in_bytes, other.in_bytes),
            out_bytes: op(self.out_bytes, other.out_bytes),
        }
    }

    /// The sum of both.
    pub fn plus(self, other: Self) -> Self {
        self.with(other, u64::wrapping_add)
    }

    /// What was counted since `earlier`.
    pub fn since(self, earlier: Self) -> Self {
        self.with(earlier, u64::wrapping_sub)
    }
}

/// What a listing shows of one object: counters since the last zero, and rates per second.
#[derive(Clone, Copy, Default, Debug)]
pub struct Shown {
    /// Counters.
    pub totals: Totals,
    /// Their increase per second, bytes included.
    pub rates: Totals,
}

/// A reading is kept at least this long before a newer one replaces it as the start of the span
/// over which rates are measured.
const MIN_SPAN: u32 = 2 * time::HZ;

/// Turns readings of an object's counters into what a listing shows. One for each object that has
/// rates, kept under the configuration's lock.
pub struct Meter {
    base: Totals,
    from: Totals,
    from_tick: u32,
    rates: Totals,
}

impl Meter {
    /// A meter for counters that stand at `now`, which are not shown.
    pub fn new(now: Totals) -> Self {
        Self {
            base: now,
            from: now,
            from_tick: time::jiffies(),
            rates: Totals::default(),
        }
    }

    /// What to show when the counters stand at `now`.
    ///
    /// Rates are the increase since an earlier reading, at least two seconds ago where there is
    /// one: two readings tell the rate between them, as exactly as their span allows.
    pub fn read(&mut self, now: Totals) -> Shown {
        let tick = time::jiffies();
        let span = tick.wrapping_sub(self.from_tick);
        if span >= MIN_SPAN {
            let per_second =
                |delta: u64, _| delta.saturating_mul(u64::from(time::HZ)) / u64::from(span.max(1));
            self.rates = now.since(self.from).with(Totals::default(), per_second);
            self.from = now;
            self.from_tick = tick;
        }
        Shown {
            totals: now.since(self.base),
            rates: self.rates,
        }
    }

    /// Takes the present values as 0.
    pub fn zero(&mut self, now: Totals) {
        *self = Self::new(now);
    }
}
