// SPDX-License-Identifier: GPL-2.0-only

//! The job that has removed real servers forgotten when nothing has been bound
//! to them for some time: no change of the configuration pays for it.

use super::Netns;
use crate::service::config::Look;
use crate::sys::{
    cpu,
    net::Net,
    time::{self, HZ},
    worker::{job_class, Job, JobClass},
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
    fn class() -> JobClass {
        job_class!("rvs_collector")
    }

    fn run(&self) -> Option<u32> {
        let netns = Netns::visit(self.net).ok()?;
        let now = time::jiffies();
        let mut place = None;
        loop {
            let look = netns.read_config(|config| config.forget_removed(now, place))?;
            place = match look {
                Look::Further(place) => Some(place),
                Look::Done { is_any_left } => return is_any_left.then_some(LOOK_TICKS),
            };
            cpu::breathe();
            if netns.is_quiesced() {
                return None;
            }
        }
    }
}
