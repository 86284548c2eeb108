// SPDX-License-Identifier: GPL-2.0-only
//! The flow that `rvsctl explain` is asked about.

use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::{Args, ValueEnum};

use super::names::{wrong, Words};
use super::Format;
use crate::model::{Endpoint, Family, Flow, Protocol};
use crate::parse;

/// Protocols of flows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FlowProtocol {
    Tcp,
    Udp,
    Sctp,
}

#[derive(Debug, Args)]
pub struct ExplainArgs {
    #[command(flatten)]
    pub flow: super::names::Named<FlowWords>,

    #[command(flatten)]
    pub format: Format,
}

#[derive(Debug, Args)]
pub struct FlowWords {
    /// Protocol of the flow: tcp, udp or sctp
    #[arg(value_enum, value_name = "PROTOCOL", hide_possible_values = true)]
    protocol: FlowProtocol,

    /// Who opens it, such as 203.0.113.7:4711
    #[arg(value_name = "CLIENT:PORT")]
    client: String,

    /// Whom it speaks to, such as 192.0.2.10:80
    #[arg(value_name = "ADDRESS:PORT")]
    destination: String,

    /// The mark that the firewall gives its packets
    #[arg(long, value_name = "NUMBER", value_parser = parse::fwmark)]
    mark: Option<u32>,
}

impl Words for FlowWords {
    type Meaning = Flow;

    fn meaning(self) -> Result<Flow, clap::Error> {
        let client = end("CLIENT:PORT", &self.client)?;
        let destination = end("ADDRESS:PORT", &self.destination)?;
        if Family::of(client.address) != Family::of(destination.address) {
            let message = format!(
                "the addresses {} and {} are of different families\n\n\
                 For more information, try '--help'.\n",
                client.address, destination.address
            );
            return Err(clap::Error::raw(ErrorKind::ArgumentConflict, message));
        }
        Ok(Flow {
            protocol: match self.protocol {
                FlowProtocol::Tcp => Protocol::TCP,
                FlowProtocol::Udp => Protocol::UDP,
                FlowProtocol::Sctp => Protocol::SCTP,
            },
            client,
            destination,
            mark: self.mark.unwrap_or(0),
        })
    }
}

fn end(argument: &str, text: &str) -> Result<Endpoint, clap::Error> {
    parse::endpoint(text).map_err(|reason| wrong(argument, text, &reason))
}

/// The words without the arrow that may stand between the ends of a flow.
pub fn without_arrow(words: &[OsString]) -> Vec<OsString> {
    let is_question = words.iter().any(|word| word == "explain");
    let is_arrow = |word: &&OsString| is_question && (*word == "->" || *word == "to");
    let rest = words.iter().filter(|word| !is_arrow(word));
    rest.cloned().collect()
}
