// SPDX-License-Identifier: GPL-2.0-only
//! A kernel for tests: it plays back prepared answers and keeps what it was sent.

use std::collections::VecDeque;
use std::io;

use netlink_packet_core::{NLM_F_ACK_TLVS, NLM_F_CAPPED};
use netlink_packet_generic::GenlHeader;

use super::message::Message;
use super::socket::Transport;

/// Number of the family in every answer.
pub const FAMILY: u16 = 30;

/// Answers each request with the next prepared list of datagrams.
pub struct Script {
    answers: VecDeque<Vec<Vec<u8>>>,
    waiting: VecDeque<Vec<u8>>,
    pub sent: Vec<Vec<u8>>,
}

impl Script {
    pub fn new(answers: Vec<Vec<Vec<u8>>>) -> Self {
        Self {
            answers: answers.into(),
            waiting: VecDeque::new(),
            sent: Vec::new(),
        }
    }
}

impl Transport for Script {
    fn send(&mut self, datagram: &[u8]) -> io::Result<()> {
        self.sent.push(datagram.to_vec());
        let answers = self.answers.pop_front();
        self.waiting.extend(answers.expect("an unexpected request"));
        Ok(())
    }

    fn receive(&mut self) -> io::Result<Vec<u8>> {
        self.waiting
            .pop_front()
            .ok_or_else(|| io::Error::other("the script is over"))
    }
}

/// A netlink message of any kind.
pub fn datagram(family: u16, flags: u16, sequence: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = (payload.len() as u32 + 16).to_ne_bytes().to_vec();
    bytes.extend(family.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes.extend(sequence.to_ne_bytes());
    bytes.extend([0; 4]);
    bytes.extend(payload);
    bytes
}

/// A message of the family with these encoded attributes.
pub fn reply(sequence: u32, command: u8, body: &[u8]) -> Vec<u8> {
    Message {
        family: FAMILY,
        header: GenlHeader {
            cmd: command,
            version: 1,
        },
        body: body.to_vec(),
    }
    .into_datagram(2, sequence)
}

/// The controller's answer that the family has number [`FAMILY`].
pub fn family_reply() -> Vec<u8> {
    let mut payload = vec![1, 2, 0, 0, 6, 0, 1, 0];
    payload.extend(FAMILY.to_ne_bytes());
    payload.extend([0; 2]);
    datagram(16, 0, 1, &payload)
}

/// An acknowledgement without error.
pub fn ack(sequence: u32) -> Vec<u8> {
    capped_error(sequence, 0, &[])
}

/// An error (or with code 0 an acknowledgement) with extended acknowledgement attributes.
pub fn capped_error(sequence: u32, code: i32, extack: &[u8]) -> Vec<u8> {
    let mut payload = code.to_ne_bytes().to_vec();
    payload.extend([0; 16]);
    payload.extend(extack);
    datagram(2, NLM_F_CAPPED | NLM_F_ACK_TLVS, sequence, &payload)
}

/// The end of a dump.
pub fn done(sequence: u32, code: i32, flags: u16) -> Vec<u8> {
    datagram(3, flags, sequence, &code.to_ne_bytes())
}
