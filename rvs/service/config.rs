// SPDX-License-Identifier: GPL-2.0-only

//! The configuration of one namespace: which services and real servers there
//! are, what changes are allowed, what of removed ones is remembered. Whoever
//! has it, has the lock of the namespace; the packet path reads only what is
//! published from here.

mod commit;
pub mod drain;
pub mod listing;
mod plan;
mod record;
mod transaction;
mod trash;
mod view;

pub use transaction::{NewServer, Rejection, Transaction};
pub use trash::Look;
pub use view::{Detail, ServerView, ServiceView};

use super::{
    identity::Name, key::PackedKey, locality::Kind, PlaceBook, RealServer, Service, ServiceEntry,
    ServiceKey, ServiceSettings, Services, Supply,
};
use crate::{
    events::{self, Event, Group, Subject},
    packet::Family,
    settings::Settings,
    stats::Totals,
    sys::{
        cpu,
        flow_table::{Fate, Keeper},
        net::Net,
        Arc,
    },
};
use kernel::{prelude::*, rbtree::RBTree};
use record::ServiceRecord;
use trash::Trash;

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

/// See the module's description.
pub struct Config {
    net: Net<'static>,
    services: RBTree<ServiceKey, ServiceRecord>,
    services4: u32,
    services6: u32,
    /// The services that have a name.
    names: RBTree<Name, ServiceKey>,
    trash: Trash,
    /// Services with real servers that are being drained; some may be done with it, or gone.
    drained: RBTree<ServiceKey, ()>,
    /// Drains begun so far.
    drains_begun: u64,
    /// What removed services have counted.
    retired: Totals,
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
        Ok(Self {
            net,
            services: RBTree::new(),
            services4: 0,
            services6: 0,
            names: RBTree::new(),
            trash: Trash::new()?,
            drained: RBTree::new(),
            drains_begun: 0,
            retired: Totals::default(),
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

    /// Takes in the services that were published, so that they can be withdrawn and the table grows with them.
    fn take_in(&mut self) {
        self.keeper.collect(|_, _| Fate::List(0));
        self.keeper.resize(u32::MAX);
    }

    /// Takes in what was published, and frees what was removed some time ago.
    fn tidy(&mut self) {
        self.take_in();
        self.places.tidy();
    }

    /// Forgets some of the removed real servers to which nothing has been bound for some time, from a place on;
    /// `now` is the present tick.
    pub fn forget_removed(&mut self, now: u32, from: Option<trash::Place>) -> Look {
        self.trash.forget_unused(now, from)
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
            self.trash.keep(key, generation, server);
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

    /// Lets go of all routes to real servers, configured or only remembered, as long as `goes_on` says so. Sleeps.
    pub fn forget_routes(&self, goes_on: impl Fn() -> bool) {
        let records = self.services.values().flat_map(|it| it.servers.iter());
        let configured = records.map(|record| &*record.server);
        for server in Iterator::chain(configured, self.trash.servers()) {
            if !goes_on() {
                return;
            }
            server.forget_routes();
            cpu::breathe();
        }
    }

    /// Has nothing be waited for, service by service, when the configuration is dropped, once a grace period has passed.
    /// Sleeps. No packet may come any more.
    pub fn retire(&self) {
        for record in self.services.values() {
            record.service.localities.retire();
            cpu::breathe();
        }
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
}
