// SPDX-License-Identifier: GPL-2.0-only

//! IPv4 routes of packets that this host sends, and a place that keeps one
//! for as long as it holds.
//!
//! C headers: `include/net/route.h`, `include/net/dst.h`

use super::{
    bindings,
    net::Net,
    rcu::{Cell, Held},
};
use core::{net::Ipv4Addr, ptr::NonNull};
use kernel::prelude::*;

/// A route that was looked up for a destination.
///
/// # Invariants
///
/// `dst` is an IPv4 `rtable` on which this value holds a reference.
pub struct Route {
    dst: NonNull<bindings::rtable>,
    source: Ipv4Addr,
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
            let dst = unsafe {
                bindings::ip_route_output_flow(net.as_ptr(), &raw mut flow, core::ptr::null_mut())
            };
            if dst.is_null() || dst.addr() >= MIN_ERRNO {
                return Err(Unreachable);
            }
            // SAFETY: neither null nor an error, so a route.
            let dst = unsafe { NonNull::new_unchecked(dst) };
            let chosen = Ipv4Addr::from(flow.saddr.to_ne_bytes());
            // INVARIANT: the lookup gave us a reference.
            let route = Self {
                dst,
                source: chosen,
            };
            // The source that was chosen can itself select another route: bind it, then look again.
            if !matches!(purpose, Purpose::Tunnel) || chosen == source {
                return Ok(route);
            }
            source = chosen;
        }
    }

    /// The source address that routing chose, for [`Purpose::Tunnel`].
    pub fn source(&self) -> Ipv4Addr {
        self.source
    }

    #[inline]
    pub(super) fn as_dst(&self) -> *mut bindings::dst_entry {
        self.dst.as_ptr().cast()
    }

    /// Whether it leads to this host.
    #[inline]
    pub fn is_local(&self) -> bool {
        // SAFETY: we hold a reference.
        unsafe { self.dst.as_ref() }.rt_flags & bindings::RTCF_LOCAL != 0
    }

    /// The largest packet that fits, as path MTU discovery knows it by now.
    #[inline]
    pub fn mtu(&self) -> u32 {
        // SAFETY: we hold a reference.
        unsafe { bindings::rvs_dst_mtu(self.as_dst()) }
    }

    /// Room that the route's device wants in front of the network header.
    pub fn device_headroom(&self) -> u32 {
        // SAFETY: we hold a reference, and with it the device is valid.
        unsafe { bindings::rvs_ll_reserved_space(self.as_dst()) }
    }

    /// Whether routing would still give this route.
    #[inline]
    fn is_fresh(&self) -> bool {
        // SAFETY: we hold a reference; IPv4 ignores the cookie.
        !unsafe { bindings::rvs_dst_check(self.as_dst(), 0) }.is_null()
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
        destination: Ipv4Addr,
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
        destination: Ipv4Addr,
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
