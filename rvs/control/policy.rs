// SPDX-License-Identifier: GPL-2.0-only

//! What the payload of each attribute of a request must be like, checked
//! before any is looked at: so a request with a bad attribute is refused
//! even by commands that don't need it, as IPVS does. What the values mean
//! does not belong here.

#![forbid(unsafe_code)]

use super::{
    attr::{Attr, Attrs},
    uapi::{daemon, dest, svc, top, IFNAME_MAX, PE_NAME_MAX, SCHED_NAME_MAX},
};

/// What a payload must be like. Netlink has always taken longer numbers than it wants.
#[derive(Clone, Copy, Debug)]
pub enum Rule {
    /// A number of at least so many bytes.
    Number(usize),
    /// At most so many bytes.
    Bytes(usize),
    /// A text of at most so many bytes, and the zero that ends it.
    Text(usize),
    /// Nothing, or room for an attribute at least.
    Nest,
}

/// How a payload breaks its rule.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Breach {
    /// It is too short or too long for its type.
    Length,
    /// A text without the zero that ends it.
    Unended,
}

/// The attributes of a request.
pub const REQUEST: &[(u16, Rule)] = &[
    (top::SERVICE, Rule::Nest),
    (top::DEST, Rule::Nest),
    (top::DAEMON, Rule::Nest),
    (top::TIMEOUT_TCP, Rule::Number(4)),
    (top::TIMEOUT_TCP_FIN, Rule::Number(4)),
    (top::TIMEOUT_UDP, Rule::Number(4)),
];

/// The attributes of a service.
pub const SERVICE: &[(u16, Rule)] = &[
    (svc::AF, Rule::Number(2)),
    (svc::PROTOCOL, Rule::Number(2)),
    (svc::ADDR, Rule::Bytes(16)),
    (svc::PORT, Rule::Number(2)),
    (svc::FWMARK, Rule::Number(4)),
    (svc::SCHED_NAME, Rule::Text(SCHED_NAME_MAX)),
    (svc::FLAGS, Rule::Bytes(8)),
    (svc::TIMEOUT, Rule::Number(4)),
    (svc::NETMASK, Rule::Number(4)),
    (svc::STATS, Rule::Nest),
    (svc::PE_NAME, Rule::Text(PE_NAME_MAX)),
];

/// The attributes of a real server.
pub const SERVER: &[(u16, Rule)] = &[
    (dest::ADDR, Rule::Bytes(16)),
    (dest::PORT, Rule::Number(2)),
    (dest::FWD_METHOD, Rule::Number(4)),
    (dest::WEIGHT, Rule::Number(4)),
    (dest::U_THRESH, Rule::Number(4)),
    (dest::L_THRESH, Rule::Number(4)),
    (dest::ACTIVE_CONNS, Rule::Number(4)),
    (dest::INACT_CONNS, Rule::Number(4)),
    (dest::PERSIST_CONNS, Rule::Number(4)),
    (dest::STATS, Rule::Nest),
    (dest::ADDR_FAMILY, Rule::Number(2)),
    (dest::TUN_TYPE, Rule::Number(1)),
    (dest::TUN_PORT, Rule::Number(2)),
    (dest::TUN_FLAGS, Rule::Number(2)),
];

/// The attributes of a synchronisation daemon.
pub const DAEMON: &[(u16, Rule)] = &[
    (daemon::STATE, Rule::Number(4)),
    (daemon::MCAST_IFN, Rule::Text(IFNAME_MAX)),
    (daemon::SYNC_ID, Rule::Number(4)),
    (daemon::SYNC_MAXLEN, Rule::Number(2)),
    (daemon::MCAST_GROUP, Rule::Number(4)),
    (daemon::MCAST_GROUP6, Rule::Number(16)),
    (daemon::MCAST_PORT, Rule::Number(2)),
    (daemon::MCAST_TTL, Rule::Number(1)),
];

/// The length of an attribute's header.
const HEADER: usize = 4;

impl Rule {
    fn check(self, payload: &[u8]) -> Result<(), Breach> {
        let fits = match self {
            Self::Number(size) => payload.len() >= size,
            Self::Bytes(max) => payload.len() <= max,
            Self::Nest => payload.is_empty() || payload.len() >= HEADER,
            Self::Text(max) => return check_text(payload, max),
        };
        if fits {
            Ok(())
        } else {
            Err(Breach::Length)
        }
    }
}

/// One zero may follow the longest text; nothing may follow that.
fn check_text(payload: &[u8], max: usize) -> Result<(), Breach> {
    if !payload
        .iter()
        .take(max.saturating_add(1))
        .any(|byte| *byte == 0)
    {
        return Err(Breach::Unended);
    }
    let without_end = match payload.split_last() {
        Some((0, rest)) => rest.len(),
        _ => payload.len(),
    };
    if without_end <= max {
        Ok(())
    } else {
        Err(Breach::Length)
    }
}

/// Whether attributes keep to the rules for their kinds; else the first that does not. Kinds without
/// a rule are nobody's.
pub fn check<'a>(attrs: Attrs<'a>, rules: &[(u16, Rule)]) -> Result<(), (Attr<'a>, Breach)> {
    for attr in attrs.iter() {
        if let Some((_, rule)) = rules.iter().find(|(kind, _)| *kind == attr.kind) {
            rule.check(attr.payload).map_err(|breach| (attr, breach))?;
        }
    }
    Ok(())
}
