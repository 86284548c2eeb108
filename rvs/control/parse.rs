// SPDX-License-Identifier: GPL-2.0-only

//! What a request asks for: attributes in, keys and settings out, checked in
//! the order in which IPVS checks them (reference §5.3), and with a reason
//! for each refusal. Here is what is read in the same way wherever it stands.

mod naming;
mod server;
mod service;

pub use naming::{naming, service_name};
pub use server::{check_families, server, server_endpoint, server_settings};
pub use service::{names_service, said, service, service_key, ServiceChange};

use super::{
    attr::{Attr, Attrs},
    policy::{self, Breach, Rule},
    uapi::{daemon, operation, top, AF_INET, AF_INET6, DAEMON_STATES},
};
use crate::{packet::Family, sys::ip};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use kernel::{c_str, prelude::*};

/// Why a request was refused: errno, explanation, and the attribute at fault.
pub struct Fault<'a> {
    /// What the sender gets.
    pub errno: Error,
    /// The explanation in the extended ack.
    pub message: &'static CStr,
    /// The attribute at fault, as it came.
    pub attribute: Option<&'a [u8]>,
}

impl<'a> Fault<'a> {
    /// A fault of the request as a whole.
    pub const fn new(errno: Error, message: &'static CStr) -> Self {
        Self {
            errno,
            message,
            attribute: None,
        }
    }

    /// A fault of one attribute.
    pub const fn at(errno: Error, message: &'static CStr, attribute: Attr<'a>) -> Self {
        Self::about(errno, message, Some(attribute))
    }

    /// A fault of one attribute, if that is there.
    pub const fn about(errno: Error, message: &'static CStr, attribute: Option<Attr<'a>>) -> Self {
        Self {
            errno,
            message,
            attribute: match attribute {
                Some(attribute) => Some(attribute.whole),
                None => None,
            },
        }
    }
}

/// What was read, or why it was refused.
pub type Parsed<'a, T> = core::result::Result<T, Fault<'a>>;

/// The attributes of a request.
pub fn attributes(bytes: &[u8]) -> Parsed<'_, Attrs<'_>> {
    let attrs = Attrs::parse(bytes).map_err(|_| {
        Fault::new(
            EINVAL,
            c_str!("the attributes of the request are malformed"),
        )
    })?;
    check(attrs, policy::REQUEST, ERANGE)?;
    Ok(attrs)
}

/// The attributes that one holds.
pub fn nested(attr: Attr<'_>) -> Parsed<'_, Attrs<'_>> {
    attr.nested()
        .map_err(|_| Fault::at(EINVAL, c_str!("the nested attributes are malformed"), attr))
}

/// The command that an operation of a transaction stands for.
pub fn operation_command(operation: Attrs<'_>) -> Parsed<'_, u8> {
    let missing = c_str!("the operation's command is missing");
    value(operation, operation::COMMAND, missing, Attr::u8)
}

/// The nest of a kind, which must be there, and whose attributes must keep to the rules.
fn nest<'a>(
    attrs: Attrs<'a>,
    kind: u16,
    missing: &'static CStr,
    rules: &[(u16, Rule)],
) -> Parsed<'a, Attrs<'a>> {
    let nested = nested(attrs.get(kind).ok_or(Fault::new(EINVAL, missing))?)?;
    check(nested, rules, EINVAL)?;
    Ok(nested)
}

const UNFIT: &CStr = c_str!("the attribute's length does not fit its type");

/// Whether attributes are what their kinds want. A breach at the top of a request is the errno of
/// netlink itself, one within a nest that of IPVS.
fn check<'a>(attrs: Attrs<'a>, rules: &[(u16, Rule)], errno: Error) -> Parsed<'a, ()> {
    policy::check(attrs, rules).map_err(|(attr, breach)| {
        let message = match breach {
            Breach::Length => UNFIT,
            Breach::Unended => c_str!("the text does not end with a zero"),
        };
        Fault::at(errno, message, attr)
    })
}

