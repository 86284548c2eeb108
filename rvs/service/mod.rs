// SPDX-License-Identifier: GPL-2.0-only

//! Virtual services and real servers as the packet path sees them: found by
//! the packet's destination, read without waiting, changed as a whole by the
//! configuration.

pub mod config;
mod locality;
mod server;

pub use locality::Assignment;
pub use server::{Method, RealServer, ServerSettings};

use crate::{
    conn::hash::HashKey,
    packet::{Endpoint, FlowKey},
    sched::{self, Cursor, Flow, Options, Pool, Prepared, Scheduler, Slot, Walk, NOBODY},
    sys::{
        flow_table::{Entry, FlowTable, Hashes, Lent, NotInserted},
        random,
        rcu::{self, Cell, Held},
        Arc,
    },
};
use core::{
    net::{IpAddr, Ipv4Addr},
    ops::Deref,
    sync::atomic::{AtomicU64, Ordering},
};
use kernel::prelude::*;
use locality::{Kind, Localities};

/// What identifies a virtual service.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ServiceKey {
    /// IP protocol number.
    pub protocol: u8,
    /// Virtual address and port.
    pub endpoint: Endpoint,
}

impl Ord for ServiceKey {
    /// By protocol, address and port: the order of listings.
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        let rank = |key: &Self| (key.protocol, key.endpoint.addr, key.endpoint.port);
        rank(self).cmp(&rank(other))
    }
}

impl PartialOrd for ServiceKey {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// What of a service can be changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ServiceSettings {
    /// Who chooses the real server; without one no connection is scheduled.
    pub scheduler: Option<Scheduler>,
    /// `IP_VS_SVC_F_*`, stored and shown.
    pub flags: u32,
    /// Persistence timeout in seconds, stored and shown.
    pub timeout: u32,
    /// Persistence netmask as on the wire, stored and shown.
    pub netmask: u32,
}

/// The settings and real servers of a service at one moment.
pub struct Snapshot {
    /// Settings.
    pub settings: ServiceSettings,
    /// Real servers in IPVS list order: newest first.
    pub servers: KVVec<Arc<RealServer>>,
    /// What the scheduler wants to know of them as a whole.
    prepared: Prepared,
    /// The table that goes with it.
    table: KVVec<Slot>,
}

impl Snapshot {
    /// A snapshot, prepared for its scheduler. Sleeps.
    pub fn new(settings: ServiceSettings, servers: KVVec<Arc<RealServer>>) -> Result<Self> {
        let mut snapshot = Self {
            settings,
            servers,
            prepared: Prepared::default(),
            table: KVVec::new(),
        };
        if let Some(scheduler) = settings.scheduler {
            let servers = &snapshot.servers;
            let table_len = scheduler.table_len(servers.len());
            let walks_len = scheduler.walks_len(servers.len());
            let mut table = KVVec::from_elem(NOBODY, table_len, GFP_KERNEL_ACCOUNT)?;
            let mut walks = KVVec::from_elem(Walk::default(), walks_len, GFP_KERNEL_ACCOUNT)?;
            snapshot.prepared = scheduler.prepare(servers, &mut table, &mut walks);
            snapshot.table = table;
        }
        Ok(snapshot)
    }

    fn pool(&self) -> Pool<'_, Arc<RealServer>> {
        Pool {
            servers: &self.servers,
            prepared: self.prepared,
            table: &self.table,
            options: Options::from_flags(self.settings.flags),
        }
    }
}

/// A virtual service.
pub struct Service {
    /// What identifies it.
    pub key: ServiceKey,
    snapshot: Cell<Snapshot>,
    cursor: AtomicU64,
    localities: Localities,
}

impl Service {
    /// A service with its first snapshot. Sleeps.
    pub fn new(key: ServiceKey, snapshot: Snapshot) -> Result<Self> {
        Ok(Self {
            key,
            snapshot: Cell::new(snapshot)?,
            cursor: AtomicU64::new(Cursor::default().to_bits()),
            localities: Localities::default(),
        })
    }

