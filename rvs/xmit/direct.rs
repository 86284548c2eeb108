// SPDX-License-Identifier: GPL-2.0-only

//! Direct routing: the packet goes to the real server's link-layer address
//! as it is, but for the time to live.

use super::{admit, deliver_locally, prepare, route_to_server, send as send_on, writable_header};
use crate::{
    conn::Connection,
    director::Balancer,
    packet::ipv4::{decrement_ttl, Header},
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
    match rewrite(&mut skb, header, route, context) {
        Ok(()) => send_on(balancer, skb, context),
        Err(reason) => balancer.drop(skb, reason),
    }
}

#[inline]
fn rewrite(
    skb: &mut Skb<'_>,
    header: &Header,
    route: &Route,
    context: Context<'_>,
) -> Result<(), Reason> {
    admit(skb, header, route.mtu())?;
    decrement_ttl(writable_header(skb)?);
    prepare(skb, route, context);
    Ok(())
}
