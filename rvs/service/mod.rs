// SPDX-License-Identifier: GPL-2.0-only

//! Virtual services and real servers as the packet path sees them: found by
//! the packet's destination, read without waiting, changed as a whole by the
//! configuration.

pub mod config;
mod engine;
pub mod identity;
mod locality;
pub mod naming;
mod places;
mod server;
mod tunnel;

pub use engine::Engine;
pub use locality::{Assignment, Crowd, Supply};
pub use places::{PlaceBook, PlaceEntry, Places};
pub use server::{Method, RealServer, ServerSettings};
pub use tunnel::{Encapsulation, Tunnel, GUE};

use crate::{
    packet::{Address, Endpoint, Family, FlowKey, Mask, IPPROTO_TCP},
    sched::{self, Cursor, Flow, Options, Pool, Prepared, Scheduler, Slot, Walk, NOBODY},
    sys::{
        flow_table::{Entry, FlowTable, Hashes, Keeper, Lent, NotInserted},
        random,
        rcu::{self, Cell, Held, Spare},
        Arc,
    },
};
use core::{
    net::IpAddr,
    ops::Deref,
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
};
use kernel::prelude::*;
use locality::{Kind, Localities};

/// A choice that is remembered: the next one follows it.
const TAKES: bool = true;
/// A choice that is only looked at.
const PEEKS: bool = false;

/// What identifies a virtual service; in the order of listings.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum ServiceKey {
    /// Packets to an address.
    Address {
        /// IP protocol number.
        protocol: u8,
        /// Virtual address and port; port 0 stands for all that have no service of their own.
        endpoint: Endpoint<IpAddr>,
    },
    /// Packets that netfilter rules marked.
    Mark {
        /// The family of the packets.
        family: Family,
        /// The mark, never 0.
        mark: u32,
    },
}

impl ServiceKey {
    /// The family of the packets it serves.
    pub const fn family(self) -> Family {
        match self {
            Self::Address { endpoint, .. } => Family::of(endpoint.addr),
            Self::Mark { family, .. } => family,
        }
    }

    /// Its port; 0 for all ports.
    pub const fn port(self) -> u16 {
        match self {
            Self::Address { endpoint, .. } => endpoint.port,
            Self::Mark { .. } => 0,
        }
    }

    /// Whether it serves all ports of its address.
    pub const fn is_for_all_ports(self) -> bool {
        matches!(
            self,
            Self::Address {
                endpoint: Endpoint { port: 0, .. },
                ..
            }
        )
    }

    /// Whether it serves FTP, and with it the data connections of passive clients.
    const fn is_ftp(self) -> bool {
        matches!(
            self,
            Self::Address {
                protocol: IPPROTO_TCP,
                endpoint: Endpoint { port: FTP, .. },
            }
        )
    }
}

