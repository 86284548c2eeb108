// SPDX-License-Identifier: GPL-2.0-only
//! Listening to what the kernel tells without being asked: multicast groups of the family.

use std::io;
use std::time::Instant;

use netlink_packet_core::NetlinkPayload;
use netlink_packet_generic::constants::{CTRL_CMD_DELFAMILY, GENL_ID_CTRL};
use rustix::io::Errno;

use super::attribute::{Attributes, DecodeError};
use super::client::{CONTROLLER, FAMILY_ID};
use super::event::decode_event;
use super::message::{split, Message};
use super::numbers::command;
use super::socket::KernelSocket;
use super::Error;
use crate::interrupt::{Interrupt, Wake};
use crate::model::Event;

/// The group in which generic netlink tells of families that come and go.
const CONTROLLER_GROUP: u32 = GENL_ID_CTRL as u32;

/// What came of waiting for events.
#[derive(Debug)]
pub enum Heard {
    /// Messages of the kernel.
    Datagram(Vec<u8>),
    /// This program was too slow, or the kernel out of memory: some events are missing.
    Lost,
    /// Nothing more is to be waited for.
    Over(Wake),
}

/// Something that can be listened to.
pub trait Source {
    /// Waits until something is heard, or the deadline is over.
    fn hear(&mut self, deadline: Option<Instant>) -> io::Result<Heard>;
}

/// A socket that listens, until the process is asked to end.
pub struct KernelSource {
    socket: KernelSocket,
    interrupt: Interrupt,
}

impl KernelSource {
    /// Listens to these multicast groups. Refused with `EPERM` without `CAP_NET_ADMIN` over the network
    /// namespace.
    pub fn open(groups: &[u32]) -> io::Result<Self> {
        let socket = KernelSocket::listening()?;
        socket.join(CONTROLLER_GROUP)?;
        for group in groups {
            socket.join(*group)?;
        }
        Ok(Self {
            socket,
            interrupt: Interrupt::catch()?,
        })
    }
}

impl Source for KernelSource {
    fn hear(&mut self, deadline: Option<Instant>) -> io::Result<Heard> {
        loop {
            match self.interrupt.wait(&self.socket, deadline)? {
                Wake::Ready => {}
                over => return Ok(Heard::Over(over)),
            }
            match self.socket.receive_waiting() {
                Ok(datagram) => return Ok(Heard::Datagram(datagram)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if is_overrun(&error) => return Ok(Heard::Lost),
                Err(error) => return Err(error),
            }
        }
    }
}

fn is_overrun(error: &io::Error) -> bool {
    Errno::from_io_error(error) == Some(Errno::NOBUFS)
}

/// The events in a datagram. [`Error::Unloaded`] if it says that the family with this number is gone.
pub fn events(datagram: &[u8], family: u16) -> Result<Vec<Event>, Error> {
    let mut events = Vec::new();
    for message in split(datagram) {
        let message = message.map_err(DecodeError::Malformed)?;
        let NetlinkPayload::InnerMessage(message) = message.payload else {
            continue;
        };
        if message.family == GENL_ID_CTRL {
            refuse_end_of(family, &message)?;
        } else if message.family == family && message.header.cmd == command::EVENT {
            events.push(decode_event(&message.body)?);
        }
    }
    Ok(events)
}

fn refuse_end_of(family: u16, message: &Message) -> Result<(), Error> {
    if message.header.cmd != CTRL_CMD_DELFAMILY {
        return Ok(());
    }
    let attributes = Attributes::parse(&CONTROLLER, &message.body)?;
    match attributes.u16(FAMILY_ID)? == Some(family) {
        true => Err(Error::Unloaded),
        false => Ok(()),
    }
}
