// SPDX-License-Identifier: GPL-2.0-only

//! A real server: where it is, how packets get there, how busy it is. It
//! outlives its configuration as long as connections are bound to it, and some
//! minutes more.

use super::{
    tunnel::{AtomicTunnel, Tunnel},
    ServiceKey,
};
use crate::{
    events::{self, Event, Subject},
    packet::Endpoint,
    sched::{self, Candidate},
    stats::Counters,
    sys::{net::Net, route::RouteCache, Arc},
};
use core::{
    net::IpAddr,
    sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicU8, Ordering},
};
use kernel::prelude::*;

/// How packets get to a real server. The numbers are those of the connection flags of IPVS.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Method {
    /// Destination address and port are replaced, those of the answers restored.
    Masquerading = 0,
    /// Left to this host, which serves them itself.
    LocalNode = 1,
    /// Wrapped into a packet to the real server, which answers the client itself.
    Tunneling = 2,
    /// Sent to the real server's link-layer address, unchanged.
    DirectRouting = 3,
    /// Sent to where they were going, past the virtual service.
    Bypass = 4,
}

impl Method {
    /// The method of this number, if it is supported.
    pub const fn from_u32(number: u32) -> Option<Self> {
        match number {
            0 => Some(Self::Masquerading),
            1 => Some(Self::LocalNode),
            2 => Some(Self::Tunneling),
            3 => Some(Self::DirectRouting),
            4 => Some(Self::Bypass),
            _ => None,
        }
    }
}

/// What of a real server can be changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ServerSettings {
    /// Forwarding method of new connections.
    pub method: Method,
    /// What tunneling puts in front of packets.
    pub tunnel: Tunnel,
    /// Share of new connections; 0 takes none.
    pub weight: u32,
    /// Connections at which it takes no more; 0 for no limit.
    pub upper_threshold: u32,
    /// Connections below which it takes some again; 0 for three quarters of the upper threshold.
    pub lower_threshold: u32,
}

impl ServerSettings {
    fn effective_lower(&self) -> u32 {
        if self.lower_threshold != 0 {
            self.lower_threshold
        } else {
            self.upper_threshold - self.upper_threshold / 4
        }
    }
}

/// Counters that connections of all CPUs write, on a line of their own.
#[repr(align(64))]
struct Load {
    /// Active connections in the upper half, all bound ones in the lower.
    bound: AtomicU64,
    templates: AtomicU32,
    is_overloaded: AtomicBool,
}

const ONE_ACTIVE: u64 = 1 << 32;

/// It is being drained: for all who choose servers its weight is 0. Weights are below.
const DRAINING: u32 = 1 << 31;

/// A real server of one virtual service.
pub struct RealServer {
    /// The service that it is one of.
    pub service: ServiceKey,
    /// Address and port, the port 0 to keep the packet's.
    pub endpoint: Endpoint<IpAddr>,
    net: Net<'static>,
    method: AtomicU8,
    tunnel: AtomicTunnel,
    is_available: AtomicBool,
    /// With [`DRAINING`] in the bit that no weight has.
    weight: AtomicU32,
    /// The last weight that was not 0.
    last_weight: AtomicU32,
    upper_threshold: AtomicU32,
    lower_threshold: AtomicU32,
    /// Packets and connections counted.
    pub counters: Counters,
    routes: [RouteCache; 3],
    load: Load,
}

impl RealServer {
    /// A real server of a service in a namespace, to which nothing is bound yet. Sleeps.
    pub fn new(
        net: Net<'static>,
        service: ServiceKey,
        endpoint: Endpoint<IpAddr>,
        settings: ServerSettings,
    ) -> Result<Arc<Self>> {
        let server = Self {
            service,
            endpoint,
            net,
            method: AtomicU8::new(settings.method as u8),
            tunnel: AtomicTunnel::new(settings.tunnel),
            is_available: AtomicBool::new(true),
            weight: AtomicU32::new(settings.weight),
            last_weight: AtomicU32::new(settings.weight),
            upper_threshold: AtomicU32::new(settings.upper_threshold),
            lower_threshold: AtomicU32::new(settings.lower_threshold),
            counters: Counters::new()?,
            routes: [const { RouteCache::new() }; 3],
            load: Load {
                bound: AtomicU64::new(0),
                templates: AtomicU32::new(0),
                is_overloaded: AtomicBool::new(false),
            },
        };
        Ok(Arc::new(server, GFP_KERNEL_ACCOUNT)?)
    }

