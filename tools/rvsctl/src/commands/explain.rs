// SPDX-License-Identifier: GPL-2.0-only
//! `rvsctl explain`.

use serde::Serialize;

use super::{explained, Session};
use crate::cli::ExplainArgs;
use crate::error::{Attempt, Error};
use crate::model::{Candidate, Explanation, Flow};
use crate::netlink::Transport;
use crate::output::{explanation, json};

pub fn explain<T: Transport>(
    session: &mut Session<'_, T>,
    arguments: &ExplainArgs,
) -> Result<(), Error> {
    let flow = arguments.flow.0;
    let told = explained(session.client.explain(&flow), Attempt::Explain(&flow))?;
    let servers = match &told.service {
        Some(key) => explained(session.client.brief_servers(key), Attempt::Explain(&flow))?,
        None => Vec::new(),
    };
    let mut servers: Vec<_> = servers
        .iter()
        .map(|server| Candidate::of(server, told.server))
        .collect();
    servers.sort_by_key(|server| server.endpoint);
    if arguments.format.json {
        #[derive(Serialize)]
        struct Answer<'a> {
            flow: Flow,
            #[serde(flatten)]
            told: &'a Explanation,
            servers: &'a [Candidate],
        }
        let answer = Answer {
            flow,
            told: &told,
            servers: &servers,
        };
        return Ok(json::print(session.out, &answer)?);
    }
    Ok(explanation::print(
        session.out,
        &flow,
        &told,
        &servers,
        session.style,
    )?)
}
