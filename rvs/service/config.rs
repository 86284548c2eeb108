// SPDX-License-Identifier: GPL-2.0-only

//! The configuration of one namespace: which services and real servers there
//! are, what changes are allowed, what of removed ones is remembered. Whoever
//! has it, has the lock of the namespace; the packet path reads only what is
//! published from here.

mod commit;
pub mod drain;
pub mod listing;
mod plan;
mod transaction;

pub use transaction::{NewServer, Rejection, Transaction};

use super::{
    identity::{Identity, Name, Naming},
    locality::Kind,
    places::Place,
    Method, PackedKey, PlaceBook, RealServer, ServerSettings, Service, ServiceEntry, ServiceKey,
    ServiceSettings, Services, Snapshot, Supply, FTP,
};
use crate::{
    events::{self, Event, Group, Subject},
    packet::{Endpoint, Family},
    sched::Candidate,
    settings::Settings,
    stats::{Meter, Shown, Totals},
    sys::{
        conntrack::Tracking,
        cpu::{self, Cpu},
        flow_table::{Fate, Keeper},
        ip::Stack,
        net::Net,
        rcu::GracePeriod,
        Arc,
    },
};
use core::net::IpAddr;
use drain::Drain;
use kernel::{prelude::*, rbtree::RBTree};

/// Why a change was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// There is a service of this key.
    ServiceExists,
    /// There is none.
    NoSuchService,
    /// The service has a real server at this address and port.
    ServerExists,
    /// It has none there.
    NoSuchServer,
    /// No host can have this address.
    NotAHostAddress,
    /// Another service has this name.
    NameTaken,
    /// Another real server of the service has it.
    ServerNameTaken,
    /// The configuration is not the one that the change was made for.
    Outdated,
    /// The real server is not being drained.
    NotDraining,
    /// The kernel refused something.
    Kernel(Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Kernel(error)
    }
}

impl From<kernel::alloc::AllocError> for Refusal {
    fn from(_: kernel::alloc::AllocError) -> Self {
        Self::Kernel(ENOMEM)
    }
}

/// A configured real server.
struct ServerRecord {
    server: Arc<RealServer>,
    meter: Meter,
    identity: Identity,
    /// If it is being drained, or was.
    drain: Option<Drain>,
}

impl ServerRecord {
    /// Where packets without a connection meet it.
    fn place(&self, service: ServiceKey) -> Option<Place> {
        Place::of(service, self.server.endpoint, self.server.settings())
    }

    fn view(&mut self, detail: Detail) -> ServerView<'_> {
        let Self {
            server,
            meter,
            identity,
            drain,
        } = self;
        let (active, total) = (server.active(), server.total());
        ServerView {
            endpoint: server.endpoint,
            settings: server.settings(),
            identity,
            drain: *drain,
            is_overloaded: server.is_overloaded(),
            active,
            inactive: total.saturating_sub(active),
            persistent: server.templates(),
            stats: detail.of(|| meter.read(server.counters.totals())),
        }
    }
}

/// A configured service.
struct ServiceRecord {
    service: Arc<Service>,
    /// Tells services of the same key apart that were configured one after the other.
    generation: u64,
    settings: ServiceSettings,
    identity: Identity,
    /// Tells whoever made the service whether it still is as it was made; 0 if it is not.
    fingerprint: u64,
    /// Newest first.
    servers: KVVec<ServerRecord>,
    /// What masqueraded FTP can't do without.
    tracking: Option<Tracking>,
    /// What removed real servers have counted.
    retired: Totals,
    /// The sum of all counters at the last zero.
    base: Totals,
}

