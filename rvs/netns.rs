// SPDX-License-Identifier: GPL-2.0-only

//! The load balancer of one network namespace: it owns the configuration,
//! under one lock, and what the packet path reads of it. A namespace costs
//! next to nothing until its first service is configured, and has hooks only
//! while there is one.

mod drain;

use crate::{
    conn::{Account, Budget, Connection, Connections, Share},
    control::Files,
    defense::{Defense, Guard},
    director::Balancer,
    events::{self, Event, Ledger, Subject},
    packet::Family,
    proto::{self, TimeoutOutOfRange},
    service::{
        config::{Config, Refusal, Rejection, Transaction},
        Assignment, Crowd, PlaceBook, PlaceEntry, ServiceEntry, ServiceKey, Services, Supply,
    },
    settings::{ConnMax, Settings, Surroundings},
    stats::drops::Drops,
    sys::{
        flow_table::{Keeper, Memory},
        ip::Reassembly6,
        memory,
        net::{self, Net, NetId, PerNet},
        netdev::Watcher,
        netfilter::{HookPoint, Hooks, PRIORITY_NAT_DST, PRIORITY_NAT_SRC},
        rcu::{self, Held},
        slab,
        worker::Worker,
        Arc,
    },
    timeouts::Timeouts,
};
use core::{
    net::{Ipv4Addr, Ipv6Addr},
    ops::{Deref, DerefMut},
    sync::atomic::{self, AtomicBool, Ordering},
};
use drain::Drainer;
use kernel::{
    c_str, new_mutex,
    prelude::*,
    sync::{lock::mutex::MutexGuard, Mutex},
};

/// Our hooks: IPVS's priorities (reference §1.1), of which one does for both directions, since a
/// packet's connection tells its direction.
const HOOKS: [(HookPoint, i32); 3] = [
    (HookPoint::LocalIn, PRIORITY_NAT_SRC - 1),
    (HookPoint::Forward, PRIORITY_NAT_SRC),
    (HookPoint::LocalOut, PRIORITY_NAT_DST + 2),
];

/// The hooks of a stack.
type StackHooks<A> = Hooks<A, Balancer, 3>;

/// What all namespaces share: the caches that entries come from.
pub struct Shared {
    connections4: Arc<Memory<Connection<Ipv4Addr>>>,
    connections6: Arc<Memory<Connection<Ipv6Addr>>>,
    services: Arc<Memory<ServiceEntry>>,
    localities: Arc<Memory<Assignment>>,
    places: Arc<Memory<PlaceEntry>>,
    trusted_crowd: Arc<Crowd>,
    other_crowd: Arc<Crowd>,
    budget: Arc<Budget>,
    initial_settings: Arc<Settings>,
    owns_files: bool,
}

impl Shared {
    /// The caches, as `/proc/slabinfo` names them; `owns_files` if the files of IPVS are
    /// ours to make. Sleeps.
    pub fn new(owns_files: bool) -> Result<Self> {
        let connections4 = Memory {
            nodes: slab::Cache::new(c_str!("rvs_conn"))?,
            buckets: slab::Cache::new(c_str!("rvs_conn_bucket"))?,
        };
        let connections6 = Memory {
            nodes: slab::Cache::new(c_str!("rvs_conn6"))?,
            buckets: slab::Cache::new(c_str!("rvs_conn6_bucket"))?,
        };
        let services = Memory {
            nodes: slab::Cache::new(c_str!("rvs_service"))?,
            buckets: slab::Cache::new(c_str!("rvs_service_bucket"))?,
        };
        let localities = Memory {
            nodes: slab::Cache::new(c_str!("rvs_locality"))?,
            buckets: slab::Cache::new(c_str!("rvs_locality_bucket"))?,
        };
        let places = Memory {
            nodes: slab::Cache::new(c_str!("rvs_place"))?,
            buckets: slab::Cache::new(c_str!("rvs_place_bucket"))?,
        };
        Ok(Self {
            connections4: Arc::new(connections4, GFP_KERNEL)?,
            connections6: Arc::new(connections6, GFP_KERNEL)?,
            services: Arc::new(services, GFP_KERNEL)?,
            localities: Arc::new(localities, GFP_KERNEL)?,
            places: Arc::new(places, GFP_KERNEL)?,
            trusted_crowd: Arc::new(Crowd::new(Crowd::UNLIMITED), GFP_KERNEL)?,
            other_crowd: Arc::new(Crowd::new(Crowd::LIMITED), GFP_KERNEL)?,
            budget: Arc::new(Budget::new(memory::total()), GFP_KERNEL)?,
            initial_settings: new_settings(true, ConnMax::MAX)?,
            owns_files,
        })
    }
}

