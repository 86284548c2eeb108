// SPDX-License-Identifier: GPL-2.0-only
//! `rvsctl metrics`.

use std::net::{SocketAddr, TcpListener};

use super::{connected, explained, service, Session};
use crate::cli::{Cli, MetricsArgs};
use crate::error::{Attempt, Error, ExitStatus, Failure};
use crate::http::{self, Answer};
use crate::netlink::{Client, Transport};
use crate::netns;
use crate::output::metrics::{self, Reading, MEDIA_TYPE};

/// Where the figures are.
const PATH: &str = "/metrics";

/// Prints the figures once.
pub fn print<T: Transport>(
    session: &mut Session<'_, T>,
    arguments: &MetricsArgs,
) -> Result<(), Error> {
    let text = scrape(&mut session.client, arguments)?;
    Ok(session.out.write_all(text.as_bytes())?)
}

/// The figures as they are now.
fn scrape<T: Transport>(
    client: &mut Client<T>,
    arguments: &MetricsArgs,
) -> Result<String, Failure> {
    let reading = Reading {
        info: explained(client.info(), Attempt::ShowInfo)?,
        totals: explained(client.totals(), Attempt::ShowStatistics)?,
        services: service::read_all(client)?,
        limit: arguments.limit,
        keys: arguments.labels.clone(),
    };
    metrics::encode(reading)
        .map_err(|_| Failure::new(ExitStatus::Refused, "the figures cannot be written"))
}

/// Serves the figures to whoever asks for them, until the process is asked to end. The address is that of
/// the present network namespace, whatever the one is that the figures are about.
pub fn serve(cli: &Cli, arguments: &MetricsArgs, address: SocketAddr) -> Result<(), Error> {
    let listener = TcpListener::bind(address).map_err(|error| cannot_listen(address, &error))?;
    if let Some(name) = &cli.global.netns {
        netns::enter(name)?;
    }
    // Whoever may not read the figures is told so now, and not by every scrape.
    scrape(&mut connected()?, arguments)?;
    let address = listener.local_addr().unwrap_or(address);
    eprintln!("the figures are at http://{address}{PATH}");
    let arguments = arguments.clone();
    http::serve(listener, move |path| {
        answer(path, || scrape(&mut connected()?, &arguments))
    })
    .map_err(|error| cannot_listen(address, &error).into())
}

fn cannot_listen(address: SocketAddr, error: &std::io::Error) -> Failure {
    let message = format!("cannot listen at {address}: {error}");
    Failure::new(ExitStatus::Refused, message)
}

/// What is answered to a request for a path.
fn answer(path: &str, scrape: impl FnOnce() -> Result<String, Failure>) -> Answer {
    if path != PATH {
        return Answer::text(404, format!("there is only {PATH}\n"));
    }
    match scrape() {
        Ok(body) => Answer {
            status: 200,
            media_type: MEDIA_TYPE,
            body,
        },
        Err(failure) => Answer::text(503, format!("{failure}\n")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_path_of_the_figures_has_something() {
        let found = answer(PATH, || Ok("rvs_services 3\n".to_string()));
        assert_eq!((found.status, found.media_type), (200, MEDIA_TYPE));
        assert_eq!(found.body, "rvs_services 3\n");
        for path in ["/", "/metrics/", "/metrics?x", "//metrics", "/etc/passwd"] {
            let missing = answer(path, || panic!("{path} was scraped"));
            assert_eq!(missing.status, 404, "{path}");
        }
    }

    #[test]
    fn a_scrape_that_fails_says_why() {
        let failure = || Failure::new(ExitStatus::NotLoaded, "the module rvs is not loaded");
        let answer = answer(PATH, || Err(failure().tip("load it")));
        assert_eq!(answer.status, 503);
        assert_eq!(
            answer.body,
            "the module rvs is not loaded\n  tip: load it\n"
        );
    }
}
