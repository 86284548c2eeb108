// SPDX-License-Identifier: GPL-2.0-only
//! Arguments that name things: services, real servers, forwarding methods, shells. A service's
//! protocol and address are put together here.

use std::fmt;
use std::net::IpAddr;

use clap::builder::{StringValueParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::{ArgMatches, Args, Command, FromArgMatches, ValueEnum};
use clap_complete::Shell;

use super::completed::Completed;
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

/// A virtual service that exists, by address or name.
pub type ServiceName = Named<ServiceWords>;

/// A virtual service to be, by address.
pub type NewService = Named<NewServiceWords>;

/// A virtual service that may be left out.
pub type OptionalServiceName = Named<OptionalServiceWords>;

/// A real server that exists, by address or name, and the service it belongs to.
pub type ServerName = Named<ServerWords>;

/// A real server to be, by address, and the service it will belong to.
pub type NewServer = Named<NewServerWords>;

/// What a service is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServiceRef {
    Key(ServiceKey),
    Name(String),
}

impl fmt::Display for ServiceRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => key.fmt(f),
            Self::Name(name) => f.pad(name),
        }
    }
}

/// What a real server is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndpointRef {
    /// Without a port it has that of its service.
    Address(IpAddr, Option<u16>),
    Name(String),
}

/// What a real server and its service are called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerRef {
    pub service: ServiceRef,
    pub server: EndpointRef,
}

/// The first word of a service's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ServiceKind {
    Tcp,
    Udp,
    Sctp,
    /// A firewall mark in place of protocol and address.
    #[value(alias = "fwmark")]
    Mark,
}

/// Takes the first word of an address, or a name.
fn service_word() -> impl TypedValueParser<Value = String> {
    let kinds = ServiceKind::value_variants().iter();
    let kinds = kinds.filter_map(ValueEnum::to_possible_value).collect();
    Completed::new(StringValueParser::new(), kinds)
}

#[derive(Debug, Args)]
pub struct ServiceWords {
    /// Protocol of the service: tcp, udp or sctp; or mark; or the service's
    /// name alone
    #[arg(value_name = "PROTOCOL", value_parser = service_word(), hide_possible_values = true)]
    kind: String,

    /// Virtual address, such as 192.0.2.10:80; :any for all ports. With mark:
    /// the firewall mark, a number
    #[arg(value_name = "ADDRESS:PORT")]
    address: Option<String>,

    /// The service of packets of IPv6 that have the mark
    #[arg(long)]
    ipv6: bool,
}

#[derive(Debug, Args)]
pub struct NewServiceWords {
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
    /// Only this service: its protocol, tcp, udp or sctp; or mark; or its name
    /// alone
    #[arg(value_name = "PROTOCOL", value_parser = service_word(), hide_possible_values = true)]
    kind: Option<String>,

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

    /// Real server, such as 10.0.0.1:8080; default port: service's; or its name
    #[arg(value_name = "SERVER[:PORT]")]
    server: Option<String>,
}

#[derive(Debug, Args)]
pub struct NewServerWords {
    #[command(flatten)]
    service: ServiceWords,

    /// Real server, such as 10.0.0.1:8080; default port: service's
    #[arg(value_name = "SERVER[:PORT]")]
    server: Option<String>,
}

impl Words for ServiceWords {
    type Meaning = ServiceRef;

    fn meaning(self) -> Result<ServiceRef, clap::Error> {
        service_ref(&self.kind, self.address.as_deref(), self.ipv6)
    }
}

impl Words for NewServiceWords {
    type Meaning = ServiceKey;

    fn meaning(self) -> Result<ServiceKey, clap::Error> {
        service_key(self.kind, &self.address, self.ipv6)
    }
}

impl Words for OptionalServiceWords {
    type Meaning = Option<ServiceRef>;

    fn meaning(self) -> Result<Option<ServiceRef>, clap::Error> {
        let address = self.address.as_deref();
        let kind = self.kind.as_deref();
        kind.map(|kind| service_ref(kind, address, self.ipv6))
            .transpose()
    }
}

impl Words for ServerWords {
    type Meaning = ServerRef;

    fn meaning(self) -> Result<ServerRef, clap::Error> {
        server_ref(self.service, self.server, |text| {
            match parse::is_name(text) {
                true => Ok(EndpointRef::Name(text.to_string())),
                false => address(text),
            }
        })
    }
}

impl Words for NewServerWords {
    type Meaning = ServerRef;

    fn meaning(self) -> Result<ServerRef, clap::Error> {
        server_ref(self.service, self.server, address)
    }
}

fn address(text: &str) -> Result<EndpointRef, String> {
    let (address, port) = parse::address_and_port(text)?;
    Ok(EndpointRef::Address(address, port))
}

/// A service by name is one word, so the server's word comes where an address would be.
fn server_ref(
    service: ServiceWords,
    server: Option<String>,
    read: impl Fn(&str) -> Result<EndpointRef, String>,
) -> Result<ServerRef, clap::Error> {
    let ServiceWords {
        kind,
        address,
        ipv6,
    } = service;
    let is_name = ServiceKind::from_str(&kind, false).is_err() && server.is_none();
    let (address, server) = match is_name {
        true => (None, address),
        false => (address, server),
    };
    let service = service_ref(&kind, address.as_deref(), ipv6)?;
    let server = server.ok_or_else(|| missing("SERVER[:PORT]"))?;
    let reference = read(&server).map_err(|reason| wrong("SERVER[:PORT]", &server, &reason))?;
    Ok(ServerRef {
        service,
        server: reference,
    })
}

/// The service that one word or two name, as those of [`ServiceWords`] do.
pub fn service_ref(
    kind: &str,
    address: Option<&str>,
    ipv6: bool,
) -> Result<ServiceRef, clap::Error> {
    if let Ok(kind) = ServiceKind::from_str(kind, false) {
        let address = address.ok_or_else(|| missing("ADDRESS:PORT"))?;
        return service_key(kind, address, ipv6).map(ServiceRef::Key);
    }
    if address.is_some() || ipv6 || !parse::is_name(kind) {
        let message = format!(
            "invalid value '{kind}' for '<PROTOCOL>'\n  [possible values: tcp, udp, sctp, mark]\n\n  \
             tip: a service's name stands alone\n\n\
             For more information, try '--help'.\n"
        );
        return Err(clap::Error::raw(ErrorKind::InvalidValue, message));
    }
    Ok(ServiceRef::Name(kind.to_string()))
}

/// As `clap` says that an argument is missing.
fn missing(argument: &str) -> clap::Error {
    let message = format!(
        "the following required arguments were not provided:\n  <{argument}>\n\n\
         For more information, try '--help'.\n"
    );
    clap::Error::raw(ErrorKind::MissingRequiredArgument, message)
}

/// An error worded as `clap` words its own.
pub fn wrong(argument: &str, value: &str, reason: &str) -> clap::Error {
    let message = format!(
        "invalid value '{value}' for '<{argument}>': {reason}\n\n\
         For more information, try '--help'.\n"
    );
    clap::Error::raw(ErrorKind::ValueValidation, message)
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