/// The hooks of a namespace, each family's while something of it is configured.
struct BothHooks {
    v4: Option<StackHooks<Ipv4Addr>>,
    v6: Option<(StackHooks<Ipv6Addr>, Reassembly6)>,
}

impl BothHooks {
    const NONE: Self = Self { v4: None, v6: None };

    /// Registers the hooks of a family, if they are not there. Sleeps.
    fn provide(&mut self, family: Family, balancer: &Arc<Balancer>, net: Net<'static>) -> Result {
        let balancer = balancer.clone();
        match family {
            Family::V4 if self.v4.is_none() => {
                self.v4 = Some(Hooks::register(balancer, net, HOOKS)?);
            }
            Family::V6 if self.v6.is_none() => {
                let reassembly = Reassembly6::enable(net)?;
                self.v6 = Some((Hooks::register(balancer, net, HOOKS)?, reassembly));
            }
            _ => {}
        }
        Ok(())
    }

    /// Hooks of a family exist only while there is a service of it, or a tunnel. Sleeps.
    fn drop_idle(&mut self, config: &Config) {
        if config.is_idle(Family::V4) {
            self.v4 = None;
        }
        if config.is_idle(Family::V6) {
            self.v6 = None;
        }
    }
}

/// What exists from a namespace's first service on.
struct Active {
    // In the order of their drops: nothing may find what goes next.
    /// Taken away when the namespace is about to go.
    drainer: Option<Worker<Drainer>>,
    hooks: BothHooks,
    config: Config,
    balancer: Arc<Balancer>,
}

impl Active {
    /// Carries out the transaction that `fill` makes. Whether it has removed and whether it has changed
    /// something. Sleeps.
    fn transact<E: From<Rejection>>(
        &mut self,
        net: Net<'static>,
        fill: impl FnOnce(&mut Transaction<'_>) -> Result<(), E>,
    ) -> Result<Outcome, E> {
        let Self {
            hooks,
            config,
            balancer,
            ..
        } = self;
        let mut transaction = Transaction::new(config);
        fill(&mut transaction)?;
        let outcome = Outcome {
            has_removed: transaction.has_removals(),
            has_changed: !transaction.is_empty(),
        };
        let families = [Family::V4, Family::V6].into_iter();
        let provided = families
            .filter(|family| transaction.needs_hooks(*family))
            .try_for_each(|family| hooks.provide(family, balancer, net));
        let committed = match provided {
            Ok(()) => transaction.commit(),
            Err(error) => {
                drop(transaction);
                Err(Rejection::from(Refusal::from(error)))
            }
        };
        hooks.drop_idle(config);
        committed?;
        Ok(outcome)
    }
}

/// What a transaction has done.
struct Outcome {
    has_removed: bool,
    has_changed: bool,
}

struct State {
    timeouts: proto::Timeouts,
    active: Option<Active>,
    /// How often the configuration has changed.
    generation: u64,
}

/// The state of a namespace while nobody else has it. Whoever lets go of it, does what those left to be done who could
/// not wait.
struct Locked<'a> {
    // In the order of their drops.
    guard: MutexGuard<'a, State>,
    _leftovers: Leftovers<'a>,
}

impl Deref for Locked<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        &self.guard
    }
}

impl DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut State {
        &mut self.guard
    }
}

/// What is to be done when the state was let go of.
struct Leftovers<'a>(&'a Netns);

impl Drop for Leftovers<'_> {
    fn drop(&mut self) {
        self.0.forget_stale_routes();
    }
}

/// The load balancer of a namespace.
pub struct Netns {
    files: Option<Files>,
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
    /// The balancer, for who meets packets elsewhere than in its hooks.
    published: rcu::Cell<Arc<Balancer>>,
    /// The namespace is about to go: no packet will look for a route any more.
    is_quiesced: AtomicBool,
    /// A device went while somebody had the state: routes over it may be left.
    has_stale_routes: AtomicBool,
    state: Pin<KBox<Mutex<State>>>,
}

/// The defaults of a namespace.
fn new_settings(is_initial: bool, conn_max: i32) -> Result<Arc<Settings>> {
    let settings = Settings::new(Surroundings {
        is_initial,
        conn_max,
        free_buffer_pages: memory::free_buffer_pages(),
    });
    Ok(Arc::new(settings, GFP_KERNEL_ACCOUNT)?)
}

