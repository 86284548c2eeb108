// SPDX-License-Identifier: GPL-2.0-only

//! Masquerading: destination address and port of requests are replaced by
//! the real server's, source address and port of answers by the virtual
//! service's.

use super::{admit, deliver_locally, prepare, route_to_server, send, writable_header};
use core::net::Ipv4Addr;

use crate::{
    conn::Connection,
    director::{Balancer, Segment},
    packet::{
        ipv4::{decrement_ttl, set_destination, set_source, Header},
        rewrite, sctp, tcp, udp, ChecksumMode, Endpoint, Side,
    },
    proto::Protocol,
    service::Method,
    stats::drops::Reason,
    sys::{
        netfilter::{Context, HookPoint},
        skb::{ChecksumState, Skb, Verdict},
    },
};

/// Sends a client's packet to the real server.
#[inline]
pub fn request<'a>(
    balancer: &'a Balancer,
    mut skb: Skb<'a>,
    segment: &Segment,
    connection: &'a Connection,
    context: Context<'a>,
) -> Verdict<'a> {
    let route = match route_to_server(connection, context) {
        Ok(route) => route,
        Err(reason) => {
            skb.report_link_failure();
            return balancer.drop(skb, reason);
        }
    };
    let (from, to) = (segment.flow.dst, connection.server_endpoint);
    if route.is_local() {
        return match admit_locally(to.addr, context)
            .and_then(|()| readdress(&mut skb, segment, Side::Destination, from, to, false))
        {
            Ok(()) => {
                forget_early_socket(&mut skb, from, to, context);
                deliver_locally(skb)
            }
            Err(reason) => balancer.drop(skb, reason),
        };
    }
    let rewritten = admit(&mut skb, &segment.header, route.mtu())
        .and_then(|()| readdress(&mut skb, segment, Side::Destination, from, to, true));
    match rewritten {
        Ok(()) => {
            prepare(&mut skb, route, context);
            send(balancer, skb, context)
        }
        Err(reason) => balancer.drop(skb, reason),
    }
}

/// Detaches the socket that the stack found for a packet by the address that it had when it came in.
fn forget_early_socket(skb: &mut Skb<'_>, from: Endpoint, to: Endpoint, context: Context<'_>) {
    if context.point == HookPoint::LocalIn && from != to {
        skb.orphan();
    }
}

/// Loopback addresses are reached from this host only.
fn admit_locally(server: Ipv4Addr, context: Context<'_>) -> Result<(), Reason> {
    if server.is_loopback() && context.point != HookPoint::LocalOut {
        return Err(Reason::NotLocal);
    }
    Ok(())
}

/// Replaces address and port on one side, and all checksums they are part of.
#[inline]
fn readdress(
    skb: &mut Skb<'_>,
    segment: &Segment,
    side: Side,
    from: Endpoint,
    to: Endpoint,
    leaves_host: bool,
) -> Result<(), Reason> {
    let transport_len = match segment.protocol {
        Protocol::Tcp => tcp::HEADER_LEN,
        Protocol::Udp => udp::HEADER_LEN,
        Protocol::Sctp => sctp::HEADER_LEN,
        Protocol::Esp | Protocol::Ah => 0,
    };
    let mode = match skb.checksum_state() {
        ChecksumState::Complete => ChecksumMode::Complete,
        ChecksumState::Partial => ChecksumMode::Partial,
    };
    let header_len = segment.header.header_len;
    let bytes = skb
        .writable(header_len.saturating_add(transport_len))
        .ok_or(Reason::NoMemory)?;
    let transport = bytes.get_mut(header_len..).ok_or(Reason::Malformed)?;
    rewrite::transport(segment.flow.protocol, transport, side, from, to, mode)
        .map_err(|_| Reason::Malformed)?;
    let header = bytes.first_chunk_mut().ok_or(Reason::Malformed)?;
    match side {
        Side::Source => set_source(header, to.addr),
        Side::Destination => set_destination(header, to.addr),
    }
    if leaves_host {
        decrement_ttl(header);
    }
    skb.forget_device_checksum();
    Ok(())
}

/// Gives a packet of the real server back the address that the client knows, and lets it go on.
#[inline]
pub fn answer<'a>(
    balancer: &'a Balancer,
    mut skb: Skb<'a>,
    segment: &Segment,
    connection: &'a Connection,
    context: Context<'a>,
) -> Verdict<'a> {
    if connection.method == Method::Masquerading {
        let (from, to) = (segment.flow.src, connection.virt);
        if let Err(reason) = readdress(&mut skb, segment, Side::Source, from, to, false) {
            return balancer.drop(skb, reason);
        }
    }
    release_to_client(balancer, skb, connection, context)
}

/// Lets a packet whose source is the virtual service go on to the client.
pub fn release_to_client<'a>(
    balancer: &'a Balancer,
    mut skb: Skb<'a>,
    connection: &Connection,
    context: Context<'a>,
) -> Verdict<'a> {
    // A route depends on the source only through rules and IPsec policies; without any, the one that
    // the packet has is the one it would get.
    let may_differ = match context.point {
        _ if connection.method != Method::Masquerading => false,
        HookPoint::LocalIn => false,
        HookPoint::Forward => context.net.routes_by_source(),
        HookPoint::LocalOut => true,
    };
    if may_differ && !skb.is_routed_locally() && !skb.reroute(context.net) {
        return balancer.drop(skb, Reason::Unreachable);
    }
    skb.mark_balanced();
    skb.untrack();
    skb.accept()
}

/// Sends an ICMP error, whose quote was rewritten, to the real server.
pub fn send_error<'a>(
    balancer: &'a Balancer,
    mut skb: Skb<'a>,
    header: &Header,
    connection: &'a Connection,
    context: Context<'a>,
) -> Verdict<'a> {
    let route = match route_to_server(connection, context) {
        Ok(route) if route.is_local() && context.point == HookPoint::Forward => {
            return balancer.drop(skb, Reason::NotLocal);
        }
        Ok(route) => route,
        Err(reason) => return balancer.drop(skb, reason),
    };
    let readdressed = if route.is_local() {
        admit_locally(connection.server_endpoint.addr, context)
    } else {
        admit(&mut skb, header, route.mtu())
    }
    .and_then(|()| {
        let header = writable_header(&mut skb)?;
        set_destination(header, connection.server_endpoint.addr);
        if !route.is_local() {
            decrement_ttl(header);
        }
        skb.forget_device_checksum();
        Ok(())
    });
    match readdressed {
        Ok(()) if route.is_local() => deliver_locally(skb),
        Ok(()) => {
            prepare(&mut skb, route, context);
            send(balancer, skb, context)
        }
        Err(reason) => balancer.drop(skb, reason),
    }
}
