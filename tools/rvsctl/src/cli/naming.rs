// SPDX-License-Identifier: GPL-2.0-only
//! What services and servers are called: `--name` and `--label`.

use clap::Args;

use crate::parse;

/// What a new service or server is called.
#[derive(Debug, Args)]
pub struct NewNamingArgs {
    /// Call it so, in commands, listings and metrics
    #[arg(long, value_name = "NAME", value_parser = parse::name)]
    pub name: Option<String>,

    /// Label it; several times for several labels
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = parse::label)]
    pub labels: Vec<(String, String)>,
}

/// What a service or a server is called from now on.
#[derive(Debug, Default, Args)]
pub struct NamingArgs {
    /// Call it so, in commands, listings and metrics; an empty name takes it
    /// away
    #[arg(long, value_name = "NAME", value_parser = parse::name_or_none)]
    pub name: Option<String>,

    /// Label it; several times for several labels, which replace all present
    /// ones
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = parse::label)]
    pub labels: Vec<(String, String)>,

    /// Take all labels away
    #[arg(long, conflicts_with = "labels")]
    pub no_labels: bool,
}
