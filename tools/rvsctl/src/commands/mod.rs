// SPDX-License-Identifier: GPL-2.0-only
//! What the commands do: one file per noun. They ask the kernel through `netlink` and print through
//! `output`.

mod apply;
mod checks;
mod confirm;
mod connection;
mod drain;
mod explain;
mod find;
mod flush;
mod man;
mod metrics;
mod naming;
mod server;
mod service;
mod statistics;
#[cfg(test)]
mod tests;
mod timeout;
mod top;
mod tunnel;
mod watch;

use std::io::{self, BufWriter, IsTerminal, Write};

use clap::CommandFactory;
use clap_complete::{generate, Shell};
use ratatui::crossterm::terminal;

use crate::cli::{
    Cli, Color, Command, ConnCommand, MetricsArgs, ServerCommand, ServiceCommand, TimeoutCommand,
};
use crate::error::{Attempt, Error, Failure};
use crate::netlink::{self, Client, KernelSocket, Remark, ServerSettings, Transport};
use crate::netns;
use crate::output::table::Style;

/// The family this program is made for.
const FAMILY: &str = "RVS";

/// Environment variable that names another family. `IPVS` has the same commands and attributes as
/// far as it goes, so most of this program can be tried on the kernel's own `ip_vs`.
const FAMILY_VARIABLE: &str = "RVSCTL_FAMILY";

/// What a command works with.
struct Session<'a, T> {
    client: Client<T>,
    out: &'a mut dyn Write,
    style: Style,
    /// The network namespace, if it was named.
    netns: Option<String>,
}

/// Says what an error of the kernel means for `attempt`.
fn explained<R>(result: Result<R, netlink::Error>, attempt: Attempt<'_>) -> Result<R, Failure> {
    result.map_err(|error| Failure::explain(error, attempt))
}

/// Passes on what the kernel remarked about a request that it carried out.
fn performed(result: Result<Remark, netlink::Error>, attempt: Attempt<'_>) -> Result<(), Failure> {
    if let Some(remark) = explained(result, attempt)? {
        eprintln!("note: {remark}");
    }
    Ok(())
}

/// Whether `stream` gets colours.
pub fn style(color: Color, stream: &impl IsTerminal) -> Style {
    let color = match color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => stream.is_terminal() && std::env::var_os("NO_COLOR").is_none(),
    };
    let size = stream.is_terminal().then(terminal::size);
    let columns = size.and_then(Result::ok).map(|(columns, _)| columns.into());
    Style { color, columns }
}

/// Carries out what the command line says.
pub fn run(cli: Cli) -> Result<(), Error> {
    let stdout = io::stdout();
    let style = style(cli.global.color, &stdout);
    let mut out = BufWriter::new(stdout.lock());
    if let Command::Completions { shell } = cli.command {
        return print_completions(&mut out, shell.into());
    }
    if let Command::Man = cli.command {
        return man::print(&mut out);
    }
    if let Command::Metrics(
        arguments @ MetricsArgs {
            listen: Some(address),
            ..
        },
    ) = &cli.command
    {
        return metrics::serve(&cli, arguments, *address);
    }
    if let Some(name) = &cli.global.netns {
        netns::enter(name)?;
    }
    let mut session = Session {
        client: connected()?,
        out: &mut out,
        style,
        netns: cli.global.netns,
    };
    let result = dispatch(&mut session, cli.command);
    out.flush()?;
    result
}

/// A conversation with the family, in the network namespace of the calling thread.
fn connected() -> Result<Client<KernelSocket>, Failure> {
    let attempt = Attempt::Connect;
    let socket = explained(KernelSocket::open().map_err(netlink::Error::from), attempt)?;
    let family = std::env::var(FAMILY_VARIABLE).unwrap_or_else(|_| FAMILY.to_string());
    explained(Client::connect(socket, &family), attempt)
}

/// Prints a shell's script. `generate` panics when its writer fails, so it gets one that cannot.
fn print_completions(out: &mut dyn Write, shell: Shell) -> Result<(), Error> {
    let mut script = Vec::new();
    generate(shell, &mut Cli::command(), "rvsctl", &mut script);
    out.write_all(&script)?;
    Ok(out.flush()?)
}

fn dispatch<T: Transport>(session: &mut Session<'_, T>, command: Command) -> Result<(), Error> {
    match command {
        Command::Service(command) => match command {
            ServiceCommand::Add {
                service,
                scheduler,
                options,
                naming,
            } => service::add(session, &service.0, &scheduler, &options, &naming),
            ServiceCommand::Set { service, change } => {
                let key = session.find(&service.0)?;
                service::set(session, &key, &change)
            }
            ServiceCommand::Del { service } => {
                let key = session.find(&service.0)?;
                service::delete(session, &key)
            }
            ServiceCommand::List(arguments) => service::list(session, &arguments),
        },
        Command::Server(command) => match command {
            ServerCommand::Add {
                server,
                method,
                tunnel,
                weight,
                thresholds,
                naming,
            } => {
                let mut settings = ServerSettings::new(method.into(), weight);
                settings.naming = naming.naming()?;
                let server = session.find_server(&server.0)?;
                server::add(session, &server, settings, tunnel, thresholds)
            }
            ServerCommand::Set { server, change } => {
                let server = session.find_server(&server.0)?;
                server::set(session, &server, &change)
            }
            ServerCommand::Del { server } => {
                let server = session.find_server(&server.0)?;
                server::delete(session, &server)
            }
            ServerCommand::Drain { server, arguments } => {
                let server = session.find_server(&server.0)?;
                drain::drain(session, &server, &arguments)
            }
            ServerCommand::Undrain { server } => {
                let server = session.find_server(&server.0)?;
                drain::undrain(session, &server)
            }
            ServerCommand::List(arguments) => server::list(session, &arguments),
        },
        Command::Conn(ConnCommand::List(arguments)) => connection::list(session, &arguments),
        Command::Conn(ConnCommand::Kill(arguments)) => connection::kill(session, &arguments),
        Command::Stats { all, format } => statistics::show(session, all, &format),
        Command::Explain(arguments) => explain::explain(session, &arguments),
        Command::Drops(format) => statistics::drops(session, &format),
        Command::Timeout(TimeoutCommand::Show(format)) => timeout::show(session, &format),
        Command::Timeout(TimeoutCommand::Set(arguments)) => timeout::set(session, &arguments),
        Command::Zero(service) => {
            let key = session.find_any(service.0.as_ref())?;
            statistics::zero(session, key.as_ref())
        }
        Command::Apply { file, dry_run, yes } => apply::apply(session, &file, dry_run, yes),
        Command::Diff { file } => apply::diff(session, &file),
        Command::Export => apply::export(session),
        Command::Flush { yes } => flush::flush(session, yes),
        Command::Watch(arguments) => watch::watch(session, &arguments),
        Command::Metrics(arguments) => metrics::print(session, &arguments),
        Command::Top(arguments) => top::top(session, &arguments),
        Command::Info(format) => statistics::info(session, &format),
        Command::Completions { .. } | Command::Man => Ok(()),
    }
}
