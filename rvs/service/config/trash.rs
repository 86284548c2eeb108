// SPDX-License-Identifier: GPL-2.0-only

//! Real servers that are no longer configured: they come back with their
//! connections and statistics if they are configured again in time
//! (reference §5.5). What they and those before them have counted is kept.

use super::record::{ServerRecord, ServiceRecord};
use crate::{
    packet::Endpoint,
    service::{RealServer, ServiceKey},
    stats::{Meter, Totals},
    sys::{
        cpu::{self, Cpu},
        rcu::GracePeriod,
        time, Arc,
    },
};
use core::net::IpAddr;
use kernel::{
    prelude::*,
    rbtree::{RBTree, RBTreeNodeReservation},
};

/// Ticks for which a real server to which nothing is bound is remembered.
const MEMORY_TICKS: u32 = 120 * time::HZ;

/// A real server that was removed.
struct Removed {
    generation: u64,
    server: Arc<RealServer>,
    meter: Meter,
    /// What it had counted when it was removed.
    counted: Totals,
    /// Packets that saw it configured may bind connections to it until this is over.
    readers: GracePeriod,
    /// The tick at which it was first seen with nothing bound to it.
    unused_since: Option<u32>,
}

impl Removed {
    /// Whether nothing has been bound to it for so long that it is to be forgotten; `now` is the tick of this look.
    fn is_outlived(&mut self, now: u32) -> bool {
        if !self.readers.is_over() || !self.server.is_unused() {
            return false;
        }
        let since = *self.unused_since.get_or_insert(now);
        now.wrapping_sub(since) >= MEMORY_TICKS
    }
}

/// See the module's description.
pub(super) struct Trash {
    /// At most one for a place in a service: whoever is configured there again is taken from here.
    removed: RBTree<(ServiceKey, Endpoint<IpAddr>), Removed>,
    /// What each CPU counted for real servers that are forgotten.
    forgotten: KVVec<Totals>,
}

impl Trash {
    /// An empty one. Sleeps.
    pub(super) fn new() -> Result<Self> {
        let mut forgotten = KVVec::new();
        forgotten.resize(cpu::count(), Totals::default(), GFP_KERNEL_ACCOUNT)?;
        Ok(Self {
            removed: RBTree::new(),
            forgotten,
        })
    }

    /// The real server that was removed from a service at this place.
    pub(super) fn find(
        &self,
        key: ServiceKey,
        endpoint: Endpoint<IpAddr>,
    ) -> Option<&Arc<RealServer>> {
        let removed = self.removed.get(&(key, endpoint))?;
        Some(&removed.server)
    }

    /// Remembers a real server that a service had. Sleeps.
    pub(super) fn keep(&mut self, key: ServiceKey, generation: u64, record: ServerRecord) {
        let ServerRecord { server, meter, .. } = record;
        let Ok(reservation) = RBTreeNodeReservation::new(GFP_KERNEL_ACCOUNT) else {
            // It is only not found again: its connections end by their timeouts.
            forget(&mut self.forgotten, &server);
            return;
        };
        let place = (key, server.endpoint);
        let removed = Removed {
            generation,
            counted: server.counters.totals(),
            server,
            meter,
            readers: GracePeriod::start(),
            unused_since: None,
        };
        let displaced = self.removed.insert(reservation.into_node(place, removed));
        if let Some(displaced) = displaced {
            let (_, removed) = displaced.to_key_value();
            forget(&mut self.forgotten, &removed.server);
        }
    }

    /// The meter of a real server that a service gets, one that was removed until now or a new one.
    pub(super) fn take_back(
        &mut self,
        record: &mut ServiceRecord,
        server: &Arc<RealServer>,
    ) -> Meter {
        let place = (record.service.key, server.endpoint);
        let Some(removed) = self.removed.remove(&place) else {
            return Meter::new(server.counters.totals());
        };
        // What it counted is in the sum of whoever it was removed from.
        record.retired = record.retired.since(removed.counted);
        if removed.generation == record.generation {
            removed.meter
        } else {
            Meter::new(server.counters.totals())
        }
    }

    /// Lets go of those to which nothing has been bound for [`MEMORY_TICKS`]; `now` is the present tick. Whether
    /// any are left. Sleeps.
    pub(super) fn forget_unused(&mut self, now: u32) -> bool {
        let mut is_any_left = false;
        let mut cursor = self.removed.cursor_front_mut();
        while let Some(mut at) = cursor {
            let (_, removed) = at.current_mut();
            cursor = if removed.is_outlived(now) {
                forget(&mut self.forgotten, &removed.server);
                at.remove_current().0
            } else {
                is_any_left = true;
                at.move_next()
            };
            cpu::breathe();
        }
        is_any_left
    }

    /// Lets go of all routes to them.
    pub(super) fn forget_routes(&self) {
        for removed in self.removed.values() {
            removed.server.forget_routes();
        }
    }

    /// What one CPU has counted for them, and for all that were forgotten.
    pub(super) fn counted_on(&self, cpu: Cpu) -> Totals {
        let forgotten = self.forgotten.get(cpu.number() as usize).copied();
        let sum = |sum: Totals, removed: &Removed| sum.plus(removed.server.counters.of(cpu));
        let removed = self.removed.values();
        removed.fold(forgotten.unwrap_or_default(), sum)
    }
}

/// Adds what each CPU counted for a real server to `forgotten`, and lets go of its routes.
fn forget(forgotten: &mut [Totals], server: &RealServer) {
    for cpu in cpu::possible() {
        if let Some(totals) = forgotten.get_mut(cpu.number() as usize) {
            *totals = totals.plus(server.counters.of(cpu));
        }
    }
    server.forget_routes();
}
