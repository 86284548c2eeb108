// SPDX-License-Identifier: GPL-2.0-only

//! ICMP errors about our flows, in both directions, and those that we send
//! ourselves to refuse a connection.

mod tunnel;

use crate::{
    conn::{Connection, Way},
    director::{Balanced, Balancer, Cause},
    packet::{
        checksum,
        icmp::{Header as IcmpHeader, HEADER_LEN as ICMP_HEADER_LEN},
        icmpv6,
        rewrite::quoted,
        transport::{has_ports, ports, PORTS_LEN},
        Endpoint, FlowKey, Fragment, Header, Side, Unread,
    },
    service::Method,
    stats::drops::Reason,
    sys::{
        flow_table::Lent,
        netfilter::{Context, HookPoint},
        skb::{Skb, Verdict},
    },
    xmit::{self, Path},
};
use core::net::IpAddr;

/// Handles an ICMP packet: errors about balanced flows go to the side that they concern, all
/// others go on untouched (reference §6.8).
pub fn handle<'a, A: Balanced>(
    balancer: &'a Balancer,
    mut skb: Skb<'a>,
    header: Header<A>,
    context: Context<'a>,
) -> Verdict<'a> {
    let Some(quote) = parse_error(&mut skb, &header) else {
        return tunnel::handle(balancer, skb, &header, context).unwrap_or_else(Skb::accept);
    };
    let about = quote.about();
    let connections = A::connections(balancer);
    let hash = connections.hash(&about);
    match connections.find(&about, hash, context.rcu) {
        Some((connection, Way::Out)) => to_client(balancer, skb, &quote, connection, context),
        Some((connection, Way::In)) => to_server(balancer, skb, &quote, connection, context),
        None => match tunnel::handle(balancer, skb, &header, context) {
            Ok(verdict) => verdict,
            Err(skb) if balancer.settings.schedule_icmp.is_on() && is_ours(&skb, context) => {
                balancer.open(skb, Cause::Error(&quote), hash, context)
            }
            Err(skb) => skb.accept(),
        },
    }
}

/// Whether a packet is for this host to handle, rather than for another one that heard it too.
fn is_ours(skb: &Skb<'_>, context: Context<'_>) -> bool {
    context.point != HookPoint::LocalIn || skb.is_for_host()
}

/// An ICMP error and the flow that it is about.
pub struct Quote<A> {
    header: Header<A>,
    /// The flow of the quoted packet.
    flow: FlowKey<A>,
    /// Bytes up to the end of the quoted ports.
    len: usize,
}

impl<A> Quote<A> {
    fn icmp_offset(&self) -> usize {
        self.header.len
    }
}

impl<A: Balanced> Quote<A> {
    /// The flow in the direction of the error: the quoted packet went the other way.
    pub fn about(&self) -> FlowKey<A> {
        self.flow.reversed()
    }
}

/// `None` for whatever is no error that quotes the ports of a packet.
fn parse_error<A: Balanced>(skb: &mut Skb<'_>, header: &Header<A>) -> Option<Quote<A>> {
    let quote_offset = header.len.checked_add(ICMP_HEADER_LEN)?;
    if !skb.pull(quote_offset) {
        return None;
    }
    let icmp = IcmpHeader::parse(skb.linear().get(header.len..)?.first_chunk()?);
    if !A::FAMILY.is_icmp_error(icmp.kind) {
        return None;
    }
    let (_, flow, len) = read_flow::<A>(skb, quote_offset)?;
    Some(Quote {
        header: *header,
        flow,
        len,
    })
}

/// The network header of the packet that is quoted at `offset`, its flow, and where its ports end. `None`
/// if it has no ports, or they are not quoted.
fn read_flow<A: Balanced>(
    skb: &mut Skb<'_>,
    offset: usize,
) -> Option<(Header<A>, FlowKey<A>, usize)> {
    let quoted = read_quoted::<A>(skb, offset)?;
    if !has_ports(quoted.protocol) || quoted.fragment == Fragment::Later {
        return None;
    }
    let ports_offset = offset.checked_add(quoted.len)?;
    let end = ports_offset.checked_add(PORTS_LEN)?;
    if !skb.pull(end) {
        return None;
    }
    let ports = ports(skb.linear().get(ports_offset..)?.first_chunk()?);
    Some((quoted, quoted.flow(quoted.protocol, ports), end))
}

/// The network header that stands at `offset`.
fn read_quoted<A: Balanced>(skb: &mut Skb<'_>, offset: usize) -> Option<Header<A>> {
    if !skb.pull(offset) {
        return None;
    }
    loop {
        match A::read_header(skb.linear().get(offset..)?) {
            Ok(header) => return Some(header),
            Err(Unread::Short(needed)) => {
                let needed = offset.checked_add(needed)?;
                if needed <= skb.linear().len() || !skb.pull(needed) {
                    return None;
                }
            }
            Err(Unread::Unknown) => return None,
        }
    }
}

