// SPDX-License-Identifier: GPL-2.0-only

//! What the configuration knows of a service and of a real server.

use super::drain::Drain;
use crate::{
    packet::Family,
    service::{
        identity::Identity, places::Place, FtpPort, Method, RealServer, ServerSettings, Service,
        ServiceKey, ServiceSettings,
    },
    stats::{Meter, Totals},
    sys::{conntrack::Tracking, ip::Stack, net::Net, Arc},
};
use kernel::prelude::*;

/// A configured real server.
pub(super) struct ServerRecord {
    pub(super) server: Arc<RealServer>,
    pub(super) meter: Meter,
    pub(super) identity: Identity,
    /// If it is being drained, or was.
    pub(super) drain: Option<Drain>,
}

impl ServerRecord {
    /// Where packets without a connection meet it.
    pub(super) fn place(&self, service: ServiceKey) -> Option<Place> {
        Place::of(service, self.server.endpoint, self.server.settings())
    }
}

/// A configured service.
pub(super) struct ServiceRecord {
    pub(super) service: Arc<Service>,
    /// Tells services of the same key apart that were configured one after the other.
    pub(super) generation: u64,
    pub(super) settings: ServiceSettings,
    pub(super) identity: Identity,
    /// Tells whoever made the service whether it still is as it was made; 0 if it is not.
    pub(super) fingerprint: u64,
    /// Newest first.
    pub(super) servers: KVVec<ServerRecord>,
    /// What masqueraded FTP can't do without.
    pub(super) tracking: Option<Tracking>,
    /// What removed real servers have counted.
    pub(super) retired: Totals,
    /// The sum of all counters at the last zero.
    pub(super) base: Totals,
}

impl ServiceRecord {
    /// Turns connection tracking on for what a real server with these settings needs: the text of FTP's
    /// masqueraded control connections changes its length, and sequence numbers with it. Sleeps.
    pub(super) fn provide_tracking(&mut self, settings: ServerSettings, net: Net<'static>) {
        let key = self.service.key;
        let is_needed =
            FtpPort::of(key.port()).is_some() && settings.method == Method::Masquerading;
        if is_needed && self.tracking.is_none() {
            let stack = match key.family() {
                Family::V4 => Stack::V4,
                Family::V6 => Stack::V6,
            };
            // Without it, passive clients have no data connections; all else works.
            self.tracking = Tracking::enable(net, stack).ok();
        }
    }

    pub(super) fn totals(&self) -> Totals {
        self.servers.iter().fold(self.retired, |sum, record| {
            sum.plus(record.server.counters.totals())
        })
    }

    /// The sum of its real servers' rates, so that a listing of both adds up.
    pub(super) fn rates(&mut self) -> Totals {
        let mut rates = Totals::default();
        for ServerRecord { server, meter, .. } in self.servers.iter_mut() {
            rates = rates.plus(meter.read(server.counters.totals()).rates);
        }
        rates
    }

    /// Takes the present counters as 0.
    pub(super) fn zero(&mut self) {
        self.base = self.totals();
        for ServerRecord { server, meter, .. } in self.servers.iter_mut() {
            meter.zero(server.counters.totals());
        }
    }
}
