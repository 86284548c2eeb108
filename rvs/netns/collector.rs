// SPDX-License-Identifier: GPL-2.0-only

//! The job that has removed real servers forgotten when nothing has been bound
//! to them for some time: no change of the configuration pays for it.

use super::Netns;
use crate::sys::{
    net::Net,
    time::{self, HZ},
    worker::Job,
};

/// Ticks between two looks at the removed real servers: half of the time for which an unused one is remembered
/// (reference §5.5).
pub(super) const LOOK_TICKS: u32 = 60 * HZ;

/// The job of a namespace.
pub struct Collector {
    net: Net<'static>,
}

impl Collector {
    /// That of `net`, whose [`Netns`] stops it before it goes.
    pub const fn new(net: Net<'static>) -> Self {
        Self { net }
    }
}

impl Job for Collector {
    fn run(&self) -> Option<u32> {
        let netns = Netns::of(self.net).ok()?;
        let is_left = netns.read_config(|config| config.forget_removed(time::jiffies()))?;
        is_left.then_some(LOOK_TICKS)
    }
}
