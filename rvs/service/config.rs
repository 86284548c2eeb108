// SPDX-License-Identifier: GPL-2.0-only

//! The configuration of one namespace: which services and real servers there
//! are, what changes are allowed, what of removed ones is remembered. Whoever
//! has it, has the lock of the namespace; the packet path reads only what is
//! published from here.

pub mod drain;

use super::{
    locality::Kind, places::Place, Method, PackedKey, PlaceBook, RealServer, ServerSettings,
    Service, ServiceEntry, ServiceKey, ServiceSettings, Services, Snapshot, Supply, FTP,
};
use crate::{
    events::{self, Event, Group, Subject},
    packet::{Endpoint, Family},
    sched::{Candidate, Change, Cursor},
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
use kernel::{
    prelude::*,
    rbtree::{RBTree, RBTreeNode},
};

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
    /// If it is being drained, or was.
    drain: Option<Drain>,
}

impl ServerRecord {
    /// Where packets without a connection meet it.
    fn place(&self, service: ServiceKey) -> Option<Place> {
        Place::of(service, self.server.endpoint, self.server.settings())
    }

    fn view(&mut self) -> ServerView {
        let Self {
            server,
            meter,
            drain,
        } = self;
        let (active, total) = (server.active(), server.total());
        ServerView {
            endpoint: server.endpoint,
            settings: server.settings(),
            drain: *drain,
            is_overloaded: server.is_overloaded(),
            active,
            inactive: total.saturating_sub(active),
            persistent: server.templates(),
            stats: meter.read(server.counters.totals()),
        }
    }
}

/// A configured service.
struct ServiceRecord {
    service: Arc<Service>,
    /// Tells services of the same key apart that were configured one after the other.
    generation: u64,
    settings: ServiceSettings,
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

    /// The real servers as a snapshot has them: not the one at `skipped`, nor those that are being drained.
    fn snapshot_servers(
        &self,
        first: Option<&Arc<RealServer>>,
        skipped: Option<usize>,
    ) -> Result<KVVec<Arc<RealServer>>, Refusal> {
        let mut servers =
            KVVec::with_capacity(self.servers.len().saturating_add(1), GFP_KERNEL_ACCOUNT)?;
        if let Some(first) = first {
            servers.push(first.clone(), GFP_KERNEL_ACCOUNT)?;
        }
        for (i, record) in self.servers.iter().enumerate() {
            if Some(i) != skipped && record.drain.is_none() {
                servers.push(record.server.clone(), GFP_KERNEL_ACCOUNT)?;
            }
        }
        Ok(servers)
    }

