// SPDX-License-Identifier: GPL-2.0-only

//! What a request asks for: attributes in, keys and settings out, checked in
//! the order in which IPVS checks them (reference §5.3), and with a reason
//! for each refusal.

use super::{
    attr::{Attr, Attrs},
    uapi::{
        dest, svc, top, AF_INET, AF_INET6, PE_NAME_MAX, SCHED_NAME_MAX, SVC_F_HASHED,
        SVC_F_ONEPACKET, SVC_F_PERSISTENT,
    },
};
use crate::{
    packet::{Endpoint, IPPROTO_TCP, IPPROTO_UDP},
    sched::Scheduler,
    service::{Method, ServerSettings, ServiceKey, ServiceSettings},
};
use core::net::Ipv4Addr;
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

    fn at(errno: Error, message: &'static CStr, attribute: Attr<'a>) -> Self {
        Self {
            errno,
            message,
            attribute: Some(attribute.whole),
        }
    }
}

type Parsed<'a, T> = core::result::Result<T, Fault<'a>>;

/// The attributes of a request.
pub fn attributes(bytes: &[u8]) -> Parsed<'_, Attrs<'_>> {
    Attrs::parse(bytes).map_err(|_| {
        Fault::new(
            EINVAL,
            c_str!("the attributes of the request are malformed"),
        )
    })
}

/// The nest of a kind, which must be there.
fn nest<'a>(attrs: Attrs<'a>, kind: u16, missing: &'static CStr) -> Parsed<'a, Attrs<'a>> {
    let attr = attrs.get(kind).ok_or(Fault::new(EINVAL, missing))?;
    attr.nested()
        .map_err(|_| Fault::at(EINVAL, c_str!("the nested attributes are malformed"), attr))
}

/// A value of an attribute that must be there.
fn value<'a, T>(
    attrs: Attrs<'a>,
    kind: u16,
    missing: &'static CStr,
    read: impl FnOnce(Attr<'a>) -> Option<T>,
) -> Parsed<'a, T> {
    let attr = attrs.get(kind).ok_or(Fault::new(EINVAL, missing))?;
    read(attr).ok_or(Fault::at(
        EINVAL,
        c_str!("the attribute's length does not fit its type"),
        attr,
    ))
}

/// An IPv4 address out of 4 to 16 bytes, of which the first four count.
fn address(attr: Attr<'_>) -> Option<Ipv4Addr> {
    let [a, b, c, d, ..] = attr.padded::<16>()?;
    Some(Ipv4Addr::new(a, b, c, d))
}

/// The nest of the service that a request is about.
pub fn service(attrs: Attrs<'_>) -> Parsed<'_, Attrs<'_>> {
    nest(attrs, top::SERVICE, c_str!("no service is given"))
}

/// Whether a request names a service at all.
pub fn names_service(attrs: Attrs<'_>) -> bool {
    attrs.get(top::SERVICE).is_some()
}

