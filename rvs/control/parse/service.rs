// SPDX-License-Identifier: GPL-2.0-only

//! What a request says of a service: its key, its settings.

use super::{address, family, nest, value, Fault, Parsed, NO_FAMILY, UNFIT};
use crate::{
    control::{
        attr::{Attr, Attrs},
        policy,
        uapi::{svc, top, PE_NAME_MAX, SCHED_NAME_MAX, SVC_F_HASHED},
    },
    packet::{Endpoint, Family, Mask, IPPROTO_SCTP, IPPROTO_TCP, IPPROTO_UDP},
    sched::Scheduler,
    service::{Engine, ServiceKey, ServiceSettings},
};
use core::net::{Ipv4Addr, Ipv6Addr};
use kernel::{c_str, prelude::*};

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
