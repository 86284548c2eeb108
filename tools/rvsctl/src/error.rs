// SPDX-License-Identifier: GPL-2.0-only
//! What went wrong, in the words and the exit status a person or a script can act on.
//!
//! Error numbers of the kernel mean different things for different requests; [`Attempt`] says what
//! was tried, and [`Failure::explain`] knows what each number means there.

use std::fmt;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use rustix::io::Errno;

use crate::model::{Endpoint, Flow, ServiceKey, SCHEDULERS};
use crate::netlink::{self, ExtendedAck};

/// Exit statuses. They are documented and never change their meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitStatus {
    /// The kernel refused the request, or it was not carried out for another reason.
    Refused = 1,
    /// The command line was wrong. `clap` uses the same number.
    Usage = 2,
    /// There is no such service, real server or network namespace.
    NotFound = 3,
    /// There is such a service or real server already.
    Exists = 4,
    NoPermission = 5,
    /// The kernel has no rvs module loaded.
    NotLoaded = 6,
    /// The time given was over before what was waited for came.
    TimeOver = 7,
    /// `rvsctl diff` found a difference.
    Different = 8,
    /// Somebody else changed the configuration meanwhile.
    Conflict = 9,
}

/// Why the program ends without having done what it was asked.
#[derive(Debug, PartialEq, Eq)]
pub enum Error {
    /// Whoever read the output stopped reading, as `head` does. Nothing is wrong.
    OutputClosed,
    /// A file differs from what is configured, as was asked.
    Different,
    Failure(Failure),
}

/// What ends the reading of a listing before its end: the kernel, or whoever takes its entries.
#[derive(Debug)]
pub enum Interruption {
    Kernel(netlink::Error),
    Output(Error),
}

impl From<netlink::Error> for Interruption {
    fn from(error: netlink::Error) -> Self {
        Self::Kernel(error)
    }
}

impl From<io::Error> for Interruption {
    fn from(error: io::Error) -> Self {
        Self::Output(error.into())
    }
}

impl Interruption {
    /// What it means for `attempt`.
    pub fn explained(self, attempt: Attempt<'_>) -> Error {
        match self {
            Self::Kernel(error) => Failure::explain(error, attempt).into(),
            Self::Output(error) => error,
        }
    }
}

/// What is said on the standard error output, and the exit status.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    pub status: ExitStatus,
    /// What is wrong with what.
    pub message: String,
    /// The kernel's own words.
    pub kernel: Option<String>,
    /// What would be right.
    pub tip: Option<String>,
}

impl Error {
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::OutputClosed => ExitCode::SUCCESS,
            Self::Different => ExitCode::from(ExitStatus::Different as u8),
            Self::Failure(failure) => ExitCode::from(failure.status as u8),
        }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

/// For writing the output; failures of the netlink socket are [`netlink::Error`].
impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::OutputClosed;
        }
        let message = format!("the output cannot be written: {}", meaning(&error));
        Failure::new(ExitStatus::Refused, message).into()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(kernel) = &self.kernel {
            write!(f, "\n  kernel: {kernel}")?;
        }
        if let Some(tip) = &self.tip {
            write!(f, "\n  tip: {tip}")?;
        }
        Ok(())
    }
}

