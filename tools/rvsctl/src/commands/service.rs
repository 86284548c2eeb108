// SPDX-License-Identifier: GPL-2.0-only
//! `rvsctl service`.

use super::checks::{check_all_ports, check_mask, check_one_packet, check_option};
use super::{explained, performed, Session};
use crate::cli::{ListArgs, NewNamingArgs, ServiceChange, ServiceOptions};
use crate::error::{Attempt, Error, ExitStatus, Failure};
use crate::model::{Listing, Netmask, Service, ServiceFlags, ServiceKey, ServiceWithServers};
use crate::netlink::{self, Client, ServiceSettings, Transport};
use crate::output::services::{Figures, View};
use crate::output::{json, services};

/// Persistence timeout in seconds where none is given, as with `ipvsadm`.
const PERSISTENCE: u32 = 300;

pub fn add<T: Transport>(
    session: &mut Session<'_, T>,
    key: &ServiceKey,
    scheduler: &str,
    options: &ServiceOptions,
    naming: &NewNamingArgs,
) -> Result<(), Error> {
    let mut settings = ServiceSettings::new(key.family(), scheduler);
    settings.naming = naming.naming()?;
    apply(options, key, &mut settings)?;
    check_all_ports(key, options.persistent.is_some())?;
    let result = session.client.add_service(key, &settings);
    Ok(performed(result, Attempt::AddService(key, scheduler))?)
}

pub fn set<T: Transport>(
    session: &mut Session<'_, T>,
    key: &ServiceKey,
    change: &ServiceChange,
) -> Result<(), Error> {
    let scheduler = change.scheduler.as_deref().unwrap_or_default();
    let attempt = Attempt::SetService(key, scheduler);
    let service = explained(session.client.service(key), attempt)?;
    let settings = changed(&service, change)?;
    let result = session.client.set_service(key, &settings);
    Ok(performed(
        result,
        Attempt::SetService(key, &settings.scheduler),
    )?)
}

/// The settings of a service after a change. Options belong to their scheduler: another one begins
/// without any.
fn changed(service: &Service, change: &ServiceChange) -> Result<ServiceSettings, Failure> {
    let mut settings = ServiceSettings::of(service);
    settings.naming = change.naming.naming()?;
    match &change.scheduler {
        Some(scheduler) if *scheduler != settings.scheduler => {
            settings.scheduler.clone_from(scheduler);
            settings.set_flags(ServiceFlags::SCHEDULER, false);
        }
        _ => {}
    }
    for option in &change.no_options {
        check_option("--no-option", option, &settings.scheduler)?;
        settings.set_flags(option.flag, false);
    }
    if change.no_one_packet {
        settings.set_flags(ServiceFlags::ONE_PACKET, false);
    }
    if change.no_persistent {
        check_all_ports(&service.key, false)?;
        settings.set_flags(ServiceFlags::PERSISTENT, false);
        settings.timeout = 0;
        settings.netmask = Netmask::whole(service.key.family());
    }
    apply(&change.options, &service.key, &mut settings)?;
    Ok(settings)
}

/// Adds what the options say to settings, which are those of a new service or the present ones.
fn apply(
    options: &ServiceOptions,
    key: &ServiceKey,
    settings: &mut ServiceSettings,
) -> Result<(), Failure> {
    for option in &options.options {
        check_option("--option", option, &settings.scheduler)?;
        settings.set_flags(option.flag, true);
    }
    if options.one_packet {
        check_one_packet(key)?;
        settings.set_flags(ServiceFlags::ONE_PACKET, true);
    }
    let was_persistent = settings.flags.has(ServiceFlags::PERSISTENT);
    if let Some(timeout) = options.persistent {
        if let Some(timeout) = timeout.or((!was_persistent).then_some(PERSISTENCE)) {
            settings.timeout = timeout;
        }
        settings.set_flags(ServiceFlags::PERSISTENT, true);
    }
    if let Some(mask) = options.persistence_mask {
        check_mask(key, settings.flags.has(ServiceFlags::PERSISTENT))?;
        settings.netmask = mask
            .of(key.family())
            .map_err(|right| wrong_mask(key, right))?;
    }
    Ok(())
}

/// The mask is not one for the family of the service.
fn wrong_mask(key: &ServiceKey, right: &str) -> Failure {
    let message = format!("the argument '--persistence-mask' does not fit the family of {key}");
    Failure::new(ExitStatus::Usage, message).tip(right)
}

pub fn delete<T: Transport>(session: &mut Session<'_, T>, key: &ServiceKey) -> Result<(), Error> {
    let result = session.client.delete_service(key);
    Ok(performed(result, Attempt::DeleteService(key))?)
}

pub fn list<T: Transport>(session: &mut Session<'_, T>, arguments: &ListArgs) -> Result<(), Error> {
    let key = session.find_any(arguments.service.0.as_ref())?;
    let found = read(session, key.as_ref())?;
    if arguments.format.json {
        return Ok(json::print(session.out, &found)?);
    }
    print(session, &found, arguments)
}

/// Prints services as a table, or says that there are none.
pub fn print<T>(
    session: &mut Session<'_, T>,
    found: &Listing,
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
    let style = session.style;
    Ok(services::print(session.out, found.iter(), view, style)?)
}

/// One service or all with their servers.
pub fn read<T: Transport>(
    session: &mut Session<'_, T>,
    key: Option<&ServiceKey>,
) -> Result<Listing, Failure> {
    let client = &mut session.client;
    let Some(key) = key else {
        return read_all(client);
    };
    let attempt = Attempt::ListService(key);
    let service = explained(client.service(key), attempt)?;
    let servers = explained(client.servers(key), attempt)?;
    let found = ServiceWithServers { service, servers };
    Ok(Listing::from_iter([found]))
}

/// All services with their servers.
pub fn read_all<T: Transport>(client: &mut Client<T>) -> Result<Listing, Failure> {
    let mut found = Listing::default();
    let read = client.configuration(|service| {
        found.add(service);
        Ok::<_, netlink::Error>(())
    });
    explained(read, Attempt::ListServices)?;
    if found.is_empty() {
        return read_each(client);
    }
    Ok(found)
}

/// All services with their servers from a kernel that does not list them at once. One that goes away
/// meanwhile is left out.
fn read_each<T: Transport>(client: &mut Client<T>) -> Result<Listing, Failure> {
    let mut found = Listing::default();
    for service in explained(client.services(), Attempt::ListServices)? {
        let servers = client.servers(&service.key);
        match explained(servers, Attempt::ListService(&service.key)) {
            Ok(servers) => found.add(ServiceWithServers { service, servers }),
            Err(failure) if failure.status == ExitStatus::NotFound => {}
            Err(failure) => return Err(failure),
        }
    }
    Ok(found)
}
