// SPDX-License-Identifier: GPL-2.0-only

//! The load balancer of one network namespace: it owns the configuration,
//! under one lock, and what the packet path reads of it. A namespace costs
//! next to nothing until its first service is configured, and has hooks only
//! while there is one.

mod active;
mod collector;
mod drain;
mod hooks;
mod jobs;
mod routes;
mod shared;

pub use shared::Shared;

use crate::{
    conn::{Account, Budget, Connection, Connections, Share},
    control::Files,
    defense::{Defense, Guard},
    director::Balancer,
    events::{self, Event, Ledger, Subject},
    proto::{self, TimeoutOutOfRange},
    service::{
        config::{Config, Refusal, Rejection, Transaction},
        PlaceBook, PlaceEntry, ServiceEntry, ServiceKey, Services, Supply,
    },
    settings::Settings,
    stats::drops::Drops,
    sys::{
        flow_table::{Keeper, Memory},
        net::{self, Net, NetId, PerNet, Visit},
        netdev::Watcher,
        rcu::{self, Held},
        Arc,
    },
    timeouts::Timeouts,
};
use active::Active;
use core::{
    net::{Ipv4Addr, Ipv6Addr},
    sync::atomic::{AtomicBool, Ordering},
};
use hooks::BothHooks;
use jobs::Jobs;
use kernel::{
    new_mutex,
    prelude::*,
    sync::{lock::mutex::MutexGuard, Mutex, SetOnce},
};
use shared::new_settings;

/// What is changed under one lock.
struct State {
    /// Taken away when the namespace is about to go.
    files: Option<Files>,
    timeouts: proto::Timeouts,
    active: Option<Active>,
    /// How often the configuration has changed.
    generation: u64,
}

/// The load balancer of a namespace.
pub struct Netns {
    guard: Arc<Guard>,
    ledger: Ledger,
    net: Net<'static>,
    connection_memory4: Arc<Memory<Connection<Ipv4Addr>>>,
    connection_memory6: Arc<Memory<Connection<Ipv6Addr>>>,
    service_memory: Arc<Memory<ServiceEntry>>,
    localities: Supply,
    place_memory: Arc<Memory<PlaceEntry>>,
    budget: Arc<Budget>,
    settings: Arc<Settings>,
    /// The namespace is about to go: no packet will look for a route any more.
    is_quiesced: AtomicBool,
    /// Made with what is [`Active`].
    jobs: SetOnce<Jobs>,
    /// The balancer, for who meets packets elsewhere than in its hooks.
    published: rcu::Cell<Arc<Balancer>>,
    state: Pin<KBox<Mutex<State>>>,
}

static ID: NetId<Shared> = NetId::new();

impl PerNet for Netns {
    type Shared = Shared;

    fn id() -> &'static NetId<Shared> {
        &ID
    }

    fn new(net: Net<'static>, shared: &Shared) -> Result<Self> {
        let settings = if net.is_initial() {
            shared.initial_settings.clone()
        } else {
            new_settings(false, shared.initial_settings.conn_max.get())?
        };
        let guard = Arc::new(Guard::new(net, settings.clone())?, GFP_KERNEL_ACCOUNT)?;
        let files = if shared.owns_files {
            Some(Files::create(net, settings.clone(), guard.clone())?)
        } else {
            None
        };
        let state = State {
            files,
            timeouts: proto::Timeouts::default(),
            active: None,
            generation: 0,
        };
        Ok(Self {
            guard,
            ledger: Ledger::new(),
            net,
            connection_memory4: shared.connections4.clone(),
            connection_memory6: shared.connections6.clone(),
            service_memory: shared.services.clone(),
            localities: Supply {
                memory: shared.localities.clone(),
                crowd: if net.is_of_initial_users() {
                    shared.trusted_crowd.clone()
                } else {
                    shared.other_crowd.clone()
                },
            },
            place_memory: shared.places.clone(),
            budget: shared.budget.clone(),
            settings,
            is_quiesced: AtomicBool::new(false),
            jobs: SetOnce::new(),
            published: rcu::Cell::empty(),
            state: KBox::pin_init(new_mutex!(state), GFP_KERNEL_ACCOUNT)?,
        })
    }

    fn quiesce(&self) {
        self.is_quiesced.store(true, Ordering::Relaxed);
        let files = self.lock().files.take();
        // Waits for readers, as is then waited for jobs: they lock the state.
        drop(files);
        if let Some(jobs) = self.jobs.as_ref() {
            jobs.stop();
        }
        let mut state = self.lock();
        if let Some(active) = state.active.as_mut() {
            active.hooks = BothHooks::NONE;
            active.config.forget_routes(|| true);
            active.config.retire();
        }
    }

    fn dismiss(&mut self) -> bool {
        self.guard.retire();
        let active = self.lock().active.take();
        // Nobody reads it since the grace period after `quiesce`. What is dropped last is the balancer's own reference.
        drop(self.published.take());
        active.is_some()
    }

    /// Routes count in what the stacks of the namespaces free right after this: all are released by then,
    /// also those that hang on real servers that only a callback of RCU still refers to.
    fn settle() {
        rcu::wait_for_callbacks();
    }
}

