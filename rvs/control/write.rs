// SPDX-License-Identifier: GPL-2.0-only

//! What answers look like: services, real servers, connections and counters
//! as netlink attributes, in the order and with the lengths that clients of
//! IPVS rely on (reference §8.3).

use super::uapi::{
    conn, dest, drain, drop, stats, svc, top, totals, AF_INET, AF_INET6, SVC_F_HASHED,
};
use crate::{
    conn::EntryView,
    director::Balancer,
    packet::{Endpoint, Family, Mask},
    proto::{tcp::State, Timeouts},
    sched::Candidate,
    service::{
        config::{drain::Drain, ServerView, ServiceView},
        identity::Identity,
        RealServer, ServiceKey,
    },
    stats::{drops::Counts, Shown},
    sys::{genl::Message, time},
};
use core::net::IpAddr;
use kernel::prelude::*;

/// How a family writes.
#[derive(Clone, Copy)]
pub struct Style {
    /// Whether it is the native one: nests are marked as such, while clients of `IPVS` compare types without the
    /// mark; and what these have no word for is said, as when counters were read: two readings tell a rate.
    pub is_native: bool,
}

/// How the native family writes.
pub const NATIVE: Style = Style { is_native: true };

/// How the family of IPVS writes.
pub const COMPATIBLE: Style = Style { is_native: false };

/// Appends a 16-bit number in host order.
pub fn u16_attr(message: &mut Message<'_>, kind: u16, value: u16) -> Result {
    message.put(kind, &value.to_ne_bytes())
}

/// Appends a 16-bit number in network order.
pub fn be16_attr(message: &mut Message<'_>, kind: u16, value: u16) -> Result {
    message.put(kind, &value.to_be_bytes())
}

/// Appends a 32-bit number in host order.
pub fn u32_attr(message: &mut Message<'_>, kind: u16, value: u32) -> Result {
    message.put(kind, &value.to_ne_bytes())
}

/// Appends a 64-bit number in host order.
pub fn u64_attr(message: &mut Message<'_>, kind: u16, value: u64) -> Result {
    message.put(kind, &value.to_ne_bytes())
}

/// Appends 64-bit numbers in host order.
pub fn words_attr<const N: usize>(message: &mut Message<'_>, kind: u16, words: [u64; N]) -> Result {
    message.put(kind, words.map(u64::to_ne_bytes).as_flattened())
}

/// Appends a text with the zero that ends it.
pub fn text_attr(message: &mut Message<'_>, kind: u16, text: &str) -> Result {
    bytes_attr(message, kind, text.as_bytes())
}

/// As `text_attr`, of bytes that are a text.
fn bytes_attr(message: &mut Message<'_>, kind: u16, text: &[u8]) -> Result {
    let mut bytes = [0u8; 160];
    let len = text.len();
    bytes.get_mut(..len).ok_or(EMSGSIZE)?.copy_from_slice(text);
    let with_end = bytes.get(..=len).ok_or(EMSGSIZE)?;
    message.put(kind, with_end)
}

