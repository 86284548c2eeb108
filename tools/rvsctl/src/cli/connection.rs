// SPDX-License-Identifier: GPL-2.0-only
//! `rvsctl conn`: its commands, and by what connections are selected.

use clap::{Args, Subcommand, ValueEnum};

use super::names::{self, Words};
use super::{help, EndpointRef, Format, Method, ServiceRef};
use crate::model::{ForwardingMethod, Protocol};
use crate::netlink::ConnectionFilter;
use crate::parse::{self, AddressWithPort};

#[derive(Debug, Subcommand)]
pub enum ConnCommand {
    /// List connections: all, or those that filters select
    #[command(alias = "ls", after_help = help::CONN_LIST)]
    List(ConnListArgs),

    /// End the connections that filters select
    #[command(
        after_help = help::CONN_KILL,
        override_usage = "rvsctl conn kill [FILTERS] [OPTIONS]\n       rvsctl conn kill --all [--yes]"
    )]
    Kill(ConnKillArgs),
}

#[derive(Debug, Args)]
pub struct ConnListArgs {
    #[command(flatten)]
    pub filter: names::Named<FilterWords>,

    /// Only say how many there are
    #[arg(long, conflicts_with_all = ["sort", "limit", "times"])]
    pub count: bool,

    /// Sort by: client, virtual, server, state, age, idle, expires
    #[arg(long, value_enum, value_name = "COLUMN", hide_possible_values = true)]
    pub sort: Option<SortKey>,

    /// Largest first
    #[arg(long, requires = "sort")]
    pub reverse: bool,

    /// At most so many
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: Option<u64>,

    /// Also show how long ago they were made and had their last packet
    #[arg(long)]
    pub times: bool,

    #[command(flatten)]
    pub format: Format,
}

#[derive(Debug, Args)]
pub struct ConnKillArgs {
    #[command(flatten)]
    pub filter: names::Named<FilterWords>,

    /// Every connection and template there is
    #[arg(long)]
    pub all: bool,

    /// Do not ask, as is done with --all
    #[arg(long)]
    pub yes: bool,

    /// Tell nobody: do not reset the ends of connections of TCP
    #[arg(long)]
    pub silent: bool,

    #[command(flatten)]
    pub format: Format,
}

/// By what connections are sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SortKey {
    Client,
    Virtual,
    Server,
    State,
    Age,
    Idle,
    Expires,
}

/// Protocols of entries in the connection table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EntryProtocol {
    Tcp,
    Udp,
    Sctp,
    /// Templates of all protocols.
    Ip,
}

/// Heading of the options that select connections.
const FILTERS: &str = "Filters (a connection is meant if all of them fit)";

/// What selects connections; nothing selects all.
#[derive(Debug, Default, Args)]
pub struct FilterWords {
    /// Those of a service, by address or by its name alone
    #[arg(
        long,
        num_args = 1..=2,
        value_names = ["PROTOCOL", "ADDRESS:PORT"],
        help_heading = FILTERS
    )]
    service: Option<Vec<String>>,

    /// It is the service of packets of IPv6 that have the mark
    #[arg(long, requires = "service", help_heading = FILTERS)]
    ipv6: bool,

    /// Those of a real server; by its name, one of --service
    #[arg(long, value_name = "SERVER[:PORT]", value_parser = server, help_heading = FILTERS)]
    server: Option<EndpointRef>,

    /// Those of a client (its port too, if given) or of a network: 10.0.0.0/8
    #[arg(long, value_name = "CLIENT", value_parser = parse::client, help_heading = FILTERS)]
    client: Option<parse::Client>,

    /// Those of a protocol: tcp, udp, sctp; ip for templates of all
    #[arg(long, value_enum, value_name = "NAME", hide_possible_values = true, help_heading = FILTERS)]
    protocol: Option<EntryProtocol>,

    /// Those in these states, as they are listed, with commas
    #[arg(
        long,
        value_name = "NAME",
        value_delimiter = ',',
        value_parser = parse::state,
        help_heading = FILTERS
    )]
    state: Vec<String>,

    /// Those whose packets go so: direct-routing, tunneling, masquerading
    #[arg(long, value_enum, hide_possible_values = true, help_heading = FILTERS)]
    method: Option<Method>,

    /// Made at least so long ago: 90s, 15m, 2h, 1d
    #[arg(long, value_name = "DURATION", value_parser = parse::duration, help_heading = FILTERS)]
    min_age: Option<parse::Milliseconds>,

    /// Made at most so long ago
    #[arg(long, value_name = "DURATION", value_parser = parse::duration, help_heading = FILTERS)]
    max_age: Option<parse::Milliseconds>,

    /// Without a packet for at least so long
    #[arg(long, value_name = "DURATION", value_parser = parse::duration, help_heading = FILTERS)]
    min_idle: Option<parse::Milliseconds>,

    /// With a packet within so long
    #[arg(long, value_name = "DURATION", value_parser = parse::duration, help_heading = FILTERS)]
    max_idle: Option<parse::Milliseconds>,
}

/// Which connections are meant, where services and servers can go by their names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    pub owner: Owner,
    /// What is said besides.
    pub filter: ConnectionFilter,
}

/// Whose connections are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    Anyone,
    /// Those of a real server in any service.
    Server(AddressWithPort),
    /// Those of a service, or of one of its servers.
    Service(ServiceRef, Option<EndpointRef>),
}

impl Selection {
    /// Whether everything is meant.
    pub fn is_open(&self) -> bool {
        self.owner == Owner::Anyone && self.filter.is_open()
    }
}

fn server(text: &str) -> Result<EndpointRef, String> {
    if parse::is_name(text) {
        return Ok(EndpointRef::Name(text.to_string()));
    }
    let AddressWithPort { address, port } = parse::address_with_port(text)?;
    Ok(EndpointRef::Address(address, port))
}

impl FilterWords {
    fn owner(&self) -> Result<Owner, clap::Error> {
        let service = match self.service.as_deref() {
            Some([kind, rest @ ..]) => {
                let address = rest.first().map(String::as_str);
                Some(names::service_ref(kind, address, self.ipv6)?)
            }
            _ => None,
        };
        match (service, self.server.clone()) {
            (Some(service), server) => Ok(Owner::Service(service, server)),
            (None, None) => Ok(Owner::Anyone),
            (None, Some(EndpointRef::Address(address, port))) => {
                Ok(Owner::Server(AddressWithPort { address, port }))
            }
            (None, Some(EndpointRef::Name(name))) => {
                let reason = "a real server's name means one of a service, which --service names";
                Err(names::wrong("SERVER[:PORT]", &name, reason))
            }
        }
    }
}

impl Words for FilterWords {
    type Meaning = Selection;

    fn meaning(self) -> Result<Selection, clap::Error> {
        let owner = self.owner()?;
        let milliseconds = |duration: Option<parse::Milliseconds>| duration.map(|it| it.0);
        let filter = ConnectionFilter {
            protocol: self.protocol.map(|protocol| match protocol {
                EntryProtocol::Tcp => Protocol::TCP,
                EntryProtocol::Udp => Protocol::UDP,
                EntryProtocol::Sctp => Protocol::SCTP,
                EntryProtocol::Ip => Protocol(0),
            }),
            client: self.client,
            method: self.method.map(ForwardingMethod::from),
            states: self.state,
            min_age: milliseconds(self.min_age),
            max_age: milliseconds(self.max_age),
            min_idle: milliseconds(self.min_idle),
            max_idle: milliseconds(self.max_idle),
            ..ConnectionFilter::default()
        };
        Ok(Selection { owner, filter })
    }
}
