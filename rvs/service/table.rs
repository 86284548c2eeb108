// SPDX-License-Identifier: GPL-2.0-only

//! The services of a namespace, as packets find them.

use super::{
    key::{PackedKey, FTP, FTP_DATA},
    RealServer, Service, ServiceKey,
};
use crate::{
    packet::{Address, Endpoint, IPPROTO_TCP},
    sys::{
        flow_table::{Entry, FlowTable, Hashes, Keeper, Lent, NotInserted},
        random,
        rcu::{self, Cell, Held},
        Arc,
    },
};
use core::{
    net::IpAddr,
    ops::Deref,
    sync::atomic::{AtomicU32, Ordering},
};
use kernel::prelude::*;

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
    pub(super) fn publish_engines(&self, keys: KVVec<PackedKey>) -> Result {
        if keys.is_empty() {
            self.with_engine.clear();
            return Ok(());
        }
        self.with_engine.replace(keys, GFP_KERNEL_ACCOUNT)
    }

    /// Lets packets find a service. `EEXIST` if they find one of its key already.
    pub(super) fn publish(&self, service: Arc<Service>) -> Result {
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
    pub(super) fn withdraw(&self, key: ServiceKey, keeper: &mut Keeper<ServiceEntry>) {
        let guard = rcu::read_lock();
        if let Some(entry) = self.find_entry(PackedKey::of(key), Held::from(&guard)) {
            keeper.remove(entry);
            for count in self.counts(key) {
                count.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }
}
