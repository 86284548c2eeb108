// SPDX-License-Identifier: GPL-2.0-only
//! How a real server is drained.

use clap::Args;

use super::Format;
use crate::model::{DrainPlan, Leftovers};
use crate::parse;

#[derive(Debug, Args)]
pub struct DrainArgs {
    /// End what is left after so long: 30s, 5m; without, wait for all
    #[arg(long, value_name = "DURATION", value_parser = parse::duration)]
    timeout: Option<parse::Milliseconds>,

    /// Then reset connections of TCP at both ends; that is the default
    #[arg(long, requires = "timeout", conflicts_with = "drop")]
    reset: bool,

    /// Then end them without telling anybody
    #[arg(long, requires = "timeout")]
    drop: bool,

    /// Remove the server when nothing is left
    #[arg(long)]
    remove: bool,

    /// Return at once; the kernel goes on by itself
    #[arg(long, conflicts_with = "json")]
    pub no_wait: bool,

    #[command(flatten)]
    pub format: Format,
}

impl DrainArgs {
    /// What the kernel is asked for.
    pub fn plan(&self) -> DrainPlan {
        DrainPlan {
            timeout: self.timeout.map(|timeout| timeout.0),
            leftovers: if self.drop {
                Leftovers::Drop
            } else {
                Leftovers::Reset
            },
            remove: self.remove,
        }
    }
}
