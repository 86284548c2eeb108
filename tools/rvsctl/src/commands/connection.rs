// SPDX-License-Identifier: GPL-2.0-only
//! `rvsctl conn`.

use super::Session;
use crate::cli::Format;
use crate::error::{Attempt, Error, Failure};
use crate::model::Connection;
use crate::netlink::{self, Client, Consistency, Transport};
use crate::output::connections::Printer;
use crate::output::json::Array;

pub fn list<T: Transport>(session: &mut Session<'_, T>, format: &Format) -> Result<(), Error> {
    let consistency = if format.json {
        let mut array = Array::begin(session.out);
        let consistency = read(&mut session.client, |connection| {
            Ok(array.entry(connection)?)
        })?;
        array.end()?;
        consistency
    } else {
        let mut printer = Printer::new(session.out, session.style);
        let consistency = read(&mut session.client, |connection| {
            Ok(printer.print(connection)?)
        })?;
        if !printer.end()? {
            eprintln!("no connections");
        }
        consistency
    };
    if consistency == Consistency::Interrupted {
        eprintln!(
            "note: the table changed while it was listed: entries may be missing or come twice"
        );
    }
    Ok(())
}

/// What can end the reading: the kernel, or whoever takes the connections.
enum Interruption {
    Kernel(netlink::Error),
    Output(Error),
}

impl From<netlink::Error> for Interruption {
    fn from(error: netlink::Error) -> Self {
        Self::Kernel(error)
    }
}

fn read<T: Transport>(
    client: &mut Client<T>,
    mut each: impl FnMut(&Connection) -> Result<(), Error>,
) -> Result<Consistency, Error> {
    client
        .connections(|connection| each(&connection).map_err(Interruption::Output))
        .map_err(|interruption| match interruption {
            Interruption::Kernel(error) => Failure::explain(error, Attempt::ListConnections).into(),
            Interruption::Output(error) => error,
        })
}
