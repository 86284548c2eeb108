// SPDX-License-Identifier: GPL-2.0-only
//! `rvsctl server`.

use super::checks::{check_choice, check_server, check_thresholds};
use super::{explained, performed, service, Session};
use crate::cli::{ListArgs, ServerChange, Thresholds, TunnelArgs};
use crate::error::{Attempt, Error, Failure};
use crate::model::{Endpoint, ForwardingMethod, ServerOfService, ServiceKey};
use crate::netlink::{ServerSettings, Transport};
use crate::output::json;

pub fn add<T: Transport>(
    session: &mut Session<'_, T>,
    &(key, endpoint): &(ServiceKey, Endpoint),
    mut settings: ServerSettings,
    tunnel: TunnelArgs,
    thresholds: Thresholds,
) -> Result<(), Error> {
    check_method(&key, endpoint, settings.method)?;
    settings.encapsulation = tunnel.apply(settings.method, None)?;
    apply(thresholds, &mut settings)?;
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
    let servers = explained(session.client.brief_servers(&key), attempt)?;
    let server = servers
        .iter()
        .find(|server| server.endpoint == endpoint)
        .ok_or_else(|| Failure::no_server(&key, endpoint))?;
    let mut settings = ServerSettings::of(server);
    settings.naming = change.naming.naming()?;
    if let Some(method) = change.method {
        settings.method = method.into();
        check_method(&key, endpoint, settings.method)?;
    }
    settings.encapsulation = change
        .tunnel
        .apply(settings.method, settings.encapsulation)?;
    if let Some(weight) = change.weight {
        settings.weight = weight;
    }
    apply(change.thresholds, &mut settings)?;
    let result = session.client.set_server(&key, endpoint, &settings);
    Ok(performed(result, attempt)?)
}

fn check_method(
    key: &ServiceKey,
    endpoint: Endpoint,
    method: ForwardingMethod,
) -> Result<(), Failure> {
    check_choice(method)?;
    check_server(key, endpoint, method)
}

/// Sets the thresholds that are given.
fn apply(thresholds: Thresholds, settings: &mut ServerSettings) -> Result<(), Failure> {
    let Thresholds { upper, lower } = thresholds;
    if upper.is_none() && lower.is_none() {
        return Ok(());
    }
    settings.upper_threshold = upper.unwrap_or(settings.upper_threshold);
    settings.lower_threshold = lower.unwrap_or(settings.lower_threshold);
    check_thresholds(settings)
}

pub fn delete<T: Transport>(
    session: &mut Session<'_, T>,
    &(key, endpoint): &(ServiceKey, Endpoint),
) -> Result<(), Error> {
    let result = session.client.delete_server(&key, endpoint);
    Ok(performed(result, Attempt::DeleteServer(&key, endpoint))?)
}

pub fn list<T: Transport>(session: &mut Session<'_, T>, arguments: &ListArgs) -> Result<(), Error> {
    let key = session.find_any(arguments.service.0.as_ref())?;
    let found = service::read(session, key.as_ref())?;
    if !arguments.format.json {
        return service::print(session, &found, arguments);
    }
    let servers = found.iter().flat_map(|it| {
        let service = it.service.key;
        let servers = it.servers.into_iter();
        servers.map(move |server| ServerOfService { service, server })
    });
    Ok(json::print_array(session.out, servers)?)
}
