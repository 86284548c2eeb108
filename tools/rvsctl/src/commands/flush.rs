// SPDX-License-Identifier: GPL-2.0-only
//! `rvsctl flush`, which asks a person first.

use super::{confirm, performed, service, Session};
use crate::error::{Attempt, Error};
use crate::netlink::Transport;

pub fn flush<T: Transport>(session: &mut Session<'_, T>, yes: bool) -> Result<(), Error> {
    if !yes {
        confirm::require_terminal("flush removes every service", "flush", true)?;
        let found = service::read(session, None)?;
        let question = format!(
            "Remove all services ({}) and their real servers ({})?",
            found.len(),
            found.server_count()
        );
        confirm::ask(&question, "nothing was removed")?;
    }
    Ok(performed(session.client.flush(), Attempt::Flush)?)
}