    /// The present settings.
    pub fn settings(&self) -> ServerSettings {
        ServerSettings {
            method: self.method(),
            tunnel: self.tunnel(),
            weight: self.weight.load(Ordering::Relaxed) & !DRAINING,
            upper_threshold: self.upper_threshold.load(Ordering::Relaxed),
            lower_threshold: self.lower_threshold.load(Ordering::Relaxed),
        }
    }

    /// Changes the settings; a snapshot of its service must be published after. Connections keep
    /// their method. Only with the configuration's lock held.
    pub fn change(&self, settings: ServerSettings) {
        let old = self.settings();
        self.method.store(settings.method as u8, Ordering::Relaxed);
        self.tunnel.store(settings.tunnel);
        let draining = self.weight.load(Ordering::Relaxed) & DRAINING;
        self.weight
            .store(settings.weight | draining, Ordering::Relaxed);
        if settings.weight != 0 {
            self.last_weight.store(settings.weight, Ordering::Relaxed);
        }
        self.upper_threshold
            .store(settings.upper_threshold, Ordering::Relaxed);
        self.lower_threshold
            .store(settings.lower_threshold, Ordering::Relaxed);
        self.forget_routes();
        let thresholds_changed = (old.upper_threshold, old.lower_threshold)
            != (settings.upper_threshold, settings.lower_threshold);
        if !thresholds_changed {
            return;
        }
        let total = self.total();
        if settings.upper_threshold == 0 || total < settings.effective_lower() {
            self.set_overloaded(false);
        } else if total >= settings.upper_threshold {
            self.set_overloaded(true);
        }
    }

    /// Takes it from those that get new connections, or gives it back to them, and tells of it.
    #[cold]
    fn set_overloaded(&self, is_overloaded: bool) {
        let was_overloaded = self
            .load
            .is_overloaded
            .swap(is_overloaded, Ordering::Relaxed);
        if was_overloaded != is_overloaded && self.is_available() {
            let event = match is_overloaded {
                true => Event::ServerOverloaded,
                false => Event::ServerRecovered,
            };
            events::emit(self.net, event, Subject::Load(self.service, self));
        }
    }

    /// Changes the settings of one that is added again: the weights of its earlier life do not count.
    pub fn return_with(&self, settings: ServerSettings) {
        self.last_weight.store(0, Ordering::Relaxed);
        self.set_draining(false);
        self.change(settings);
    }

    /// Whether it is being drained.
    #[inline]
    pub fn is_draining(&self) -> bool {
        self.weight.load(Ordering::Relaxed) & DRAINING != 0
    }

    /// Says whether it is being drained. Only with the configuration's lock held.
    pub fn set_draining(&self, is_draining: bool) {
        let weight = self.weight.load(Ordering::Relaxed) & !DRAINING;
        let draining = if is_draining { DRAINING } else { 0 };
        self.weight.store(weight | draining, Ordering::Relaxed);
    }

    /// The forwarding method of new connections.
    #[inline]
    pub fn method(&self) -> Method {
        Method::from_u32(u32::from(self.method.load(Ordering::Relaxed)))
            .unwrap_or(Method::Masquerading)
    }

    /// What tunneling puts in front of packets, those of present connections included.
    #[inline]
    pub fn tunnel(&self) -> Tunnel {
        self.tunnel.load()
    }

    /// The route of packets that are forwarded by a method: each wants another kind of route.
    #[inline]
    pub fn route(&self, method: Method) -> &RouteCache {
        let [masquerading, tunneling, direct_routing] = &self.routes;
        match method {
            Method::Masquerading | Method::LocalNode => masquerading,
            Method::Tunneling => tunneling,
            Method::DirectRouting | Method::Bypass => direct_routing,
        }
    }

