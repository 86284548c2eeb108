// SPDX-License-Identifier: GPL-2.0-only

//! ICMP errors about our tunnels: they come to the director, which wrapped
//! the packet, but concern the client, who sent what is inside.

use super::{read_flow, read_quoted, verify};
use crate::{
    conn::{Connection, Way},
    director::{Balanced, Balancer},
    packet::{
        icmp::HEADER_LEN as ICMP_HEADER_LEN,
        ipv4, ipv6,
        quote::{Carrier, Inside, Relayed},
        Complaint, Family, Fragment, Header,
    },
    service::{Encapsulation, Method},
    sys::{
        netfilter::{Context, HookPoint},
        route::{Purpose, Route},
        skb::{Skb, Verdict},
    },
    xmit::Path,
};
use core::net::{Ipv4Addr, Ipv6Addr};

/// An error that quotes a packet of a tunnel.
struct TunnelError<A> {
    /// The network header of the error itself.
    header: Header<A>,
    icmp: [u8; ICMP_HEADER_LEN],
    /// Where the quoted outer header begins.
    outer_offset: usize,
    outer: Header<A>,
    carrier: Carrier,
    /// The inner packet, whose place is counted from behind the outer header; `None` if the quote ends
    /// before it.
    inside: Option<Inside>,
}

/// What of an outer packet's payload every error quotes (RFC 792), bytes.
const LEAST_QUOTE: usize = 8;

impl<A: Balanced> TunnelError<A> {
    /// `None` for whatever is no error about a tunnel.
    fn read(skb: &mut Skb<'_>, header: &Header<A>) -> Option<Self> {
        let outer_offset = header.len.checked_add(ICMP_HEADER_LEN)?;
        if !skb.pull(outer_offset) {
            return None;
        }
        let icmp: [u8; ICMP_HEADER_LEN] = *skb.linear().get(header.len..)?.first_chunk()?;
        if !A::FAMILY.is_icmp_error(icmp[0]) {
            return None;
        }
        let outer = read_quoted::<A>(skb, outer_offset)?;
        if outer.fragment == Fragment::Later {
            return None;
        }
        let between = outer_offset.checked_add(outer.len)?;
        if !skb.pull(between.checked_add(LEAST_QUOTE)?) {
            return None;
        }
        let is_whole = skb.pull(between.checked_add(Inside::needs(outer.protocol))?);
        let bytes = skb.linear().get(between..)?;
        let carrier = Carrier::read(outer.protocol, bytes)?;
        let inside = match is_whole {
            true => Some(Inside::read(outer.protocol, bytes)?),
            false => None,
        };
        Some(Self {
            header: *header,
            icmp,
            outer_offset,
            outer,
            carrier,
            inside,
        })
    }

    /// Remembers what the route of the outer packet is said to take.
    fn learn(&self, skb: &mut Skb<'_>, told: u32, context: Context<'_>) {
        skb.learn_path_mtu::<A>(context.net, self.outer_offset, told);
    }

    /// Learns from an error whose quote does not tell the flow, if it is about one of our tunnels.
    fn learn_only(&self, balancer: &Balancer, skb: &mut Skb<'_>, context: Context<'_>) {
        let (end, carrier) = (self.outer.dst.ip(), self.carrier);
        let Relayed::TooBig(told) = Relayed::read(A::FAMILY, &self.icmp, A::FAMILY) else {
            return;
        };
        // Nothing to learn; routing would guess the least that there is.
        if told == 0 {
            return;
        }
        if balancer.places.is_tunnel_end(end, carrier, context.rcu)
            && verify(skb, &self.header).is_ok()
        {
            self.learn(skb, told, context);
        }
    }

    /// Whether the packet was one of this connection's.
    fn is_of<B: Balanced>(&self, connection: &Connection<B>) -> bool {
        let Some(server) = &connection.server else {
            return false;
        };
        let is_of_kind = match server.tunnel().encapsulation() {
            Encapsulation::Ipip => self.carrier == Carrier::Ip,
            Encapsulation::Gue { port, .. } => self.carrier == Carrier::Gue(port),
            Encapsulation::Gre { .. } => self.carrier == Carrier::Gre,
        };
        connection.method == Method::Tunneling
            && server.endpoint.addr == self.outer.dst.ip()
            && is_of_kind
    }

