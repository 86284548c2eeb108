// SPDX-License-Identifier: GPL-2.0-only

//! Routes of packets that this host sends, and a place that keeps one
//! for as long as it holds.
//!
//! C headers: `include/net/route.h`, `include/net/ip6_route.h`, `include/net/dst.h`

use super::{
    bindings,
    ip::{self, Stack},
    net::Net,
    rcu::{self, Cell, Held},
};
use core::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    ptr::NonNull,
};
use kernel::prelude::*;

/// A route that was looked up for a destination.
///
/// # Invariants
///
/// `dst` is a route of the stack of `source`'s family on which this value holds a reference.
pub struct Route {
    dst: NonNull<bindings::dst_entry>,
    source: IpAddr,
    /// By which an IPv6 route tells that its table changed.
    cookie: u32,
    is_local: bool,
}

// SAFETY: routes are reference-counted and may be used and released from any thread.
unsafe impl Send for Route {}
// SAFETY: as above.
unsafe impl Sync for Route {}

/// What a route is looked up for.
#[derive(Clone, Copy)]
pub enum Purpose {
    /// A packet whose destination address is the route's.
    ToDestination,
    /// A packet for another address that the route's destination shall get as the next hop.
    ViaNextHop,
    /// An outer packet, which needs a source address of this host.
    Tunnel,
}

/// Nothing leads there. The errno of the routing table.
pub struct Unreachable;

impl Route {
    /// Looks up the route to `destination`. Never sleeps.
    pub fn lookup(
        net: Net<'_>,
        destination: IpAddr,
        purpose: Purpose,
    ) -> core::result::Result<Self, Unreachable> {
        match destination {
            IpAddr::V4(destination) => Self::lookup4(net, destination, purpose),
            IpAddr::V6(destination) => Self::lookup6(net, destination, purpose),
        }
    }

    fn lookup4(
        net: Net<'_>,
        destination: Ipv4Addr,
        purpose: Purpose,
    ) -> core::result::Result<Self, Unreachable> {
        let mut source = Ipv4Addr::UNSPECIFIED;
        loop {
            let mut flow = bindings::flowi4 {
                daddr: u32::from_ne_bytes(destination.octets()),
                saddr: u32::from_ne_bytes(source.octets()),
                ..Default::default()
            };
            if matches!(purpose, Purpose::ViaNextHop) {
                flow.__fl_common.flowic_flags = bindings::FLOWI_FLAG_KNOWN_NH as u8;
            }
            // SAFETY: the namespace is alive, the flow is ours; there is no socket.
            let route = unsafe {
                bindings::ip_route_output_flow(net.as_ptr(), &raw mut flow, core::ptr::null_mut())
            };
            if route.is_null() || route.addr() >= MIN_ERRNO {
                return Err(Unreachable);
            }
            // SAFETY: neither null nor an error, so a route, which begins with its `dst_entry`.
            let (dst, flags) = unsafe { (NonNull::new_unchecked(route.cast()), (*route).rt_flags) };
            let chosen = Ipv4Addr::from(flow.saddr.to_ne_bytes());
            // INVARIANT: the lookup gave us a reference.
            let route = Self {
                dst,
                source: chosen.into(),
                cookie: 0,
                is_local: flags & bindings::RTCF_LOCAL != 0,
            };
            // The source that was chosen can itself select another route: bind it, then look again.
            if !matches!(purpose, Purpose::Tunnel) || chosen == source {
                return Ok(route);
            }
            source = chosen;
        }
    }

