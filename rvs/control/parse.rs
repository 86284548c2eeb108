// SPDX-License-Identifier: GPL-2.0-only

//! What a request asks for: attributes in, keys and settings out, checked in
//! the order in which IPVS checks them (reference §5.3), and with a reason
//! for each refusal.

use super::{
    attr::{Attr, Attrs},
    policy::{self, Breach, Rule},
    uapi::{
        daemon, dest, svc, top, AF_INET, AF_INET6, DAEMON_STATES, PE_NAME_MAX, SCHED_NAME_MAX,
        SVC_F_HASHED,
    },
};
use crate::{
    packet::{Endpoint, Family, Mask, IPPROTO_SCTP, IPPROTO_TCP, IPPROTO_UDP},
    sched::Scheduler,
    service::{Engine, Method, ServerSettings, ServiceKey, ServiceSettings, Tunnel, GUE},
    sys::ip,
};
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

/// What an attribute holds.
pub fn nested(attr: Attr<'_>) -> Parsed<'_, Attrs<'_>> {
    attr.nested()
        .map_err(|_| Fault::at(EINVAL, c_str!("the nested attributes are malformed"), attr))
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

/// The nest of the service that a request is about.
pub fn service(attrs: Attrs<'_>) -> Parsed<'_, Attrs<'_>> {
    let missing = c_str!("no service is given");
    nest(attrs, top::SERVICE, missing, policy::SERVICE)
}

/// Whether a request names a service at all.
pub fn names_service(attrs: Attrs<'_>) -> bool {
    attrs.get(top::SERVICE).is_some()
}

/// The key of a service.
pub fn service_key(service: Attrs<'_>) -> Parsed<'_, ServiceKey> {
    let attr = service.get(svc::AF).ok_or(Fault::new(
        EINVAL,
        c_str!("the service's address family is missing"),
    ))?;
    let Some(family) = family(attr.u16()) else {
        return Err(Fault::at(EAFNOSUPPORT, NO_FAMILY, attr));
    };
    if let Some(mark) = service.get(svc::FWMARK) {
        let mark = mark.u32().ok_or(Fault::at(EINVAL, UNFIT, mark))?;
        return Ok(match mark {
            // Without a mark it is a service that no packet can be for, as in IPVS.
            0 => ServiceKey::Address {
                protocol: IPPROTO_TCP,
                endpoint: Endpoint {
                    addr: match family {
                        Family::V4 => Ipv4Addr::UNSPECIFIED.into(),
                        Family::V6 => Ipv6Addr::UNSPECIFIED.into(),
                    },
                    port: 0,
                },
            },
            mark => ServiceKey::Mark { family, mark },
        });
    }
    let protocol = service.get(svc::PROTOCOL);
    let number = value(
        service,
        svc::PROTOCOL,
        c_str!("the service's protocol is missing"),
        Attr::u16,
    )?;
    let addr = value(
        service,
        svc::ADDR,
        c_str!("the service's address is missing"),
        address(family),
    )?;
    let port = value(
        service,
        svc::PORT,
        c_str!("the service's port is missing"),
        Attr::be16,
    )?;
    let is_known = [IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP]
        .map(u16::from)
        .contains(&number);
    let protocol_number = u8::try_from(number).ok().filter(|_| is_known);
    let Some(protocol_number) = protocol_number else {
        return Err(Fault {
            errno: EPROTONOSUPPORT,
            message: c_str!("the protocol is none that is balanced; use TCP, UDP or SCTP"),
            attribute: protocol.map(|attr| attr.whole),
        });
    };
    Ok(ServiceKey::Address {
        protocol: protocol_number,
        endpoint: Endpoint { addr, port },
    })
}

/// A change of flags: those to set, and which of them count.
#[derive(Clone, Copy)]
pub struct FlagChange {
    flags: u32,
    mask: u32,
}

impl FlagChange {
    /// The flags that result from present ones.
    pub fn apply(self, present: u32) -> u32 {
        (present & !self.mask) | (self.flags & self.mask)
    }
}

/// The settings of a service, the flags as a change of present ones.
pub struct ServiceChange {
    settings: ServiceSettings,
    flags: FlagChange,
}

impl ServiceChange {
    /// The settings that result from the present flags.
    pub fn apply(&self, present_flags: u32) -> ServiceSettings {
        ServiceSettings {
            flags: self.flags.apply(present_flags),
            ..self.settings
        }
    }
}

/// What a request says of a service's settings, complete but not looked at: whether the service may
/// be there is asked before that.
pub struct Said<'a> {
    service: Attrs<'a>,
    scheduler: &'a [u8],
    flags: FlagChange,
    timeout: u32,
    netmask: u32,
}

/// What is said of the settings of a service.
pub fn said(service: Attrs<'_>) -> Parsed<'_, Said<'_>> {
    let scheduler = value(
        service,
        svc::SCHED_NAME,
        c_str!("the service's scheduler is missing"),
        |attr| attr.text(SCHED_NAME_MAX),
    )?;
    let flags = flags(service)?;
    let timeout = value(
        service,
        svc::TIMEOUT,
        c_str!("the service's persistence timeout is missing"),
        Attr::u32,
    )?;
    let netmask = value(
        service,
        svc::NETMASK,
        c_str!("the service's persistence netmask is missing"),
        Attr::u32,
    )?;
    Ok(Said {
        service,
        scheduler,
        flags,
        timeout,
        netmask,
    })
}

impl<'a> Said<'a> {
    /// The settings for a service of this key.
    pub fn settings(&self, key: ServiceKey) -> Parsed<'a, ServiceChange> {
        let scheduler = scheduler(self.service, self.scheduler)?;
        let engine = engine(self.service)?;
        let mask = match key.family() {
            Family::V4 => Mask::V4(u32::from_be(self.netmask)),
            Family::V6 if (1..=128).contains(&self.netmask) => Mask::V6(self.netmask),
            Family::V6 => {
                let message = c_str!("the persistence prefix is out of range; use 1 to 128");
                return Err(Fault {
                    errno: EINVAL,
                    message,
                    attribute: self.service.get(svc::NETMASK).map(|attr| attr.whole),
                });
            }
        };
        Ok(ServiceChange {
            settings: ServiceSettings {
                scheduler,
                flags: 0,
                timeout: self.timeout,
                mask,
                engine,
            },
            flags: self.flags,
        })
    }
}

