// SPDX-License-Identifier: GPL-2.0-only
//! Combinations in a file that make no sense. The kernel would take most of them, and balance
//! nothing.

use std::collections::HashMap;

use super::place::{Mistake, Place};
use super::DeclaredServer;
use crate::model::{Misfit, ServiceFlags, ServiceKey};
use crate::netlink::ServiceSettings;

/// Single packets are scheduled of protocols that have no connections.
pub fn one_packet(key: &ServiceKey, at: Place) -> Result<(), Mistake> {
    if key.can_be_one_packet() {
        return Ok(());
    }
    let message = format!("connections of {key} have to stay at their servers, packet by packet");
    Err(Mistake::new(at, message).tip("services of udp and of marks can be one-packet"))
}

/// A service for all ports is persistent.
pub fn all_ports(key: &ServiceKey, settings: &ServiceSettings, at: Place) -> Result<(), Mistake> {
    if !key.is_for_all_ports() || settings.flags.has(ServiceFlags::PERSISTENT) {
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
    if let Some(misfit) = key.misfit(*endpoint, method) {
        let (message, tip) = match misfit {
            Misfit::Family => (
                format!("{method} cannot change the family: {endpoint} is not of that of {key}"),
                "only the method tunneling reaches servers of another family",
            ),
            Misfit::AllPorts => (
                format!("packets for {key} keep their port, also at {endpoint}"),
                "leave the port out",
            ),
            Misfit::Port => (
                format!("{method} cannot change the port: {endpoint} would get packets as {key} has them"),
                "leave the port out, or take the method masquerading",
            ),
        };
        return Err(Mistake::new(place("address"), message).tip(tip));
    }
    let (upper, lower) = (settings.upper_threshold, settings.lower_threshold);
    if lower > upper {
        let message =
            format!("the lower threshold ({lower}) would be above the upper one ({upper})");
        let tip = "'lower-threshold' is at most 'upper-threshold'";
        return Err(Mistake::new(place("lower-threshold"), message).tip(tip));
    }
    Ok(())
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