impl ServiceRecord {
    /// Turns connection tracking on for what a real server with these settings needs: the text of FTP's
    /// masqueraded control connections changes its length, and sequence numbers with it. Sleeps.
    fn provide_tracking(&mut self, settings: ServerSettings, net: Net<'static>) {
        let key = self.service.key;
        let is_needed = key.port() == FTP && settings.method == Method::Masquerading;
        if is_needed && self.tracking.is_none() {
            let stack = match key.family() {
                Family::V4 => Stack::V4,
                Family::V6 => Stack::V6,
            };
            // Without it, passive clients have no data connections; all else works.
            self.tracking = Tracking::enable(net, stack).ok();
        }
    }

    fn totals(&self) -> Totals {
        self.servers.iter().fold(self.retired, |sum, record| {
            sum.plus(record.server.counters.totals())
        })
    }

    /// The sum of its real servers' rates, so that a listing of both adds up.
    fn rates(&mut self) -> Totals {
        let mut rates = Totals::default();
        for ServerRecord { server, meter, .. } in self.servers.iter_mut() {
            rates = rates.plus(meter.read(server.counters.totals()).rates);
        }
        rates
    }

    fn position(&self, endpoint: Endpoint<IpAddr>) -> Option<usize> {
        self.servers
            .iter()
            .position(|record| record.server.endpoint == endpoint)
    }

    fn server(&self, endpoint: Endpoint<IpAddr>) -> Result<&ServerRecord, Refusal> {
        self.servers
            .iter()
            .find(|record| record.server.endpoint == endpoint)
            .ok_or(Refusal::NoSuchServer)
    }
}

/// A real server that was removed while connections were bound to it, which come back to life if it
/// is configured again in time (reference §5.5).
struct Removed {
    service: ServiceKey,
    generation: u64,
    server: Arc<RealServer>,
    meter: Meter,
    /// What it had counted when it was removed.
    counted: Totals,
    /// Packets that saw it configured may bind connections to it until this is over.
    readers: GracePeriod,
}

impl Removed {
    /// Whether no connection can come back to life with it.
    fn is_forgotten(&self) -> bool {
        self.readers.is_over() && self.server.is_unused()
    }
}

/// How much a listing shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Detail {
    /// What is configured, but no counters: these take longest.
    Brief,
    /// Everything.
    Full,
}

impl Detail {
    fn of<T>(self, read: impl FnOnce() -> T) -> Option<T> {
        (self == Self::Full).then(read)
    }
}

/// What a listing shows of a service.
pub struct ServiceView<'a> {
    /// What identifies it.
    pub key: ServiceKey,
    /// Settings.
    pub settings: ServiceSettings,
    /// Name and labels.
    pub identity: &'a Identity,
    /// See [`Transaction::mark`].
    pub fingerprint: u64,
    /// Counters and rates, if they were asked for.
    pub stats: Option<Shown>,
}

/// What a listing shows of a real server.
pub struct ServerView<'a> {
    /// Address and port.
    pub endpoint: Endpoint<IpAddr>,
    /// Settings.
    pub settings: ServerSettings,
    /// Name and labels.
    pub identity: &'a Identity,
    /// How far it is drained, if it is.
    pub drain: Option<Drain>,
    /// It has reached its upper threshold, and not yet fallen below the lower one.
    pub is_overloaded: bool,
    /// Active connections.
    pub active: u32,
    /// Inactive connections.
    pub inactive: u32,
    /// Templates of persistent clients.
    pub persistent: u32,
    /// Counters and rates, if they were asked for.
    pub stats: Option<Shown>,
}

/// See the module's description.
pub struct Config {
    net: Net<'static>,
    services: RBTree<ServiceKey, ServiceRecord>,
    services4: u32,
    services6: u32,
    /// The services that have a name.
    names: RBTree<Name, ServiceKey>,
    removed: KVVec<Removed>,
    /// Where real servers are being drained; some may be done with it, or gone.
    drains: KVVec<(ServiceKey, Endpoint<IpAddr>)>,
    /// What removed services have counted.
    retired: Totals,
    /// What each CPU counted for real servers that are forgotten.
    forgotten: KVVec<Totals>,
    /// The sum of all counters at the last zero.
    base: Totals,
    next_generation: u64,
    published: Arc<Services>,
    keeper: Keeper<ServiceEntry>,
    places: PlaceBook,
    localities: Supply,
    namespace_settings: Arc<Settings>,
}