/// A value of an attribute that must be there.
fn value<'a, T>(
    attrs: Attrs<'a>,
    kind: u16,
    missing: &'static CStr,
    read: impl FnOnce(Attr<'a>) -> Option<T>,
) -> Parsed<'a, T> {
    let attr = attrs.get(kind).ok_or(Fault::new(EINVAL, missing))?;
    read(attr).ok_or(Fault::at(EINVAL, UNFIT, attr))
}

/// A value of an attribute, 0 where there is none.
fn optional<'a, T: Default>(
    attrs: Attrs<'a>,
    kind: u16,
    read: impl FnOnce(Attr<'a>) -> Option<T>,
) -> Parsed<'a, T> {
    if_given(attrs, kind, read).map(Option::unwrap_or_default)
}

/// A value of an attribute, if that is there.
pub fn if_given<'a, T>(
    attrs: Attrs<'a>,
    kind: u16,
    read: impl FnOnce(Attr<'a>) -> Option<T>,
) -> Parsed<'a, Option<T>> {
    let Some(attr) = attrs.get(kind) else {
        return Ok(None);
    };
    read(attr).map(Some).ok_or(Fault::at(EINVAL, UNFIT, attr))
}

/// An address of a family out of up to 16 bytes; of one of IPv4 the first four count.
pub fn address(family: Family) -> impl FnOnce(Attr<'_>) -> Option<IpAddr> {
    move |attr| {
        let bytes = attr.padded::<16>()?;
        let [a, b, c, d, ..] = bytes;
        Some(match family {
            Family::V4 => Ipv4Addr::new(a, b, c, d).into(),
            Family::V6 => Ipv6Addr::from(bytes).into(),
        })
    }
}

/// What is said about a family that is none.
pub const NO_FAMILY: &CStr =
    c_str!("the address family is none that this host has; use AF_INET or AF_INET6");

/// The family of this number.
pub fn family(number: Option<u16>) -> Option<Family> {
    match number? {
        AF_INET => Some(Family::V4),
        AF_INET6 if ip::has_ipv6() => Some(Family::V6),
        _ => None,
    }
}

/// A 64-bit number that need not be there.
pub fn number(attrs: Attrs<'_>, kind: u16) -> Parsed<'_, Option<u64>> {
    let Some(attr) = attrs.get(kind) else {
        return Ok(None);
    };
    let number = attr.u64().ok_or(Fault::at(EINVAL, UNFIT, attr))?;
    Ok(Some(number))
}

/// Checks what a request says of the synchronisation daemon to start or to stop.
pub fn daemon(attrs: Attrs<'_>, is_start: bool) -> Parsed<'_, ()> {
    let missing = c_str!("no synchronisation daemon is given");
    let said = nest(attrs, top::DAEMON, missing, policy::DAEMON)?;
    let missing = c_str!("the synchronisation daemon's state is missing");
    let state = value(said, daemon::STATE, missing, Attr::u32)?;
    if is_start && (said.get(daemon::MCAST_IFN).is_none() || said.get(daemon::SYNC_ID).is_none()) {
        let message = c_str!("the synchronisation daemon's interface or identity is missing");
        return Err(Fault::new(EINVAL, message));
    }
    if DAEMON_STATES.contains(&state) {
        return Ok(());
    }
    Err(Fault {
        errno: EINVAL,
        message: c_str!("the synchronisation daemon is neither master (1) nor backup (2)"),
        attribute: said.get(daemon::STATE).map(|attr| attr.whole),
    })
}

/// Timeouts in seconds; 0 for what is not given.
pub fn timeouts(attrs: Attrs<'_>) -> Parsed<'_, [u32; 3]> {
    let mut seconds = [0; 3];
    let kinds = [top::TIMEOUT_TCP, top::TIMEOUT_TCP_FIN, top::TIMEOUT_UDP];
    for (seconds, kind) in seconds.iter_mut().zip(kinds) {
        if let Some(attr) = attrs.get(kind) {
            *seconds = attr.u32().ok_or(Fault::at(
                ERANGE,
                c_str!("a timeout is shorter than 32 bits"),
                attr,
            ))?;
        }
    }
    Ok(seconds)
}