/// The key of a service.
pub fn service_key(service: Attrs<'_>) -> Parsed<'_, ServiceKey> {
    let family = service.get(svc::AF).ok_or(Fault::new(
        EINVAL,
        c_str!("the service's address family is missing"),
    ))?;
    match family.u16() {
        Some(AF_INET) => {}
        Some(AF_INET6) => {
            let message = c_str!("IPv6 services are not supported yet; use IPv4");
            return Err(Fault::at(EAFNOSUPPORT, message, family));
        }
        _ => {
            let message = c_str!("the address family is none that can be balanced; use AF_INET");
            return Err(Fault::at(EAFNOSUPPORT, message, family));
        }
    }
    if let Some(mark) = service.get(svc::FWMARK) {
        let message = c_str!(
            "services by firewall mark are not supported yet; give protocol, address and port"
        );
        return Err(Fault::at(EOPNOTSUPP, message, mark));
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
        address,
    )?;
    let port = value(
        service,
        svc::PORT,
        c_str!("the service's port is missing"),
        Attr::be16,
    )?;
    let is_known = [IPPROTO_TCP, IPPROTO_UDP].map(u16::from).contains(&number);
    let protocol_number = u8::try_from(number).ok().filter(|_| is_known);
    let Some(protocol_number) = protocol_number else {
        return Err(Fault {
            errno: EPROTONOSUPPORT,
            message: c_str!("the protocol is not supported yet; use TCP or UDP"),
            attribute: protocol.map(|attr| attr.whole),
        });
    };
    Ok(ServiceKey {
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

/// The settings of a service.
pub fn service_settings<'a>(service: Attrs<'a>, key: ServiceKey) -> Parsed<'a, ServiceChange> {
    let name = value(
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
    let scheduler = scheduler(service, name)?;
    refuse_engine(service)?;
    if key.endpoint.port == 0 {
        let message = c_str!(
            "a service for all ports needs persistence, which is not supported yet; give a port"
        );
        return Err(Fault {
            errno: EOPNOTSUPP,
            message,
            attribute: service.get(svc::PORT).map(|attr| attr.whole),
        });
    }
    Ok(ServiceChange {
        settings: ServiceSettings {
            scheduler,
            flags: 0,
            timeout,
            netmask,
        },
        flags,
    })
}

fn flags(service: Attrs<'_>) -> Parsed<'_, FlagChange> {
    let [f0, f1, f2, f3, m0, m1, m2, m3] = value(
        service,
        svc::FLAGS,
        c_str!("the service's flags are missing"),
        Attr::padded::<8>,
    )?;
    let change = FlagChange {
        flags: u32::from_ne_bytes([f0, f1, f2, f3]) & !SVC_F_HASHED,
        mask: u32::from_ne_bytes([m0, m1, m2, m3]),
    };
    let set = change.apply(0);
    let message = if set & SVC_F_PERSISTENT != 0 {
        c_str!("persistent services are not supported yet")
    } else if set & SVC_F_ONEPACKET != 0 {
        c_str!("one-packet scheduling is not supported yet")
    } else {
        return Ok(change);
    };
    Err(Fault {
        errno: EOPNOTSUPP,
        message,
        attribute: service.get(svc::FLAGS).map(|attr| attr.whole),
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

fn refuse_engine(service: Attrs<'_>) -> Parsed<'_, ()> {
    let named = service
        .get(svc::PE_NAME)
        .filter(|attr| attr.text(PE_NAME_MAX) != Some(b""));
    match named {
        Some(attr) => Err(Fault::at(
            ENOENT,
            c_str!("the persistence engine is not known"),
            attr,
        )),
        None => Ok(()),
    }
}

/// The nest of the real server that a request is about.
pub fn server(attrs: Attrs<'_>) -> Parsed<'_, Attrs<'_>> {
    nest(attrs, top::DEST, c_str!("no real server is given"))
}

/// Address and port of a real server.
pub fn server_endpoint(server: Attrs<'_>) -> Parsed<'_, Endpoint> {
    let addr = value(
        server,
        dest::ADDR,
        c_str!("the real server's address is missing"),
        address,
    )?;
    let port = value(
        server,
        dest::PORT,
        c_str!("the real server's port is missing"),
        Attr::be16,
    )?;
    if let Some(family) = server.get(dest::ADDR_FAMILY) {
        if !matches!(family.u16(), Some(0 | AF_INET)) {
            let message = c_str!("the real server's address family is not supported yet; use IPv4");
            return Err(Fault::at(EAFNOSUPPORT, message, family));
        }
    }
    Ok(Endpoint { addr, port })
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
    let Some(method) = Method::from_u32(method & 7) else {
        let message = c_str!(
            "the forwarding method is not supported; use masquerading, tunneling or direct routing"
        );
        return Err(fault(EOPNOTSUPP, message, dest::FWD_METHOD));
    };
    if server.get(dest::TUN_TYPE).and_then(Attr::u8).unwrap_or(0) != 0 {
        let message = c_str!("the tunnel type is not supported yet; use IP-in-IP");
        return Err(fault(EOPNOTSUPP, message, dest::TUN_TYPE));
    }
    Ok(ServerSettings {
        method,
        weight,
        upper_threshold,
        lower_threshold,
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