/// The port of FTP's control connections.
pub const FTP: u16 = 21;
/// The port from which FTP servers connect to active clients.
pub const FTP_DATA: u16 = 20;

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
    prepared: Prepared,
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
        let mut bits = self.cursor.load(Ordering::Relaxed);
        while let Some(turn) = scheduler.turn(servers, snapshot.prepared, Cursor::from_bits(bits)) {
            let pick = turn?;
            if MODE == PEEKS {
                return servers.get(pick.index);
            }
            let swapped = self.cursor.compare_exchange_weak(
                bits,
                pick.cursor.to_bits(),
                Ordering::Relaxed,
                Ordering::Relaxed,
            );
            match swapped {
                Ok(_) => return servers.get(pick.index),
                Err(now) => bits = now,
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

/// A key as three words, which compare and hash quickly: kind, family, protocol and port or mark; then
/// the address.
#[derive(Clone, Copy)]
struct PackedKey([u64; 3]);

impl PartialEq for PackedKey {
    /// Word by word: comparing arrays is a call.
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        let (Self([a, b, c]), Self([d, e, f])) = (self, other);
        (a ^ d) | (b ^ e) | (c ^ f) == 0
    }
}

const PACKED_MARK: u64 = 1 << 63;

impl PackedKey {
    #[inline]
    const fn of_address(family: Family, protocol: u8, port: u16, [low, high]: [u64; 2]) -> Self {
        Self([
            (family as u64) << 32 | (protocol as u64) << 16 | port as u64,
            low,
            high,
        ])
    }

    #[inline]
    const fn of_mark(family: Family, mark: u32) -> Self {
        Self([PACKED_MARK | (family as u64) << 32 | mark as u64, 0, 0])
    }

    fn of(key: ServiceKey) -> Self {
        match key {
            ServiceKey::Mark { family, mark } => Self::of_mark(family, mark),
            ServiceKey::Address { protocol, endpoint } => {
                let words = match endpoint.addr {
                    IpAddr::V4(addr) => addr.words(),
                    IpAddr::V6(addr) => addr.words(),
                };
                Self::of_address(key.family(), protocol, endpoint.port, words)
            }
        }
    }

    /// A hash that nobody can aim at without the secret, though a clever observer might learn it: the keys
    /// that are in the table are chosen by its owner.
    #[inline]
    fn hash(self, [first, second]: [u64; 2]) -> u64 {
        let Self([what, low, high]) = self;
        let hash = folded_product(what ^ first, low ^ second);
        folded_product(hash ^ high, second | 1)
    }
}

#[inline]
fn folded_product(a: u64, b: u64) -> u64 {
    let product = u128::from(a).wrapping_mul(u128::from(b));
    (product >> 64) as u64 ^ product as u64
}

/// A service's place in the table that packets look into.
pub struct ServiceEntry {
    key: PackedKey,
    service: Arc<Service>,
}

impl Deref for ServiceEntry {
    type Target = Service;

    #[inline]
    fn deref(&self) -> &Service {
        &self.service
    }
}

impl Entry for ServiceEntry {
    type Owner = ();
}

/// What a packet says that a service can be found by.
#[derive(Clone, Copy)]
pub struct Wanted<A> {
    /// The mark that netfilter rules gave the packet; 0 for none.
    pub mark: u32,
    /// IP protocol number.
    pub protocol: u8,
    /// Where the packet goes.
    pub endpoint: Endpoint<A>,
}

/// The services of a namespace, as packets find them.
pub struct Services {
    table: Arc<FlowTable<ServiceEntry>>,
    secret: [u64; 2],
    /// How many services are found by a mark, by FTP's port, by their address alone: what no service
    /// is found by, is not looked for.
    by_mark: AtomicU32,
    ftp: AtomicU32,
    all_ports: AtomicU32,
    /// Which have an engine; nothing if none has. By their keys: the last reference to a service must not
    /// go in a callback, as its caches wait for their workers.
    with_engine: Cell<KVVec<PackedKey>>,
}

impl Services {
    /// None yet; they are published in `table`.
    pub fn new(table: Arc<FlowTable<ServiceEntry>>) -> Self {
        Self {
            table,
            secret: random::key(),
            by_mark: AtomicU32::new(0),
            ftp: AtomicU32::new(0),
            all_ports: AtomicU32::new(0),
            with_engine: Cell::empty(),
        }
    }

    /// The service for a packet (reference §5.2): that of its mark, of its address and port, FTP's for a
    /// data connection of a passive client, that for all ports. Such data connections go to a port from
    /// `first_unprivileged` on.
    #[inline]
    pub fn find<'a, A: Address>(
        &'a self,
        wanted: Wanted<A>,
        first_unprivileged: impl FnOnce() -> u16,
        rcu: Held<'a>,
    ) -> Option<&'a Service> {
        let Wanted {
            mark,
            protocol,
            endpoint,
        } = wanted;
        let exists = |count: &AtomicU32| count.load(Ordering::Relaxed) != 0;
        let words = endpoint.addr.words();
        let at = |port| self.find_key(PackedKey::of_address(A::FAMILY, protocol, port, words), rcu);
        if mark != 0 && exists(&self.by_mark) {
            let found = self.find_key(PackedKey::of_mark(A::FAMILY, mark), rcu);
            if found.is_some() {
                return found;
            }
        }
        at(endpoint.port).or_else(|| {
            let may_be_data = protocol == IPPROTO_TCP
                && exists(&self.ftp)
                && (endpoint.port == FTP_DATA || endpoint.port >= first_unprivileged());
            may_be_data
                .then(|| at(FTP))
                .flatten()
                .or_else(|| exists(&self.all_ports).then(|| at(0)).flatten())
        })
    }

    #[inline]
    fn find_key<'a>(&'a self, key: PackedKey, rcu: Held<'a>) -> Option<&'a Service> {
        let service = &**self.find_entry(key, rcu)?.get();
        service.is_shown(rcu).then_some(service)
    }

    /// The place of a service in the table.
    #[inline]
    fn find_entry<'a>(&'a self, key: PackedKey, rcu: Held<'a>) -> Option<Lent<'a, ServiceEntry>> {
        let hash = key.hash(self.secret);
        self.table
            .lookup(hash, |entry, _| (entry.key == key).then_some(()), rcu)
            .map(|(service, ())| service)
    }

    /// The numbers that a service of this key counts in.
    fn counts(&self, key: ServiceKey) -> impl Iterator<Item = &AtomicU32> {
        [
            matches!(key, ServiceKey::Mark { .. }).then_some(&self.by_mark),
            key.is_ftp().then_some(&self.ftp),
            key.is_for_all_ports().then_some(&self.all_ports),
        ]
        .into_iter()
        .flatten()
    }

    /// The service with an engine that a packet from this place belongs to, and its real server there: such
    /// servers begin flows of their own.
    #[inline]
    pub fn of_server<'a>(
        &'a self,
        protocol: u8,
        place: Endpoint<IpAddr>,
        rcu: Held<'a>,
    ) -> Option<(&'a Service, &'a Arc<RealServer>)> {
        let mut keys = self.with_engine.read(rcu)?.iter();
        keys.find_map(|key| {
            let service = self.find_key(*key, rcu)?;
            let is_of_protocol = matches!(
                service.key,
                ServiceKey::Address { protocol: own, .. } if own == protocol
            );
            let server = is_of_protocol.then(|| service.server_at(place, rcu))??;
            Some((service, server))
        })
    }

    /// Whether there is a service with an engine.
    #[inline]
    pub fn has_engines(&self, rcu: Held<'_>) -> bool {
        self.with_engine.read(rcu).is_some()
    }

    /// Says which services have an engine. May sleep.
    fn publish_engines(&self, keys: KVVec<PackedKey>) -> Result {
        if keys.is_empty() {
            self.with_engine.clear();
            return Ok(());
        }
        self.with_engine.replace(keys, GFP_KERNEL_ACCOUNT)
    }

    /// Lets packets find a service. `EEXIST` if they find one of its key already.
    fn publish(&self, service: Arc<Service>) -> Result {
        let guard = rcu::read_lock();
        let key = service.key;
        let packed = PackedKey::of(key);
        let hashes = Hashes {
            forward: packed.hash(self.secret),
            reverse: None,
        };
        let is_same = |one: &ServiceEntry, other: &ServiceEntry, _| one.key == other.key;
        let entry = ServiceEntry {
            key: packed,
            service,
        };
        match self
            .table
            .insert(entry, hashes, is_same, Held::from(&guard))
        {
            Ok(inserted) => {
                self.table.post(inserted.custody);
                for count in self.counts(key) {
                    count.fetch_add(1, Ordering::Relaxed);
                }
                Ok(())
            }
            Err(NotInserted::Exists(_)) => Err(EEXIST),
            Err(NotInserted::NoMemory) => Err(ENOMEM),
        }
    }

    /// Hides a service from packets.
    fn withdraw(&self, key: ServiceKey, keeper: &mut Keeper<ServiceEntry>) {
        let guard = rcu::read_lock();
        if let Some(entry) = self.find_entry(PackedKey::of(key), Held::from(&guard)) {
            keeper.remove(entry);
            for count in self.counts(key) {
                count.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }
}
