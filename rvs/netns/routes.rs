// SPDX-License-Identifier: GPL-2.0-only

//! The job that lets go of kept routes when devices have gone, which the
//! routes would hold. Who tells of devices has a lock that all namespaces
//! share, and may tell of thousands at once; whoever takes a device away waits
//! for its users without that lock.

use super::Netns;
use crate::sys::{net::Net, worker::Job};

/// The job of a namespace.
pub(super) struct RouteReleaser {
    net: Net<'static>,
}

impl RouteReleaser {
    /// That of `net`, whose [`Netns`] stops it before it goes.
    pub(super) const fn new(net: Net<'static>) -> Self {
        Self { net }
    }
}

impl Job for RouteReleaser {
    fn run(&self) -> Option<u32> {
        let netns = Netns::of(self.net).ok()?;
        if let Some(active) = netns.lock().active.as_ref() {
            active.config.forget_routes();
        }
        None
    }
}