/// What was tried when the kernel answered with an error.
#[derive(Debug, Clone, Copy)]
pub enum Attempt<'a> {
    Connect,
    AddService(&'a ServiceKey, &'a str),
    SetService(&'a ServiceKey, &'a str),
    DeleteService(&'a ServiceKey),
    ListService(&'a ServiceKey),
    ListServices,
    AddServer(&'a ServiceKey, Endpoint),
    SetServer(&'a ServiceKey, Endpoint),
    DeleteServer(&'a ServiceKey, Endpoint),
    DrainServer(&'a ServiceKey, Endpoint),
    UndrainServer(&'a ServiceKey, Endpoint),
    ListConnections,
    KillConnections,
    Explain(&'a Flow),
    ShowStatistics,
    ShowTimeouts,
    SetTimeouts,
    ShowInfo,
    Listen,
    ZeroService(&'a ServiceKey),
    ZeroEverything,
    Flush,
    /// Find a service by its name.
    FindService(&'a str),
    /// Carry out a transaction.
    Apply,
}

impl fmt::Display for Attempt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect => f.write_str("talk to the kernel"),
            Self::AddService(key, _) => write!(f, "add the service {key}"),
            Self::SetService(key, _) => write!(f, "change the service {key}"),
            Self::DeleteService(key) => write!(f, "delete the service {key}"),
            Self::ListService(key) => write!(f, "list the service {key}"),
            Self::ListServices => f.write_str("list the services"),
            Self::AddServer(key, server) => write!(f, "add the real server {server} to {key}"),
            Self::SetServer(key, server) => write!(f, "change the real server {server} of {key}"),
            Self::DeleteServer(key, server) => {
                write!(f, "delete the real server {server} of {key}")
            }
            Self::DrainServer(key, server) => write!(f, "drain the real server {server} of {key}"),
            Self::UndrainServer(key, server) => {
                write!(f, "end the draining of the real server {server} of {key}")
            }
            Self::ListConnections => f.write_str("list the connections"),
            Self::Explain(flow) => write!(f, "explain {flow}"),
            Self::KillConnections => f.write_str("end connections"),
            Self::ShowStatistics => f.write_str("show the statistics"),
            Self::ShowTimeouts => f.write_str("show the timeouts"),
            Self::SetTimeouts => f.write_str("set the timeouts"),
            Self::Listen => f.write_str("listen to events"),
            Self::FindService(name) => write!(f, "find the service '{name}'"),
            Self::Apply => f.write_str("apply the file"),
            Self::ShowInfo => f.write_str("show the module's version"),
            Self::ZeroService(key) => write!(f, "zero the counters of {key}"),
            Self::ZeroEverything => f.write_str("zero the counters"),
            Self::Flush => f.write_str("remove all services"),
        }
    }
}

impl<'a> Attempt<'a> {
    /// The service that had to exist.
    fn service(self) -> Option<&'a ServiceKey> {
        match self {
            Self::SetService(key, _)
            | Self::DeleteService(key)
            | Self::ListService(key)
            | Self::AddServer(key, _)
            | Self::SetServer(key, _)
            | Self::DrainServer(key, _)
            | Self::UndrainServer(key, _)
            | Self::DeleteServer(key, _)
            | Self::ZeroService(key) => Some(key),
            _ => None,
        }
    }
}

impl Failure {
    pub fn new(status: ExitStatus, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            kernel: None,
            tip: None,
        }
    }

    pub fn tip(mut self, tip: impl Into<String>) -> Self {
        self.tip = Some(tip.into());
        self
    }

    /// There is no such service.
    pub fn no_service(key: &ServiceKey) -> Self {
        Self::new(ExitStatus::NotFound, format!("there is no service {key}"))
            .tip("`rvsctl service list` shows the services that exist")
    }

    /// There is no such real server.
    pub fn no_server(service: &ServiceKey, server: Endpoint) -> Self {
        let message = format!("{service} has no real server {server}");
        Self::new(ExitStatus::NotFound, message).tip(format!(
            "`rvsctl server list {service}` shows the servers it has"
        ))
    }

    /// There is nothing of this name; `known` are the names that there are.
    pub fn no_such_name(what: &str, name: &str, known: &[&str]) -> Self {
        let message = format!("there is no {what} called '{name}'");
        let failure = Self::new(ExitStatus::NotFound, message);
        match similar(name, known) {
            Some(similar) => failure.tip(format!("a similar name exists: '{similar}'")),
            None => failure.tip("`rvsctl service list` shows the names that exist"),
        }
    }

    /// A file cannot be read.
    pub fn unreadable_file(file: &Path, error: &io::Error) -> Self {
        let message = format!("cannot read '{}': {}", file.display(), meaning(error));
        Self::new(ExitStatus::Usage, message)
    }

    /// Says what an error of the conversation with the kernel means for what was tried.
    pub fn explain(error: netlink::Error, attempt: Attempt<'_>) -> Self {
        match error {
            netlink::Error::NoFamily(name) => not_loaded(&name),
            netlink::Error::Unloaded => {
                Self::new(ExitStatus::NotLoaded, "the module was unloaded meanwhile")
            }
            netlink::Error::Refused { errno, ack } => {
                let mut failure = refused(errno, &ack, attempt);
                // There the kernel can only say the same again.
                let is_said = matches!(failure.status, ExitStatus::NotFound | ExitStatus::Exists);
                if !is_said || errno == Errno::NOTUNIQ {
                    failure.kernel = words(&ack);
                }
                failure
            }
            other => Self::new(ExitStatus::Refused, format!("cannot {attempt}: {other}")),
        }
    }
}

fn not_loaded(family: &str) -> Failure {
    let module = if family == "IPVS" { "ip_vs" } else { "rvs" };
    Failure::new(
        ExitStatus::NotLoaded,
        format!("the module {module} is not loaded: the kernel has no netlink family {family}"),
    )
    .tip(format!(
        "load it with `modprobe {module}`, or `insmod {module}.ko` where it was built"
    ))
}

/// The kernel's words and the attribute they are about.
fn words(ack: &ExtendedAck) -> Option<String> {
    let about = match (&ack.offending, &ack.missing) {
        (Some(name), _) => format!(" (attribute {name})"),
        (None, Some(name)) => format!(" (attribute {name} is missing)"),
        (None, None) => String::new(),
    };
    match &ack.message {
        Some(message) => Some(format!("{message}{about}")),
        None if about.is_empty() => None,
        None => Some(about.trim_start().to_string()),
    }
}

fn refused(errno: Errno, ack: &ExtendedAck, attempt: Attempt<'_>) -> Failure {
    use ExitStatus::{Exists, NoPermission, Refused};

    if let (Errno::SRCH, Some(key)) = (errno, attempt.service()) {
        return Failure::no_service(key);
    }
    match (errno, attempt) {
        (Errno::PERM | Errno::ACCESS, _) => Failure::new(
            NoPermission,
            format!(
                "no permission to {attempt}: that takes CAP_NET_ADMIN in this network namespace"
            ),
        )
        .tip("run it as root, for example with sudo"),
        (Errno::EXIST, Attempt::AddService(key, _)) => {
            Failure::new(Exists, format!("the service {key} exists already"))
                .tip(format!("`rvsctl service set {key} …` changes it"))
        }
        (Errno::EXIST, Attempt::AddServer(key, server)) => Failure::new(
            Exists,
            format!("{key} has the real server {server} already"),
        )
        .tip(format!("`rvsctl server set {key} {server} …` changes it")),
        // Of names.
        (Errno::NOTUNIQ, _) => Failure::new(Exists, format!("cannot {attempt}")),
        (Errno::NOENT, Attempt::AddService(_, name) | Attempt::SetService(_, name)) => {
            let failure = Failure::new(Refused, format!("the kernel has no scheduler '{name}'"));
            let known = SCHEDULERS.map(|(name, _)| name);
            match similar(name, &known) {
                Some(similar) => failure.tip(format!("a similar one exists: '{similar}'")),
                None if words(ack).is_some() => failure,
                None => failure.tip(format!("schedulers of rvs: {}", known.join(", "))),
            }
        }
        (
            Errno::NOENT,
            Attempt::SetServer(key, server)
            | Attempt::DeleteServer(key, server)
            | Attempt::DrainServer(key, server)
            | Attempt::UndrainServer(key, server),
        ) => Failure::no_server(key, server),
        (Errno::ALREADY, Attempt::UndrainServer(key, server)) => {
            Failure::new(Refused, format!("{server} of {key} is not being drained"))
        }
        (Errno::OPNOTSUPP, _) if words(ack).is_none() => Failure::new(
            Refused,
            format!("cannot {attempt}: the loaded module does not support that"),
        )
        .tip("`rvsctl info` shows the version of the loaded module"),
        (Errno::AFNOSUPPORT, _) if words(ack).is_none() => Failure::new(
            Refused,
            format!("cannot {attempt}: the loaded module does not balance this address family"),
        ),
        (Errno::INVAL, Attempt::AddServer(..)) if words(ack).is_none() => {
            generic(errno, ack, attempt)
                .tip("its address must be unicast, and of the service's family unless tunneled")
        }
        (Errno::INVAL, Attempt::SetTimeouts) if words(ack).is_none() => {
            generic(errno, ack, attempt)
                .tip("the longest timeout is 2147483647 clock ticks: 8589934 s at 250 Hz")
        }
        _ => generic(errno, ack, attempt),
    }
}

/// The name that is most like a misspelled one, if one is.
pub fn similar<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    // From here on `clap` takes names for misspelled, too.
    const LIKE: f64 = 0.7;
    known
        .iter()
        .map(|known| (strsim::jaro(name, known), *known))
        .filter(|(likeness, _)| *likeness > LIKE)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, known)| known)
        // A slip of one key makes short names look unlike each other.
        .or_else(|| {
            let is_near = |known: &&&str| strsim::osa_distance(name, known) == 1;
            known.iter().find(is_near).copied()
        })
}

/// The text of a system error without its number.
fn meaning(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((meaning, _)) => meaning.to_string(),
        None => text,
    }
}

/// The kernel's words replace the text of the error number where there are any.
fn generic(errno: Errno, ack: &ExtendedAck, attempt: Attempt<'_>) -> Failure {
    let message = match ack.message {
        Some(_) => format!("cannot {attempt}"),
        None => format!("cannot {attempt}: {}", meaning(&errno.into())),
    };
    Failure::new(ExitStatus::Refused, message)
}
