// SPDX-License-Identifier: GPL-2.0-only
//! Arguments that name things: services, real servers, forwarding methods, shells. A service's
//! protocol and address are put together here.

use clap::error::ErrorKind;
use clap::{ArgMatches, Args, Command, FromArgMatches, ValueEnum};
use clap_complete::Shell;

use crate::model::{Encapsulation, Endpoint, Family, ForwardingMethod, Protocol, ServiceKey};
use crate::parse;

/// Several words that mean one thing together.
pub trait Words: Args {
    type Meaning: std::fmt::Debug;

    /// Puts the words together, or says which is wrong and what would be right.
    fn meaning(self) -> Result<Self::Meaning, clap::Error>;
}

/// What the words `W` of a command line mean. Being part of parsing, a wrong word is reported like
/// any other wrong argument, before the kernel is asked for anything.
#[derive(Debug)]
pub struct Named<W: Words>(pub W::Meaning);

impl<W: Words> FromArgMatches for Named<W> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        W::from_arg_matches(matches)?.meaning().map(Self)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl<W: Words> Args for Named<W> {
    fn augment_args(command: Command) -> Command {
        W::augment_args(command)
    }

    fn augment_args_for_update(command: Command) -> Command {
        W::augment_args_for_update(command)
    }
}

/// A virtual service.
pub type ServiceName = Named<ServiceWords>;

/// A virtual service that may be left out.
pub type OptionalServiceName = Named<OptionalServiceWords>;

/// A real server and the service it belongs to.
pub type ServerName = Named<ServerWords>;

/// The first word of a service's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ServiceKind {
    Tcp,
    Udp,
    Sctp,
    /// A firewall mark in place of protocol and address.
    #[value(alias = "fwmark")]
    Mark,
}

#[derive(Debug, Args)]
pub struct ServiceWords {
    /// Protocol of the service: tcp, udp or sctp; or mark
    #[arg(value_name = "PROTOCOL", value_enum, hide_possible_values = true)]
    kind: ServiceKind,

    /// Virtual address, such as 192.0.2.10:80; :any for all ports. With mark:
    /// the firewall mark, a number
    #[arg(value_name = "ADDRESS:PORT")]
    address: String,

    /// The service of packets of IPv6 that have the mark
    #[arg(long)]
    ipv6: bool,
}

#[derive(Debug, Args)]
pub struct OptionalServiceWords {
    /// Only this service: its protocol, tcp, udp or sctp; or mark
    #[arg(
        value_name = "PROTOCOL",
        value_enum,
        hide_possible_values = true,
        requires = "address"
    )]
    kind: Option<ServiceKind>,

    /// Its virtual address, such as 192.0.2.10:80; or its firewall mark
    #[arg(value_name = "ADDRESS:PORT")]
    address: Option<String>,

    /// The service of packets of IPv6 that have the mark
    #[arg(long, requires = "kind")]
    ipv6: bool,
}

#[derive(Debug, Args)]
pub struct ServerWords {
    #[command(flatten)]
    service: ServiceWords,

    /// Real server, such as 10.0.0.1:8080; default port: service's
    #[arg(value_name = "SERVER[:PORT]")]
    server: String,
}

impl Words for ServiceWords {
    type Meaning = ServiceKey;

    fn meaning(self) -> Result<ServiceKey, clap::Error> {
        service_key(self.kind, &self.address, self.ipv6)
    }
}

impl Words for OptionalServiceWords {
    type Meaning = Option<ServiceKey>;

    fn meaning(self) -> Result<Option<ServiceKey>, clap::Error> {
        match (self.kind, self.address) {
            (Some(kind), Some(address)) => service_key(kind, &address, self.ipv6).map(Some),
            _ => Ok(None),
        }
    }
}

impl Words for ServerWords {
    type Meaning = (ServiceKey, Endpoint);

