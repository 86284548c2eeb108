// SPDX-License-Identifier: GPL-2.0-only
//! Asking a person before much is lost. Whoever cannot be asked has to say so on the command line.

use std::io::{self, BufRead, IsTerminal, Write};

use crate::error::{Error, ExitStatus, Failure};

/// Whether there is a terminal to ask on.
pub fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks on the terminal; anything but a yes is a refusal, which says that `nothing` happened.
pub fn ask(question: &str, nothing: &str) -> Result<(), Error> {
    eprint!("{question} [y/N] ");
    io::stderr().flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    if matches!(answer.trim().to_lowercase().as_str(), "y" | "yes") {
        return Ok(());
    }
    Err(Failure::new(ExitStatus::Refused, nothing).into())
}