impl Watcher for Netns {
    /// Called under RTNL, which all namespaces share: the routes of what may be very many real servers are let go of
    /// elsewhere, once for all devices that go until then.
    fn lost_device(net: Net<'_>) {
        let reading = rcu::read_lock();
        let netns = Self::of(net, Held::from(&reading));
        if let Some(jobs) = netns.and_then(|it| it.jobs.as_ref()) {
            jobs.release_routes();
        }
    }
}

impl Netns {
    /// The balancer of a namespace, if there is one. To be called with the module held.
    pub fn balancer_of<'a>(net: Net<'a>, rcu: Held<'a>) -> Option<&'a Balancer> {
        Some(Self::of(net, rcu)?.published.read(rcu)?)
    }

    /// The load balancer of a namespace, unless it is about to go.
    pub fn of<'a>(net: Net<'a>, rcu: Held<'a>) -> Option<&'a Self> {
        net::of(net, rcu)
    }

    /// As [`Netns::of`], for whoever may sleep meanwhile: commands, files and jobs.
    pub fn visit(net: Net<'_>) -> Result<Visit<'_, Self>> {
        net::visit(net).ok_or(ENODEV)
    }

    /// Locks the state. Sleeps.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Whether the namespace is about to go: no packet looks for a route any more.
    fn is_quiesced(&self) -> bool {
        self.is_quiesced.load(Ordering::Relaxed)
    }

    /// What the namespace may have of the machine's connections.
    fn account(&self) -> Result<Arc<Account>> {
        let share = if self.net.is_of_initial_users() {
            Share::Trusted
        } else {
            Share::Other
        };
        let account = Account::new(self.budget.clone(), share);
        Ok(Arc::new(account, GFP_KERNEL_ACCOUNT)?)
    }

    fn activate(&self, timeouts: &proto::Timeouts) -> Result<Active> {
        self.ledger.open()?;
        if self.jobs.as_ref().is_none() {
            self.jobs.populate(Jobs::new(self.net)?);
        }
        let (table, keeper) =
            Keeper::with_table(self.service_memory.clone(), 1, ()).ok_or(ENOMEM)?;
        let services = Arc::new(Services::new(table), GFP_KERNEL_ACCOUNT)?;
        let places = PlaceBook::new(self.place_memory.clone())?;
        let account = self.account()?;
        let balancer = Balancer {
            net: self.net,
            services: services.clone(),
            places: places.published(),
            connections4: Connections::new(
                self.net,
                self.connection_memory4.clone(),
                account.clone(),
            )?,
            connections6: Connections::new(self.net, self.connection_memory6.clone(), account)?,
            timeouts: Timeouts::new(timeouts),
            settings: self.settings.clone(),
            defense: self.guard.defense().clone(),
            drops: Drops::new()?,
        };
        let config = Config::new(
            self.net,
            services,
            keeper,
            places,
            self.localities.clone(),
            self.settings.clone(),
        )?;
        let active = Active {
            hooks: BothHooks::NONE,
            config,
            balancer: Arc::new(balancer, GFP_KERNEL_ACCOUNT)?,
        };
        self.published
            .replace(active.balancer.clone(), GFP_KERNEL_ACCOUNT)?;
        self.guard.protect(active.balancer.clone());
        Ok(active)
    }

    /// Changes the configuration by the transaction that `fill` makes; the first one brings the balancer into
    /// being. If `expected` is given and the configuration's generation is another one by now, nothing happens.
    /// Sleeps.
    pub fn transact<E: From<Rejection>>(
        &self,
        expected: Option<u64>,
        fill: impl FnOnce(&mut Transaction<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.transact_if(expected, true, fill)
    }

    /// As [`Netns::transact`], where nothing can be done before the first service.
    pub fn change(
        &self,
        fill: impl FnOnce(&mut Transaction<'_>) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        self.transact_if(None, false, fill)
    }

    fn transact_if<E: From<Rejection>>(
        &self,
        expected: Option<u64>,
        may_begin: bool,
        fill: impl FnOnce(&mut Transaction<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut state = self.lock();
        if self.is_quiesced() {
            return Err(Rejection::from(Refusal::Kernel(ENODEV)).into());
        }
        if expected.is_some_and(|expected| expected != state.generation) {
            return Err(Rejection::from(Refusal::Outdated).into());
        }
        if state.active.is_none() && may_begin {
            let activated = self.activate(&state.timeouts);
            let active = activated.map_err(|error| Rejection::from(Refusal::from(error)))?;
            state.active = Some(active);
        }
        let Some(active) = state.active.as_mut() else {
            return Err(Rejection::from(Refusal::NoSuchService).into());
        };
        let outcome = active.transact(self.net, fill)?;
        if outcome.has_changed {
            state.generation = state.generation.wrapping_add(1);
        }
        drop(state);
        if outcome.has_removed {
            self.follow_removal();
        }
        Ok(())
    }

    /// How often the configuration has changed. Sleeps.
    pub fn generation(&self) -> u64 {
        self.lock().generation
    }

    /// Has removed real servers be forgotten some day, and their connections end if the settings say so. Sleeps.
    fn follow_removal(&self) {
        if let Some(jobs) = self.jobs.as_ref() {
            jobs.remember_removed();
        }
        if !self.settings.expire_nodest_conn.is_on() {
            return;
        }
        if let Some(balancer) = self.balancer() {
            balancer.connections4.sweep();
            balancer.connections6.sweep();
        }
    }

    /// Removes all services. Sleeps.
    pub fn flush(&self) {
        let mut state = self.lock();
        if let Some(active) = state.active.as_mut() {
            let had_services = active.config.key_after(None).is_some();
            active.config.flush();
            active.hooks.drop_idle(&active.config);
            if had_services {
                state.generation = state.generation.wrapping_add(1);
            }
        }
        drop(state);
        self.follow_removal();
    }

    /// Zeroes the statistics of one service, or all. Sleeps.
    pub fn zero(&self, key: Option<ServiceKey>) -> Result<(), Refusal> {
        let zeroed = self.read_config(|config| match key {
            Some(key) => config.zero_service(key),
            None => {
                config.zero_all();
                Ok(())
            }
        });
        zeroed.unwrap_or(match key {
            Some(_) => Err(Refusal::NoSuchService),
            None => Ok(()),
        })
    }

    /// Has `read` look at the configuration; `None` before the first service. Sleeps.
    pub fn read_config<R>(&self, read: impl FnOnce(&mut Config) -> R) -> Option<R> {
        let mut state = self.lock();
        state.active.as_mut().map(|active| read(&mut active.config))
    }

    /// What is told of the namespace.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Defences against floods.
    pub fn defense(&self) -> &Defense {
        self.guard.defense()
    }

    /// What packets are balanced with; `None` before the first service. Sleeps.
    pub fn balancer(&self) -> Option<Arc<Balancer>> {
        let state = self.lock();
        state.active.as_ref().map(|active| active.balancer.clone())
    }

    /// Timeouts in seconds. Sleeps.
    pub fn timeouts(&self) -> proto::Timeouts {
        self.lock().timeouts
    }

    /// Changes timeouts, in seconds; 0 keeps one. Sleeps.
    pub fn set_timeouts(&self, tcp: u32, tcp_fin: u32, udp: u32) -> Result<(), TimeoutOutOfRange> {
        let mut state = self.lock();
        state.timeouts.set(tcp, tcp_fin, udp)?;
        if let Some(active) = state.active.as_ref() {
            active.balancer.timeouts.set(&state.timeouts);
        }
        let subject = Subject::Timeouts(&state.timeouts);
        events::emit(self.net, Event::TimeoutsChanged, subject);
        Ok(())
    }
}
