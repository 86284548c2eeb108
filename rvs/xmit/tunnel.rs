// SPDX-License-Identifier: GPL-2.0-only

//! Tunneling: the packet travels inside another one to the real server,
//! IP-in-IP (RFC 2003), with ECN as RFC 3168 §9.1 has it.

use super::{admit, deliver_locally, prepare, route_to_server, send as send_on, writable_header};
use crate::{
    conn::Connection,
    director::Balancer,
    packet::ipv4::{build, decrement_ttl, Header, Outer, HEADER_LEN, MIN_MTU},
    stats::drops::Reason,
    sys::{
        netfilter::Context,
        route::Route,
        skb::{Skb, Verdict},
    },
};

/// Sends a client's packet to the real server.
pub fn send<'a>(
    balancer: &'a Balancer,
    mut skb: Skb<'a>,
    header: &Header,
    connection: &'a Connection,
    context: Context<'a>,
) -> Verdict<'a> {
    let route = match route_to_server(connection, context) {
        Ok(route) if route.is_local() && skb.is_routed_locally() => return deliver_locally(skb),
        Ok(route) if route.is_local() => return balancer.drop(skb, Reason::NotLocal),
        Ok(route) => route,
        Err(reason) => {
            skb.report_link_failure();
            return balancer.drop(skb, reason);
        }
    };
    match wrap(&mut skb, header, connection, route, context) {
        Ok(()) => {
            skb.select_ident(context.net);
            send_on(balancer, skb, context)
        }
        Err(reason) => balancer.drop(skb, reason),
    }
}

fn wrap(
    skb: &mut Skb<'_>,
    header: &Header,
    connection: &Connection,
    route: &Route,
    context: Context<'_>,
) -> Result<(), Reason> {
    let mtu = route.mtu().saturating_sub(HEADER_LEN as u32);
    if mtu < MIN_MTU {
        return Err(Reason::TooBig);
    }
    admit(skb, header, mtu)?;
    decrement_ttl(writable_header(skb)?);
    prepare(skb, route, context);
    // The outer packet is a flow of its own.
    skb.forget_tracking();
    let total_len = skb.len().saturating_add(HEADER_LEN);
    if total_len > usize::from(u16::MAX) && !skb.is_gso() {
        return Err(Reason::TooBig);
    }
    let outer = skb.encapsulate_ipip(route).ok_or(Reason::NoMemory)?;
    build(
        outer,
        &Outer {
            src: route.source(),
            dst: connection.server.endpoint.addr,
            // A GSO packet can exceed the field; the length of each segment is written when it is cut.
            total_len: u16::try_from(total_len).unwrap_or(0),
            identification: 0,
            ttl: header.ttl.saturating_sub(1),
            inner_tos: header.tos,
            dont_fragment: header.dont_fragment,
        },
    );
    Ok(())
}
