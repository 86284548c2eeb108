// SPDX-License-Identifier: GPL-2.0-only
//! `rvsctl top`.

use std::io::{self, IsTerminal};

use super::{explained, service, Session};
use crate::cli::TopArgs;
use crate::error::{Attempt, Error, ExitStatus, Failure};
use crate::model::{Counted, Pace, Reading};
use crate::netlink::{Client, Transport};
use crate::output::services::{Figures, View};
use crate::output::{json, services, totals};
use crate::top::{self, Options};

pub fn top<T: Transport>(session: &mut Session<'_, T>, arguments: &TopArgs) -> Result<(), Error> {
    if arguments.once || arguments.format.json {
        return once(session, arguments);
    }
    if !io::stdout().is_terminal() {
        let message = "the live view needs a terminal, and the output is none";
        let failure = Failure::new(ExitStatus::Usage, message);
        let tip =
            "`rvsctl top --once` prints the figures of one interval, with --json for programs";
        return Err(failure.tip(tip).into());
    }
    let options = Options {
        interval: arguments.interval,
        filter: arguments.filter.clone(),
        netns: session.netns.clone(),
        has_color: session.style.color,
    };
    top::run(options, || read(&mut session.client))
}

/// All figures now.
fn read<T: Transport>(client: &mut Client<T>) -> Result<Reading, Failure> {
    Ok(Reading {
        services: service::read_all(client)?.iter().collect(),
        totals: explained(client.totals(), Attempt::ShowStatistics)?,
    })
}

/// Prints the rates over one interval.
fn once<T: Transport>(session: &mut Session<'_, T>, arguments: &TopArgs) -> Result<(), Error> {
    let earlier = Counted::of(&read(&mut session.client)?);
    std::thread::sleep(arguments.interval);
    let mut pace = Pace::since(&earlier, read(&mut session.client)?);
    pace.services.retain_mut(|it| {
        let has_filter = |name: String| name.contains(&arguments.filter);
        let is_named = has_filter(services::title(&it.service));
        it.servers
            .retain(|server| is_named || has_filter(services::server_title(server)));
        is_named || !it.servers.is_empty()
    });
    if arguments.format.json {
        return Ok(json::print(session.out, &pace)?);
    }
    totals::print(session.out, &pace.totals, false, session.style)?;
    if pace.services.is_empty() {
        return Ok(());
    }
    writeln!(session.out)?;
    let view = View {
        figures: Figures::Rates,
        exact: false,
    };
    Ok(services::print(
        session.out,
        pace.services.iter(),
        view,
        session.style,
    )?)
}
