// SPDX-License-Identifier: GPL-2.0-only

//! Tunneling: the packet travels inside another one to the real server, IP
//! in IP of either family (RFC 2003, RFC 2473), with ECN as RFC 3168 §9.1
//! has it.

use super::{admit, min_mtu, prepare, Path, Tracking};
use crate::{
    director::{Balanced, Balancer},
    packet::{ipv4, ipv6, Family, Header, IPPROTO_IPIP, IPPROTO_IPV6},
    stats::drops::Reason,
    sys::{netfilter::Context, route::Route, skb::Skb},
};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Wraps a packet into one that is ready to leave on the route to the real server.
pub(super) fn wrap<A: Balanced>(
    balancer: &Balancer,
    skb: &mut Skb<'_>,
    header: &Header<A>,
    path: Path<'_, A>,
    route: &Route,
    context: Context<'_>,
) -> Result<(), Reason> {
    let server = path.server.ok_or(Reason::Unreachable)?.endpoint.addr;
    let outer = Family::of(server);
    let outer_len = outer.header_len();
    let mtu = route.mtu().saturating_sub(outer_len as u32);
    if mtu < min_mtu(outer) {
        return Err(Reason::TooBig);
    }
    // Without path MTU discovery the outer packet is fragmented where it must be.
    let may_fragment = A::FAMILY == Family::V4 && !balancer.settings.pmtu_disc.is_on();
    let limit = if may_fragment { u32::MAX } else { mtu };
    admit(skb, header, limit, context)?;
    prepare(skb, path, route, context);
    if path.tracking != Tracking::Off && !skb.confirm_tracking() {
        return Err(Reason::Untrackable);
    }
    // The outer packet is a flow of its own.
    skb.forget_tracking();
    let total_len = skb.len().saturating_add(outer_len);
    if total_len > usize::from(u16::MAX) && !skb.is_gso() {
        return Err(Reason::TooBig);
    }
    let inner_protocol = match A::FAMILY {
        Family::V4 => IPPROTO_IPIP,
        Family::V6 => IPPROTO_IPV6,
    };
    match (route.source(), server) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => {
            let bytes = skb
                .encapsulate::<Ipv4Addr, { ipv4::HEADER_LEN }>(route, inner_protocol)
                .ok_or(Reason::NoMemory)?;
            ipv4::build(
                bytes,
                &ipv4::Outer {
                    src,
                    dst,
                    // A GSO packet can exceed the field; the length of each segment is written when it is
                    // cut.
                    total_len: u16::try_from(total_len).unwrap_or(0),
                    identification: 0,
                    protocol: inner_protocol,
                    ttl: header.ttl.saturating_sub(1),
                    inner_tos: header.tos,
                    dont_fragment: A::FAMILY == Family::V4 && header.dont_fragment && !may_fragment,
                },
            );
            skb.select_ident(context.net);
        }
        (IpAddr::V6(src), IpAddr::V6(dst)) => {
            let payload_len = total_len.saturating_sub(ipv6::HEADER_LEN);
            let bytes = skb
                .encapsulate::<Ipv6Addr, { ipv6::HEADER_LEN }>(route, inner_protocol)
                .ok_or(Reason::NoMemory)?;
            ipv6::build(
                bytes,
                &ipv6::Outer {
                    src,
                    dst,
                    payload_len: u16::try_from(payload_len).unwrap_or(0),
                    next_header: inner_protocol,
                    hop_limit: header.ttl.saturating_sub(1),
                    inner_tos: header.tos,
                },
            );
        }
        _ => return Err(Reason::Unreachable),
    }
    Ok(())
}
