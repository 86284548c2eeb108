// SPDX-License-Identifier: GPL-2.0-only
//! `rvsctl server`: its commands, and what a real server can be set to.

use clap::builder::TypedValueParser;
use clap::{ArgGroup, Args, Subcommand};

use super::{
    help, DrainArgs, ListArgs, Method, NamingArgs, NewNamingArgs, NewServer, ServerName,
    TunnelChecksum, TunnelType,
};

#[derive(Debug, Subcommand)]
pub enum ServerCommand {
    /// Add a real server to a service
    #[command(
        after_help = help::SERVER_ADD,
        override_usage = "rvsctl server add [OPTIONS] <PROTOCOL> <ADDRESS:PORT> <SERVER[:PORT]>\n       \
                          rvsctl server add [OPTIONS] <NAME> <SERVER[:PORT]>"
    )]
    Add {
        #[command(flatten)]
        server: NewServer,

        /// How packets reach the server
        #[arg(
            long,
            short,
            value_enum,
            default_value_t = Method::DirectRouting,
            hide_possible_values = true
        )]
        method: Method,

        #[command(flatten)]
        tunnel: TunnelArgs,

        /// Share of new connections relative to the other servers; 0: none
        #[arg(
            long,
            short,
            default_value_t = 1,
            value_parser = number(),
            value_name = "N"
        )]
        weight: u32,

        #[command(flatten)]
        thresholds: Thresholds,

        #[command(flatten)]
        naming: NewNamingArgs,
    },

    /// Change a real server; its connections stay
    #[command(
        after_help = help::SERVER_SET,
        override_usage = "rvsctl server set [OPTIONS] <PROTOCOL> <ADDRESS:PORT> <SERVER[:PORT]>\n       \
                          rvsctl server set [OPTIONS] <NAME> <SERVER[:PORT]>",
        group = ArgGroup::new("change")
            .args([
                "method", "tunnel_type", "tunnel_port", "tunnel_checksum", "weight", "upper",
                "lower", "name", "labels", "no_labels",
            ])
            .required(true)
            .multiple(true)
    )]
    Set {
        #[command(flatten)]
        server: ServerName,

        #[command(flatten)]
        change: ServerChange,
    },

    /// Remove a real server from a service
    #[command(
        alias = "delete",
        override_usage = "rvsctl server del [OPTIONS] <PROTOCOL> <ADDRESS:PORT> <SERVER[:PORT]>\n       \
                          rvsctl server del [OPTIONS] <NAME> <SERVER[:PORT]>",
        after_help = "Example:\n  rvsctl server del tcp 192.0.2.10:80 10.0.0.1:8080"
    )]
    Del {
        #[command(flatten)]
        server: ServerName,
    },

    /// Take a real server out of service as its connections end
    #[command(
        after_help = help::SERVER_DRAIN,
        override_usage = "rvsctl server drain [OPTIONS] <PROTOCOL> <ADDRESS:PORT> <SERVER[:PORT]>\n       \
                          rvsctl server drain [OPTIONS] <NAME> <SERVER[:PORT]>"
    )]
    Drain {
        #[command(flatten)]
        server: ServerName,

        #[command(flatten)]
        arguments: DrainArgs,
    },

    /// Give a real server that is drained new connections again
    #[command(
        after_help = "Example:\n  rvsctl server undrain tcp 192.0.2.10:80 10.0.0.1:8080",
        override_usage = "rvsctl server undrain [OPTIONS] <PROTOCOL> <ADDRESS:PORT> <SERVER[:PORT]>\n       \
                          rvsctl server undrain [OPTIONS] <NAME> <SERVER[:PORT]>"
    )]
    Undrain {
        #[command(flatten)]
        server: ServerName,
    },

    /// List real servers, by service
    #[command(
        alias = "ls",
        after_help = "Example:\n  rvsctl server list tcp 192.0.2.10:80 --rate"
    )]
    List(ListArgs),
}

/// Largest weight, and largest threshold, that the kernel takes.
const LARGEST: i64 = i32::MAX as i64;

fn number() -> impl TypedValueParser<Value = u32> {
    clap::value_parser!(u32).range(..=LARGEST)
}

/// What is said of the tunnel to a server.
#[derive(Debug, Clone, Copy, Args)]
pub struct TunnelArgs {
    /// What packets travel in: ipip, gue, gre
    #[arg(long, value_enum, value_name = "TYPE", hide_possible_values = true)]
    pub tunnel_type: Option<TunnelType>,

    /// UDP port at which the server takes gue
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub tunnel_port: Option<u16>,

    /// Checksum over gue or gre: none, full; of gue also remote
    #[arg(long, value_enum, value_name = "KIND", hide_possible_values = true)]
    pub tunnel_checksum: Option<TunnelChecksum>,
}

/// How many connections a real server has at most.
#[derive(Debug, Clone, Copy, Args)]
pub struct Thresholds {
    /// No new connections at this many; 0: no limit
    #[arg(
        long = "upper-threshold",
        value_parser = number(),
        value_name = "N"
    )]
    pub upper: Option<u32>,

    /// New connections again below this many; 0: three quarters of the upper
    #[arg(
        long = "lower-threshold",
        value_parser = number(),
        value_name = "N"
    )]
    pub lower: Option<u32>,
}

/// What `server set` changes.
#[derive(Debug, Args)]
pub struct ServerChange {
    /// How packets reach the server: direct-routing, tunneling, masquerading
    #[arg(long, short, value_enum, hide_possible_values = true)]
    pub method: Option<Method>,

    #[command(flatten)]
    pub tunnel: TunnelArgs,

    /// Share of new connections relative to the other servers; 0: none
    #[arg(
        long,
        short,
        value_parser = number(),
        value_name = "N"
    )]
    pub weight: Option<u32>,

    #[command(flatten)]
    pub thresholds: Thresholds,

    #[command(flatten)]
    pub naming: NamingArgs,
}
