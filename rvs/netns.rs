// SPDX-License-Identifier: GPL-2.0-only

//! The load balancer of one network namespace: it owns the configuration,
//! under one lock, and what the packet path reads of it. A namespace costs
//! next to nothing until its first service is configured, and has hooks only
//! while there is one.

use crate::{
    conn::{Budget, Connection, Connections, Share},
    control::Files,
    director::Balancer,
    packet::Endpoint,
    proto::{self, TimeoutOutOfRange},
    service::{
        config::{Config, Refusal},
        ServerSettings, ServiceEntry, ServiceKey, ServiceSettings, Services,
    },
    settings::{ConnMax, Settings, Surroundings},
    stats::drops::Drops,
    sys::{
        flow_table::{Keeper, Memory},
        memory,
        net::{self, Net, NetId, PerNet},
        netfilter::{HookPoint, Hooks, PRIORITY_NAT_DST, PRIORITY_NAT_SRC},
        slab, Arc,
    },
    timeouts::Timeouts,
};
use kernel::{c_str, new_mutex, prelude::*, sync::Mutex};

/// Our hooks: IPVS's priorities (reference §1.1), of which one does for both directions, since a
/// packet's connection tells its direction.
const HOOKS: [(HookPoint, i32); 3] = [
    (HookPoint::LocalIn, PRIORITY_NAT_SRC - 1),
    (HookPoint::Forward, PRIORITY_NAT_SRC),
    (HookPoint::LocalOut, PRIORITY_NAT_DST + 2),
];

/// What all namespaces share: the caches that entries come from.
pub struct Shared {
    connections: Arc<Memory<Connection>>,
    services: Arc<Memory<ServiceEntry>>,
    budget: Arc<Budget>,
    initial_settings: Arc<Settings>,
    owns_files: bool,
}

impl Shared {
    /// The caches, as `/proc/slabinfo` names them; `owns_files` if the files of IPVS are
    /// ours to make. Sleeps.
    pub fn new(owns_files: bool) -> Result<Self> {
        let connections = Memory {
            nodes: slab::Cache::new(c_str!("rvs_conn"))?,
            buckets: slab::Cache::new(c_str!("rvs_conn_bucket"))?,
        };
        let services = Memory {
            nodes: slab::Cache::new(c_str!("rvs_service"))?,
            buckets: slab::Cache::new(c_str!("rvs_service_bucket"))?,
        };
        Ok(Self {
            connections: Arc::new(connections, GFP_KERNEL)?,
            services: Arc::new(services, GFP_KERNEL)?,
            budget: Arc::new(Budget::new(memory::total()), GFP_KERNEL)?,
            initial_settings: new_settings(true, ConnMax::MAX)?,
            owns_files,
        })
    }
}

/// What exists from a namespace's first service on.
struct Active {
    // In the order of their drops: nothing may find what goes next.
    hooks: Option<Hooks<Balancer, 3>>,
    config: Config,
    balancer: Arc<Balancer>,
}

struct State {
    timeouts: proto::Timeouts,
    active: Option<Active>,
}

/// The load balancer of a namespace.
pub struct Netns {
    // First to go: their readers look at the rest.
    _files: Option<Files>,
    net: Net<'static>,
    connection_memory: Arc<Memory<Connection>>,
    service_memory: Arc<Memory<ServiceEntry>>,
    budget: Arc<Budget>,
    settings: Arc<Settings>,
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
        };
        let settings = if net.is_initial() {
            shared.initial_settings.clone()
        } else {
            new_settings(false, shared.initial_settings.conn_max.get())?
        };
        let files = if shared.owns_files {
            Some(Files::create(net, settings.clone())?)
        } else {
            None
        };
        let netns = Self {
            _files: files,
            net,
            connection_memory: shared.connections.clone(),
            service_memory: shared.services.clone(),
            budget: shared.budget.clone(),
            settings,
            state: KBox::pin_init(new_mutex!(state), GFP_KERNEL_ACCOUNT)?,
        };
        Ok(KBox::new(netns, GFP_KERNEL_ACCOUNT)?)
    }

    fn quiesce(&self) {
        if let Some(active) = self.state.lock().active.as_mut() {
            active.hooks = None;
        }
    }
}

impl Netns {
    /// The load balancer of a namespace.
    pub fn of(net: Net<'_>) -> Result<&Self> {
        net::of(net).ok_or(ENODEV)
    }

    fn activate(&self, timeouts: &proto::Timeouts) -> Result<Active> {
        let (table, keeper) = Keeper::with_table(self.service_memory.clone(), 1).ok_or(ENOMEM)?;
        let share = if self.net.is_of_initial_users() {
            Share::Trusted
        } else {
            Share::Other
        };
        let services = Arc::new(Services::new(table), GFP_KERNEL_ACCOUNT)?;
        let balancer = Balancer {
            services: services.clone(),
            connections: Connections::new(
                self.connection_memory.clone(),
                self.budget.clone(),
                share,
            )?,
            timeouts: Timeouts::new(timeouts),
            settings: self.settings.clone(),
            drops: Drops::new()?,
        };
        Ok(Active {
            hooks: None,
            config: Config::new(services, keeper)?,
            balancer: Arc::new(balancer, GFP_KERNEL_ACCOUNT)?,
        })
    }

