// SPDX-License-Identifier: GPL-2.0-only

//! Which entries of the connection table a request is about: the nest
//! `filter` in, a [`Selection`] out.

use super::{
    attr::{Attr, Attrs},
    parse::{self, Fault, Parsed},
    uapi::{filter, top},
};
use crate::{
    conn::{
        filter::{Prefix, Span, States},
        Selection,
    },
    packet::Family,
    service::Method,
    sys::time,
};
use core::net::IpAddr;
use kernel::{c_str, prelude::*};

/// What a request selects.
#[derive(Default)]
pub struct Selected {
    /// The entries.
    pub entries: Selection,
    /// How many of them at most.
    pub limit: Option<u64>,
    /// The request says that it means all of them.
    pub says_all: bool,
}

/// Refuses filters with something in them that is not known here, which may have meant fewer entries. For what can't be
/// undone.
pub fn refuse_unknown(attrs: Attrs<'_>) -> Parsed<'_, ()> {
    let Some(attr) = attrs.get(top::FILTER) else {
        return Ok(());
    };
    let is_unknown = |attr: &Attr<'_>| !(filter::SERVICE..=filter::ALL).contains(&attr.kind);
    match parse::nested(attr)?.iter().find(is_unknown) {
        None => Ok(()),
        Some(attr) => {
            let message = c_str!("the filter has an attribute that this module does not know");
            Err(Fault::at(EINVAL, message, attr))
        }
    }
}

/// What a request selects; everything if it has no filter.
pub fn selected(attrs: Attrs<'_>) -> Parsed<'_, Selected> {
    let Some(attr) = attrs.get(top::FILTER) else {
        return Ok(Selected::default());
    };
    let nest = parse::nested(attr)?;
    let family = parse::if_given(nest, filter::AF, Attr::u16)?
        .map(|_| family(nest, filter::AF))
        .transpose()?;
    let client = address(nest, filter::CLIENT_ADDR, filter::AF)?;
    if let (None, Some(attr)) = (client, nest.get(filter::CLIENT_PREFIX)) {
        let message = c_str!("a prefix length is given without the address of the clients");
        return Err(Fault::at(EINVAL, message, attr));
    }
    let entries = Selection {
        service: match nest.get(filter::SERVICE) {
            Some(service) => Some(parse::service_key(parse::nested(service)?)?),
            None => None,
        },
        protocol: protocol(nest)?,
        family,
        client: client.map(|addr| prefix(nest, addr)).transpose()?,
        client_port: parse::if_given(nest, filter::CLIENT_PORT, Attr::be16)?,
        server: address(nest, filter::SERVER_ADDR, filter::SERVER_AF)?,
        server_port: parse::if_given(nest, filter::SERVER_PORT, Attr::be16)?,
        method: method(nest)?,
        states: states(nest)?,
        age: span(nest, filter::MIN_AGE, filter::MAX_AGE)?,
        idle: span(nest, filter::MIN_IDLE, filter::MAX_IDLE)?,
    };
    Ok(Selected {
        entries,
        limit: parse::if_given(nest, filter::LIMIT, Attr::u64)?,
        says_all: nest.get(filter::ALL).is_some(),
    })
}

/// The family in an attribute that must be there.
fn family(nest: Attrs<'_>, kind: u16) -> Parsed<'_, Family> {
    let missing = Fault::new(EINVAL, c_str!("an address is given without its family"));
    let attr = nest.get(kind).ok_or(missing)?;
    parse::family(attr.u16()).ok_or(Fault::at(EAFNOSUPPORT, parse::NO_FAMILY, attr))
}

/// An address, if it is given; then its family is, too.
fn address(nest: Attrs<'_>, kind: u16, family_kind: u16) -> Parsed<'_, Option<IpAddr>> {
    if nest.get(kind).is_none() {
        return Ok(None);
    }
    let family = family(nest, family_kind)?;
    parse::if_given(nest, kind, parse::address(family))
}

fn prefix(nest: Attrs<'_>, addr: IpAddr) -> Parsed<'_, Prefix> {
    let Some(attr) = nest.get(filter::CLIENT_PREFIX) else {
        return Ok(Prefix::whole(addr));
    };
    let len = attr.u8().and_then(|len| Prefix::new(addr, len));
    len.ok_or(Fault::at(
        ERANGE,
        c_str!("the prefix of the clients is too long; use 0 to 32 for IPv4, 0 to 128 for IPv6"),
        attr,
    ))
}

fn protocol(nest: Attrs<'_>) -> Parsed<'_, Option<u8>> {
    let Some(number) = parse::if_given(nest, filter::PROTOCOL, Attr::u16)? else {
        return Ok(None);
    };
    let message = c_str!("the protocol is none; use a number from 0 to 255");
    match u8::try_from(number) {
        Ok(number) => Ok(Some(number)),
        Err(_) => Err(Fault::about(ERANGE, message, nest.get(filter::PROTOCOL))),
    }
}

fn method(nest: Attrs<'_>) -> Parsed<'_, Option<u8>> {
    let Some(number) = parse::if_given(nest, filter::FWD_METHOD, Attr::u32)? else {
        return Ok(None);
    };
    match Method::from_u32(number) {
        Some(method) => Ok(Some(method as u8)),
        None => {
            let message = c_str!("the forwarding method is not known; use a number from 0 to 4");
            let attr = nest.get(filter::FWD_METHOD);
            Err(Fault::about(EINVAL, message, attr))
        }
    }
}

/// Longest name of a state.
const STATE_MAX: usize = 15;

fn states(nest: Attrs<'_>) -> Parsed<'_, Option<States>> {
    let mut states = None;
    for attr in nest.iter().filter(|attr| attr.kind == filter::STATE) {
        let set = states.get_or_insert(States::default());
        if !attr.text(STATE_MAX).is_some_and(|name| set.add(name)) {
            let message = c_str!(
                "there is no such state; use one of those in listings of connections, or TEMPLATE"
            );
            return Err(Fault::at(EINVAL, message, attr));
        }
    }
    Ok(states)
}

fn span(nest: Attrs<'_>, min: u16, max: u16) -> Parsed<'_, Span> {
    let [min, max] = [min, max].map(|kind| parse::if_given(nest, kind, Attr::u64));
    Ok(Span {
        min: min?.map_or(Span::ANY.min, time::milliseconds),
        max: max?.map_or(Span::ANY.max, time::milliseconds),
    })
}
