// SPDX-License-Identifier: GPL-2.0-only
//! The command line: every command, argument and default, declared for `clap`. What the commands do
//! lives in `commands`.

mod completed;
mod connection;
mod drain;
mod explain;
mod help;
mod names;
mod naming;
mod scheduling;
mod server;
mod service;
#[cfg(test)]
mod tests;
mod watch;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum, ValueHint};

pub use self::connection::{ConnCommand, ConnKillArgs, ConnListArgs, Owner, Selection, SortKey};
pub use self::drain::DrainArgs;
pub use self::explain::ExplainArgs;
pub use self::names::{
    CompletionShell, EndpointRef, Method, NewServer, NewService, OptionalServiceName, ServerName,
    ServerRef, ServiceName, ServiceRef, TunnelChecksum, TunnelType,
};
pub use self::naming::{NamingArgs, NewNamingArgs};
pub use self::server::{ServerChange, ServerCommand, Thresholds, TunnelArgs};
pub use self::service::{ServiceChange, ServiceCommand, ServiceOptions};
pub use self::watch::{MetricsArgs, TopArgs, WatchArgs};

/// Configures and observes rvs, the load balancer in the Linux kernel
///
/// A virtual service is an address that clients connect to; its real servers
/// answer them. The kernel module rvs passes each new connection to one of
/// the servers.
#[derive(Debug, Parser)]
#[command(
    name = "rvsctl",
    version,
    max_term_width = 80,
    arg_required_else_help = true,
    after_help = help::GENERAL
)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,

    #[command(subcommand)]
    pub command: Command,
}

impl Cli {
    /// Reads the command line of this process. A wrong one ends it with status 2, and `--help` with
    /// status 0.
    pub fn of_process() -> Self {
        let words: Vec<_> = std::env::args_os().collect();
        Self::read(&words).unwrap_or_else(|error| error.exit())
    }

    fn read(words: &[OsString]) -> Result<Self, clap::Error> {
        Self::command()
            .try_get_matches_from(explain::without_arrow(words))
            .and_then(|matches| Self::from_arg_matches(&matches))
            .map_err(|error| with_equals_sign(error, words))
    }
}

/// Adds to the error about `--persistent 300`, which other programs take, how it is written here.
/// Without the sign, the number could be the next word of the command.
fn with_equals_sign(mut error: clap::Error, words: &[OsString]) -> clap::Error {
    let seconds = words.windows(2).find_map(|pair| match pair {
        [option, seconds] if option == "--persistent" => seconds.to_str(),
        _ => None,
    });
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if let Some(seconds) = seconds.filter(|text| is_number(text)) {
        if error.kind() == ErrorKind::UnknownArgument {
            let tip = format!("the seconds follow an equals sign: '--persistent={seconds}'");
            let tip = ContextValue::StyledStrs(vec![tip.into()]);
            error.insert(ContextKind::Suggested, tip);
        }
    }
    error
}

/// Examples and exit statuses, as `--help` of the whole has them.
pub fn general_help() -> (&'static str, &'static str) {
    let parts = help::GENERAL.split_once("\n\nExit status:\n");
    let (examples, statuses) = parts.unwrap_or((help::GENERAL, ""));
    (examples.trim_start_matches("Examples:\n"), statuses)
}

/// Heading of the options that every command takes.
const GLOBAL: &str = "Options of every command";

/// Options that every command takes.
#[derive(Debug, Args)]
pub struct Global {
    /// Work in this network namespace (`ip netns` name or path)
    #[arg(long, global = true, value_name = "NAME", help_heading = GLOBAL)]
    pub netns: Option<String>,

    /// Highlighting: auto, always, never
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t = Color::Auto,
        value_name = "WHEN",
        hide_possible_values = true,
        help_heading = GLOBAL
    )]
    pub color: Color,
}

