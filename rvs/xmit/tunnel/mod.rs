// SPDX-License-Identifier: GPL-2.0-only

//! Tunneling: the packet travels inside another one to the real server, as
//! IP in IP, GUE or GRE, either family in either. What the types have in
//! common stands here, what each puts in front in a file of its own.

mod gre;
mod gue;
mod outer;

use super::{admit, min_mtu, prepare, Path, Tracking};
use crate::{
    director::{Balanced, Balancer},
    packet::{ipv6, Family, Header, IPPROTO_IPIP, IPPROTO_IPV6, IPPROTO_SCTP},
    service::{Encapsulation, RealServer},
    stats::drops::Reason,
    sys::{
        netfilter::{Context, HookPoint},
        route::Route,
        skb::{Between, ChecksumState, Skb},
    },
};
use gre::Gre;
use gue::Gue;
use outer::{Ends, Outer};

/// What stands between the outer and the inner network header of one packet.
#[derive(Clone, Copy)]
enum Layer {
    Ipip,
    Gue(Gue),
    Gre(Gre),
}

impl Layer {
    /// That of a packet to a real server. Only one that left a sum to the hardware has the far end put it in
    /// its place; SCTP's is a CRC, which segmentation completes.
    fn of(server: &RealServer, protocol: u8, state: ChecksumState) -> Self {
        match server.tunnel().encapsulation() {
            Encapsulation::Ipip => Self::Ipip,
            Encapsulation::Gue {
                port,
                checksum,
                remote_checksum,
            } => Self::Gue(Gue {
                port,
                checksum,
                remote_checksum: remote_checksum
                    && state == ChecksumState::Partial
                    && protocol != IPPROTO_SCTP,
            }),
            Encapsulation::Gre { checksum } => Self::Gre(Gre { checksum }),
        }
    }

    /// Its length, bytes.
    const fn len(self) -> usize {
        match self {
            Self::Ipip => 0,
            Self::Gue(gue) => gue.len(),
            Self::Gre(gre) => gre.len(),
        }
    }

    /// What offloads are told of it.
    const fn between(self) -> Between {
        match self {
            Self::Ipip => Between::Nothing,
            Self::Gue(gue) => Between::Udp {
                checksum: gue.checksum,
                remote_checksum: gue.remote_checksum,
            },
            Self::Gre(Gre { checksum }) => Between::Gre { checksum },
        }
    }
}

/// The protocol number by which a packet of this family stands inside another.
const fn inner_protocol(family: Family) -> u8 {
    match family {
        Family::V4 => IPPROTO_IPIP,
        Family::V6 => IPPROTO_IPV6,
    }
}

/// Has a CRC that was left to the device in its place: tunnels know of sums only.
#[cold]
fn finish_crc(skb: &mut Skb<'_>) -> Result<(), Reason> {
    if skb.checksum_state() == ChecksumState::Complete || skb.is_gso() {
        return Ok(());
    }
    skb.complete_checksum().ok_or(Reason::NoMemory)
}

/// What stands in front of a packet in a tunnel, bytes.
const fn room(ends: Ends, layer: Layer) -> usize {
    ends.header_len().saturating_add(layer.len())
}

/// The largest packet that the tunnel on a route to a real server takes whole, bytes.
pub(super) fn mtu(server: &RealServer, route: &Route) -> Option<u32> {
    let ends = Ends::new(route.source(), server.endpoint.addr)?;
    let layer = Layer::of(server, 0, ChecksumState::Complete);
    Some(route.mtu().saturating_sub(room(ends, layer) as u32))
}

/// Wraps a packet into one that is ready to leave on the route to the real server.
pub(super) fn wrap<A: Balanced>(
    balancer: &Balancer,
    skb: &mut Skb<'_>,
    header: &Header<A>,
    path: Path<'_, A>,
    route: &Route,
    context: Context<'_>,
) -> Result<(), Reason> {
    let server = path.server.ok_or(Reason::Unreachable)?;
    let ends = Ends::new(route.source(), server.endpoint.addr).ok_or(Reason::Unreachable)?;
    if header.protocol == IPPROTO_SCTP {
        finish_crc(skb)?;
    }
    let layer = Layer::of(server, header.protocol, skb.checksum_state());
    let room = room(ends, layer);
    let mtu = || route.mtu().saturating_sub(room as u32);
    let least = min_mtu(ends.family());
    // Every link takes a packet of this length.
    if skb.len().saturating_add(room) > least as usize && mtu() < least {
        return Err(Reason::TooBig);
    }
    if context.point == HookPoint::LocalOut {
        skb.lower_sender_mtu(mtu());
    }
    // Without path MTU discovery the outer packet is fragmented where it must be.
    let may_fragment = A::FAMILY == Family::V4 && !balancer.settings.pmtu_disc.is_on();
    let limit = || match A::FAMILY {
        Family::V4 if may_fragment => u32::MAX,
        Family::V4 => mtu(),
        // Senders of IPv6 can't be told to send less than this; IPv4 outside is fragmented then (RFC 4213 §3.2).
        Family::V6 => mtu().max(ipv6::MIN_MTU),
    };
    admit(skb, header, limit, context)?;
    prepare(skb, path, route, context);
    if path.tracking != Tracking::Off && !skb.confirm_tracking() {
        return Err(Reason::Untrackable);
    }
    // The outer packet is a flow of its own.
    skb.forget_tracking();
    if skb.len().saturating_add(room) > usize::from(u16::MAX) && !skb.is_gso() {
        return Err(Reason::TooBig);
    }
    let inner = inner_protocol(A::FAMILY);
    let mut wrapping = skb
        .wrap(route, room, layer.between(), A::STACK, context.rcu)
        .ok_or(Reason::NoMemory)?;
    let protocol = match layer {
        Layer::Ipip => Some(inner),
        Layer::Gue(gue) => gue.put(&mut wrapping, inner, ends, context.net),
        Layer::Gre(gre) => gre.put(&mut wrapping, inner),
    };
    let outer = Outer {
        ends,
        protocol: protocol.ok_or(Reason::Malformed)?,
        ttl: header.ttl.saturating_sub(1),
        inner_tos: header.tos,
        dont_fragment: A::FAMILY == Family::V4 && header.dont_fragment && !may_fragment,
    };
    outer.put(wrapping).ok_or(Reason::Malformed)?;
    // One that nobody may fragment needs none (RFC 6864 §4.1).
    if ends.family() == Family::V4 && !outer.dont_fragment {
        skb.select_ident(context.net);
    }
    Ok(())
}