static ID: NetId<Shared> = NetId::new();

impl PerNet for Netns {
    type Shared = Shared;

    fn id() -> &'static NetId<Shared> {
        &ID
    }

    fn new(net: Net<'static>, shared: &Shared) -> Result<KBox<Self>> {
        let state = State {
            timeouts: proto::Timeouts::default(),
            active: None,
            generation: 0,
        };
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
        let netns = Self {
            files,
            guard,
            ledger: Ledger::new()?,
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
            published: rcu::Cell::empty(),
            is_quiesced: AtomicBool::new(false),
            has_stale_routes: AtomicBool::new(false),
            state: KBox::pin_init(new_mutex!(state), GFP_KERNEL_ACCOUNT)?,
        };
        Ok(KBox::new(netns, GFP_KERNEL_ACCOUNT)?)
    }

    fn quiesce(&self) {
        self.is_quiesced.store(true, Ordering::Relaxed);
        self.published.clear();
        let drainer = {
            let mut state = self.lock();
            state.active.as_mut().and_then(|it| it.drainer.take())
        };
        // Waits for the job, which locks the state.
        drop(drainer);
        let mut state = self.lock();
        if let Some(active) = state.active.as_mut() {
            active.hooks = BothHooks::NONE;
            active.config.forget_routes();
        }
    }
}

impl Drop for Netns {
    /// Routes count in what the stacks of the namespace free right after this: all are released by then,
    /// also those that hang on real servers that only a callback of RCU still refers to. Sleeps.
    fn drop(&mut self) {
        // Their readers, who are waited for, may be the last to have the balancer.
        self.files = None;
        self.guard.retire();
        let active = self.lock().active.take();
        if active.is_some() {
            // What was published lets go of the balancer in a callback: ours has to be the last reference.
            rcu::wait_for_callbacks();
            drop(active);
            rcu::wait_for_callbacks();
        }
    }
}

impl Watcher for Netns {
    /// Called under RTNL, which all namespaces share: nobody who has the state of one is waited for.
    fn lost_device(net: Net<'_>) {
        if let Ok(netns) = Netns::of(net) {
            netns.has_stale_routes.store(true, Ordering::Relaxed);
            netns.forget_stale_routes();
        }
    }
}

impl Netns {
    /// The balancer of a namespace, if there is one. To be called with the module held.
    pub fn balancer_of<'a>(net: Net<'a>, rcu: Held<'a>) -> Option<&'a Balancer> {
        Some(net::of::<Self>(net)?.published.read(rcu)?)
    }

    /// The load balancer of a namespace.
    pub fn of(net: Net<'_>) -> Result<&Self> {
        net::of(net).ok_or(ENODEV)
    }

    /// Locks the state. Sleeps.
    fn lock(&self) -> Locked<'_> {
        Locked {
            guard: self.state.lock(),
            _leftovers: Leftovers(self),
        }
    }

    /// Lets go of routes if a device has gone, unless somebody has the state, who will do so.
    fn forget_stale_routes(&self) {
        // Either we find the state free, or who has it finds the mark after letting go of it.
        atomic::fence(Ordering::SeqCst);
        while self.has_stale_routes.load(Ordering::Relaxed) {
            let Some(state) = self.state.try_lock() else {
                return;
            };
            self.has_stale_routes.store(false, Ordering::Relaxed);
            if let Some(active) = state.active.as_ref().filter(|_| !self.is_quiesced()) {
                active.config.forget_routes();
            }
            drop(state);
            atomic::fence(Ordering::SeqCst);
        }
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
            drainer: Some(Worker::new(Drainer::new(self.net))?),
            hooks: BothHooks::NONE,
            config,
            balancer: Arc::new(balancer, GFP_KERNEL_ACCOUNT)?,
        };
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
            let published = self
                .published
                .replace(active.balancer.clone(), GFP_KERNEL_ACCOUNT);
            published.map_err(|error| Rejection::from(Refusal::from(error)))?;
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
            self.sweep_if_asked();
        }
        Ok(())
    }

    /// How often the configuration has changed. Sleeps.
    pub fn generation(&self) -> u64 {
        self.lock().generation
    }

    /// Has the connections of removed real servers end, if the settings say so. Sleeps.
    fn sweep_if_asked(&self) {
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
        self.sweep_if_asked();
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
