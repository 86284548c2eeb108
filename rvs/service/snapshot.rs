// SPDX-License-Identifier: GPL-2.0-only

//! The settings and real servers of a service at one moment, which packets see
//! as a whole.

use super::{Engine, RealServer};
use crate::{
    packet::Mask,
    sched::{Options, Pool, Prepared, Scheduler, Slot, Walk, NOBODY},
    sys::Arc,
};
use kernel::prelude::*;

/// Connections of a client stay with one real server.
const FLAG_PERSISTENT: u32 = 0x1;
/// Each packet of UDP is scheduled by itself.
const FLAG_ONE_PACKET: u32 = 0x4;

/// What of a service can be changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ServiceSettings {
    /// Who chooses the real server; without one no connection is scheduled.
    pub scheduler: Option<Scheduler>,
    /// `IP_VS_SVC_F_*`.
    pub flags: u32,
    /// Persistence timeout, seconds.
    pub timeout: u32,
    /// Which part of their addresses tells persistent clients apart.
    pub mask: Mask,
    /// What else does, if anything.
    pub engine: Option<Engine>,
}

impl ServiceSettings {
    /// Whether the connections of a client stay with one real server.
    #[inline]
    pub const fn is_persistent(&self) -> bool {
        self.flags & FLAG_PERSISTENT != 0
    }

    /// Whether each packet of UDP is scheduled by itself.
    #[inline]
    pub const fn is_one_packet(&self) -> bool {
        self.flags & FLAG_ONE_PACKET != 0
    }
}

/// The settings and real servers of a service at one moment.
pub struct Snapshot {
    /// Settings.
    pub settings: ServiceSettings,
    /// Real servers in IPVS list order: newest first.
    pub servers: KVVec<Arc<RealServer>>,
    /// What the scheduler wants to know of them as a whole.
    pub(super) prepared: Prepared,
    /// The table that goes with it.
    table: KVVec<Slot>,
}

/// A snapshot to be: all that may be refused is provided, while the weights of its real servers may still
/// change.
pub struct Draft {
    settings: ServiceSettings,
    servers: KVVec<Arc<RealServer>>,
    table: KVVec<Slot>,
    walks: KVVec<Walk>,
}

impl Draft {
    /// A draft with memory for what its scheduler prepares. Sleeps.
    pub fn new(settings: ServiceSettings, servers: KVVec<Arc<RealServer>>) -> Result<Self> {
        let lengths = settings.scheduler.map_or((0, 0), |scheduler| {
            let count = servers.len();
            (scheduler.table_len(count), scheduler.walks_len(count))
        });
        let (table_len, walks_len) = lengths;
        Ok(Self {
            settings,
            servers,
            table: KVVec::from_elem(NOBODY, table_len, GFP_KERNEL_ACCOUNT)?,
            walks: KVVec::from_elem(Walk::default(), walks_len, GFP_KERNEL_ACCOUNT)?,
        })
    }

    /// Its scheduler.
    pub fn scheduler(&self) -> Option<Scheduler> {
        self.settings.scheduler
    }

    /// The snapshot, prepared for its scheduler by the servers' present weights.
    pub fn finish(self) -> Snapshot {
        let Self {
            settings,
            servers,
            mut table,
            mut walks,
        } = self;
        let prepare = |scheduler: Scheduler| scheduler.prepare(&servers, &mut table, &mut walks);
        let prepared = settings.scheduler.map_or(Prepared::default(), prepare);
        Snapshot {
            settings,
            servers,
            prepared,
            table,
        }
    }
}

impl Snapshot {
    pub(super) fn pool(&self) -> Pool<'_, Arc<RealServer>> {
        Pool {
            servers: &self.servers,
            prepared: self.prepared,
            table: &self.table,
            options: Options::from_flags(self.settings.flags),
        }
    }
}
