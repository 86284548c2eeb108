// SPDX-License-Identifier: GPL-2.0-only
//! `rvsctl conn`.

use std::cmp::Ordering;

use serde::Serialize;

use super::{confirm, explained, Session};
use crate::cli::{ConnKillArgs, ConnListArgs, SortKey};
use crate::error::{Attempt, Error, ExitStatus, Failure, Interruption};
use crate::model::Connection;
use crate::netlink::{Client, ConnectionFilter, Transport};
use crate::output::connections::{Columns, Printer};
use crate::output::json::{self, Array};

pub fn list<T: Transport>(
    session: &mut Session<'_, T>,
    arguments: &ConnListArgs,
) -> Result<(), Error> {
    if arguments.count {
        return count(session, arguments);
    }
    let mut filter = session.find_connections(&arguments.filter.0)?;
    let Session {
        client, out, style, ..
    } = session;
    let mut shown = if arguments.format.json {
        Shown::Json(Array::begin(*out))
    } else {
        let columns = Columns {
            times: arguments.times,
        };
        Shown::Table(Printer::new(*out, *style, columns))
    };
    match arguments.sort {
        None => {
            filter.limit = arguments.limit;
            read(client, &filter, |connection| shown.print(&connection))?;
        }
        Some(key) => {
            let mut best = Best::new(key, arguments.reverse, arguments.limit);
            read(client, &filter, |connection| {
                best.add(connection);
                Ok(())
            })?;
            for connection in best.sorted() {
                shown.print(&connection)?;
            }
        }
    }
    shown.end()
}

fn count<T: Transport>(
    session: &mut Session<'_, T>,
    arguments: &ConnListArgs,
) -> Result<(), Error> {
    #[derive(Serialize)]
    struct Count {
        connections: u64,
    }
    let filter = session.find_connections(&arguments.filter.0)?;
    let counted = session.client.count_connections(&filter);
    let connections = explained(counted, Attempt::ListConnections)?;
    if arguments.format.json {
        return Ok(json::print(session.out, &Count { connections })?);
    }
    Ok(writeln!(session.out, "{connections}")?)
}

pub fn kill<T: Transport>(
    session: &mut Session<'_, T>,
    arguments: &ConnKillArgs,
) -> Result<(), Error> {
    #[derive(Serialize)]
    struct Killed {
        killed: u64,
    }
    let is_open = arguments.filter.0.is_open();
    if is_open && !arguments.all {
        return Err(undirected().into());
    }
    if is_open && !arguments.yes {
        let loss = "`conn kill --all` ends every connection";
        confirm::require_terminal(loss, "conn kill --all", true)?;
    }
    let mut filter = session.find_connections(&arguments.filter.0)?;
    if is_open && !arguments.yes {
        let counted = session.client.count_connections(&filter);
        let connections = explained(counted, Attempt::KillConnections)?;
        let question = format!("End all connections and templates ({connections})?");
        confirm::ask(&question, "nothing was ended")?;
    }
    filter.all = arguments.all;
    let result = session.client.kill_connections(&filter, arguments.silent);
    let killed = explained(result, Attempt::KillConnections)?;
    if arguments.format.json {
        return Ok(json::print(session.out, &Killed { killed })?);
    }
    Ok(writeln!(session.out, "{killed} ended")?)
}

fn undirected() -> Failure {
    Failure::new(ExitStatus::Usage, "nothing says which connections to end")
        .tip("name a filter, such as `--client 203.0.113.7`, or `--all` for every one")
}

/// Where connections are shown.
enum Shown<'a> {
    Json(Array<'a>),
    Table(Printer<'a>),
}

impl Shown<'_> {
    fn print(&mut self, connection: &Connection) -> Result<(), Error> {
        match self {
            Self::Json(array) => Ok(array.entry(connection)?),
            Self::Table(printer) => Ok(printer.print(connection)?),
        }
    }

    fn end(self) -> Result<(), Error> {
        match self {
            Self::Json(array) => array.end()?,
            Self::Table(printer) => {
                if !printer.end()? {
                    eprintln!("no connections");
                }
            }
        }
        Ok(())
    }
}

/// The first connections of a sorted listing. Holds no more than twice as many as are asked for.
struct Best {
    key: SortKey,
    reverse: bool,
    limit: usize,
    found: Vec<Connection>,
}

impl Best {
    fn new(key: SortKey, reverse: bool, limit: Option<u64>) -> Self {
        let limit = limit.and_then(|limit| usize::try_from(limit).ok());
        Self {
            key,
            reverse,
            limit: limit.unwrap_or(usize::MAX),
            found: Vec::new(),
        }
    }

    fn add(&mut self, connection: Connection) {
        self.found.push(connection);
        if self.found.len() >= self.limit.saturating_mul(2) {
            self.sort();
        }
    }

    /// Sorts what was found and keeps what is asked for.
    fn sort(&mut self) {
        let Self { key, reverse, .. } = *self;
        self.found.sort_by(|a, b| {
            let order = compare(key, a, b);
            let order = if reverse { order.reverse() } else { order };
            order.then_with(|| compare(SortKey::Client, a, b))
        });
        self.found.truncate(self.limit);
    }

    fn sorted(mut self) -> Vec<Connection> {
        self.sort();
        self.found
    }
}

fn compare(key: SortKey, a: &Connection, b: &Connection) -> Ordering {
    match key {
        SortKey::Client => a.client.cmp(&b.client),
        SortKey::Virtual => a.r#virtual.cmp(&b.r#virtual),
        SortKey::Server => a.server.cmp(&b.server),
        SortKey::State => a.state.cmp(&b.state),
        SortKey::Age => a.age.cmp(&b.age),
        SortKey::Idle => a.idle.cmp(&b.idle),
        SortKey::Expires => a.expires.cmp(&b.expires),
    }
}

fn read<T: Transport>(
    client: &mut Client<T>,
    filter: &ConnectionFilter,
    mut each: impl FnMut(Connection) -> Result<(), Error>,
) -> Result<(), Error> {
    let read = client.connections(filter, |connection| {
        each(connection).map_err(Interruption::Output)
    });
    read.map_err(|ending| ending.explained(Attempt::ListConnections))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::samples::connection;

    fn ports(best: Best) -> Vec<u16> {
        let sorted = best.sorted().into_iter();
        sorted.map(|connection| connection.client.port).collect()
    }

    #[test]
    fn a_sorted_listing_with_a_limit_has_the_first_of_all_and_holds_few() {
        for (reverse, expected) in [(false, [1, 2, 3]), (true, [500, 499, 498])] {
            let mut best = Best::new(SortKey::Client, reverse, Some(3));
            for n in 0..500_u16 {
                best.add(connection(n * 7 % 500 + 1));
                assert!(best.found.len() <= 6);
            }
            assert_eq!(ports(best), expected);
        }
    }

    #[test]
    fn connections_that_are_alike_are_sorted_by_their_client() {
        let mut best = Best::new(SortKey::State, true, None);
        for port in [3, 1, 2] {
            best.add(connection(port));
        }
        assert_eq!(ports(best), [1, 2, 3]);
    }
}
