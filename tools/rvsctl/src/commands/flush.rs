// SPDX-License-Identifier: GPL-2.0-only
//! `rvsctl flush`, which asks a person first.

use super::{confirm, performed, service, Session};
use crate::error::{Attempt, Error, ExitStatus, Failure};
use crate::netlink::Transport;

pub fn flush<T: Transport>(session: &mut Session<'_, T>, yes: bool) -> Result<(), Error> {
    if !yes {
        if !confirm::can_ask() {
            return Err(unasked().into());
        }
        ask(session)?;
    }
    Ok(performed(session.client.flush(), Attempt::Flush)?)
}

fn unasked() -> Failure {
    Failure::new(
        ExitStatus::Usage,
        "flush removes every service, and there is no terminal to ask on",
    )
    .tip("`rvsctl flush --yes` does not ask")
}

/// Asks on the terminal.
fn ask<T: Transport>(session: &mut Session<'_, T>) -> Result<(), Error> {
    let found = service::read(session, None)?;
    let servers: usize = found.iter().map(|service| service.servers.len()).sum();
    let question = format!(
        "Remove all services ({}) and their real servers ({servers})?",
        found.len()
    );
    confirm::ask(&question, "nothing was removed")
}
