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

/// How many removed real servers one look is at.
const AT_ONCE: usize = 1024;

/// Where a real server was configured.
pub type Place = (ServiceKey, Endpoint<IpAddr>);

/// How far a look at the removed real servers has come.
pub enum Look {
    /// It goes on at this place.
    Further(Place),
    /// It has come to the end.
    Done {
        /// Whether any are still remembered.
        is_any_left: bool,
    },
}

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
    removed: RBTree<Place, Removed>,
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
        // A packet that saw it configured may keep one more.
        server.forget_routes();
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

    /// Lets go of those to which nothing has been bound for [`MEMORY_TICKS`], from a place on; `now` is the present
    /// tick.
    pub(super) fn forget_unused(&mut self, now: u32, from: Option<Place>) -> Look {
        let mut cursor = match &from {
            Some(place) => self.removed.cursor_lower_bound_mut(place),
            None => self.removed.cursor_front_mut(),
        };
        for _ in 0..AT_ONCE {
            let Some(mut at) = cursor else {
                break;
            };
            let (_, removed) = at.current_mut();
            cursor = if removed.is_outlived(now) {
                forget(&mut self.forgotten, &removed.server);
                at.remove_current().0
            } else {
                at.move_next()
            };
        }
        match cursor {
            Some(at) => Look::Further(*at.current().0),
            None => Look::Done {
                is_any_left: self.removed.keys().next().is_some(),
            },
        }
    }

    /// Those that are remembered.
    pub(super) fn servers(&self) -> impl Iterator<Item = &RealServer> {
        self.removed.values().map(|removed| &*removed.server)
    }

    /// What one CPU has counted for them, and for all that were forgotten. Sleeps.
    pub(super) fn counted_on(&self, cpu: Cpu) -> Totals {
        let forgotten = self.forgotten.get(cpu.number() as usize).copied();
        let mut sum = forgotten.unwrap_or_default();
        for server in self.servers() {
            sum = sum.plus(server.counters.of(cpu));
            cpu::breathe();
        }
        sum
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