    /// Adds a service; with the first one the hooks come. Sleeps.
    pub fn add_service(&self, key: ServiceKey, settings: ServiceSettings) -> Result<(), Refusal> {
        let mut state = self.state.lock();
        if state.active.is_none() {
            let active = self.activate(&state.timeouts)?;
            state.active = Some(active);
        }
        let active = state.active.as_mut().ok_or(ENOMEM)?;
        active.config.check_new_service(key)?;
        if active.hooks.is_none() {
            active.hooks = Some(Hooks::register(active.balancer.clone(), self.net, HOOKS)?);
        }
        let added = active.config.add_service(key, settings);
        drop_idle_hooks(active);
        added
    }

    fn with_config<R>(
        &self,
        change: impl FnOnce(&mut Config) -> Result<R, Refusal>,
    ) -> Result<R, Refusal> {
        let mut state = self.state.lock();
        let active = state.active.as_mut().ok_or(Refusal::NoSuchService)?;
        let result = change(&mut active.config);
        drop_idle_hooks(active);
        result
    }

    /// Changes a service's settings, which `edit` makes from its present flags. Sleeps.
    pub fn change_service(
        &self,
        key: ServiceKey,
        edit: impl FnOnce(u32) -> ServiceSettings,
    ) -> Result<(), Refusal> {
        self.with_config(|config| {
            let flags = config.flags(key)?;
            config.change_service(key, edit(flags))
        })
    }

    /// Removes a service; with the last one the hooks go. Sleeps.
    pub fn remove_service(&self, key: ServiceKey) -> Result<(), Refusal> {
        self.with_config(|config| config.remove_service(key))
    }

    /// Removes all services. Sleeps.
    pub fn flush(&self) {
        // Without any service there is nothing to do.
        let _ = self.with_config(|config| {
            config.flush();
            Ok(())
        });
    }

    /// Adds a real server. Sleeps.
    pub fn add_server(
        &self,
        key: ServiceKey,
        endpoint: Endpoint,
        settings: ServerSettings,
    ) -> Result<(), Refusal> {
        self.with_config(|config| {
            let is_returning = config.check_new_server(key, endpoint)?;
            if !is_returning && !self.net.is_host_address(endpoint.addr) {
                return Err(Refusal::NotAHostAddress);
            }
            config.add_server(key, endpoint, settings)
        })
    }

    /// Changes a real server. Sleeps.
    pub fn change_server(
        &self,
        key: ServiceKey,
        endpoint: Endpoint,
        settings: ServerSettings,
    ) -> Result<(), Refusal> {
        self.with_config(|config| config.change_server(key, endpoint, settings))
    }

    /// Removes a real server. Sleeps.
    pub fn remove_server(&self, key: ServiceKey, endpoint: Endpoint) -> Result<(), Refusal> {
        self.with_config(|config| config.remove_server(key, endpoint))
    }

    /// Zeroes the statistics of one service, or all. Sleeps.
    pub fn zero(&self, key: Option<ServiceKey>) -> Result<(), Refusal> {
        match key {
            Some(key) => self.with_config(|config| config.zero_service(key)),
            None => {
                let mut state = self.state.lock();
                if let Some(active) = state.active.as_mut() {
                    active.config.zero_all();
                }
                Ok(())
            }
        }
    }

    /// Has `read` look at the configuration; `None` before the first service. Sleeps.
    pub fn read_config<R>(&self, read: impl FnOnce(&mut Config) -> R) -> Option<R> {
        let mut state = self.state.lock();
        state.active.as_mut().map(|active| read(&mut active.config))
    }

    /// What packets are balanced with; `None` before the first service. Sleeps.
    pub fn balancer(&self) -> Option<Arc<Balancer>> {
        let state = self.state.lock();
        state.active.as_ref().map(|active| active.balancer.clone())
    }

    /// Timeouts in seconds. Sleeps.
    pub fn timeouts(&self) -> proto::Timeouts {
        self.state.lock().timeouts
    }

    /// Changes timeouts, in seconds; 0 keeps one. Sleeps.
    pub fn set_timeouts(&self, tcp: u32, tcp_fin: u32, udp: u32) -> Result<(), TimeoutOutOfRange> {
        let mut state = self.state.lock();
        state.timeouts.set(tcp, tcp_fin, udp)?;
        if let Some(active) = state.active.as_ref() {
            active.balancer.timeouts.set(&state.timeouts);
        }
        Ok(())
    }
}

/// Hooks exist only while there is a service.
fn drop_idle_hooks(active: &mut Active) {
    if active.config.is_empty() {
        active.hooks = None;
    }
}