    fn publish(&self, servers: KVVec<Arc<RealServer>>, change: Change) -> Result<(), Refusal> {
        let adapt = |cursor: Cursor, snapshot: &Snapshot| match snapshot.settings.scheduler {
            Some(scheduler) => scheduler.after_change(cursor, change, &snapshot.servers),
            None => cursor,
        };
        self.service
            .publish(Snapshot::new(self.settings, servers)?, adapt)?;
        Ok(())
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

/// What a listing shows of a service.
pub struct ServiceView {
    /// What identifies it.
    pub key: ServiceKey,
    /// Settings.
    pub settings: ServiceSettings,
    /// Counters and rates.
    pub stats: Shown,
}

/// What a listing shows of a real server.
pub struct ServerView {
    /// Address and port.
    pub endpoint: Endpoint<IpAddr>,
    /// Settings.
    pub settings: ServerSettings,
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
    /// Counters and rates.
    pub stats: Shown,
}

/// See the module's description.
pub struct Config {
    net: Net<'static>,
    services: RBTree<ServiceKey, ServiceRecord>,
    services4: u32,
    services6: u32,
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

    /// Whether a service of this key exists.
    pub fn check_new_service(&self, key: ServiceKey) -> Result<(), Refusal> {
        match self.services.get(&key) {
            Some(_) => Err(Refusal::ServiceExists),
            None => Ok(()),
        }
    }

    /// Adds a service without real servers. Sleeps.
    pub fn add_service(
        &mut self,
        key: ServiceKey,
        settings: ServiceSettings,
    ) -> Result<(), Refusal> {
        self.check_new_service(key)?;
        let service = Arc::new(
            Service::new(key, Snapshot::new(settings, KVVec::new())?)?,
            GFP_KERNEL_ACCOUNT,
        )?;
        self.provide_locality(&service, settings)?;
        let record = ServiceRecord {
            service: service.clone(),
            generation: self.next_generation,
            settings,
            servers: KVVec::new(),
            tracking: None,
            retired: Totals::default(),
            base: Totals::default(),
        };
        let node = RBTreeNode::new(key, record, GFP_KERNEL_ACCOUNT)?;
        self.next_generation = self.next_generation.wrapping_add(1);
        self.published.publish(service)?;
        self.services.insert(node);
        let services = self.services_like(key);
        *services = services.saturating_add(1);
        self.tidy();
        self.publish_engines(settings.engine.is_some());
        self.announce_service(Event::ServiceAdded, key);
        Ok(())
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

    /// Changes the settings of a service. Sleeps.
    pub fn change_service(
        &mut self,
        key: ServiceKey,
        settings: ServiceSettings,
    ) -> Result<(), Refusal> {
        self.provide_locality(&self.record(key)?.service, settings)?;
        let record = self.record_mut(key)?;
        let servers = record.snapshot_servers(None, None)?;
        let is_other_scheduler = record.settings.scheduler != settings.scheduler;
        let adapt = |cursor: Cursor, _: &Snapshot| {
            if is_other_scheduler {
                Cursor::default()
            } else {
                cursor
            }
        };
        record
            .service
            .publish(Snapshot::new(settings, servers)?, adapt)?;
        if is_other_scheduler {
            record.service.localities.forget();
        }
        let engines_change = record.settings.engine != settings.engine;
        record.settings = settings;
        self.publish_engines(engines_change);
        self.announce_service(Event::ServiceChanged, key);
        Ok(())
    }

    /// The flags of a service, to which a change is relative.
    pub fn flags(&self, key: ServiceKey) -> Result<u32, Refusal> {
        Ok(self.record(key)?.settings.flags)
    }

    /// Removes a service and its real servers; their connections stay. Sleeps.
    pub fn remove_service(&mut self, key: ServiceKey) -> Result<(), Refusal> {
        self.withdraw_service(key)?;
        self.tidy();
        events::emit(self.net, Event::ServiceRemoved, Subject::ServiceKey(key));
        Ok(())
    }

    /// Takes a service from packets and from the configuration.
    fn withdraw_service(&mut self, key: ServiceKey) -> Result<(), Refusal> {
        let record = self.services.remove(&key).ok_or(Refusal::NoSuchService)?;
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
        self.publish_engines(had_engine);
        Ok(())
    }

    /// Removes all services. Sleeps.
    pub fn flush(&mut self) {
        loop {
            let first = self.services.cursor_front().map(|at| *at.current().0);
            match first {
                Some(key) if self.withdraw_service(key).is_ok() => cpu::breathe(),
                _ => break,
            }
        }
        self.tidy();
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

    /// Whether a real server can be added, or is one that comes back; then its address needs no
    /// check.
    pub fn check_new_server(
        &self,
        key: ServiceKey,
        endpoint: Endpoint<IpAddr>,
    ) -> Result<bool, Refusal> {
        let record = self.record(key)?;
        if record.position(endpoint).is_some() {
            return Err(Refusal::ServerExists);
        }
        Ok(self.removed_position(key, endpoint).is_some())
    }

    fn removed_position(&self, key: ServiceKey, endpoint: Endpoint<IpAddr>) -> Option<usize> {
        self.removed
            .iter()
            .position(|removed| removed.service == key && removed.server.endpoint == endpoint)
    }

    /// Adds a real server to a service; one that was removed comes back with its connections.
    /// Sleeps.
    pub fn add_server(
        &mut self,
        key: ServiceKey,
        endpoint: Endpoint<IpAddr>,
        settings: ServerSettings,
    ) -> Result<(), Refusal> {
        self.check_new_server(key, endpoint)?;
        let position = self.removed_position(key, endpoint);
        let returning = position.and_then(|position| self.removed.get(position));
        let server = match returning {
            Some(removed) => removed.server.clone(),
            None => RealServer::new(self.net, key, endpoint, settings)?,
        };
        let record = self.services.get_mut(&key).ok_or(Refusal::NoSuchService)?;
        record.provide_tracking(settings, self.net);
        let servers = record.snapshot_servers(Some(&server), None)?;
        record.servers.reserve(1, GFP_KERNEL_ACCOUNT)?;
        let place = Place::of(key, endpoint, settings);
        self.places.enter(place)?;
        server.return_with(settings);
        if let Err(refusal) = record.publish(servers, Change::Added) {
            self.places.strike(place);
            return Err(refusal);
        }
        server.set_available(true);
        let mut meter = Meter::new(server.counters.totals());
        if let Some(removed) = position.and_then(|position| self.removed.remove(position).ok()) {
            // What it counted is in the sum of whoever it was removed from.
            record.retired = record.retired.since(removed.counted);
            if removed.generation == record.generation {
                meter = removed.meter;
            }
        }
        record
            .servers
            .insert_within_capacity(
                0,
                ServerRecord {
                    server,
                    meter,
                    drain: None,
                },
            )
            .map_err(|_| ENOMEM)?;
        self.announce_server(Event::ServerAdded, key, endpoint);
        Ok(())
    }

    /// Changes the settings of a real server. Sleeps.
    pub fn change_server(
        &mut self,
        key: ServiceKey,
        endpoint: Endpoint<IpAddr>,
        settings: ServerSettings,
    ) -> Result<(), Refusal> {
        let net = self.net;
        let record = self.services.get_mut(&key).ok_or(Refusal::NoSuchService)?;
        let server = record.server(endpoint)?.server.clone();
        record.provide_tracking(settings, net);
        let servers = record.snapshot_servers(None, None)?;
        let before = server.settings();
        let [old, new] = [before, settings].map(|settings| Place::of(key, endpoint, settings));
        self.places.enter(new)?;
        server.change(settings);
        let published = record
            .publish(servers, Change::Edited)
            .inspect_err(|_| server.change(before));
        self.places
            .strike(if published.is_ok() { old } else { new });
        published?;
        self.announce_server(Event::ServerChanged, key, endpoint);
        Ok(())
    }

    /// Removes a real server; its connections stay, but pass no packets. Sleeps.
    pub fn remove_server(
        &mut self,
        key: ServiceKey,
        endpoint: Endpoint<IpAddr>,
    ) -> Result<(), Refusal> {
        let record = self.record_mut(key)?;
        let index = record.position(endpoint).ok_or(Refusal::NoSuchServer)?;
        let servers = record.snapshot_servers(None, Some(index))?;
        let change = match record.servers.get(index).map(|it| it.drain.is_some()) {
            Some(true) => Change::Edited,
            _ => Change::Removed {
                index: record.published_index(index),
            },
        };
        record.publish(servers, change)?;
        let removed = record.servers.remove(index).map_err(|_| EINVAL)?;
        removed.server.set_available(false);
        record.retired = record.retired.plus(removed.server.counters.totals());
        let generation = record.generation;
        self.places.strike(removed.place(key));
        self.retire(key, generation, removed);
        self.tidy();
        let subject = Subject::ServerKey(key, endpoint);
        events::emit(self.net, Event::ServerRemoved, subject);
        Ok(())
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
        if let Ok(view) = self.service(key) {
            events::emit(self.net, event, Subject::Service(&view));
        }
    }

    /// Tells of a real server as it is now.
    fn announce_server(&mut self, event: Event, key: ServiceKey, endpoint: Endpoint<IpAddr>) {
        if !Group::Config.is_heard(self.net) {
            return;
        }
        let net = self.net;
        let record = self.services.get_mut(&key);
        let mut servers = record
            .into_iter()
            .flat_map(|record| record.servers.iter_mut());
        if let Some(record) = servers.find(|it| it.server.endpoint == endpoint) {
            let view = record.view();
            events::emit(net, event, Subject::Server(key, &view));
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
        mut show: impl FnMut(ServiceView) -> bool,
    ) {
        let mut cursor = match from {
            Some(key) => self.services.cursor_lower_bound_mut(&key),
            None => self.services.cursor_front_mut(),
        };
        while let Some(mut at) = cursor {
            let (key, record) = at.current_mut();
            if !show(view(*key, record)) {
                return;
            }
            cursor = at.move_next();
        }
    }

    /// What to show of one service.
    pub fn service(&mut self, key: ServiceKey) -> Result<ServiceView, Refusal> {
        Ok(view(key, self.record_mut(key)?))
    }

    /// Shows the real servers of a service, newest first, behind the first `skip`, until `show` says
    /// no.
    pub fn show_servers(
        &mut self,
        key: ServiceKey,
        skip: usize,
        mut show: impl FnMut(ServerView) -> bool,
    ) -> Result<(), Refusal> {
        let record = self.record_mut(key)?;
        for server in record.servers.iter_mut().skip(skip) {
            if !show(server.view()) {
                break;
            }
        }
        Ok(())
    }
}

fn view(key: ServiceKey, record: &mut ServiceRecord) -> ServiceView {
    let stats = Shown {
        totals: record.totals().since(record.base),
        rates: record.rates(),
    };
    ServiceView {
        key,
        settings: record.settings,
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
