// SPDX-License-Identifier: GPL-2.0-only

//! How packets of a connection leave: what all forwarding methods have in
//! common stands here, each method in a file of its own.

mod bypass;
mod direct;
mod nat;
mod tunnel;

pub use nat::{answer, release_to_client, send_error};

use crate::{
    conn::Connection,
    director::{Balanced, Balancer, Segment},
    packet::{Complaint, Endpoint, Family, Header},
    service::{Method, RealServer},
    stats::drops::Reason,
    sys::{
        ip::Stack,
        netfilter::{is_only_hook, Context, HookPoint},
        route::{Purpose, Route},
        skb::{Skb, Verdict},
    },
};

/// Between which ends a packet is forwarded, and how.
#[derive(Clone, Copy)]
pub struct Path<'a, A: Balanced> {
    /// The forwarding method.
    pub method: Method,
    /// The real server; none for packets that go where they would go anyway.
    pub server: Option<&'a RealServer>,
    /// The virtual service, as the client addressed it.
    pub virt: Endpoint<A>,
    /// The real server, as masqueraded packets address it.
    pub target: Endpoint<A>,
    /// What connection tracking is told.
    pub tracking: Tracking,
}

/// What connection tracking is told of packets that were balanced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tracking {
    /// Nothing: they are taken off it.
    Off,
    /// That they belong to the flow that it saw.
    Kept,
    /// The same, and where the answers come from or go to.
    Translated,
}

impl<'a, A: Balanced> Path<'a, A> {
    /// That of a connection.
    #[inline]
    pub fn of(connection: &'a Connection<A>) -> Self {
        let tracking = match (connection.status().is_tracked(), connection.method) {
            (false, _) => Tracking::Off,
            (true, Method::Masquerading) => Tracking::Translated,
            (true, _) => Tracking::Kept,
        };
        Self {
            method: connection.method,
            server: connection.server.as_deref(),
            virt: connection.virt,
            target: connection.target(),
            tracking,
        }
    }

    /// That to a real server, by the method that it has now.
    pub fn to_server(server: &'a RealServer, virt: Endpoint<A>, port: u16) -> Self {
        let addr = A::from_ip(server.endpoint.addr).unwrap_or(virt.addr);
        Self {
            method: server.method(),
            server: Some(server),
            virt,
            target: Endpoint { addr, port },
            tracking: Tracking::Off,
        }
    }

    /// Tells connection tracking of a packet to the real server.
    #[inline]
    fn track_request(&self, skb: &mut Skb<'_>) {
        match self.tracking {
            Tracking::Off => skb.untrack(),
            Tracking::Kept => {}
            Tracking::Translated => skb.expect_answers_from(self.target.socket_addr()),
        }
    }

    /// Tells connection tracking of a packet to the client.
    #[inline]
    fn track_answer(&self, skb: &mut Skb<'_>) {
        match self.tracking {
            Tracking::Off => skb.untrack(),
            Tracking::Kept => {}
            Tracking::Translated => skb.expect_answers_at(self.virt.socket_addr()),
        }
    }

    /// The largest packet that gets whole to the real server on a route, bytes; `None` if none does.
    pub fn mtu(&self, route: &Route) -> Option<u32> {
        match self.method {
            Method::Tunneling if !route.is_local() => tunnel::mtu(self.server?, route),
            _ => Some(route.mtu()),
        }
    }

    /// The route of packets to the real server.
    #[inline]
    pub fn route(&self, context: Context<'a>) -> Result<&'a Route, Reason> {
        let purpose = match self.method {
            Method::Masquerading | Method::LocalNode | Method::Bypass => Purpose::ToDestination,
            Method::Tunneling => Purpose::Tunnel,
            Method::DirectRouting => Purpose::ViaNextHop,
        };
        let server = self.server.ok_or(Reason::Unreachable)?;
        server
            .route(self.method)
            .get(context.net, server.endpoint.addr, purpose, context.rcu)
            .map_err(|_| Reason::Unreachable)
    }
}

/// Sends a client's packet to the real server.
#[inline]
pub fn request<'a, A: Balanced>(
    balancer: &'a Balancer,
    mut skb: Skb<'a>,
    segment: &Segment<A>,
    path: Path<'a, A>,
    context: Context<'a>,
) -> Verdict<'a> {
    match path.method {
        Method::Masquerading => nat::request(balancer, skb, segment, path, context),
        Method::Tunneling => {
            if path.server.is_some_and(|server| server.tunnel().is_gue()) {
                // Bits that neither choose a bucket nor are a fingerprint: others see something of them.
                skb.set_flow_hash((segment.hash >> 24) as u32);
            }
            unchanged(balancer, skb, &segment.header, path, context)
        }
        _ => unchanged(balancer, skb, &segment.header, path, context),
    }
}