impl Config {
    /// The configuration of a namespace, without services; `keeper` is that of the table of `published`,
    /// `places` an empty book, and `localities` what schedulers have for their caches. Sleeps.
    pub fn new(
        net: Net<'static>,
        published: Arc<Services>,
        keeper: Keeper<ServiceEntry>,
        places: PlaceBook,
        localities: Supply,
        namespace_settings: Arc<Settings>,
    ) -> Result<Self> {
        let mut forgotten = KVVec::new();
        forgotten.resize(cpu::count(), Totals::default(), GFP_KERNEL_ACCOUNT)?;
        Ok(Self {
            net,
            services: RBTree::new(),
            services4: 0,
            services6: 0,
            names: RBTree::new(),
            removed: KVVec::new(),
            drains: KVVec::new(),
            retired: Totals::default(),
            forgotten,
            base: Totals::default(),
            next_generation: 0,
            published,
            keeper,
            places,
            localities,
            namespace_settings,
        })
    }

    /// Whether no packet of a family concerns the configuration: there is no service of it, nor a tunnel
    /// whose packets are of it.
    pub fn is_idle(&self, family: Family) -> bool {
        let services = match family {
            Family::V4 => self.services4,
            Family::V6 => self.services6,
        };
        services == 0 && !self.places.has_tunnel_ends(family)
    }

    /// The number of services of a key's family.
    fn services_like(&mut self, key: ServiceKey) -> &mut u32 {
        match key.family() {
            Family::V4 => &mut self.services4,
            Family::V6 => &mut self.services6,
        }
    }

    fn record(&self, key: ServiceKey) -> Result<&ServiceRecord, Refusal> {
        self.services.get(&key).ok_or(Refusal::NoSuchService)
    }

    fn record_mut(&mut self, key: ServiceKey) -> Result<&mut ServiceRecord, Refusal> {
        self.services.get_mut(&key).ok_or(Refusal::NoSuchService)
    }

    /// Takes in what was published, and frees what was removed some time ago.
    fn tidy(&mut self) {
        self.keeper.collect(|_, _| Fate::List(0));
        self.keeper.resize(u32::MAX);
        self.places.tidy();
        let forgotten = &mut self.forgotten;
        self.removed.retain(|removed| {
            let is_forgotten = removed.is_forgotten();
            if is_forgotten {
                keep_counts(forgotten, &removed.server);
                removed.server.forget_routes();
            }
            !is_forgotten
        });
    }

    /// Whether there is a service of this key.
    pub fn has_service(&self, key: ServiceKey) -> bool {
        self.services.get(&key).is_some()
    }

    /// Has packets find the services with an engine, if these are others than before. Sleeps.
    fn publish_engines(&self, have_changed: bool) {
        if !have_changed {
            return;
        }
        let mut keys = KVVec::new();
        for (key, record) in self.services.iter() {
            let has_place =
                matches!(key, ServiceKey::Address { endpoint, .. } if endpoint.port != 0);
            if has_place && record.settings.engine.is_some() {
                let pushed = keys.push(PackedKey::of(*key), GFP_KERNEL_ACCOUNT);
                if pushed.is_err() {
                    break;
                }
            }
        }
        // When memory is out, flows that real servers begin are not taken for those of a service, or no
        // more than until now: services that are not configured are not found.
        let _ = self.published.publish_engines(keys);
    }

    /// Sees to it that the service has the cache that its scheduler wants, if it wants one. Sleeps.
    fn provide_locality(
        &self,
        service: &Service,
        settings: ServiceSettings,
    ) -> Result<(), Refusal> {
        if let Some(kind) = settings.scheduler.and_then(Kind::of) {
            service
                .localities
                .provide(kind, &self.localities, &self.namespace_settings)?;
        }
        Ok(())
    }