/// Appends an address, which is always 16 bytes long; an IPv4 one stands first.
pub fn addr_attr(message: &mut Message<'_>, kind: u16, addr: IpAddr) -> Result {
    let bytes = match addr {
        IpAddr::V4(addr) => {
            let [a, b, c, d] = addr.octets();
            [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        }
        IpAddr::V6(addr) => addr.octets(),
    };
    message.put(kind, &bytes)
}

/// Appends the number of a family.
pub fn family_attr(message: &mut Message<'_>, kind: u16, family: Family) -> Result {
    let number = match family {
        Family::V4 => AF_INET,
        Family::V6 => AF_INET6,
    };
    u16_attr(message, kind, number)
}

fn stats_attrs(
    message: &mut Message<'_>,
    style: Style,
    kinds: [u16; 2],
    shown: Option<&Shown>,
) -> Result {
    let (Some(shown), [narrow, wide]) = (shown, kinds) else {
        return Ok(());
    };
    message.nest(narrow, style.is_native, |message| stats32(message, shown))?;
    message.nest(wide, style.is_native, |message| {
        stats64(message, style, shown)
    })
}

/// The counters cut to 32 bits, bytes excepted.
fn stats32(message: &mut Message<'_>, shown: &Shown) -> Result {
    let (totals, rates) = (&shown.totals, &shown.rates);
    u32_attr(message, stats::CONNS, totals.conns as u32)?;
    u32_attr(message, stats::INPKTS, totals.in_pkts as u32)?;
    u32_attr(message, stats::OUTPKTS, totals.out_pkts as u32)?;
    u64_attr(message, stats::INBYTES, totals.in_bytes)?;
    u64_attr(message, stats::OUTBYTES, totals.out_bytes)?;
    u32_attr(message, stats::CPS, rates.conns as u32)?;
    u32_attr(message, stats::INPPS, rates.in_pkts as u32)?;
    u32_attr(message, stats::OUTPPS, rates.out_pkts as u32)?;
    u32_attr(message, stats::INBPS, rates.in_bytes as u32)?;
    u32_attr(message, stats::OUTBPS, rates.out_bytes as u32)
}

fn stats64(message: &mut Message<'_>, style: Style, shown: &Shown) -> Result {
    let (totals, rates) = (&shown.totals, &shown.rates);
    u64_attr(message, stats::CONNS, totals.conns)?;
    u64_attr(message, stats::INPKTS, totals.in_pkts)?;
    u64_attr(message, stats::OUTPKTS, totals.out_pkts)?;
    u64_attr(message, stats::INBYTES, totals.in_bytes)?;
    u64_attr(message, stats::OUTBYTES, totals.out_bytes)?;
    u64_attr(message, stats::CPS, rates.conns)?;
    u64_attr(message, stats::INPPS, rates.in_pkts)?;
    u64_attr(message, stats::OUTPPS, rates.out_pkts)?;
    u64_attr(message, stats::INBPS, rates.in_bytes)?;
    u64_attr(message, stats::OUTBPS, rates.out_bytes)?;
    if style.is_native {
        u64_attr(message, stats::TIME, time::monotonic_nanoseconds())?;
    }
    Ok(())
}

/// Name and labels.
fn identity_attrs(
    message: &mut Message<'_>,
    style: Style,
    [name, label]: [u16; 2],
    identity: &Identity,
) -> Result {
    if !style.is_native {
        return Ok(());
    }
    if let Some(text) = &identity.name {
        bytes_attr(message, name, text.text())?;
    }
    for text in identity.labels.iter() {
        bytes_attr(message, label, text)?;
    }
    Ok(())
}

/// Appends a service.
pub fn service(message: &mut Message<'_>, style: Style, view: &ServiceView<'_>) -> Result {
    message.nest(top::SERVICE, style.is_native, |message| {
        let settings = &view.settings;
        service_key_attrs(message, view.key)?;
        let scheduler = settings.scheduler.map_or("none", |it| it.name());
        text_attr(message, svc::SCHED_NAME, scheduler)?;
        if let Some(engine) = settings.engine {
            text_attr(message, svc::PE_NAME, engine.name())?;
        }
        let [f0, f1, f2, f3] = (settings.flags | SVC_F_HASHED).to_ne_bytes();
        message.put(svc::FLAGS, &[f0, f1, f2, f3, 0xff, 0xff, 0xff, 0xff])?;
        u32_attr(message, svc::TIMEOUT, settings.timeout)?;
        let netmask = match settings.mask {
            Mask::V4(bits) => bits.to_be(),
            Mask::V6(prefix) => prefix,
        };
        u32_attr(message, svc::NETMASK, netmask)?;
        identity_attrs(message, style, [svc::NAME, svc::LABEL], view.identity)?;
        if style.is_native && view.fingerprint != 0 {
            u64_attr(message, svc::FINGERPRINT, view.fingerprint)?;
        }
        let kinds = [svc::STATS, svc::STATS64];
        stats_attrs(message, style, kinds, view.stats.as_ref())
    })
}

fn service_key_attrs(message: &mut Message<'_>, key: ServiceKey) -> Result {
    family_attr(message, svc::AF, key.family())?;
    match key {
        ServiceKey::Address { protocol, endpoint } => {
            u16_attr(message, svc::PROTOCOL, u16::from(protocol))?;
            addr_attr(message, svc::ADDR, endpoint.addr)?;
            be16_attr(message, svc::PORT, endpoint.port)
        }
        ServiceKey::Mark { mark, .. } => u32_attr(message, svc::FWMARK, mark),
    }
}

/// Appends what names a service, in the native family.
pub fn service_key(message: &mut Message<'_>, key: ServiceKey) -> Result {
    message.nest(top::SERVICE, NATIVE.is_native, |message| {
        service_key_attrs(message, key)
    })
}

/// Appends where a real server is, within the nest of one.
pub fn server_key_attrs(message: &mut Message<'_>, endpoint: Endpoint<IpAddr>) -> Result {
    addr_attr(message, dest::ADDR, endpoint.addr)?;
    be16_attr(message, dest::PORT, endpoint.port)?;
    family_attr(message, dest::ADDR_FAMILY, Family::of(endpoint.addr))
}

/// Appends what names a real server of a service, in the native family.
pub fn server_key(message: &mut Message<'_>, endpoint: Endpoint<IpAddr>) -> Result {
    message.nest(top::DEST, NATIVE.is_native, |message| {
        server_key_attrs(message, endpoint)
    })
}

/// Appends what names a real server, its thresholds, and its connections, in the native family.
pub fn server_load(message: &mut Message<'_>, server: &RealServer) -> Result {
    message.nest(top::DEST, NATIVE.is_native, |message| {
        let (settings, active) = (server.settings(), server.active());
        let inactive = server.total().saturating_sub(active);
        server_key_attrs(message, server.endpoint)?;
        u32_attr(message, dest::U_THRESH, settings.upper_threshold)?;
        u32_attr(message, dest::L_THRESH, settings.lower_threshold)?;
        u32_attr(message, dest::ACTIVE_CONNS, active)?;
        u32_attr(message, dest::INACT_CONNS, inactive)
    })
}

/// Appends a real server.
pub fn server(message: &mut Message<'_>, style: Style, view: &ServerView<'_>) -> Result {
    message.nest(top::DEST, style.is_native, |message| {
        let settings = &view.settings;
        addr_attr(message, dest::ADDR, view.endpoint.addr)?;
        be16_attr(message, dest::PORT, view.endpoint.port)?;
        u32_attr(message, dest::FWD_METHOD, settings.method as u32)?;
        // To tools of IPVS, what gets no flows has no weight.
        let hides_weight = view.drain.is_some() && !style.is_native;
        let weight = if hides_weight { 0 } else { settings.weight };
        u32_attr(message, dest::WEIGHT, weight)?;
        message.put(dest::TUN_TYPE, &[settings.tunnel.kind])?;
        be16_attr(message, dest::TUN_PORT, settings.tunnel.port)?;
        u16_attr(message, dest::TUN_FLAGS, settings.tunnel.flags)?;
        u32_attr(message, dest::U_THRESH, settings.upper_threshold)?;
        u32_attr(message, dest::L_THRESH, settings.lower_threshold)?;
        u32_attr(message, dest::ACTIVE_CONNS, view.active)?;
        u32_attr(message, dest::INACT_CONNS, view.inactive)?;
        u32_attr(message, dest::PERSIST_CONNS, view.persistent)?;
        family_attr(message, dest::ADDR_FAMILY, Family::of(view.endpoint.addr))?;
        identity_attrs(message, style, [dest::NAME, dest::LABEL], view.identity)?;
        let kinds = [dest::STATS, dest::STATS64];
        stats_attrs(message, style, kinds, view.stats.as_ref())?;
        if !style.is_native {
            return Ok(());
        }
        if view.is_overloaded {
            message.put(dest::OVERLOADED, &[])?;
        }
        view.drain.map_or(Ok(()), |drain| draining(message, &drain))
    })
}

fn draining(message: &mut Message<'_>, view: &Drain) -> Result {
    message.nest(dest::DRAIN, true, |message| {
        if let Some(ticks) = view.ticks_left(time::jiffies()) {
            u64_attr(message, drain::TIMEOUT, time::as_milliseconds(ticks))?;
        }
        u32_attr(message, drain::LEFTOVERS, view.plan.leftovers as u32)?;
        u32_attr(message, drain::LEFT, view.left)?;
        if view.plan.removes {
            message.put(drain::REMOVE, &[])?;
        }
        if view.is_done {
            message.put(drain::DONE, &[])?;
        }
        Ok(())
    })
}

/// Appends the timeouts that can be set, in seconds.
pub fn timeouts(message: &mut Message<'_>, timeouts: &Timeouts) -> Result {
    u32_attr(message, top::TIMEOUT_TCP, timeouts.tcp(State::Established))?;
    u32_attr(message, top::TIMEOUT_TCP_FIN, timeouts.tcp(State::FinWait))?;
    u32_attr(message, top::TIMEOUT_UDP, timeouts.udp)
}

/// Appends an entry of the connection table, as an attribute of this kind.
pub fn connection(message: &mut Message<'_>, style: Style, kind: u16, entry: &EntryView) -> Result {
    message.nest(kind, style.is_native, |message| {
        family_attr(message, conn::AF, entry.family)?;
        u16_attr(message, conn::PROTOCOL, u16::from(entry.protocol))?;
        addr_attr(message, conn::CLIENT_ADDR, entry.client.addr)?;
        be16_attr(message, conn::CLIENT_PORT, entry.client.port)?;
        addr_attr(message, conn::VIRTUAL_ADDR, entry.virt.addr)?;
        be16_attr(message, conn::VIRTUAL_PORT, entry.virt.port)?;
        family_attr(message, conn::SERVER_AF, Family::of(entry.server.addr))?;
        addr_attr(message, conn::SERVER_ADDR, entry.server.addr)?;
        be16_attr(message, conn::SERVER_PORT, entry.server.port)?;
        u32_attr(message, conn::FWD_METHOD, entry.method as u32)?;
        text_attr(message, conn::STATE, entry.state)?;
        let left = u32::try_from(time::as_milliseconds(entry.left));
        u32_attr(message, conn::EXPIRES, left.unwrap_or(u32::MAX))?;
        u32_attr(message, conn::FLAGS, entry.flags)?;
        u64_attr(message, conn::AGE, time::as_milliseconds(entry.age))?;
        u64_attr(message, conn::IDLE, time::as_milliseconds(entry.idle))
    })
}

/// Appends the totals of a namespace, which has no balancer before its first service.
pub fn totals(
    message: &mut Message<'_>,
    style: Style,
    shown: &Shown,
    balancer: Option<&Balancer>,
) -> Result {
    message.nest(top::TOTALS, style.is_native, |message| {
        message.nest(totals::STATS64, style.is_native, |message| {
            stats64(message, style, shown)
        })?;
        let connections = balancer.map_or(0, Balancer::connections);
        u64_attr(message, totals::CONNECTIONS, connections)?;
        let counts = balancer.map_or(Counts::default(), |balancer| balancer.drops.counts());
        for (reason, count) in counts.iter() {
            message.nest(totals::DROP, style.is_native, |message| {
                text_attr(message, drop::REASON, reason.name())?;
                u64_attr(message, drop::COUNT, count)?;
                text_attr(message, drop::MEANING, reason.meaning())
            })?;
        }
        Ok(())
    })
}
