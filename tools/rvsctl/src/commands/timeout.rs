// SPDX-License-Identifier: GPL-2.0-only
//! `rvsctl timeout`.

use super::{explained, performed, Session};
use crate::cli::{Format, TimeoutArgs};
use crate::error::{Attempt, Error};
use crate::netlink::{TimeoutChange, Transport};
use crate::output::{json, totals};

pub fn show<T: Transport>(session: &mut Session<'_, T>, format: &Format) -> Result<(), Error> {
    let timeouts = explained(session.client.timeouts(), Attempt::ShowTimeouts)?;
    if format.json {
        return Ok(json::print(session.out, &timeouts)?);
    }
    Ok(totals::print_timeouts(
        session.out,
        &timeouts,
        session.style,
    )?)
}

pub fn set<T: Transport>(
    session: &mut Session<'_, T>,
    arguments: &TimeoutArgs,
) -> Result<(), Error> {
    let result = session.client.set_timeouts(TimeoutChange {
        tcp: arguments.tcp,
        tcp_fin: arguments.tcp_fin,
        udp: arguments.udp,
    });
    Ok(performed(result, Attempt::SetTimeouts)?)
}