    /// Takes a service from packets and from the configuration. Whether it had an engine.
    fn withdraw_service(&mut self, key: ServiceKey) -> Result<bool, Refusal> {
        let record = self.services.remove(&key).ok_or(Refusal::NoSuchService)?;
        if let Some(name) = &record.identity.name {
            self.names.remove(name);
        }
        let services = self.services_like(key);
        *services = services.saturating_sub(1);
        self.published.withdraw(key, &mut self.keeper);
        record.service.localities.forget();
        for server in record.servers.iter() {
            server.server.set_available(false);
        }
        self.retired = self.retired.plus(record.totals());
        let generation = record.generation;
        let had_engine = record.settings.engine.is_some();
        for server in record.servers {
            self.places.strike(server.place(key));
            self.retire(key, generation, server);
        }
        Ok(had_engine)
    }

    /// Removes all services. Sleeps.
    pub fn flush(&mut self) {
        let mut had_engines = false;
        while let Some(key) = self.key_after(None) {
            had_engines |= self.withdraw_service(key).unwrap_or(false);
            cpu::breathe();
        }
        self.tidy();
        self.publish_engines(had_engines);
        events::emit(self.net, Event::Flushed, Subject::Everything);
    }

    /// Remembers a real server that is no longer configured as long as something is bound to it.
    fn retire(&mut self, service: ServiceKey, generation: u64, record: ServerRecord) {
        let removed = Removed {
            service,
            generation,
            counted: record.server.counters.totals(),
            server: record.server,
            meter: record.meter,
            readers: GracePeriod::start(),
        };
        if self.removed.reserve(1, GFP_KERNEL_ACCOUNT).is_err() {
            // It is only not found again: its connections end by their timeouts.
            keep_counts(&mut self.forgotten, &removed.server);
            removed.server.forget_routes();
            return;
        }
        // There is room.
        let _ = self.removed.push_within_capacity(removed);
    }

    fn removed_position(&self, key: ServiceKey, endpoint: Endpoint<IpAddr>) -> Option<usize> {
        self.removed
            .iter()
            .position(|removed| removed.service == key && removed.server.endpoint == endpoint)
    }

    /// Takes the present counters of a service and its real servers as 0.
    pub fn zero_service(&mut self, key: ServiceKey) -> Result<(), Refusal> {
        let record = self.record_mut(key)?;
        zero(record);
        events::emit(self.net, Event::Zeroed, Subject::ServiceKey(key));
        Ok(())
    }

    /// Takes all present counters as 0.
    pub fn zero_all(&mut self) {
        for record in self.services.values_mut() {
            zero(record);
        }
        self.base = self.totals();
        events::emit(self.net, Event::Zeroed, Subject::Everything);
    }

    /// Tells of a service as it is now.
    fn announce_service(&mut self, event: Event, key: ServiceKey) {
        if !Group::Config.is_heard(self.net) {
            return;
        }
        let net = self.net;
        if let Ok(view) = self.service(key) {
            events::emit(net, event, Subject::Service(&view));
        }
    }

    /// Lets go of all routes to real servers, configured or only remembered.
    pub fn forget_routes(&self) {
        for record in self.services.values() {
            for server in record.servers.iter() {
                server.server.forget_routes();
            }
        }
        for removed in self.removed.iter() {
            removed.server.forget_routes();
        }
    }

    fn totals(&self) -> Totals {
        self.services
            .values()
            .fold(self.retired, |sum, record| sum.plus(record.totals()))
    }

    /// Counters and rates of the namespace.
    pub fn stats(&mut self) -> Shown {
        let mut rates = Totals::default();
        for record in self.services.values_mut() {
            rates = rates.plus(record.rates());
        }
        Shown {
            totals: self.totals().since(self.base),
            rates,
        }
    }

