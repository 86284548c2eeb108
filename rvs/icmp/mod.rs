// SPDX-License-Identifier: GPL-2.0-only

//! ICMP errors about our flows, in both directions, and those that we send
//! ourselves to refuse a connection.

mod tunnel;

use crate::{
    conn::{Connection, Way},
    director::Balancer,
    packet::{
        icmp::{
            is_error, Header as IcmpHeader, DEST_UNREACHABLE, HEADER_LEN as ICMP_HEADER_LEN,
            PORT_UNREACHABLE,
        },
        ipv4::{set_source, Header, HEADER_LEN},
        rewrite::quoted,
        transport::{ports, PORTS_LEN},
        Endpoint, FlowKey, Side, IPPROTO_TCP, IPPROTO_UDP,
    },
    service::Method,
    stats::drops::Reason,
    sys::{
        flow_table::Lent,
        netfilter::{Context, HookPoint},
        skb::{Skb, Verdict},
    },
    xmit,
};

/// Tells a client that nobody serves it.
pub fn refuse(skb: &mut Skb<'_>) {
    skb.send_icmp_error(DEST_UNREACHABLE, PORT_UNREACHABLE, 0);
}

/// Handles an ICMP packet: errors about balanced flows go to the side that they concern, all
/// others go on untouched (reference §6.8).
pub fn handle<'a>(
    balancer: &'a Balancer,
    mut skb: Skb<'a>,
    header: Header,
    context: Context<'a>,
) -> Verdict<'a> {
    let Some(quote) = parse_error(&mut skb, &header) else {
        return match tunnel::handle(balancer, skb, &header, context) {
            Ok(verdict) => verdict,
            Err(skb) => skb.accept(),
        };
    };
    // The quoted packet went the other way than the error.
    let about = quote.flow.reversed();
    let hash = balancer.connections.hash(&about);
    match balancer.connections.find(&about, hash, context.rcu) {
        Some((connection, Way::Out)) => to_client(balancer, skb, &quote, connection, context),
        Some((connection, Way::In)) => to_server(balancer, skb, &quote, connection, context),
        None => skb.accept(),
    }
}

/// An ICMP error and the flow that it is about.
struct Quote {
    header: Header,
    /// The flow of the quoted packet.
    flow: FlowKey,
    /// Bytes up to the end of the quoted ports.
    len: usize,
}

impl Quote {
    fn icmp_offset(&self) -> usize {
        self.header.header_len
    }
}

/// `None` for whatever is no error that quotes the ports of TCP or UDP.
fn parse_error(skb: &mut Skb<'_>, header: &Header) -> Option<Quote> {
    let quote_offset = header.header_len.checked_add(ICMP_HEADER_LEN)?;
    let quote_header_end = quote_offset.checked_add(HEADER_LEN)?;
    if !skb.pull(quote_header_end) {
        return None;
    }
    let icmp = IcmpHeader::parse(skb.linear().get(header.header_len..)?.first_chunk()?);
    if !is_error(icmp.kind) {
        return None;
    }
    let quoted = Header::parse(skb.linear().get(quote_offset..)?.first_chunk()?)?;
    let has_ports =
        matches!(quoted.protocol, IPPROTO_TCP | IPPROTO_UDP) && quoted.fragment_offset == 0;
    if !has_ports {
        return None;
    }
    let ports_offset = quote_offset.checked_add(quoted.header_len)?;
    let len = ports_offset.checked_add(PORTS_LEN)?;
    if !skb.pull(len) {
        return None;
    }
    let (src_port, dst_port) = ports(skb.linear().get(ports_offset..)?.first_chunk()?);
    let flow = FlowKey {
        protocol: quoted.protocol,
        src: Endpoint {
            addr: quoted.src,
            port: src_port,
        },
        dst: Endpoint {
            addr: quoted.dst,
            port: dst_port,
        },
    };
    Some(Quote {
        header: *header,
        flow,
        len,
    })
}

/// Whether the message is as its sender wrote it; one that we changed must not look right if it was
/// not.
fn verify(skb: &Skb<'_>, quote: &Quote) -> Result<(), Reason> {
    match skb.checksum_from(quote.icmp_offset()) {
        Some(0) => Ok(()),
        Some(_) => Err(Reason::BadChecksum),
        None => Err(Reason::Malformed),
    }
}

/// Rewrites one side of the quoted packet.
fn rewrite_quote(
    skb: &mut Skb<'_>,
    quote: &Quote,
    side: Side,
    from: Endpoint,
    to: Endpoint,
) -> Result<(), Reason> {
    let offset = quote.icmp_offset();
    let bytes = skb.writable(quote.len).ok_or(Reason::NoMemory)?;
    let icmp = bytes.get_mut(offset..).ok_or(Reason::Malformed)?;
    quoted(icmp, side, from, to).map_err(|_| Reason::Malformed)?;
    skb.forget_device_checksum();
    Ok(())
}

/// An error about a packet to the real server: the client shall see it as one about its packet to
/// the virtual service.
fn to_client<'a>(
    balancer: &'a Balancer,
    mut skb: Skb<'a>,
    quote: &Quote,
    connection: Lent<'a, Connection>,
    context: Context<'a>,
) -> Verdict<'a> {
    if connection.server.is_available() {
        connection.server.counters.count_out(skb.len());
    }
    if connection.method == Method::Masquerading {
        let (from, to) = (quote.flow.dst, connection.virt);
        let rewritten = verify(&skb, quote)
            .and_then(|()| rewrite_quote(&mut skb, quote, Side::Destination, from, to))
            .and_then(|()| {
                let header = skb.writable(HEADER_LEN).ok_or(Reason::NoMemory)?;
                set_source(header.first_chunk_mut().ok_or(Reason::Malformed)?, to.addr);
                Ok(())
            });
        if let Err(reason) = rewritten {
            return balancer.drop(skb, reason);
        }
    }
    xmit::release_to_client(balancer, skb, &connection, context)
}

/// An error about an answer to the client: the real server shall get it, as one about a packet of
/// its own.
fn to_server<'a>(
    balancer: &'a Balancer,
    mut skb: Skb<'a>,
    quote: &Quote,
    connection: Lent<'a, Connection>,
    context: Context<'a>,
) -> Verdict<'a> {
    let is_elsewhere = context.point == HookPoint::LocalIn && !skb.is_for_host();
    if is_elsewhere {
        return skb.accept();
    }
    if !connection.server.is_available() {
        return balancer.drop(skb, Reason::ServerRemoved);
    }
    connection.server.counters.count_in(skb.len());
    if connection.method != Method::Masquerading {
        return xmit::unchanged(balancer, skb, &quote.header, connection.get(), context);
    }
    let (from, to) = (quote.flow.src, connection.server_endpoint);
    let rewritten =
        verify(&skb, quote).and_then(|()| rewrite_quote(&mut skb, quote, Side::Source, from, to));
    match rewritten {
        Ok(()) => xmit::send_error(balancer, skb, &quote.header, connection.get(), context),
        Err(reason) => balancer.drop(skb, reason),
    }
}