/// Whether the message is as its sender wrote it; one that we changed must not look right if it was
/// not.
fn verify<A: Balanced>(skb: &Skb<'_>, header: &Header<A>) -> Result<(), Reason> {
    let offset = header.len;
    let pseudo_header = match (header.src.ip(), header.dst.ip()) {
        (IpAddr::V6(src), IpAddr::V6(dst)) => {
            let len = skb.len().saturating_sub(offset);
            icmpv6::pseudo_header(src, dst, u32::try_from(len).unwrap_or(u32::MAX))
        }
        _ => 0,
    };
    let rest = skb.checksum_from(offset).ok_or(Reason::Malformed)?;
    if checksum::Delta::of16(u16::MAX, pseudo_header).adjust(rest) == 0 {
        Ok(())
    } else {
        Err(Reason::BadChecksum)
    }
}

/// Rewrites one side of the quoted packet; `own` is how the message's own address will change.
fn rewrite_quote<A: Balanced>(
    skb: &mut Skb<'_>,
    quote: &Quote<A>,
    side: Side,
    (from, to): (Endpoint<A>, Endpoint<A>),
    own: (A, A),
) -> Result<(), Reason> {
    let offset = quote.icmp_offset();
    let bytes = skb.writable(quote.len).ok_or(Reason::NoMemory)?;
    let icmp = bytes.get_mut(offset..).ok_or(Reason::Malformed)?;
    quoted(icmp, side, from, to, own).map_err(|_| Reason::Malformed)?;
    skb.forget_device_checksum();
    Ok(())
}

/// An error about a packet to the real server: the client shall see it as one about its packet to
/// the virtual service.
fn to_client<'a, A: Balanced>(
    balancer: &'a Balancer,
    mut skb: Skb<'a>,
    quote: &Quote<A>,
    connection: Lent<'a, Connection<A>>,
    context: Context<'a>,
) -> Verdict<'a> {
    let len = skb.len();
    if connection.method == Method::Masquerading {
        let (from, to) = (quote.flow.dst, connection.virt);
        let own = (quote.header.src, to.addr);
        let rewritten = verify(&skb, &quote.header)
            .and_then(|()| rewrite_quote(&mut skb, quote, Side::Destination, (from, to), own))
            .and_then(|()| {
                let header = skb
                    .writable(A::FAMILY.header_len())
                    .ok_or(Reason::NoMemory)?;
                A::set_source(header, to.addr).ok_or(Reason::Malformed)
            });
        if let Err(reason) = rewritten {
            return balancer.drop(skb, reason);
        }
    }
    if let Some(server) = connection.available_server() {
        server.counters.count_out(len);
    }
    xmit::release_to_client(balancer, skb, Path::of(connection.get()), context)
}

/// An error about an answer to the client: the real server shall get it, as one about a packet of
/// its own.
pub fn to_server<'a, A: Balanced>(
    balancer: &'a Balancer,
    skb: Skb<'a>,
    quote: &Quote<A>,
    connection: Lent<'a, Connection<A>>,
    context: Context<'a>,
) -> Verdict<'a> {
    if !is_ours(&skb, context) {
        return skb.accept();
    }
    if connection.server.is_some() && connection.available_server().is_none() {
        return balancer.drop(skb, Reason::ServerRemoved);
    }
    forward(balancer, skb, quote, Path::of(connection.get()), context)
}

/// Sends an error about an answer to the real server.
pub fn forward<'a, A: Balanced>(
    balancer: &'a Balancer,
    mut skb: Skb<'a>,
    quote: &Quote<A>,
    path: Path<'a, A>,
    context: Context<'a>,
) -> Verdict<'a> {
    let len = skb.len();
    let count = || {
        if let Some(server) = path.server.filter(|server| server.is_available()) {
            server.counters.count_in(len);
        }
    };
    if path.method != Method::Masquerading {
        count();
        return xmit::unchanged(balancer, skb, &quote.header, path, context);
    }
    let (from, to) = (quote.flow.src, path.target);
    let own = (quote.header.dst, to.addr);
    let rewritten = verify(&skb, &quote.header)
        .and_then(|()| rewrite_quote(&mut skb, quote, Side::Source, (from, to), own));
    match rewritten {
        Ok(()) => {
            count();
            xmit::send_error(balancer, skb, &quote.header, path, context)
        }
        Err(reason) => balancer.drop(skb, reason),
    }
}
