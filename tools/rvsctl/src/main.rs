// SPDX-License-Identifier: GPL-2.0-only
//! `rvsctl` configures and observes rvs, the load balancer in the Linux kernel, over the generic
//! netlink family RVS.
//!
//! The rooms: `cli` declares the command line, `commands` carries it out, `netlink` talks to the
//! kernel, `model` names what the balancer consists of, `output` shows it, `error` words what went
//! wrong and picks the exit status, `interrupt` waits until it is asked to end,
//! `http` answers those who ask over the network, `top` is the live view.

mod cli;
mod commands;
mod error;
mod http;
mod interrupt;
mod model;
mod netlink;
mod netns;
mod output;
mod parse;
mod top;

use std::process::ExitCode;

use crate::error::Error;

fn main() -> ExitCode {
    let cli = cli::Cli::of_process();
    let style = commands::style(cli.global.color, &std::io::stderr());
    match commands::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if let Error::Failure(failure) = &error {
                eprintln!("{} {failure}", style.alarm("error:"));
            }
            error.exit_code()
        }
    }
}