fn flags(service: Attrs<'_>) -> Parsed<'_, FlagChange> {
    let [f0, f1, f2, f3, m0, m1, m2, m3] = value(
        service,
        svc::FLAGS,
        c_str!("the service's flags are missing"),
        Attr::padded::<8>,
    )?;
    Ok(FlagChange {
        flags: u32::from_ne_bytes([f0, f1, f2, f3]) & !SVC_F_HASHED,
        mask: u32::from_ne_bytes([m0, m1, m2, m3]),
    })
}

fn scheduler<'a>(service: Attrs<'a>, name: &[u8]) -> Parsed<'a, Option<Scheduler>> {
    if name == b"none" {
        return Ok(None);
    }
    match Scheduler::from_name(name) {
        Some(scheduler) => Ok(Some(scheduler)),
        None => Err(Fault {
            errno: ENOENT,
            message: c_str!(
                "the scheduler is not known; use rr, wrr, lc, wlc, fo, ovf, lblc, lblcr, dh, sh, mh, sed, nq, twos or none"
            ),
            attribute: service.get(svc::SCHED_NAME).map(|attr| attr.whole),
        }),
    }
}

fn engine(service: Attrs<'_>) -> Parsed<'_, Option<Engine>> {
    let Some(attr) = service.get(svc::PE_NAME) else {
        return Ok(None);
    };
    let name = attr.text(PE_NAME_MAX);
    match name.and_then(Engine::from_name) {
        None if name != Some(b"") => Err(Fault::at(
            ENOENT,
            c_str!("the persistence engine is not known; use sip or none"),
            attr,
        )),
        engine => Ok(engine),
    }
}

/// The nest of the real server that a request is about.
pub fn server(attrs: Attrs<'_>) -> Parsed<'_, Attrs<'_>> {
    let missing = c_str!("no real server is given");
    nest(attrs, top::DEST, missing, policy::SERVER)
}

/// Address and port of a real server, which are of the service's family if nothing else is said.
pub fn server_endpoint(server: Attrs<'_>, key: ServiceKey) -> Parsed<'_, Endpoint<IpAddr>> {
    let family = match server.get(dest::ADDR_FAMILY) {
        None => key.family(),
        Some(attr) if attr.u16() == Some(0) => key.family(),
        Some(attr) => family(attr.u16()).ok_or(Fault::at(
            EAFNOSUPPORT,
            c_str!("the real server's address family is none that this host has; use AF_INET or AF_INET6"),
            attr,
        ))?,
    };
    let addr = value(
        server,
        dest::ADDR,
        c_str!("the real server's address is missing"),
        address(family),
    )?;
    let port = value(
        server,
        dest::PORT,
        c_str!("the real server's port is missing"),
        Attr::be16,
    )?;
    Ok(Endpoint { addr, port })
}

/// Whether packets for a service of this key can be brought to a real server there.
pub fn check_families<'a>(
    server: Attrs<'a>,
    key: ServiceKey,
    endpoint: Endpoint<IpAddr>,
) -> Parsed<'a, ()> {
    let method = server.get(dest::FWD_METHOD);
    let number = method.and_then(Attr::u32).map(|number| number & 7);
    if Family::of(endpoint.addr) == key.family() || number == Some(Method::Tunneling as u32) {
        return Ok(());
    }
    Err(Fault {
        errno: EINVAL,
        message: c_str!("a real server of another address family is reached by tunneling only"),
        attribute: method.map(|attr| attr.whole),
    })
}

