// SPDX-License-Identifier: GPL-2.0-only
//! `rvsctl metrics`.

use std::net::{SocketAddr, TcpListener};

use super::{connected, explained, service, Session};
use crate::cli::{Cli, MetricsArgs};
use crate::error::{Attempt, Error, ExitStatus, Failure};
use crate::http::{self, Answer, Body};
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
    let reading = read(&mut session.client, arguments)?;
    Ok(metrics::encode(reading, session.out)?)
}

/// The figures as they are now.
fn read<T: Transport>(client: &mut Client<T>, arguments: &MetricsArgs) -> Result<Reading, Failure> {
    Ok(Reading {
        info: explained(client.info(), Attempt::ShowInfo)?,
        totals: explained(client.totals(), Attempt::ShowStatistics)?,
        services: service::read_all(client)?,
        limit: arguments.limit,
        keys: arguments.labels.clone(),
    })
}

/// Serves the figures to whoever asks for them, until the process is asked to end. The address is that of
/// the present network namespace, whatever the one is that the figures are about.
pub fn serve(cli: &Cli, arguments: &MetricsArgs, address: SocketAddr) -> Result<(), Error> {
    let listener = TcpListener::bind(address).map_err(|error| cannot_listen(address, &error))?;
    if let Some(name) = &cli.global.netns {
        netns::enter(name)?;
    }
    // Whoever may not read the figures is told so now, and not by every scrape.
    read(&mut connected()?, arguments)?;
    let address = listener.local_addr().unwrap_or(address);
    eprintln!("the figures are at http://{address}{PATH}");
    let arguments = arguments.clone();
    http::serve(listener, move |path| {
        answer(path, || read(&mut connected()?, &arguments))
    })
    .map_err(|error| cannot_listen(address, &error).into())
}

fn cannot_listen(address: SocketAddr, error: &std::io::Error) -> Failure {
    let message = format!("cannot listen at {address}: {error}");
    Failure::new(ExitStatus::Refused, message)
}

/// What is answered to a request for a path.
fn answer(path: &str, read: impl FnOnce() -> Result<Reading, Failure>) -> Answer {
    if path != PATH {
        return Answer::text(404, format!("there is only {PATH}\n"));
    }
    match read() {
        Ok(reading) => Answer {
            status: 200,
            media_type: MEDIA_TYPE,
            body: Body::Written(Box::new(|out| metrics::encode(reading, out))),
        },
        Err(failure) => Answer::text(503, format!("{failure}\n")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Info, Version};
    use crate::output::samples;

    fn reading() -> Reading {
        Reading {
            info: Info {
                version: Version(0x100),
                connection_table_slots: 0,
                generation: None,
            },
            totals: samples::totals(),
            services: samples::services().into_iter().collect(),
            limit: 100,
            keys: Vec::new(),
        }
    }

    /// The body as it is sent.
    fn sent(answer: Answer) -> String {
        match answer.body {
            Body::Text(text) => text,
            Body::Written(write) => {
                let mut out = Vec::new();
                write(&mut out).unwrap();
                String::from_utf8(out).unwrap()
            }
        }
    }

    #[test]
    fn only_the_path_of_the_figures_has_something() {
        let found = answer(PATH, || Ok(reading()));
        assert_eq!((found.status, found.media_type), (200, MEDIA_TYPE));
        assert!(sent(found).contains("\nrvs_services 3\n"));
        for path in ["/", "/metrics/", "/metrics?x", "//metrics", "/etc/passwd"] {
            let missing = answer(path, || panic!("{path} was read"));
            assert_eq!(missing.status, 404, "{path}");
        }
    }

    #[test]
    fn figures_that_cannot_be_read_are_an_answer_that_says_why() {
        let failure = || Failure::new(ExitStatus::NotLoaded, "the module rvs is not loaded");
        let answer = answer(PATH, || Err(failure().tip("load it")));
        assert_eq!(answer.status, 503);
        assert_eq!(
            sent(answer),
            "the module rvs is not loaded\n  tip: load it\n"
        );
    }
}
