// SPDX-License-Identifier: GPL-2.0-only

//! ICMP errors about our tunnels: they come to the director, which wrapped
//! the packet, but concern the client, who sent what is inside.

use crate::{
    conn::{Connection, Way},
    director::Balancer,
    packet::{
        icmp::{
            is_error, Header as IcmpHeader, DEST_UNREACHABLE, FRAG_NEEDED,
            HEADER_LEN as ICMP_HEADER_LEN,
        },
        ipv4::{Header, HEADER_LEN, MIN_MTU},
        transport::{ports, PORTS_LEN},
        Endpoint, FlowKey, IPPROTO_IPIP,
    },
    proto::Protocol,
    service::Method,
    stats::drops::Reason,
    sys::{
        netfilter::{Context, HookPoint},
        skb::{Skb, Verdict},
    },
    xmit::Path,
};
use core::net::{IpAddr, Ipv4Addr};

/// An error that quotes a packet of a tunnel.
struct TunnelError {
    icmp: IcmpHeader,
    /// Where the quoted outer header begins.
    outer_offset: usize,
    outer: Header,
    /// Where the quoted inner header begins.
    inner_offset: usize,
    inner: Header,
    /// The flow of the inner packet.
    flow: FlowKey<Ipv4Addr>,
}

/// Passes an error about one of our tunnels on to the client (reference §6.8, last row); gives the
/// packet back if it is something else.
pub fn handle<'a>(
    balancer: &'a Balancer,
    mut skb: Skb<'a>,
    header_len: usize,
    context: Context<'a>,
) -> Result<Verdict<'a>, Skb<'a>> {
    if context.point != HookPoint::LocalIn || !skb.is_for_host() {
        return Err(skb);
    }
    let Some(error) = parse(&mut skb, header_len) else {
        return Err(skb);
    };
    let hash = balancer.connections4.hash(&error.flow);
    let found = balancer
        .connections4
        .find(&error.flow, hash, context.rcu)
        .filter(|(connection, way)| *way == Way::In && is_tunnel_of(connection, &error));
    let Some((connection, _)) = found else {
        return Err(skb);
    };
    if skb.checksum_from(header_len) != Some(0) {
        return Ok(balancer.drop(skb, Reason::BadChecksum));
    }
    let (kind, code) = (error.icmp.kind, error.icmp.code);
    let (learned, answer) = if (kind, code) == (DEST_UNREACHABLE, FRAG_NEEDED) {
        let mtu = u32::from(error.icmp.mtu);
        let usable = usable_mtu(connection.get(), mtu, context);
        let answer = usable
            .filter(|_| error.inner.dont_fragment)
            .map(|mtu| (kind, code, mtu));
        (usable.map(|_| mtu), answer)
    } else {
        (None, Some((kind, code, 0)))
    };
    Ok(skb.answer_quoted(
        context.net,
        error.outer_offset,
        error.inner_offset,
        learned,
        answer,
    ))
}

fn is_tunnel_of(connection: &Connection<Ipv4Addr>, error: &TunnelError) -> bool {
    let far_end = connection
        .server
        .as_ref()
        .map(|server| server.endpoint.addr);
    connection.method == Method::Tunneling && far_end == Some(IpAddr::V4(error.outer.dst))
}

/// What a path that takes packets of `mtu` leaves for the inner one; `None` if that is less than what
/// every host must take.
fn usable_mtu<'a>(
    connection: &'a Connection<Ipv4Addr>,
    mtu: u32,
    context: Context<'a>,
) -> Option<u32> {
    let route = Path::of(connection).route(context).ok();
    let known = route.map_or(mtu, |route| route.mtu().min(mtu));
    known
        .checked_sub(HEADER_LEN as u32)
        .filter(|usable| *usable > MIN_MTU)
}

fn parse(skb: &mut Skb<'_>, header_len: usize) -> Option<TunnelError> {
    let outer_offset = header_len.checked_add(ICMP_HEADER_LEN)?;
    if !skb.pull(outer_offset.checked_add(HEADER_LEN)?) {
        return None;
    }
    let icmp = IcmpHeader::parse(skb.linear().get(header_len..)?.first_chunk()?);
    let outer = Header::parse(skb.linear().get(outer_offset..)?.first_chunk()?)?;
    if !is_error(icmp.kind) || outer.protocol != IPPROTO_IPIP || outer.fragment_offset != 0 {
        return None;
    }
    let inner_offset = outer_offset.checked_add(outer.header_len)?;
    if !skb.pull(inner_offset.checked_add(HEADER_LEN)?) {
        return None;
    }
    let inner = Header::parse(skb.linear().get(inner_offset..)?.first_chunk()?)?;
    Protocol::from_u8(inner.protocol).filter(|_| inner.fragment_offset == 0)?;
    let ports_offset = inner_offset.checked_add(inner.header_len)?;
    if !skb.pull(ports_offset.checked_add(PORTS_LEN)?) {
        return None;
    }
    let (src_port, dst_port) = ports(skb.linear().get(ports_offset..)?.first_chunk()?);
    Some(TunnelError {
        icmp,
        outer_offset,
        outer,
        inner_offset,
        inner,
        flow: FlowKey {
            protocol: inner.protocol,
            src: Endpoint {
                addr: inner.src,
                port: src_port,
            },
            dst: Endpoint {
                addr: inner.dst,
                port: dst_port,
            },
        },
    })
}
