// SPDX-License-Identifier: GPL-2.0-only
//! Asking a person before something is lost. Elsewhere than on a terminal nobody is asked, and
//! nothing is lost without `--yes`.

use std::io::{self, BufRead, IsTerminal, Write};

use crate::error::{Error, ExitStatus, Failure};

/// Whether there is a terminal to ask on.
fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Refuses to go on where nobody can be asked: what would be lost is said in `loss`, by which command
/// in `command`. The standard input may be taken already; then it is not `free`.
pub fn require_terminal(loss: &str, command: &str, free: bool) -> Result<(), Failure> {
    if free && can_ask() {
        return Ok(());
    }
    let message = format!("{loss}, and there is no terminal to ask on");
    Err(Failure::new(ExitStatus::Usage, message)
        .tip(format!("`rvsctl {command} --yes` does not ask")))
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
