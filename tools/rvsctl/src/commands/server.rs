// SPDX-License-Identifier: GPL-2.0-only
//! `rvsctl server`.

use super::{explained, performed, service, Session};
use crate::cli::{ListArgs, ServerChange, TunnelArgs};
use crate::error::{Attempt, Error, ExitStatus, Failure};
use crate::model::{Endpoint, ForwardingMethod, ServerOfService, ServiceKey};
use crate::netlink::{ServerSettings, Transport};
use crate::output::json;

pub fn add<T: Transport>(
    session: &mut Session<'_, T>,
    &(key, endpoint): &(ServiceKey, Endpoint),
    method: ForwardingMethod,
    tunnel: TunnelArgs,
    weight: u32,
) -> Result<(), Error> {
    check_port(&key, endpoint, method)?;
    let mut settings = ServerSettings::new(method, weight);
    settings.encapsulation = tunnel.apply(method, None)?;
    let result = session.client.add_server(&key, endpoint, &settings);
    Ok(performed(result, Attempt::AddServer(&key, endpoint))?)
}

pub fn set<T: Transport>(
    session: &mut Session<'_, T>,
    &(key, endpoint): &(ServiceKey, Endpoint),
    change: &ServerChange,
) -> Result<(), Error> {
    let attempt = Attempt::SetServer(&key, endpoint);
    explained(session.client.service(&key), attempt)?;
    let servers = explained(session.client.servers(&key), attempt)?;
    let server = servers
        .iter()
        .find(|server| server.endpoint == endpoint)
        .ok_or_else(|| Failure::no_server(&key, endpoint))?;
    let mut settings = ServerSettings::of(server);
    if let Some(method) = change.method {
        settings.method = method.into();
        check_port(&key, endpoint, settings.method)?;
    }
    settings.encapsulation = change
        .tunnel
        .apply(settings.method, settings.encapsulation)?;
    if let Some(weight) = change.weight {
        settings.weight = weight;
    }
    let result = session.client.set_server(&key, endpoint, &settings);
    Ok(performed(result, attempt)?)
}

pub fn delete<T: Transport>(
    session: &mut Session<'_, T>,
    &(key, endpoint): &(ServiceKey, Endpoint),
) -> Result<(), Error> {
    let result = session.client.delete_server(&key, endpoint);
    Ok(performed(result, Attempt::DeleteServer(&key, endpoint))?)
}

pub fn list<T: Transport>(session: &mut Session<'_, T>, arguments: &ListArgs) -> Result<(), Error> {
    let found = service::read(session, arguments.service.0.as_ref())?;
    if !arguments.format.json {
        return service::print(session, &found, arguments);
    }
    let servers: Vec<_> = found
        .iter()
        .flat_map(|service| {
            service.servers.iter().map(|server| ServerOfService {
                service: service.service.key,
                server,
            })
        })
        .collect();
    Ok(json::print(session.out, &servers)?)
}

/// Refuses a port that the method would ignore: without rewriting, packets keep the service's port.
fn check_port(
    service: &ServiceKey,
    server: Endpoint,
    method: ForwardingMethod,
) -> Result<(), Failure> {
    let port = service.port();
    if method.translates_ports() || port == 0 || server.port == port {
        return Ok(());
    }
    let message = format!(
        "{method} cannot change the port: {server} would get packets for port {port} of {service}"
    );
    Err(Failure::new(ExitStatus::Usage, message).tip(format!(
        "leave the port out, or take `--method {}`",
        ForwardingMethod::Masquerading
    )))
}