    /// How long an inner packet may be behind `overhead` bytes when the outer one may have `told`, or as
    /// many as its route says if nothing was told. `None` if that is too little for any packet.
    fn usable_mtu<B: Balanced>(
        &self,
        connection: &Connection<B>,
        overhead: usize,
        told: u32,
        context: Context<'_>,
    ) -> Option<u32> {
        // For a server that was removed no route is kept anew.
        connection.available_server()?;
        let route = Path::of(connection).route(context).ok();
        let known = match (route, told) {
            (None, 0) => return None,
            (None, told) => told,
            (Some(route), 0) => route.mtu(),
            (Some(route), told) => route.mtu().min(told),
        };
        let usable = known.saturating_sub(u32::try_from(overhead).ok()?);
        match B::FAMILY {
            Family::V4 => Some(usable).filter(|usable| *usable > ipv4::MIN_MTU),
            // Nobody sends less; the outer packet is fragmented then, where that can be.
            Family::V6 => Some(usable.max(ipv6::MIN_MTU)),
        }
    }
}

/// Passes an error about one of our tunnels on to the client (reference §6.8, last row); gives the
/// packet back if it is something else.
pub fn handle<'a, A: Balanced>(
    balancer: &'a Balancer,
    mut skb: Skb<'a>,
    header: &Header<A>,
    context: Context<'a>,
) -> Result<Verdict<'a>, Skb<'a>> {
    if context.point != HookPoint::LocalIn || !skb.is_for_host() {
        return Err(skb);
    }
    let Some(error) = TunnelError::read(&mut skb, header) else {
        return Err(skb);
    };
    match error.inside {
        Some(inside) if inside.family == Family::V4 => {
            relay::<A, Ipv4Addr>(balancer, skb, &error, inside, context)
        }
        Some(inside) => relay::<A, Ipv6Addr>(balancer, skb, &error, inside, context),
        None => {
            error.learn_only(balancer, &mut skb, context);
            Err(skb)
        }
    }
}

/// As [`handle`], for an error whose inner packet has addresses of type `B`.
fn relay<'a, A: Balanced, B: Balanced>(
    balancer: &'a Balancer,
    mut skb: Skb<'a>,
    error: &TunnelError<A>,
    inside: Inside,
    context: Context<'a>,
) -> Result<Verdict<'a>, Skb<'a>> {
    let overhead = error.outer.len.saturating_add(inside.offset);
    let inner_offset = error.outer_offset.saturating_add(overhead);
    let Some((inner, flow, _)) = read_flow::<B>(&mut skb, inner_offset) else {
        error.learn_only(balancer, &mut skb, context);
        return Err(skb);
    };
    let connections = B::connections(balancer);
    let found = connections
        .find(&flow, connections.hash(&flow), context.rcu)
        .filter(|(connection, way)| *way == Way::In && error.is_of(connection));
    let Some((connection, _)) = found else {
        return Err(skb);
    };
    if let Err(reason) = verify(&skb, &error.header) {
        return Ok(balancer.drop(skb, reason));
    }
    let answer = match Relayed::read(A::FAMILY, &error.icmp, B::FAMILY) {
        Relayed::TooBig(told) => {
            error.learn(&mut skb, told, context);
            error
                .usable_mtu(connection.get(), overhead, told, context)
                .filter(|_| inner.dont_fragment)
                .map(|mtu| Complaint::TooBig(mtu).message(B::FAMILY))
        }
        Relayed::Error(kind, code) => Some((kind, code, 0)),
        Relayed::Nothing => None,
    };
    let Some(answer) = answer else {
        return Ok(skb.drop());
    };
    if let Some(server) = connection.available_server() {
        let quoted = skb.len().saturating_sub(inner_offset);
        server.counters.count_out(quoted);
    }
    // A route of the other IP is of no use to who answers in this one.
    let route = match A::FAMILY == B::FAMILY {
        true => None,
        false => match Route::lookup(context.net, inner.dst.ip(), Purpose::ToDestination) {
            Ok(route) => Some(route),
            Err(_) => return Ok(skb.drop()),
        },
    };
    Ok(skb.answer_quoted::<B>(context.net, inner_offset, route, answer))
}