    fn lookup6(
        net: Net<'_>,
        destination: Ipv6Addr,
        purpose: Purpose,
    ) -> core::result::Result<Self, Unreachable> {
        if !ip::has_ipv6() {
            return Err(Unreachable);
        }
        // The route's device stays while it is looked at.
        let _guard = rcu::read_lock();
        let to = bindings::in6_addr {
            in6_u: bindings::in6_addr__bindgen_ty_1 {
                u6_addr8: destination.octets(),
            },
        };
        let mut flow = bindings::flowi6 {
            daddr: to,
            ..Default::default()
        };
        if matches!(purpose, Purpose::ViaNextHop) {
            flow.__fl_common.flowic_flags = bindings::FLOWI_FLAG_KNOWN_NH as u8;
        }
        // SAFETY: the namespace is alive, the flow is ours. The result is never null.
        let dst = unsafe {
            NonNull::new_unchecked(bindings::rvs_ip6_route_output(net.as_ptr(), &raw mut flow))
        };
        // SAFETY: the lookup gave us a reference to a route of IPv6.
        let (cookie, is_local) = unsafe {
            (
                bindings::rvs_route6_cookie(dst.as_ptr()),
                bindings::rvs_dst_is_loopback(dst.as_ptr()),
            )
        };
        // INVARIANT: the lookup gave us a reference.
        let mut route = Self {
            dst,
            source: Ipv6Addr::UNSPECIFIED.into(),
            cookie,
            is_local,
        };
        // SAFETY: we hold a reference.
        if unsafe { route.dst.as_ref() }.error != 0 {
            return Err(Unreachable);
        }
        if matches!(purpose, Purpose::Tunnel) {
            let mut source = bindings::in6_addr::default();
            // SAFETY: the namespace and the route's device are alive; both addresses are ours.
            let found = unsafe {
                let dev = bindings::rvs_dst_dev(dst.as_ptr());
                bindings::ipv6_dev_get_saddr(net.as_ptr(), dev, &raw const to, 0, &raw mut source)
            };
            if found < 0 {
                return Err(Unreachable);
            }
            // SAFETY: all members of the union are plain integers of the same size.
            route.source = Ipv6Addr::from(unsafe { source.in6_u.u6_addr8 }).into();
        }
        Ok(route)
    }

    /// The stack whose packets it is for.
    #[inline]
    pub fn stack(&self) -> Stack {
        match self.source {
            IpAddr::V4(_) => Stack::V4,
            IpAddr::V6(_) => Stack::V6,
        }
    }

    /// The source address that routing chose, for [`Purpose::Tunnel`].
    pub fn source(&self) -> IpAddr {
        self.source
    }

    #[inline]
    pub(super) fn as_dst(&self) -> *mut bindings::dst_entry {
        self.dst.as_ptr()
    }

    /// The route, with the reference that this value held.
    pub(super) fn into_dst(self) -> *mut bindings::dst_entry {
        core::mem::ManuallyDrop::new(self).as_dst()
    }

    /// Whether it leads to this host.
    #[inline]
    pub fn is_local(&self) -> bool {
        self.is_local
    }

    /// The largest packet that fits, as path MTU discovery knows it by now.
    #[inline]
    pub fn mtu(&self) -> u32 {
        // SAFETY: we hold a reference.
        unsafe { bindings::rvs_dst_mtu(self.as_dst()) }
    }

    /// Room that the route's device wants in front of the network header.
    pub fn device_headroom(&self, _rcu: Held<'_>) -> u32 {
        // SAFETY: we hold a reference to the route. It may be given another device at any time; the one that it has now
        // stays while the read side is held.
        unsafe { bindings::rvs_ll_reserved_space(self.as_dst()) }
    }

    /// Whether routing would still give this route.
    #[inline]
    fn is_fresh(&self) -> bool {
        // SAFETY: we hold a reference; the cookie is the one of the lookup.
        !unsafe { bindings::rvs_dst_check(self.as_dst(), self.cookie) }.is_null()
    }
}

impl Drop for Route {
    fn drop(&mut self) {
        // SAFETY: gives back the reference of the type invariant.
        unsafe { bindings::dst_release(self.as_dst()) };
    }
}

/// Keeps the route to one destination.
pub struct RouteCache(Cell<Route>);

impl RouteCache {
    /// An empty cache.
    pub const fn new() -> Self {
        Self(Cell::empty())
    }

    /// The kept route if it still holds, else a new one. Never sleeps.
    ///
    /// The result lives as long as the read side is held: replaced routes are released after a
    /// grace period.
    #[inline]
    pub fn get<'a>(
        &'a self,
        net: Net<'_>,
        destination: IpAddr,
        purpose: Purpose,
        rcu: Held<'a>,
    ) -> core::result::Result<&'a Route, Unreachable> {
        match self.0.read(rcu) {
            Some(route) if route.is_fresh() => Ok(route),
            _ => self.renew(net, destination, purpose, rcu),
        }
    }

    #[cold]
    fn renew<'a>(
        &'a self,
        net: Net<'_>,
        destination: IpAddr,
        purpose: Purpose,
        rcu: Held<'a>,
    ) -> core::result::Result<&'a Route, Unreachable> {
        let route = Route::lookup(net, destination, purpose)?;
        self.0.replace(route, GFP_ATOMIC).map_err(|_| Unreachable)?;
        self.0.read(rcu).ok_or(Unreachable)
    }

    /// Forgets the route.
    pub fn clear(&self) {
        self.0.clear();
    }
}

/// Pointers from here on are error codes.
const MIN_ERRNO: usize = usize::MAX - 4094;