/// The settings of a real server.
pub fn server_settings(server: Attrs<'_>) -> Parsed<'_, ServerSettings> {
    let number = |kind, missing| value(server, kind, missing, Attr::u32);
    let method = number(
        dest::FWD_METHOD,
        c_str!("the real server's forwarding method is missing"),
    )?;
    let weight = number(dest::WEIGHT, c_str!("the real server's weight is missing"))?;
    let upper_threshold = number(
        dest::U_THRESH,
        c_str!("the real server's upper threshold is missing"),
    )?;
    let lower_threshold = number(
        dest::L_THRESH,
        c_str!("the real server's lower threshold is missing"),
    )?;
    let fault = |errno, message, kind| Fault {
        errno,
        message,
        attribute: server.get(kind).map(|attr| attr.whole),
    };
    const MAX: u32 = i32::MAX as u32;
    if weight > MAX {
        let message = c_str!("the weight is out of range; use 0 to 2147483647");
        return Err(fault(ERANGE, message, dest::WEIGHT));
    }
    if lower_threshold > upper_threshold {
        let message = c_str!("the lower threshold is above the upper one");
        return Err(fault(ERANGE, message, dest::L_THRESH));
    }
    if upper_threshold > MAX {
        let message = c_str!("the upper threshold is out of range; use 0 to 2147483647");
        return Err(fault(EINVAL, message, dest::U_THRESH));
    }
    let tunnel = tunnel(server)?;
    let Some(method) = Method::from_u32(method & 7) else {
        let message = c_str!(
            "the forwarding method is not known; use masquerading, tunneling or direct routing"
        );
        return Err(fault(EOPNOTSUPP, message, dest::FWD_METHOD));
    };
    Ok(ServerSettings {
        method,
        tunnel,
        weight,
        upper_threshold,
        lower_threshold,
    })
}

/// The tunnel to a real server: IP in IP if nothing is said.
fn tunnel(server: Attrs<'_>) -> Parsed<'_, Tunnel> {
    let tunnel = Tunnel {
        kind: optional(server, dest::TUN_TYPE, Attr::u8)?,
        port: optional(server, dest::TUN_PORT, Attr::be16)?,
        flags: optional(server, dest::TUN_FLAGS, Attr::u16)?,
    };
    if tunnel.kind != GUE || tunnel.port != 0 {
        return Ok(tunnel);
    }
    let named = server.get(dest::TUN_PORT).or(server.get(dest::TUN_TYPE));
    Err(Fault {
        errno: EINVAL,
        message: c_str!("GUE needs the UDP port that the real server takes it at; use 1 to 65535"),
        attribute: named.map(|attr| attr.whole),
    })
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
