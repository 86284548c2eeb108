// SPDX-License-Identifier: GPL-2.0-only
//! `rvsctl stats`, `rvsctl drops`, `rvsctl zero` and `rvsctl info`.

use super::{explained, performed, Session};
use crate::cli::Format;
use crate::error::{Attempt, Error};
use crate::model::ServiceKey;
use crate::netlink::Transport;
use crate::output::{json, totals};

pub fn show<T: Transport>(
    session: &mut Session<'_, T>,
    all: bool,
    format: &Format,
) -> Result<(), Error> {
    let figures = explained(session.client.totals(), Attempt::ShowStatistics)?;
    if format.json {
        return Ok(json::print(session.out, &figures)?);
    }
    Ok(totals::print(session.out, &figures, all, session.style)?)
}

pub fn drops<T: Transport>(session: &mut Session<'_, T>, format: &Format) -> Result<(), Error> {
    let figures = explained(session.client.totals(), Attempt::ShowStatistics)?;
    if format.json {
        return Ok(json::print(session.out, &figures.drops)?);
    }
    Ok(totals::print_drops(
        session.out,
        &figures.drops,
        true,
        session.style,
    )?)
}

pub fn zero<T: Transport>(
    session: &mut Session<'_, T>,
    key: Option<&ServiceKey>,
) -> Result<(), Error> {
    let attempt = match key {
        Some(key) => Attempt::ZeroService(key),
        None => Attempt::ZeroEverything,
    };
    let result = session.client.zero(key);
    Ok(performed(result, attempt)?)
}

pub fn info<T: Transport>(session: &mut Session<'_, T>, format: &Format) -> Result<(), Error> {
    let info = explained(session.client.info(), Attempt::ShowInfo)?;
    if format.json {
        return Ok(json::print(session.out, &info)?);
    }
    Ok(totals::print_info(session.out, &info)?)
}
