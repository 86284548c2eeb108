// SPDX-License-Identifier: GPL-2.0-only

//! What a request says of a real server: where it is, its settings.

use super::{address, family, nest, optional, value, Fault, Parsed};
use crate::{
    control::{
        attr::{Attr, Attrs},
        policy,
        uapi::{dest, top},
    },
    packet::{Endpoint, Family},
    service::{Method, ServerSettings, ServiceKey, Tunnel, GUE},
};
use core::net::IpAddr;
use kernel::{c_str, prelude::*};

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
