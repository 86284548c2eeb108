// SPDX-License-Identifier: GPL-2.0-only
//! `rvsctl service`.

use super::{explained, performed, Session};
use crate::cli::ListArgs;
use crate::error::{Attempt, Error, Failure};
use crate::model::{ServiceKey, ServiceWithServers};
use crate::netlink::{ServiceSettings, Transport};
use crate::output::services::{Figures, View};
use crate::output::{json, services};

pub fn add<T: Transport>(
    session: &mut Session<'_, T>,
    key: &ServiceKey,
    scheduler: &str,
) -> Result<(), Error> {
    let settings = ServiceSettings::new(key.family(), scheduler);
    let result = session.client.add_service(key, &settings);
    Ok(performed(result, Attempt::AddService(key, scheduler))?)
}

pub fn set<T: Transport>(
    session: &mut Session<'_, T>,
    key: &ServiceKey,
    scheduler: &str,
) -> Result<(), Error> {
    let attempt = Attempt::SetService(key, scheduler);
    let service = explained(session.client.service(key), attempt)?;
    let mut settings = ServiceSettings::of(&service);
    settings.scheduler = scheduler.to_string();
    let result = session.client.set_service(key, &settings);
    Ok(performed(result, attempt)?)
}

pub fn delete<T: Transport>(session: &mut Session<'_, T>, key: &ServiceKey) -> Result<(), Error> {
    let result = session.client.delete_service(key);
    Ok(performed(result, Attempt::DeleteService(key))?)
}

pub fn list<T: Transport>(session: &mut Session<'_, T>, arguments: &ListArgs) -> Result<(), Error> {
    let found = read(session, arguments.service.0.as_ref())?;
    if arguments.format.json {
        return Ok(json::print(session.out, &found)?);
    }
    print(session, &found, arguments)
}

/// Prints services as a table, or says that there are none.
pub fn print<T>(
    session: &mut Session<'_, T>,
    found: &[ServiceWithServers],
    arguments: &ListArgs,
) -> Result<(), Error> {
    if found.is_empty() {
        eprintln!("no services: `rvsctl service add --help` shows how to add one");
        return Ok(());
    }
    let figures = match (arguments.stats, arguments.rate) {
        (true, _) => Figures::Counters,
        (_, true) => Figures::Rates,
        _ => Figures::Settings,
    };
    let view = View {
        figures,
        exact: arguments.exact,
    };
    Ok(services::print(session.out, found, view, session.style)?)
}

/// One service or all with their servers, sorted by key.
pub fn read<T: Transport>(
    session: &mut Session<'_, T>,
    key: Option<&ServiceKey>,
) -> Result<Vec<ServiceWithServers>, Failure> {
    let client = &mut session.client;
    let mut services = match key {
        Some(key) => vec![explained(client.service(key), Attempt::ListService(key))?],
        None => explained(client.services(), Attempt::ListServices)?,
    };
    services.sort_by_key(|service| service.key);
    services
        .into_iter()
        .map(|service| {
            let attempt = Attempt::ListService(&service.key);
            let mut servers = explained(client.servers(&service.key), attempt)?;
            servers.sort_by_key(|server| server.endpoint);
            Ok(ServiceWithServers { service, servers })
        })
        .collect()
}