    /// What one CPU has counted, whatever was zeroed or removed since.
    pub fn counted_on(&self, cpu: Cpu) -> Totals {
        let forgotten = self.forgotten.get(cpu.number() as usize).copied();
        let mut sum = forgotten.unwrap_or_default();
        for removed in self.removed.iter() {
            sum = sum.plus(removed.server.counters.of(cpu));
        }
        for record in self.services.values().flat_map(|it| it.servers.iter()) {
            sum = sum.plus(record.server.counters.of(cpu));
        }
        sum
    }

    /// The key of the first service, or of the first behind another.
    pub fn key_after(&self, key: Option<ServiceKey>) -> Option<ServiceKey> {
        let Some(key) = key else {
            return self.services.keys().next().copied();
        };
        let cursor = self.services.cursor_lower_bound(&key)?;
        let (at, _) = cursor.current();
        if *at > key {
            return Some(*at);
        }
        cursor.peek_next().map(|(next, _)| *next)
    }

    /// The settings of a service, and its real servers, newest first.
    pub fn settings_and_servers(
        &self,
        key: ServiceKey,
    ) -> Result<(ServiceSettings, impl Iterator<Item = &RealServer>), Refusal> {
        let record = self.record(key)?;
        let servers = record.servers.iter().map(|it| &*it.server);
        Ok((record.settings, servers))
    }

    /// How many services are configured.
    pub fn count(&self) -> usize {
        let count_one = |count: usize, _| count.saturating_add(1);
        self.services.values().fold(0, count_one)
    }

    /// Shows services in the order of their keys, from `from` on, until `show` says no.
    pub fn show_services(
        &mut self,
        from: Option<ServiceKey>,
        detail: Detail,
        mut show: impl FnMut(ServiceView<'_>) -> bool,
    ) {
        let mut cursor = match from {
            Some(key) => self.services.cursor_lower_bound_mut(&key),
            None => self.services.cursor_front_mut(),
        };
        while let Some(mut at) = cursor {
            let (key, record) = at.current_mut();
            if !show(view(*key, record, detail)) {
                return;
            }
            cursor = at.move_next();
        }
    }

    /// What to show of one service.
    pub fn service(&mut self, key: ServiceKey) -> Result<ServiceView<'_>, Refusal> {
        Ok(view(key, self.record_mut(key)?, Detail::Full))
    }

    /// The service of this name.
    pub fn named(&self, name: &Name) -> Result<ServiceKey, Refusal> {
        self.names.get(name).copied().ok_or(Refusal::NoSuchService)
    }

    /// Shows the real servers of a service, newest first, behind the first `skip`, until `show` says
    /// no.
    pub fn show_servers(
        &mut self,
        key: ServiceKey,
        skip: usize,
        detail: Detail,
        mut show: impl FnMut(ServerView<'_>) -> bool,
    ) -> Result<(), Refusal> {
        let record = self.record_mut(key)?;
        for server in record.servers.iter_mut().skip(skip) {
            if !show(server.view(detail)) {
                break;
            }
        }
        Ok(())
    }
}

fn view(key: ServiceKey, record: &mut ServiceRecord, detail: Detail) -> ServiceView<'_> {
    let stats = detail.of(|| Shown {
        totals: record.totals().since(record.base),
        rates: record.rates(),
    });
    ServiceView {
        key,
        settings: record.settings,
        identity: &record.identity,
        fingerprint: record.fingerprint,
        stats,
    }
}

/// Adds to `forgotten` what each CPU counted for a real server.
fn keep_counts(forgotten: &mut [Totals], server: &RealServer) {
    for cpu in cpu::possible() {
        if let Some(totals) = forgotten.get_mut(cpu.number() as usize) {
            *totals = totals.plus(server.counters.of(cpu));
        }
    }
}

fn zero(record: &mut ServiceRecord) {
    record.base = record.totals();
    for ServerRecord { server, meter, .. } in record.servers.iter_mut() {
        meter.zero(server.counters.totals());
    }
}