    /// Lets go of the routes that were kept, and of their devices with them.
    pub fn forget_routes(&self) {
        for route in &self.routes {
            route.clear();
        }
    }

    /// Whether it is configured at present.
    #[inline]
    pub fn is_available(&self) -> bool {
        self.is_available.load(Ordering::Relaxed)
    }

    /// Says whether it is configured.
    pub fn set_available(&self, is_available: bool) {
        self.is_available.store(is_available, Ordering::Relaxed);
    }

    /// Counts a connection that is bound to it, inactive at first.
    pub fn bind(&self) {
        let before = self.load.bound.fetch_add(1, Ordering::Relaxed) as u32;
        let upper = self.upper_threshold.load(Ordering::Relaxed);
        if upper != 0 && before.wrapping_add(1) == upper {
            self.set_overloaded(true);
        }
    }

    /// Counts a connection less.
    pub fn unbind(&self, was_active: bool) {
        let less = 1 + if was_active { ONE_ACTIVE } else { 0 };
        let before = self.load.bound.fetch_sub(less, Ordering::Relaxed) as u32;
        if self.load.is_overloaded.load(Ordering::Relaxed)
            && before <= self.settings().effective_lower()
        {
            self.set_overloaded(false);
        }
    }

    /// Counts a template that is bound to it.
    pub fn bind_template(&self) {
        self.load.templates.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a template less.
    pub fn unbind_template(&self) {
        self.load.templates.fetch_sub(1, Ordering::Relaxed);
    }

    /// Templates that are bound to it.
    pub fn templates(&self) -> u32 {
        self.load.templates.load(Ordering::Relaxed)
    }

    /// Whether nothing is bound to it.
    pub fn is_unused(&self) -> bool {
        self.total() == 0 && self.templates() == 0
    }

    /// Counts a bound connection as active, or no longer.
    #[inline]
    pub fn count_active(&self, is_active: bool) {
        if is_active {
            self.load.bound.fetch_add(ONE_ACTIVE, Ordering::Relaxed);
        } else {
            self.load.bound.fetch_sub(ONE_ACTIVE, Ordering::Relaxed);
        }
    }
}

impl Candidate for RealServer {
    #[inline]
    fn weight(&self) -> u32 {
        match self.weight.load(Ordering::Relaxed) {
            weight if weight < DRAINING => weight,
            _ => 0,
        }
    }

    #[inline]
    fn last_weight(&self) -> u32 {
        self.last_weight.load(Ordering::Relaxed)
    }

    #[inline]
    fn active(&self) -> u32 {
        (self.load.bound.load(Ordering::Relaxed) >> 32) as u32
    }

    #[inline]
    fn total(&self) -> u32 {
        self.load.bound.load(Ordering::Relaxed) as u32
    }

    #[inline]
    fn is_overloaded(&self) -> bool {
        self.load.is_overloaded.load(Ordering::Relaxed)
    }

    #[inline]
    fn is_configured(&self) -> bool {
        self.is_available()
    }

    fn address(&self) -> u32 {
        sched::fold(self.endpoint.addr)
    }

    fn port(&self) -> u16 {
        self.endpoint.port
    }
}

impl<C: Candidate> Candidate for Arc<C> {
    #[inline]
    fn weight(&self) -> u32 {
        (**self).weight()
    }

    #[inline]
    fn last_weight(&self) -> u32 {
        (**self).last_weight()
    }

    #[inline]
    fn active(&self) -> u32 {
        (**self).active()
    }

    #[inline]
    fn total(&self) -> u32 {
        (**self).total()
    }

    #[inline]
    fn is_overloaded(&self) -> bool {
        (**self).is_overloaded()
    }

    #[inline]
    fn is_configured(&self) -> bool {
        (**self).is_configured()
    }

    fn address(&self) -> u32 {
        (**self).address()
    }

    fn port(&self) -> u16 {
        (**self).port()
    }
}