    /// Publishes a snapshot and moves the scheduler's cursor along. Only with the configuration's
    /// lock held. Sleeps.
    pub fn publish(
        &self,
        snapshot: Snapshot,
        adapt: impl FnOnce(Cursor, &Snapshot) -> Cursor,
    ) -> Result {
        let cursor = Cursor::from_bits(self.cursor.load(Ordering::Relaxed));
        let adapted = adapt(cursor, &snapshot);
        self.snapshot.replace(snapshot, GFP_KERNEL_ACCOUNT)?;
        self.cursor.store(adapted.to_bits(), Ordering::Relaxed);
        Ok(())
    }

    /// The real server for a new connection, opened by a packet with this key.
    pub fn schedule<'a>(&'a self, packet: &FlowKey, rcu: Held<'a>) -> Option<&'a Arc<RealServer>> {
        let snapshot = self.snapshot.read(rcu)?;
        let scheduler = snapshot.settings.scheduler?;
        let pool = snapshot.pool();
        let destination = IpAddr::V4(packet.dst.addr);
        if let Some(locality) = Kind::of(scheduler).and_then(|kind| self.localities.get(kind)) {
            return locality.pick(pool.servers, destination, rcu);
        }
        let flow = Flow {
            client: sched::fold(IpAddr::V4(packet.src.addr)),
            client_port: packet.src.port,
            destination: sched::fold(destination),
        };
        let mut bits = self.cursor.load(Ordering::Relaxed);
        loop {
            let cursor = Cursor::from_bits(bits);
            let pick = scheduler.pick(&pool, cursor, &flow, random::word)?;
            let next = pick.cursor.to_bits();
            // Schedulers without a memory leave the shared word alone.
            if next != bits {
                let swapped = self.cursor.compare_exchange_weak(
                    bits,
                    next,
                    Ordering::Relaxed,
                    Ordering::Relaxed,
                );
                if let Err(now) = swapped {
                    bits = now;
                    continue;
                }
            }
            return pool.servers.get(pick.index);
        }
    }
}

/// A service's place in the table that packets look into.
pub struct ServiceEntry(pub Arc<Service>);

impl Deref for ServiceEntry {
    type Target = Service;

    #[inline]
    fn deref(&self) -> &Service {
        &self.0
    }
}

impl Entry for ServiceEntry {}

/// The services of a namespace, as packets find them.
pub struct Services {
    table: Arc<FlowTable<ServiceEntry>>,
    secret: HashKey,
}

impl Services {
    /// None yet; they are published in `table`.
    pub fn new(table: Arc<FlowTable<ServiceEntry>>) -> Self {
        Self {
            table,
            secret: HashKey::new(random::key()),
        }
    }

    /// The service of a key.
    #[inline]
    pub fn find<'a>(&'a self, key: ServiceKey, rcu: Held<'a>) -> Option<&'a Service> {
        self.find_entry(key, rcu).map(|entry| &**entry.get())
    }

    /// The place of a service in the table.
    #[inline]
    fn find_entry<'a>(&'a self, key: ServiceKey, rcu: Held<'a>) -> Option<Lent<'a, ServiceEntry>> {
        self.table
            .lookup(self.hash(key), |service, _| service.key == key, rcu)
            .map(|(service, _)| service)
    }

    fn hash(&self, key: ServiceKey) -> u64 {
        let nobody = Endpoint {
            addr: Ipv4Addr::UNSPECIFIED,
            port: 0,
        };
        self.secret.hash_pair(key.protocol, key.endpoint, nobody)
    }

    /// Lets packets find a service. `EEXIST` if they find one of its key already.
    fn publish(&self, service: Arc<Service>) -> Result {
        let guard = rcu::read_lock();
        let key = service.key;
        let hashes = Hashes {
            forward: self.hash(key),
            reverse: None,
        };
        let is_same = |other: &ServiceEntry| other.key == key;
        let entry = ServiceEntry(service);
        match self
            .table
            .insert(entry, hashes, is_same, Held::from(&guard))
        {
            Ok(inserted) => {
                self.table.post(inserted.custody);
                Ok(())
            }
            Err(NotInserted::Exists(_)) => Err(EEXIST),
            Err(NotInserted::NoMemory) => Err(ENOMEM),
        }
    }
}
