// SPDX-License-Identifier: GPL-2.0-only
//! `rvsctl apply`, `diff` and `export`: the configuration as a file.

mod carry_out;

use std::collections::HashMap;
use std::io::Read;
use std::path::Path;

use super::{confirm, explained, Session};
use crate::declaration::{self, export, Comparison, Declaration, Kind, Known, Mistake};
use crate::error::{Attempt, Error, ExitStatus, Failure, Interruption};
use crate::model::{ServiceKey, ServiceWithServers};
use crate::netlink::{self, Consistency, Transport};
use crate::output::changes;

use self::carry_out::Plan;

/// Of so many services, one is read by itself, and more are read with all others.
pub(super) const FEW: usize = 8;

/// How often a configuration that changed while it was read is read again.
const ATTEMPTS: usize = 5;

/// `rvsctl apply FILE`.
pub fn apply<T: Transport>(
    session: &mut Session<'_, T>,
    file: &Path,
    dry_run: bool,
    yes: bool,
) -> Result<(), Error> {
    let text = text_of(file)?;
    let generation = generation(session)?;
    let (declaration, present) = read(session, file, &text)?;
    let comparison = compare(session, &declaration, &present)?;
    if comparison.is_empty() {
        eprintln!("nothing to change");
        return Ok(());
    }
    changes::print(session.out, &comparison, session.style)?;
    if dry_run {
        return Ok(());
    }
    session.out.flush()?;
    let (services, servers) = comparison.count(Kind::Removed);
    if let (false, Some(losses)) = (yes, changes::amounts(services, servers)) {
        let is_file = file != Path::new("-");
        confirm::require_terminal(&format!("this would remove {losses}"), "apply", is_file)?;
        confirm::ask(&format!("Remove {losses}?"), "nothing was changed")?;
    }
    let plan = Plan::new(generation, &declaration, &comparison);
    Ok(plan.carry_out(&mut session.client)?)
}

/// `rvsctl diff FILE`: an error if there is a difference.
pub fn diff<T: Transport>(session: &mut Session<'_, T>, file: &Path) -> Result<(), Error> {
    let text = text_of(file)?;
    let (_, comparison) = steady(session, |session| {
        let (declaration, present) = read(session, file, &text)?;
        compare(session, &declaration, &present)
    })?;
    changes::print(session.out, &comparison, session.style)?;
    match comparison.is_empty() {
        true => Ok(()),
        false => Err(Error::Different),
    }
}

/// `rvsctl export`.
pub fn export<T: Transport>(session: &mut Session<'_, T>) -> Result<(), Error> {
    let before = generation(session)?;
    writeln!(
        session.out,
        "# Services and real servers of rvs; `rvsctl apply FILE` makes them so."
    )?;
    let Session { client, out, .. } = session;
    let read = client.brief_configuration(|service| {
        if let Some(remark) = export::unsayable(&service) {
            eprintln!("note: {remark}");
        }
        writeln!(out)?;
        Ok::<_, Interruption>(export::write(*out, &service)?)
    });
    read.map_err(|ending| ending.explained(Attempt::ListServices))?;
    if generation(session)? != before {
        eprintln!("note: the configuration changed meanwhile, so this may be a mixture");
    }
    Ok(())
}

/// The text of a file; `-` is the standard input.
fn text_of(file: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    let read = match file == Path::new("-") {
        true => std::io::stdin().lock().read_to_string(&mut text).map(drop),
        false => std::fs::read_to_string(file).map(|found| text = found),
    };
    read.map_err(|error| Failure::unreadable_file(file, &error))?;
    Ok(text)
}

/// How often the configuration was changed.
fn generation<T: Transport>(session: &mut Session<'_, T>) -> Result<u64, Failure> {
    let info = explained(session.client.info(), Attempt::ShowInfo)?;
    info.generation.ok_or_else(|| {
        let message = "the loaded module has no transactions";
        Failure::new(ExitStatus::Refused, message).tip("only rvs has them, not ip_vs")
    })
}

