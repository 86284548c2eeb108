// SPDX-License-Identifier: GPL-2.0-only

//! The jobs that look after the configuration of a namespace, which they lock.

use super::{
    collector::{self, Collector},
    drain::Drainer,
    routes::RouteReleaser,
};
use crate::sys::{net::Net, worker::Worker};
use kernel::prelude::*;

/// The jobs of a namespace that has, or had, services.
pub(super) struct Jobs {
    pub(super) drainer: Worker<Drainer>,
    collector: Worker<Collector>,
    releaser: Worker<RouteReleaser>,
}

impl Jobs {
    /// Those of `net`, whose [`Netns`](super::Netns) stops them before it goes. Sleeps.
    pub(super) fn new(net: Net<'static>) -> Result<Self> {
        Ok(Self {
            drainer: Worker::new(Drainer::new(net))?,
            collector: Worker::new(Collector::new(net))?,
            releaser: Worker::new(RouteReleaser::new(net))?,
        })
    }

    /// Has real servers that were removed be forgotten when nobody has wanted them back for long enough.
    pub(super) fn remember_removed(&self) {
        self.collector.ask(collector::LOOK_TICKS);
    }

    /// Has routes over devices that went be let go of. From any context.
    pub(super) fn release_routes(&self) {
        self.releaser.ask(self.releaser.job().pause());
    }

    /// Waits for all of them, who don't run again. Sleeps; not with the state locked.
    pub(super) fn stop(&self) {
        self.drainer.stop();
        self.collector.stop();
        self.releaser.stop();
    }
}
