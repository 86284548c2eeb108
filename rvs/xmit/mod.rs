// SPDX-License-Identifier: GPL-2.0-only

//! How packets of a connection leave: what all forwarding methods have in
//! common stands here, each method in a file of its own.

mod direct;
mod nat;
mod tunnel;

pub use nat::{answer, release_to_client, send_error};

use crate::{
    conn::Connection,
    director::{Balancer, Segment},
    packet::{
        icmp::{DEST_UNREACHABLE, FRAG_NEEDED, TIME_EXCEEDED},
        ipv4::{Header, HEADER_LEN},
        IPPROTO_ICMP,
    },
    service::Method,
    stats::drops::Reason,
    sys::{
        netfilter::{is_only_hook, Context, HookPoint},
        route::{Purpose, Route},
        skb::{Skb, Verdict},
    },
};

/// Sends a client's packet to the connection's real server.
#[inline]
pub fn request<'a>(
    balancer: &'a Balancer,
    skb: Skb<'a>,
    segment: &Segment,
    connection: &'a Connection,
    context: Context<'a>,
) -> Verdict<'a> {
    match connection.method {
        Method::Masquerading => nat::request(balancer, skb, segment, connection, context),
        _ => unchanged(balancer, skb, &segment.header, connection, context),
    }
}

/// Sends a client's packet, whatever it holds, to the real server by a method that leaves its
/// transport header alone.
#[inline]
pub fn unchanged<'a>(
    balancer: &'a Balancer,
    skb: Skb<'a>,
    header: &Header,
    connection: &'a Connection,
    context: Context<'a>,
) -> Verdict<'a> {
    match connection.method {
        Method::Tunneling => tunnel::send(balancer, skb, header, connection, context),
        _ => direct::send(balancer, skb, header, connection, context),
    }
}

/// The route of a connection's packets to its real server.
#[inline]
pub fn route_to_server<'a>(
    connection: &'a Connection,
    context: Context<'a>,
) -> Result<&'a Route, Reason> {
    let purpose = match connection.method {
        Method::Masquerading => Purpose::ToDestination,
        Method::Tunneling => Purpose::Tunnel,
        Method::DirectRouting => Purpose::ViaNextHop,
    };
    let server = &connection.server;
    server
        .route(connection.method)
        .get(context.net, server.endpoint.addr, purpose, context.rcu)
        .map_err(|_| Reason::Unreachable)
}

/// Says why a packet may not be forwarded, and tells its sender where that is due (reference
/// §6.1, §6.7): `mtu` is what the path to the real server takes of it.
#[inline]
fn admit(skb: &mut Skb<'_>, header: &Header, mtu: u32) -> Result<(), Reason> {
    if header.src.is_loopback() {
        return Err(Reason::NotLocal);
    }
    if header.ttl <= 1 {
        skb.send_icmp_error(TIME_EXCEEDED, 0, 0);
        return Err(Reason::TtlExceeded);
    }
    // Nobody is told that an ICMP error was too big, so it had better be fragmented.
    let must_fit = header.dont_fragment && header.protocol != IPPROTO_ICMP;
    if must_fit && skb.exceeds(mtu) {
        skb.send_icmp_error(DEST_UNREACHABLE, FRAG_NEEDED, mtu);
        return Err(Reason::TooBig);
    }
    Ok(())
}

/// The IPv4 header without options, private and writable.
#[inline]
fn writable_header<'s>(skb: &'s mut Skb<'_>) -> Result<&'s mut [u8; HEADER_LEN], Reason> {
    skb.writable(HEADER_LEN)
        .and_then(|bytes| bytes.first_chunk_mut())
        .ok_or(Reason::NoMemory)
}

/// Takes off what tied the packet to this host, before it goes out on `route`. A packet of a local
/// socket stays charged to it.
#[inline]
fn prepare(skb: &mut Skb<'_>, route: &Route, context: Context<'_>) {
    skb.mark_balanced();
    skb.untrack();
    if context.point != HookPoint::LocalOut {
        skb.orphan();
        skb.clear_receive_time();
    }
    skb.forget_device_checksum();
    skb.ignore_df();
    skb.attach_route(route);
}

/// Sends the packet on through the hooks for packets of this host, of which ours lets it pass; if
/// it is the only one there, they are left out.
#[inline]
fn send<'a>(balancer: &'a Balancer, skb: Skb<'a>, context: Context<'a>) -> Verdict<'a> {
    if is_only_hook(balancer, context.net, HookPoint::LocalOut, context.rcu) {
        skb.output(context.net)
    } else {
        skb.local_out(context.net)
    }
}

/// Leaves a packet to this host, which is the real server: it goes on along its old route.
fn deliver_locally<'a>(mut skb: Skb<'a>) -> Verdict<'a> {
    skb.mark_balanced();
    skb.untrack();
    skb.accept()
}
