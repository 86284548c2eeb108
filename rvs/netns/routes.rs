// SPDX-License-Identifier: GPL-2.0-only

//! The job that lets go of kept routes when devices have gone, which the
//! routes would hold. Who tells of devices has a lock that all namespaces
//! share, and may tell of thousands at once; whoever takes a device away waits
//! for its users without that lock.

use super::Netns;
use crate::sys::{
    net::Net,
    time,
    worker::{job_class, Job, JobClass},
};
use core::sync::atomic::{AtomicU32, Ordering};

/// The job of a namespace.
pub(super) struct RouteReleaser {
    net: Net<'static>,
    /// The ticks that the last run took, and that at which it ended.
    took: AtomicU32,
    ended: AtomicU32,
}

impl RouteReleaser {
    /// That of `net`, whose [`Netns`] stops it before it goes.
    pub(super) const fn new(net: Net<'static>) -> Self {
        Self {
            net,
            took: AtomicU32::new(0),
            ended: AtomicU32::new(0),
        }
    }

    /// Ticks until the next run: whoever has devices come and go all the time keeps it busy for half of the time at most.
    pub(super) fn pause(&self) -> u32 {
        let since = time::jiffies().wrapping_sub(self.ended.load(Ordering::Relaxed));
        self.took.load(Ordering::Relaxed).saturating_sub(since)
    }
}

impl Job for RouteReleaser {
    fn class() -> JobClass {
        job_class!("rvs_route_releaser")
    }

    fn run(&self) -> Option<u32> {
        let netns = Netns::visit(self.net).ok()?;
        let began = time::jiffies();
        if let Some(active) = netns.lock().active.as_ref() {
            active.config.forget_routes(|| !netns.is_quiesced());
        }
        let now = time::jiffies();
        self.took.store(now.wrapping_sub(began), Ordering::Relaxed);
        self.ended.store(now, Ordering::Relaxed);
        None
    }
}
