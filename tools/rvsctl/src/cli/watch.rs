// SPDX-License-Identifier: GPL-2.0-only
//! The command lines of what observes: `watch`, `top`, `metrics`.

use std::net::SocketAddr;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::Format;
use crate::{model, parse};

#[derive(Debug, Args)]
pub struct WatchArgs {
    /// Only these: config, servers, defence, table, drops
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        hide_possible_values = true,
        value_name = "LIST"
    )]
    pub only: Vec<Topic>,

    /// First tell what is configured
    #[arg(long)]
    pub list: bool,

    /// End after this many events
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,

    /// End after this time, such as 10s, 5m or 1h
    #[arg(long, value_name = "TIME", value_parser = parse::waiting_time)]
    pub timeout: Option<Duration>,

    #[command(flatten)]
    pub format: Format,
}

#[derive(Debug, Args)]
pub struct TopArgs {
    /// Time between two readings, such as 2s
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = parse::waiting_time)]
    pub interval: Duration,

    /// Only services and servers whose addresses or names have this text
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    pub filter: String,

    /// Print the rates over one interval, and end
    #[arg(long)]
    pub once: bool,

    #[command(flatten)]
    pub format: Format,
}

#[derive(Debug, Clone, Args)]
pub struct MetricsArgs {
    /// Serve them over HTTP at this address and port, until ^C
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = parse::listening_address)]
    pub listen: Option<SocketAddr>,

    /// So many services, and so many servers, have series of their own
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub limit: usize,

    /// Every series of services and servers has their label with this key; may
    /// be given several times
    #[arg(long = "label", value_name = "KEY", value_parser = parse::label_key)]
    pub labels: Vec<String>,
}

/// What can be listened to by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Topic {
    Config,
    Servers,
    #[value(alias = "defense")]
    Defence,
    Table,
    Drops,
}

impl From<Topic> for model::Topic {
    fn from(topic: Topic) -> Self {
        match topic {
            Topic::Config => Self::Config,
            Topic::Servers => Self::Servers,
            Topic::Defence => Self::Defence,
            Topic::Table => Self::Table,
            Topic::Drops => Self::Drops,
        }
    }
}