/// Runs `read` until the configuration did not change meanwhile. Its generation comes along.
fn steady<T: Transport, R>(
    session: &mut Session<'_, T>,
    mut read: impl FnMut(&mut Session<'_, T>) -> Result<R, Failure>,
) -> Result<(u64, R), Failure> {
    let mut before = generation(session)?;
    for _ in 1..ATTEMPTS {
        let result = read(session)?;
        let after = generation(session)?;
        if after == before {
            return Ok((after, result));
        }
        before = after;
    }
    Ok((before, read(session)?))
}

/// All services by key, name and fingerprint.
fn known<T: Transport>(session: &mut Session<'_, T>) -> Result<Vec<Known>, Failure> {
    let mut found = Vec::new();
    for _ in 0..ATTEMPTS {
        found.clear();
        let listed = session.client.brief_services(|service| {
            found.push(Known {
                key: service.key,
                name: service.identity.name,
                fingerprint: service.fingerprint,
            });
        });
        if explained(listed, Attempt::ListServices)? == Consistency::Consistent {
            break;
        }
    }
    Ok(found)
}

/// The file, and what there is.
fn read<T: Transport>(
    session: &mut Session<'_, T>,
    file: &Path,
    text: &str,
) -> Result<(Declaration, Vec<Known>), Failure> {
    let present = known(session)?;
    let declaration = declaration::read(text, &present);
    let declaration = declaration.map_err(|mistake| mistaken(file, mistake))?;
    Ok((declaration, present))
}

fn mistaken(file: &Path, mistake: Mistake) -> Failure {
    let Mistake { at, message, tip } = mistake;
    let name = match file == Path::new("-") {
        true => "standard input".into(),
        false => file.to_string_lossy(),
    };
    let message = format!("{name}:{}:{}: {message}", at.line, at.column);
    Failure {
        tip,
        ..Failure::new(ExitStatus::Usage, message)
    }
}

/// Everything about a service, its servers in the order in which they were added; `None` if it is gone.
fn described<T: Transport>(
    session: &mut Session<'_, T>,
    key: &ServiceKey,
) -> Result<Option<ServiceWithServers>, Failure> {
    let attempt = Attempt::ListService(key);
    let read = explained(session.client.service(key), attempt);
    let read = read.and_then(|service| {
        let mut servers = explained(session.client.brief_servers(key), attempt)?;
        servers.reverse();
        Ok(ServiceWithServers { service, servers })
    });
    match read {
        Err(failure) if failure.status == ExitStatus::NotFound => Ok(None),
        read => read.map(Some),
    }
}

/// Hands what there is of these services to `each`, in any order. Many are read along with all
/// others, which takes one request; few by themselves.
fn describe<T: Transport>(
    session: &mut Session<'_, T>,
    keys: &[ServiceKey],
    all: usize,
    mut each: impl FnMut(ServiceWithServers),
) -> Result<(), Failure> {
    if keys.len() > all / FEW {
        let read = session.client.brief_configuration(|service| {
            each(service);
            Ok::<_, netlink::Error>(())
        });
        return explained(read, Attempt::ListServices);
    }
    for key in keys {
        described(session, key)?.map(&mut each);
    }
    Ok(())
}

/// What differs between the file and what there is.
fn compare<T: Transport>(
    session: &mut Session<'_, T>,
    declaration: &Declaration,
    present: &[Known],
) -> Result<Comparison, Failure> {
    let mut comparison = Comparison::default();
    let mut is_wanted = declaration.unchanged.clone();
    let positions: HashMap<_, _> = (0_usize..)
        .zip(present)
        .map(|(index, known)| (known.key, index))
        .collect();
    // Declared services that were not compared yet.
    let mut left: HashMap<_, _> = HashMap::new();
    let mut there = Vec::new();
    for (index, service) in declaration.services.iter().enumerate() {
        left.insert(service.key, index);
        if let Some(position) = positions.get(&service.key) {
            is_wanted[*position] = true;
            there.push(service.key);
        }
    }
    describe(session, &there, present.len(), |found| {
        if let Some(index) = left.remove(&found.service.key) {
            comparison.add(index, &declaration.services[index], Some(&found));
        }
    })?;
    for index in left.into_values() {
        comparison.add(index, &declaration.services[index], None);
    }
    comparison.sort();
    for (known, is_wanted) in present.iter().zip(is_wanted) {
        if !is_wanted {
            comparison.remove(known);
        }
    }
    Ok(comparison)
}
