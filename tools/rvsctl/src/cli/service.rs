// SPDX-License-Identifier: GPL-2.0-only
//! `rvsctl service`: its commands, and what a service can be set to.

use clap::{ArgGroup, Args, Subcommand};

use super::scheduling;
use super::{help, ListArgs, NamingArgs, NewNamingArgs, NewService, ServiceName};
use crate::model::SchedulerOption;
use crate::parse::{self, Mask};

#[derive(Debug, Subcommand)]
pub enum ServiceCommand {
    /// Add a virtual service
    #[command(after_help = help::SERVICE_ADD)]
    Add {
        #[command(flatten)]
        service: NewService,

        /// How the server of a new connection is chosen
        #[arg(
            long,
            short,
            default_value = "wlc",
            value_parser = scheduling::scheduler(),
            hide_possible_values = true,
            value_name = "NAME"
        )]
        scheduler: String,

        #[command(flatten)]
        options: ServiceOptions,

        #[command(flatten)]
        naming: NewNamingArgs,
    },

    /// Change a virtual service; its servers and connections stay
    #[command(
        after_help = help::SERVICE_SET,
        override_usage = "rvsctl service set [OPTIONS] <PROTOCOL> <ADDRESS:PORT>\n       \
                          rvsctl service set [OPTIONS] <NAME>",
        group = ArgGroup::new("change")
            .args([
                "scheduler",
                "options",
                "no_options",
                "persistent",
                "no_persistent",
                "persistence_mask",
                "one_packet",
                "no_one_packet",
                "name",
                "labels",
                "no_labels",
            ])
            .required(true)
            .multiple(true)
    )]
    Set {
        #[command(flatten)]
        service: ServiceName,

        #[command(flatten)]
        change: ServiceChange,
    },

    /// Delete a virtual service with its real servers
    #[command(
        alias = "delete",
        after_help = help::SERVICE_DEL,
        override_usage = "rvsctl service del [OPTIONS] <PROTOCOL> <ADDRESS:PORT>\n       \
                          rvsctl service del [OPTIONS] <NAME>"
    )]
    Del {
        #[command(flatten)]
        service: ServiceName,
    },

    /// List services with their real servers
    #[command(alias = "ls", after_help = help::SERVICE_LIST)]
    List(ListArgs),
}

/// Longest persistence timeout in seconds.
const MAX_PERSISTENCE: i64 = parse::MAX_PERSISTENCE as i64;

/// What a service is given besides its scheduler.
#[derive(Debug, Default, Args)]
pub struct ServiceOptions {
    /// Options of the scheduler (sh and mh have some), with commas
    #[arg(
        long = "option",
        value_name = "NAME",
        value_delimiter = ',',
        value_parser = scheduling::option(),
        hide_possible_values = true,
        aliases = ["scheduler-flags", "sched-flags"]
    )]
    pub options: Vec<&'static SchedulerOption>,

    /// Keep each client at its server while it comes back within so long
    /// [300]
    #[arg(
        long,
        value_name = "SECONDS",
        num_args = 0..=1,
        require_equals = true,
        value_parser = clap::value_parser!(u32).range(1..=MAX_PERSISTENCE)
    )]
    pub persistent: Option<Option<u32>>,

    /// Keep the clients of a network together: 24, 255.255.255.0; IPv6: 64
    #[arg(long, value_name = "MASK", value_parser = parse::mask)]
    pub persistence_mask: Option<Mask>,

    /// Choose a server for each packet of UDP by itself
    #[arg(long)]
    pub one_packet: bool,
}

/// What `service set` changes; at least one of it.
#[derive(Debug, Default, Args)]
pub struct ServiceChange {
    /// How the server of a new connection is chosen; `rvsctl service add
    /// --help` lists them
    #[arg(
        long,
        short,
        value_parser = scheduling::scheduler(),
        hide_possible_values = true,
        value_name = "NAME"
    )]
    pub scheduler: Option<String>,

    #[command(flatten)]
    pub options: ServiceOptions,

    /// Take options of the scheduler away, with commas
    #[arg(
        long = "no-option",
        value_name = "NAME",
        value_delimiter = ',',
        value_parser = scheduling::option(),
        hide_possible_values = true
    )]
    pub no_options: Vec<&'static SchedulerOption>,

    /// Let each connection of a client be scheduled
    #[arg(long, conflicts_with_all = ["persistent", "persistence_mask"])]
    pub no_persistent: bool,

    /// Let packets of UDP make connections
    #[arg(long, conflicts_with = "one_packet")]
    pub no_one_packet: bool,

    #[command(flatten)]
    pub naming: NamingArgs,
}
