// SPDX-License-Identifier: GPL-2.0-only
//! Combinations in a file that make no sense. The kernel would take most of them, and balance
//! nothing.

use std::collections::HashMap;

use super::place::{Mistake, Place};
use super::DeclaredServer;
use crate::model::{Family, ForwardingMethod, Protocol, ServiceFlags, ServiceKey};
use crate::netlink::ServiceSettings;

/// Single packets are scheduled of protocols that have no connections.
pub fn one_packet(key: &ServiceKey, at: Place) -> Result<(), Mistake> {
    match key {
        ServiceKey::Endpoint { protocol, .. } if *protocol != Protocol::UDP => {
            let message =
                format!("a connection of {protocol} has to stay at its server, packet by packet");
            Err(Mistake::new(at, message).tip("services of udp and of marks can be one-packet"))
        }
        _ => Ok(()),
    }
}

/// A service for all ports is persistent: the ports only belong together by the client.
pub fn all_ports(key: &ServiceKey, settings: &ServiceSettings, at: Place) -> Result<(), Mistake> {
    let is_for_all = matches!(key, ServiceKey::Endpoint { endpoint, .. } if endpoint.port == 0);
    if !is_for_all || settings.flags.has(ServiceFlags::PERSISTENT) {
        return Ok(());
    }
    let message = format!("{key} is for all ports: without persistence it would balance nothing");
    Err(Mistake::new(at, message).tip("add: persistent = 300"))
}

/// What a server is set to makes sense; `place` tells where a key of it stands.
pub fn server(
    key: &ServiceKey,
    server: &DeclaredServer,
    place: impl Fn(&str) -> Place,
) -> Result<(), Mistake> {
    let DeclaredServer {
        endpoint, settings, ..
    } = server;
    let method = settings.method;
    if Family::of(endpoint.address) != key.family() && method != ForwardingMethod::Tunneling {
        let message =
            format!("{method} cannot change the family: {endpoint} is not of that of {key}");
        let tip = "only the method tunneling reaches servers of another family";
        return Err(Mistake::new(place("address"), message).tip(tip));
    }
    port(key, server).map_err(|mistake| Mistake {
        at: place("address"),
        ..mistake
    })?;
    let (upper, lower) = (settings.upper_threshold, settings.lower_threshold);
    if lower > upper {
        let message =
            format!("the lower threshold ({lower}) would be above the upper one ({upper})");
        let tip = "'lower-threshold' is at most 'upper-threshold'";
        return Err(Mistake::new(place("lower-threshold"), message).tip(tip));
    }
    Ok(())
}

/// Without rewriting, packets keep the service's port, and those of a service for all ports keep
/// theirs anyway.
fn port(key: &ServiceKey, server: &DeclaredServer) -> Result<(), Mistake> {
    let (endpoint, method) = (server.endpoint, server.settings.method);
    let is_for_all = matches!(key, ServiceKey::Endpoint { endpoint, .. } if endpoint.port == 0);
    if endpoint.port == key.port() || (method.translates_ports() && !is_for_all) {
        return Ok(());
    }
    if is_for_all {
        let message = format!("packets for {key} keep their port, also at {endpoint}");
        return Err(Mistake::new(server.at, message).tip("leave the port out"));
    }
    let message =
        format!("{method} cannot change the port: {endpoint} would get packets as {key} has them");
    let tip = "leave the port out, or take the method masquerading";
    Err(Mistake::new(server.at, message).tip(tip))
}

/// Addresses and names are there once.
pub fn servers(servers: &[DeclaredServer]) -> Result<(), Mistake> {
    let mut endpoints = HashMap::with_capacity(servers.len());
    let mut names = HashMap::new();
    for server in servers {
        let (at, endpoint) = (server.at, server.endpoint);
        if let Some(first) = endpoints.insert(endpoint, at) {
            let message = format!(
                "the server {endpoint} is there already, in line {}",
                first.line
            );
            return Err(Mistake::new(at, message).tip("each server of a service stands there once"));
        }
        let name = server.identity.name.as_deref();
        if let Some((name, first)) = name.and_then(|name| Some((name, names.insert(name, at)?))) {
            let message = format!(
                "the name '{name}' is that of a server in line {} already",
                first.line
            );
            return Err(Mistake::new(at, message).tip("each server of a service has its own name"));
        }
    }
    Ok(())
}
