// SPDX-License-Identifier: GPL-2.0-only
//! `rvsctl server drain`, which waits until a server has no connections left. The kernel keeps the
//! deadline, so nothing depends on the waiting.

use std::io::IsTerminal;
use std::thread;
use std::time::Duration;

use serde::Serialize;

use super::{explained, performed, Session};
use crate::cli::DrainArgs;
use crate::error::{Attempt, Error};
use crate::model::{Draining, Endpoint, Leftovers, ServiceKey};
use crate::netlink::Transport;
use crate::output::json;

/// Between two questions how far it is.
const PAUSE: Duration = Duration::from_millis(250);

pub fn drain<T: Transport>(
    session: &mut Session<'_, T>,
    &(key, endpoint): &(ServiceKey, Endpoint),
    arguments: &DrainArgs,
) -> Result<(), Error> {
    let plan = arguments.plan();
    let result = session.client.drain_server(&key, endpoint, plan);
    performed(result, Attempt::DrainServer(&key, endpoint))?;
    if arguments.no_wait {
        return Ok(());
    }
    let form = match arguments.format.json {
        true => Form::Json,
        false if std::io::stdout().is_terminal() => Form::Live,
        false => Form::Lines,
    };
    wait(session, &key, endpoint, form)
}

pub fn undrain<T: Transport>(
    session: &mut Session<'_, T>,
    &(key, endpoint): &(ServiceKey, Endpoint),
) -> Result<(), Error> {
    let result = session.client.undrain_server(&key, endpoint);
    Ok(performed(result, Attempt::UndrainServer(&key, endpoint))?)
}

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// One line on a terminal, written again and again.
    Live,
    /// A line for each change.
    Lines,
    Json,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    Draining(Draining),
    /// The server is no longer there.
    Removed,
    /// Somebody gave it new connections again.
    Stopped,
}

fn wait<T: Transport>(
    session: &mut Session<'_, T>,
    key: &ServiceKey,
    endpoint: Endpoint,
    form: Form,
) -> Result<(), Error> {
    let mut before = None;
    loop {
        let servers = session.client.brief_servers(key);
        let servers = explained(servers, Attempt::DrainServer(key, endpoint))?;
        let server = servers.iter().find(|server| server.endpoint == endpoint);
        let progress = match server.map(|server| server.draining) {
            Some(Some(draining)) => Progress::Draining(draining),
            Some(None) => Progress::Stopped,
            None => Progress::Removed,
        };
        show(session, form, before, progress)?;
        match progress {
            Progress::Draining(Draining { done: false, .. }) => {}
            _ => return Ok(()),
        }
        before = Some(progress);
        thread::sleep(PAUSE);
    }
}

fn show<T: Transport>(
    session: &mut Session<'_, T>,
    form: Form,
    before: Option<Progress>,
    progress: Progress,
) -> Result<(), Error> {
    let out = &mut *session.out;
    match form {
        // Back to the begin of the line, which is cleared to its end.
        Form::Live => {
            let end = if is_end(progress) { "\n" } else { "" };
            write!(out, "\r\x1b[K{}{end}", words(before, progress))?;
        }
        Form::Lines if is_news(before, progress) => writeln!(out, "{}", words(before, progress))?,
        Form::Json if is_news(before, progress) => print_json(session, progress)?,
        _ => {}
    }
    Ok(session.out.flush()?)
}

fn is_end(progress: Progress) -> bool {
    !matches!(progress, Progress::Draining(Draining { done: false, .. }))
}

/// Whether there is more to say than that time passes.
fn is_news(before: Option<Progress>, progress: Progress) -> bool {
    match (before, progress) {
        (Some(Progress::Draining(before)), Progress::Draining(now)) => {
            (before.left, before.done) != (now.left, now.done)
        }
        _ => true,
    }
}

/// What is said of the progress to people.
fn words(before: Option<Progress>, progress: Progress) -> String {
    let ended = match before {
        Some(Progress::Draining(Draining {
            left,
            leftovers,
            deadline_milliseconds: Some(..1000),
            ..
        })) if left > 0 => {
            let ended = match leftovers {
                Leftovers::Reset => "reset",
                Leftovers::Drop => "dropped",
            };
            format!("; what was left at the deadline was {ended}")
        }
        _ => String::new(),
    };
    match progress {
        Progress::Draining(draining) if draining.done => format!("{draining}{ended}"),
        Progress::Draining(draining) => draining.to_string(),
        Progress::Removed => format!("drained and removed{ended}"),
        Progress::Stopped => "the draining was ended: it gets new connections again".to_string(),
    }
}

fn print_json<T: Transport>(session: &mut Session<'_, T>, progress: Progress) -> Result<(), Error> {
    #[derive(Serialize)]
    struct Line {
        state: &'static str,
        draining: Option<Draining>,
    }
    let (state, draining) = match progress {
        Progress::Draining(draining) if draining.done => ("drained", Some(draining)),
        Progress::Draining(draining) => ("draining", Some(draining)),
        Progress::Removed => ("removed", None),
        Progress::Stopped => ("stopped", None),
    };
    Ok(json::print_line(session.out, &Line { state, draining })?)
}