/// Sends a client's packet, whatever it holds, to the real server by a method that leaves its
/// transport header alone.
#[inline]
pub fn unchanged<'a, A: Balanced>(
    balancer: &'a Balancer,
    mut skb: Skb<'a>,
    header: &Header<A>,
    path: Path<'a, A>,
    context: Context<'a>,
) -> Verdict<'a> {
    match path.method {
        Method::LocalNode => return deliver_locally(skb, path),
        Method::Bypass => {
            return match bypass::rewrite(&mut skb, header, path, context) {
                Ok(()) => send(balancer, skb, A::STACK, context),
                Err(reason) => balancer.discard(skb, reason),
            };
        }
        _ => {}
    }
    let route = match path.route(context) {
        Ok(route) if route.is_local() && skb.is_routed_locally::<A>() => {
            return deliver_locally(skb, path)
        }
        Ok(route) if route.is_local() => return balancer.discard(skb, Reason::NotLocal),
        Ok(route) => route,
        Err(reason) => {
            skb.report_link_failure();
            return balancer.discard(skb, reason);
        }
    };
    let (ready, stack) = match path.method {
        Method::Tunneling => (
            tunnel::wrap(balancer, &mut skb, header, path, route, context),
            route.stack(),
        ),
        _ => (
            direct::rewrite(&mut skb, header, path, route, context),
            A::STACK,
        ),
    };
    match ready {
        Ok(()) => send(balancer, skb, stack, context),
        Err(reason) => balancer.discard(skb, reason),
    }
}

/// Tells the sender of a packet about its end.
pub fn complain<A: Balanced>(skb: &mut Skb<'_>, complaint: Complaint, context: Context<'_>) {
    let (kind, code, info) = complaint.message(A::FAMILY);
    skb.send_icmp_error::<A>(context.net, kind, code, info);
}

/// Takes a hop off a packet that is forwarded; or says why it may not be, and tells its sender where that
/// is due (reference §6.1, §6.7): `mtu` is what the path to the real server takes of it, which only long
/// packets need.
#[inline]
fn admit<A: Balanced>(
    skb: &mut Skb<'_>,
    header: &Header<A>,
    mtu: impl FnOnce() -> u32,
    context: Context<'_>,
) -> Result<(), Reason> {
    if header.src.is_loopback() {
        return Err(Reason::NotLocal);
    }
    if header.ttl <= 1 {
        complain::<A>(skb, Complaint::TimeExceeded, context);
        return Err(Reason::TtlExceeded);
    }
    // Who is told about the size sees the packet one hop older.
    A::take_hop(writable_header::<A>(skb)?).ok_or(Reason::Malformed)?;
    // Nobody is told that an ICMP error was too big, so it had better be fragmented where that can be.
    let must_fit = header.dont_fragment && header.protocol != A::FAMILY.icmp();
    if must_fit && skb.len() > min_mtu(A::FAMILY) as usize {
        let mtu = mtu();
        if exceeds::<A>(skb, mtu) {
            complain::<A>(skb, Complaint::TooBig(mtu), context);
            return Err(Reason::TooBig);
        }
    }
    Ok(())
}

/// Whether a packet is longer than a path takes. One that was put together from fragments goes on in
/// such, so the longest of them tells.
#[inline]
fn exceeds<A: Balanced>(skb: &Skb<'_>, mtu: u32) -> bool {
    if A::STACK == Stack::V6 {
        let largest = skb.largest_fragment();
        if largest != 0 {
            return largest > mtu;
        }
    }
    skb.exceeds(mtu)
}

/// The network header without options and extensions, private and writable.
#[inline]
fn writable_header<'s, A: Balanced>(skb: &'s mut Skb<'_>) -> Result<&'s mut [u8], Reason> {
    skb.writable(A::FAMILY.header_len()).ok_or(Reason::NoMemory)
}

/// Makes the packet leave on `route`.
#[inline]
fn prepare<A: Balanced>(skb: &mut Skb<'_>, path: Path<'_, A>, route: &Route, context: Context<'_>) {
    release(skb, path, context);
    skb.attach_route(route);
}

/// Takes off what tied the packet to this host, before it goes out. A packet of a local socket stays
/// charged to it.
#[inline]
fn release<A: Balanced>(skb: &mut Skb<'_>, path: Path<'_, A>, context: Context<'_>) {
    skb.mark_balanced();
    path.track_request(skb);
    if context.point != HookPoint::LocalOut {
        skb.orphan();
        skb.clear_receive_time();
    }
    skb.forget_device_checksum();
    skb.ignore_df();
}

/// Sends the packet on through the hooks for packets of this host, of which ours lets it pass; if
/// it is the only one there, they are left out.
#[inline]
fn send<'a>(
    balancer: &'a Balancer,
    skb: Skb<'a>,
    stack: Stack,
    context: Context<'a>,
) -> Verdict<'a> {
    if is_only_hook(
        balancer,
        stack,
        context.net,
        HookPoint::LocalOut,
        context.rcu,
    ) {
        skb.output(stack, context.net)
    } else {
        skb.local_out(stack, context.net)
    }
}

/// Leaves a packet to this host, which is the real server: it goes on along its old route.
fn deliver_locally<'a, A: Balanced>(mut skb: Skb<'a>, path: Path<'_, A>) -> Verdict<'a> {
    skb.mark_balanced();
    path.track_request(&mut skb);
    skb.accept()
}

/// The length of the shortest packet that every link of a family carries whole, bytes.
const fn min_mtu(family: Family) -> u32 {
    match family {
        Family::V4 => crate::packet::ipv4::MIN_MTU,
        Family::V6 => crate::packet::ipv6::MIN_MTU,
    }
}
