// SPDX-License-Identifier: GPL-2.0-only

//! Masquerading: destination address and port of requests are replaced by
//! the real server's, source address and port of answers by the virtual
//! service's.

use super::{admit, deliver_locally, prepare, send, writable_header, Path};
use crate::{
    director::{Balanced, Balancer, Segment},
    packet::{rewrite, sctp, tcp, udp, ChecksumMode, Endpoint, Header, Side},
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
pub fn request<'a, A: Balanced>(
    balancer: &'a Balancer,
    mut skb: Skb<'a>,
    segment: &Segment<A>,
    path: Path<'a, A>,
    context: Context<'a>,
) -> Verdict<'a> {
    let route = match path.route(context) {
        Ok(route) => route,
        Err(reason) => {
            skb.report_link_failure();
            return balancer.discard(skb, reason);
        }
    };
    let (from, to) = (segment.flow.dst, path.target);
    if route.is_local() {
        return match admit_locally(to.addr, context)
            .and_then(|()| readdress_here(&mut skb, segment, from, to))
        {
            Ok(()) => {
                forget_early_socket(&mut skb, from, to, context);
                deliver_locally(skb, path)
            }
            Err(reason) => balancer.discard(skb, reason),
        };
    }
    let rewritten = admit(&mut skb, &segment.header, || route.mtu(), context)
        .and_then(|()| readdress(&mut skb, segment, Side::Destination, from, to));
    match rewritten {
        Ok(()) => {
            prepare(&mut skb, path, route, context);
            send(balancer, skb, A::STACK, context)
        }
        Err(reason) => balancer.discard(skb, reason),
    }
}

/// Detaches the socket that the stack found for a packet by the address that it had when it came in.
fn forget_early_socket<A: Balanced>(
    skb: &mut Skb<'_>,
    from: Endpoint<A>,
    to: Endpoint<A>,
    context: Context<'_>,
) {
    if context.point == HookPoint::LocalIn && from != to {
        skb.orphan();
    }
}

/// Loopback addresses are reached from this host only.
fn admit_locally<A: Balanced>(server: A, context: Context<'_>) -> Result<(), Reason> {
    if server.is_loopback() && context.point != HookPoint::LocalOut {
        return Err(Reason::NotLocal);
    }
    Ok(())
}

/// Replaces the destination of a packet that stays on this host.
#[cold]
fn readdress_here<A: Balanced>(
    skb: &mut Skb<'_>,
    segment: &Segment<A>,
    from: Endpoint<A>,
    to: Endpoint<A>,
) -> Result<(), Reason> {
    readdress(skb, segment, Side::Destination, from, to)
}

/// Replaces address and port on one side, and all checksums they are part of. Part of its callers, which
/// know the side.
#[inline(always)]
fn readdress<A: Balanced>(
    skb: &mut Skb<'_>,
    segment: &Segment<A>,
    side: Side,
    from: Endpoint<A>,
    to: Endpoint<A>,
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
    let header_len = segment.header.len;
    let bytes = skb
        .writable(header_len.saturating_add(transport_len))
        .ok_or(Reason::NoMemory)?;
    let transport = bytes.get_mut(header_len..).ok_or(Reason::Malformed)?;
    rewrite::transport(segment.header.protocol, transport, side, from, to, mode)
        .map_err(|_| Reason::Malformed)?;
    match side {
        Side::Source => A::set_source(bytes, to.addr),
        Side::Destination => A::set_destination(bytes, to.addr),
    }
    .ok_or(Reason::Malformed)?;
    // SCTP's checksum covers no addresses; one that is left to the device will include the port.
    let is_sctp = segment.protocol == Protocol::Sctp;
    if is_sctp && mode == ChecksumMode::Complete && from.port != to.port {
        skb.write_sctp_checksum(header_len)
            .ok_or(Reason::Malformed)?;
    }
    skb.forget_device_checksum();
    Ok(())
}

/// Gives a packet of the real server back the address that the client knows, and lets it go on.
#[inline]
pub fn answer<'a, A: Balanced>(
    balancer: &'a Balancer,
    mut skb: Skb<'a>,
    segment: &Segment<A>,
    path: Path<'a, A>,
    context: Context<'a>,
) -> Verdict<'a> {
    if path.method == Method::Masquerading {
        let (from, to) = (segment.flow.src, path.virt);
        if let Err(reason) = readdress(&mut skb, segment, Side::Source, from, to) {
            return balancer.discard(skb, reason);
        }
    }
    release_to_client(balancer, skb, path, context)
}

/// Lets a packet whose source is the virtual service go on to the client.
pub fn release_to_client<'a, A: Balanced>(
    balancer: &'a Balancer,
    mut skb: Skb<'a>,
    path: Path<'a, A>,
    context: Context<'a>,
) -> Verdict<'a> {
    // A route depends on the source only through rules and IPsec policies; without any, the one that
    // the packet has is the one it would get.
    let may_differ = match context.point {
        _ if path.method != Method::Masquerading => false,
        HookPoint::LocalIn => false,
        _ if !balancer.settings.snat_reroute.is_on() => false,
        HookPoint::Forward => context.net.routes_by_source(A::STACK),
        HookPoint::LocalOut => true,
    };
    if may_differ && !skb.is_routed_locally::<A>() && !skb.reroute::<A>(context.net) {
        return balancer.discard(skb, Reason::Unreachable);
    }
    skb.mark_balanced();
    path.track_answer(&mut skb);
    skb.accept()
}

/// Sends an ICMP error, whose quote was rewritten, to the real server.
pub fn send_error<'a, A: Balanced>(
    balancer: &'a Balancer,
    mut skb: Skb<'a>,
    header: &Header<A>,
    path: Path<'a, A>,
    context: Context<'a>,
) -> Verdict<'a> {
    let route = match path.route(context) {
        Ok(route) if route.is_local() && context.point == HookPoint::Forward => {
            return balancer.discard(skb, Reason::NotLocal);
        }
        Ok(route) => route,
        Err(reason) => return balancer.discard(skb, reason),
    };
    let readdressed = if route.is_local() {
        admit_locally(path.target.addr, context)
    } else {
        admit(&mut skb, header, || route.mtu(), context)
    }
    .and_then(|()| {
        let header = writable_header::<A>(&mut skb)?;
        A::set_destination(header, path.target.addr).ok_or(Reason::Malformed)?;
        skb.forget_device_checksum();
        Ok(())
    });
    match readdressed {
        Ok(()) if route.is_local() => deliver_locally(skb, path),
        Ok(()) => {
            prepare(&mut skb, path, route, context);
            send(balancer, skb, A::STACK, context)
        }
        Err(reason) => balancer.discard(skb, reason),
    }
}
