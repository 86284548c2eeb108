// SPDX-License-Identifier: GPL-2.0-only
//! `rvsctl flush`, which asks a person first.

use std::io::{self, BufRead, IsTerminal, Write};

use super::{performed, service, Session};
use crate::error::{Attempt, Error, ExitStatus, Failure};
use crate::netlink::Transport;

pub fn flush<T: Transport>(session: &mut Session<'_, T>, yes: bool) -> Result<(), Error> {
    if !yes {
        if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
            return Err(unasked().into());
        }
        confirm(session)?;
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

/// Asks on the terminal; anything but a yes is a refusal.
fn confirm<T: Transport>(session: &mut Session<'_, T>) -> Result<(), Error> {
    let found = service::read(session, None)?;
    let servers: usize = found.iter().map(|service| service.servers.len()).sum();
    eprint!(
        "Remove all services ({}) and their real servers ({servers})? [y/N] ",
        found.len()
    );
    io::stderr().flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    if matches!(answer.trim().to_lowercase().as_str(), "y" | "yes") {
        return Ok(());
    }
    Err(Failure::new(ExitStatus::Refused, "nothing was removed").into())
}
