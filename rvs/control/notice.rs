// SPDX-License-Identifier: GPL-2.0-only

//! Events of the native family as netlink attributes. What they are about
//! looks as it does in listings.

use super::{
    uapi::{cmd, event, packet, top},
    write::{self, addr_attr, be16_attr, family_attr, text_attr, u16_attr, u32_attr, u64_attr},
};
use crate::{
    events::{Event, Group, Sample, Subject, OUTLET},
    packet::Family,
    sys::{genl::Message, net::Net, task::Process, time},
};
use kernel::prelude::*;

/// Sends an event to those who listen in a namespace; `left_out` before it were not sent. From any
/// context.
pub fn notify(net: Net<'_>, event: Event, left_out: u32, subject: Subject<'_>) -> Result {
    let group = event.group();
    OUTLET.send(net, group as u32, cmd::EVENT, |message| {
        message.nest(top::EVENT, true, |message| {
            u32_attr(message, event::TYPE, event as u32)?;
            u64_attr(message, event::TIME, time::real_nanoseconds())?;
            if group == Group::Config {
                author(message, &Process::current())?;
            }
            if left_out != 0 {
                u32_attr(message, event::LEFT_OUT, left_out)?;
            }
            details(message, subject)
        })?;
        objects(message, subject)
    })
}

/// Whose doing a change of the configuration is.
fn author(message: &mut Message<'_>, process: &Process) -> Result {
    u32_attr(message, event::PID, process.id)?;
    message.put(event::PROGRAM, process.program())
}

/// What is said of an event besides services and real servers.
fn details(message: &mut Message<'_>, subject: Subject<'_>) -> Result {
    match subject {
        Subject::Defence(strategy) => text_attr(message, event::STRATEGY, strategy),
        Subject::Table {
            family,
            before,
            now,
            entries,
        } => {
            family_attr(message, event::FAMILY, family)?;
            u32_attr(message, event::SLOTS_BEFORE, before)?;
            u32_attr(message, event::SLOTS, now)?;
            u64_attr(message, event::ENTRIES, entries)
        }
        Subject::Packet(reason, sample) => {
            text_attr(message, event::REASON, reason.name())?;
            message.nest(event::PACKET, true, |message| dropped(message, sample))
        }
        _ => Ok(()),
    }
}

fn dropped(message: &mut Message<'_>, sample: &Sample) -> Result {
    family_attr(message, packet::AF, Family::of(sample.src.addr))?;
    u16_attr(message, packet::PROTOCOL, u16::from(sample.protocol))?;
    addr_attr(message, packet::SRC_ADDR, sample.src.addr)?;
    be16_attr(message, packet::SRC_PORT, sample.src.port)?;
    addr_attr(message, packet::DST_ADDR, sample.dst.addr)?;
    be16_attr(message, packet::DST_PORT, sample.dst.port)?;
    u32_attr(message, packet::LENGTH, sample.len)
}

/// The service and real server that an event is about, and what stands beside them at the top.
fn objects(message: &mut Message<'_>, subject: Subject<'_>) -> Result {
    match subject {
        Subject::ServiceKey(key) => write::service_key(message, key),
        Subject::Service(view) => write::service(message, write::NATIVE, view),
        Subject::ServerKey(key, endpoint) => {
            write::service_key(message, key)?;
            write::server_key(message, endpoint)
        }
        Subject::Server(key, view) => {
            write::service_key(message, key)?;
            write::server(message, write::NATIVE, view)
        }
        Subject::Load(key, server) => {
            write::service_key(message, key)?;
            write::server_load(message, server)
        }
        Subject::Timeouts(timeouts) => write::timeouts(message, timeouts),
        _ => Ok(()),
    }
}
