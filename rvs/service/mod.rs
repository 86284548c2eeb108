// SPDX-License-Identifier: GPL-2.0-only

//! Virtual services and real servers as the packet path sees them: found by
//! the packet's destination, read without waiting, changed as a whole by the
//! configuration.

pub mod config;
mod engine;
mod ftp;
pub mod identity;
mod key;
mod locality;
pub mod naming;
mod places;
mod server;
mod snapshot;
mod table;
mod tunnel;

pub use engine::Engine;
pub use ftp::FtpPort;
pub use key::{ServiceKey, FTP, FTP_DATA};
pub use locality::{Assignment, Crowd, Supply};
pub use places::{PlaceBook, PlaceEntry, Places};
pub use server::{Method, RealServer, ServerSettings};
pub use snapshot::{Draft, ServiceSettings, Snapshot};
pub use table::{ServiceEntry, Services, Wanted};
pub use tunnel::{Encapsulation, Tunnel, GUE};

use crate::{
    packet::{Address, Endpoint, FlowKey},
    sched::{self, Cursor, Flow, Scheduler},
    sys::{
        random,
        rcu::{Cell, Held, Spare},
        Arc,
    },
};
use core::{
    net::IpAddr,
    sync::atomic::{AtomicU64, Ordering},
};
use locality::{Kind, Localities};

/// A choice that is remembered: the next one follows it.
const TAKES: bool = true;
/// A choice that is only looked at.
const PEEKS: bool = false;

/// A virtual service.
pub struct Service {
    /// What identifies it.
    pub key: ServiceKey,
    snapshot: Cell<Snapshot>,
    cursor: AtomicU64,
    localities: Localities,
}

impl Service {
    /// A service that packets pass by until its first snapshot is published.
    pub fn hidden(key: ServiceKey) -> Self {
        Self {
            key,
            snapshot: Cell::empty(),
            cursor: AtomicU64::new(Cursor::default().to_bits()),
            localities: Localities::default(),
        }
    }

    /// Whether it has a snapshot.
    #[inline]
    fn is_shown(&self, rcu: Held<'_>) -> bool {
        self.snapshot.read(rcu).is_some()
    }

    /// Publishes a snapshot and moves the scheduler's cursor along. Only with the configuration's
    /// lock held.
    pub fn publish(
        &self,
        snapshot: Snapshot,
        spare: Spare<Snapshot>,
        adapt: impl FnOnce(Cursor, &Snapshot) -> Cursor,
    ) {
        let cursor = Cursor::from_bits(self.cursor.load(Ordering::Relaxed));
        let adapted = adapt(cursor, &snapshot);
        self.snapshot.replace_with(snapshot, spare);
        self.cursor.store(adapted.to_bits(), Ordering::Relaxed);
    }

    /// The settings at present.
    #[inline]
    pub fn settings<'a>(&'a self, rcu: Held<'a>) -> Option<&'a ServiceSettings> {
        self.snapshot.read(rcu).map(|snapshot| &snapshot.settings)
    }

    /// The masqueraded real server at a place, if it is configured.
    fn server_at<'a>(
        &'a self,
        place: Endpoint<IpAddr>,
        rcu: Held<'a>,
    ) -> Option<&'a Arc<RealServer>> {
        let mut servers = self.snapshot.read(rcu)?.servers.iter();
        servers.find(|server| {
            server.endpoint == place
                && server.is_available()
                && server.method() == Method::Masquerading
        })
    }

    /// The real server for a new connection, opened by a packet with this key.
    #[inline]
    pub fn schedule<'a, A: Address>(
        &'a self,
        packet: &FlowKey<A>,
        rcu: Held<'a>,
    ) -> Option<&'a Arc<RealServer>> {
        self.select::<TAKES, A>(packet, rcu)
    }

    /// The real server that [`Service::schedule`] would give now, which remembers nothing of that.
    pub fn peek<'a, A: Address>(
        &'a self,
        packet: &FlowKey<A>,
        rcu: Held<'a>,
    ) -> Option<&'a Arc<RealServer>> {
        self.select::<PEEKS, A>(packet, rcu)
    }

    #[inline]
    fn select<'a, const MODE: bool, A: Address>(
        &'a self,
        packet: &FlowKey<A>,
        rcu: Held<'a>,
    ) -> Option<&'a Arc<RealServer>> {
        let snapshot = self.snapshot.read(rcu)?;
        let scheduler = snapshot.settings.scheduler?;
        let servers = &snapshot.servers;
        let mut cursor = Cursor::from_bits(self.cursor.load(Ordering::Relaxed));
        while let Some(turn) = scheduler.turn(servers, snapshot.prepared, cursor) {
            let (chosen, next) = match turn {
                Some(pick) => (servers.get(pick.index), pick.cursor),
                None => (None, scheduler.after_nobody(snapshot.prepared, cursor)),
            };
            if MODE == PEEKS || next == cursor {
                return chosen;
            }
            let swapped = self.cursor.compare_exchange_weak(
                cursor.to_bits(),
                next.to_bits(),
                Ordering::Relaxed,
                Ordering::Relaxed,
            );
            match swapped {
                Ok(_) => return chosen,
                Err(now) => cursor = Cursor::from_bits(now),
            }
        }
        self.select_for::<MODE, A>(snapshot, scheduler, packet, rcu)
    }

    /// The real server that a scheduler gives this flow, by what the flow or the servers are like.
    fn select_for<'a, const MODE: bool, A: Address>(
        &'a self,
        snapshot: &'a Snapshot,
        scheduler: Scheduler,
        packet: &FlowKey<A>,
        rcu: Held<'a>,
    ) -> Option<&'a Arc<RealServer>> {
        let pool = snapshot.pool();
        let destination = packet.dst.addr.ip();
        if let Some(locality) = Kind::of(scheduler).and_then(|kind| self.localities.get(kind)) {
            return locality.pick::<MODE>(pool.servers, destination, rcu);
        }
        let flow = Flow {
            client: sched::fold(packet.src.addr.ip()),
            client_port: packet.src.port,
            destination: sched::fold(destination),
        };
        let pick = scheduler.pick(&pool, Cursor::default(), &flow, random::word)?;
        pool.servers.get(pick.index)
    }
}
