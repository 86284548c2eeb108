// SPDX-License-Identifier: GPL-2.0-only
//! `rvsctl watch`.

use std::io;
use std::time::Instant;

use jiff::tz::TimeZone;
use jiff::Timestamp;
use rustix::io::Errno;

use super::{explained, service, Session};
use crate::cli::WatchArgs;
use crate::error::{Attempt, Error, ExitStatus, Failure};
use crate::interrupt::Wake;
use crate::model::{Event, EventKind, Subject, Topic};
use crate::netlink::{self, events, Heard, KernelSource, Source, Transport};
use crate::output::events::Printer;

pub fn watch<T: Transport>(
    session: &mut Session<'_, T>,
    arguments: &WatchArgs,
) -> Result<(), Error> {
    let groups = groups(session, &topics(arguments))?;
    let source = KernelSource::open(&groups).map_err(netlink::Error::from_listening);
    let mut source = explained(source, Attempt::Listen)?;
    follow(session, &mut source, arguments, TimeZone::system())
}

/// What is listened to.
fn topics(arguments: &WatchArgs) -> Vec<Topic> {
    match &arguments.only[..] {
        [] => Topic::ALL.to_vec(),
        only => only.iter().copied().map(Topic::from).collect(),
    }
}

/// The numbers of the multicast groups for these topics.
fn groups<T: Transport>(session: &Session<'_, T>, topics: &[Topic]) -> Result<Vec<u32>, Failure> {
    let group = |topic: &Topic| {
        session.client.group(topic.name()).ok_or_else(|| {
            let message = format!("the loaded module does not tell of '{}'", topic.name());
            Failure::new(ExitStatus::Refused, message)
                .tip("`rvsctl info` shows the version of the loaded module")
        })
    };
    topics.iter().map(group).collect()
}

/// Prints what is heard until it is enough. Where events were lost, what is configured is listed once
/// all that was not lost is printed: then whoever follows knows again how things stand.
pub fn follow<T: Transport>(
    session: &mut Session<'_, T>,
    source: &mut impl Source,
    arguments: &WatchArgs,
    zone: TimeZone,
) -> Result<(), Error> {
    let mut printer = Printer::new(arguments.format.json, session.style, zone);
    let deadline = arguments.timeout.map(|timeout| Instant::now() + timeout);
    let has_config = topics(arguments).contains(&Topic::Config);
    let mut left = arguments.count;
    let mut is_behind = false;
    if arguments.list {
        list(session, &mut printer)?;
    }
    loop {
        let until = if is_behind {
            Some(Instant::now())
        } else {
            deadline
        };
        let heard = source.hear(until);
        match explained(heard.map_err(netlink::Error::from), Attempt::Listen)? {
            Heard::Datagram(datagram) => {
                let events = events(&datagram, session.client.family());
                for event in explained(events, Attempt::Listen)? {
                    printer.print(session.out, &event)?;
                    session.out.flush()?;
                    if let Some(left) = &mut left {
                        *left -= 1;
                        if *left == 0 {
                            return Ok(());
                        }
                    }
                }
            }
            Heard::Lost if is_behind => {}
            Heard::Lost => {
                printer.print(session.out, &own(EventKind::LOST, Subject::Everything {}))?;
                session.out.flush()?;
                is_behind = true;
            }
            Heard::Over(_) if is_behind => {
                is_behind = false;
                if has_config {
                    list(session, &mut printer)?;
                }
            }
            Heard::Over(Wake::TimeOver) if left.is_some() => return Err(too_few(arguments).into()),
            Heard::Over(_) => return Ok(()),
        }
    }
}

/// The time is over before as many events came as were asked for.
fn too_few(arguments: &WatchArgs) -> Failure {
    let events = match arguments.count {
        Some(1) | None => "no such event came".to_string(),
        Some(count) => format!("fewer than {count} events came"),
    };
    Failure::new(
        ExitStatus::TimeOver,
        format!("{events} within the time given"),
    )
}

/// An event that this program tells itself.
fn own(kind: EventKind, subject: Subject) -> Event {
    Event {
        time: Timestamp::now(),
        kind,
        process: None,
        left_out: 0,
        subject,
    }
}

/// Prints what is configured.
fn list<T: Transport>(session: &mut Session<'_, T>, printer: &mut Printer) -> Result<(), Error> {
    for found in service::read(session, None)?.iter() {
        let key = found.service.key;
        let service = Box::new(found.service);
        let present = own(EventKind::SERVICE_PRESENT, Subject::Service { service });
        printer.print(session.out, &present)?;
        for server in found.servers {
            let subject = Subject::Server {
                service: key,
                server: Box::new(server),
            };
            printer.print(session.out, &own(EventKind::SERVER_PRESENT, subject))?;
        }
    }
    printer.print(session.out, &own(EventKind::LISTED, Subject::Everything {}))?;
    Ok(session.out.flush()?)
}

impl netlink::Error {
    /// Of opening the socket that listens: the kernel refuses to whom it refuses commands.
    fn from_listening(error: io::Error) -> Self {
        match Errno::from_io_error(&error) {
            Some(errno @ Errno::PERM) => Self::Refused {
                errno,
                ack: netlink::ExtendedAck::default(),
            },
            _ => Self::Socket(error),
        }
    }
}