/// When to colour: `auto` on terminals without `NO_COLOR` in the environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Virtual services: add, set, del, list
    #[command(subcommand, after_help = help::SERVICE)]
    Service(ServiceCommand),

    /// Real servers of a service: add, set, del, drain, undrain, list
    #[command(subcommand, after_help = help::SERVER)]
    Server(ServerCommand),

    /// Make services and servers as a file has them, all at once
    #[command(after_help = help::APPLY)]
    Apply {
        /// TOML as of `rvsctl export`, or what `ipvsadm -S` prints; `-` for the
        /// standard input
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,

        /// Only show what would change
        #[arg(long)]
        dry_run: bool,

        /// Do not ask before something is removed
        #[arg(long)]
        yes: bool,
    },

    /// Show how a file differs from what is configured
    #[command(after_help = help::DIFF)]
    Diff {
        /// As for `rvsctl apply`
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
    },

    /// Print services and servers as a file for `rvsctl apply`
    #[command(after_help = help::EXPORT)]
    Export,

    /// Connections: list, kill
    #[command(subcommand, after_help = help::CONN)]
    Conn(ConnCommand),

    /// Tell what would become of a packet, and why
    #[command(after_help = help::EXPLAIN)]
    Explain(ExplainArgs),

    /// Show totals, and why packets were dropped
    #[command(after_help = help::STATS)]
    Stats {
        /// Also show the drop reasons that never occurred
        #[arg(long)]
        all: bool,

        #[command(flatten)]
        format: Format,
    },

    /// List why packets are dropped, and how many were
    #[command(after_help = help::DROPS)]
    Drops(Format),

    /// Tell what happens, one event a line
    #[command(after_help = help::WATCH)]
    Watch(WatchArgs),

    /// Live view of services and servers, and how busy they are
    #[command(after_help = help::TOP)]
    Top(TopArgs),

    /// Figures for Prometheus and the like, printed or served
    #[command(after_help = help::METRICS)]
    Metrics(MetricsArgs),

    /// Timeouts of connections: show, set
    #[command(subcommand, after_help = help::TIMEOUT)]
    Timeout(TimeoutCommand),

    /// Zero the counters of a service and its servers, or all
    #[command(after_help = help::ZERO)]
    Zero(OptionalServiceName),

    /// Remove all services and real servers
    #[command(after_help = help::FLUSH)]
    Flush {
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },

    /// Show the loaded module: version, table, how often it was configured
    Info(Format),

    /// Print the completion script for a shell
    #[command(after_help = help::COMPLETIONS)]
    Completions {
        #[arg(value_enum)]
        shell: CompletionShell,
    },

    /// Print the manual page rvsctl(8), as troff source
    #[command(after_help = help::MAN)]
    Man,
}

#[derive(Debug, Subcommand)]
pub enum TimeoutCommand {
    /// Show after how much silence connections go away
    Show(Format),

    /// Set timeouts; what is not named stays
    #[command(
        after_help = help::TIMEOUT_SET,
        override_usage = "rvsctl timeout set [--tcp SECONDS] [--tcp-fin SECONDS] [--udp SECONDS]"
    )]
    Set(TimeoutArgs),
}

/// Timeouts to set; at least one of them. 0 is not a timeout: on the wire it means "keep".
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub struct TimeoutArgs {
    /// Established TCP connections
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    pub tcp: Option<u32>,

    /// TCP connections after a FIN
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    pub tcp_fin: Option<u32>,

    /// UDP
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    pub udp: Option<u32>,
}

/// For people or for programs.
#[derive(Debug, Args)]
pub struct Format {
    /// Print JSON; its field names are stable
    #[arg(long)]
    pub json: bool,
}

/// What a listing of services and servers shows.
#[derive(Debug, Args)]
pub struct ListArgs {
    #[command(flatten)]
    pub service: OptionalServiceName,

    /// Counters instead of settings
    #[arg(long)]
    pub stats: bool,

    /// Rates per second instead of settings
    #[arg(long, conflicts_with = "stats")]
    pub rate: bool,

    /// All digits instead of 12.3M
    #[arg(long)]
    pub exact: bool,

    #[command(flatten)]
    pub format: Format,
}