    fn meaning(self) -> Result<(ServiceKey, Endpoint), clap::Error> {
        let service = self.service.meaning()?;
        let server = parse::endpoint_or_port(&self.server, service.port())
            .map_err(|reason| wrong("SERVER[:PORT]", &self.server, &reason))?;
        Ok((service, server))
    }
}

/// An error worded as `clap` words its own.
pub fn wrong(argument: &str, value: &str, reason: &str) -> clap::Error {
    let message = format!(
        "invalid value '{value}' for '<{argument}>': {reason}\n\n\
         For more information, try '--help'.\n"
    );
    clap::Error::raw(ErrorKind::ValueValidation, message)
}

/// The service that two words name, in an option: those of [`ServiceWords`].
pub fn service_by_words(kind: &str, address: &str, ipv6: bool) -> Result<ServiceKey, clap::Error> {
    let known = ServiceKind::from_str(kind, false).map_err(|_| {
        let reason = "it is tcp, udp, sctp or mark";
        wrong("PROTOCOL", kind, reason)
    })?;
    service_key(known, address, ipv6)
}

fn service_key(kind: ServiceKind, address: &str, ipv6: bool) -> Result<ServiceKey, clap::Error> {
    let protocol = match kind {
        ServiceKind::Tcp => Protocol::TCP,
        ServiceKind::Udp => Protocol::UDP,
        ServiceKind::Sctp => Protocol::SCTP,
        ServiceKind::Mark => {
            return Ok(ServiceKey::Fwmark {
                fwmark: parse::fwmark(address).map_err(|reason| wrong("MARK", address, &reason))?,
                family: if ipv6 { Family::Ipv6 } else { Family::Ipv4 },
            })
        }
    };
    let endpoint =
        parse::endpoint(address).map_err(|reason| wrong("ADDRESS:PORT", address, &reason))?;
    if ipv6 {
        return Err(needless_family(endpoint));
    }
    Ok(ServiceKey::Endpoint { protocol, endpoint })
}

/// `--ipv6` beside an address.
fn needless_family(endpoint: Endpoint) -> clap::Error {
    let message = format!(
        "the argument '--ipv6' cannot be used with the address {endpoint}, which has its own family; \
         it is for firewall marks, as in `mark 7 --ipv6`\n\n\
         For more information, try '--help'.\n"
    );
    clap::Error::raw(ErrorKind::ArgumentConflict, message)
}

/// Forwarding methods a real server can be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Method {
    #[value(alias = "direct")]
    DirectRouting,
    #[value(alias = "tunnel")]
    Tunneling,
    #[value(alias = "nat")]
    Masquerading,
    /// Known, to say why nobody needs to choose it.
    #[value(hide = true, alias = "local")]
    LocalNode,
    /// Known, to say that the kernel chooses it.
    #[value(hide = true)]
    Bypass,
}

impl From<Method> for ForwardingMethod {
    fn from(method: Method) -> Self {
        match method {
            Method::DirectRouting => Self::DirectRouting,
            Method::Tunneling => Self::Tunneling,
            Method::Masquerading => Self::Masquerading,
            Method::LocalNode => Self::LocalNode,
            Method::Bypass => Self::Bypass,
        }
    }
}

/// What packets to a tunneling server travel in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TunnelType {
    Ipip,
    Gue,
    Gre,
}

impl TunnelType {
    /// The kernel's number for it.
    pub fn number(self) -> u8 {
        match self {
            Self::Ipip => Encapsulation::IPIP,
            Self::Gue => Encapsulation::GUE,
            Self::Gre => Encapsulation::GRE,
        }
    }
}

/// What protects the packets in a tunnel besides their own checksums.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TunnelChecksum {
    None,
    Full,
    Remote,
}

/// Shells with a completion script.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CompletionShell {
    Bash,
    Zsh,
    Fish,
}

impl From<CompletionShell> for Shell {
    fn from(shell: CompletionShell) -> Self {
        match shell {
            CompletionShell::Bash => Self::Bash,
            CompletionShell::Zsh => Self::Zsh,
            CompletionShell::Fish => Self::Fish,
        }
    }
}
