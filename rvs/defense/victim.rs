// SPDX-License-Identifier: GPL-2.0-only

//! Which connections `drop_entry` ends (reference §7): those that were never
//! established, and some that look as if nobody will use them again.

#![forbid(unsafe_code)]

use crate::proto::{sctp, tcp, Protocol};

/// What is known of a connection or a template.
#[derive(Clone, Copy, Debug)]
pub struct Candidate {
    /// IP protocol number; templates may have others than connections.
    pub protocol: u8,
    /// The state's number.
    pub state: u8,
    /// Whether it is a template.
    pub is_template: bool,
    /// Whether others were made under it and live.
    pub controls_others: bool,
    /// Seconds since its last packet.
    pub idle: u32,
    /// Packets from the client. A template has some only if its service schedules each packet.
    pub packets: u32,
}

/// What is done about a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rule {
    /// It stays.
    Spare,
    /// It ends.
    End,
    /// It ends when it is its [turn](Turns), if it is idle.
    EndIdle,
}

/// State of a template under which a connection was established.
const ASSURED: u8 = 1;

/// Nothing is ended before this many seconds without a packet, for being idle.
const IDLE_SECONDS: u32 = 60;

/// Connections with more packets are not ended for being idle.
const FEW_PACKETS: usize = 8;

/// What is done about connections in this state.
#[must_use]
pub fn rule(candidate: &Candidate) -> Rule {
    if candidate.controls_others {
        return Rule::Spare;
    }
    if candidate.is_template {
        return match (candidate.packets, candidate.state) {
            (1.., _) => Rule::EndIdle,
            (0, ASSURED) => Rule::Spare,
            (0, _) => Rule::End,
        };
    }
    match Protocol::from_u8(candidate.protocol) {
        Some(Protocol::Tcp) => match tcp::State::from_u8(candidate.state) {
            Some(tcp::State::SynRecv | tcp::State::SynAck) => Rule::End,
            Some(tcp::State::Established) => Rule::EndIdle,
            _ => Rule::Spare,
        },
        Some(Protocol::Sctp) => match sctp::State::from_u8(candidate.state) {
            Some(sctp::State::Init1 | sctp::State::Init) => Rule::End,
            Some(sctp::State::Established) => Rule::EndIdle,
            _ => Rule::Spare,
        },
        _ => Rule::EndIdle,
    }
}

/// Whose turn it is among idle connections: of those with `n` packets, one in `n` is ended.
#[derive(Default)]
pub struct Turns([u32; FEW_PACKETS]);

impl Turns {
    /// Whether a connection is to be ended.
    pub fn take(&mut self, candidate: &Candidate) -> bool {
        match rule(candidate) {
            Rule::Spare => false,
            Rule::End => true,
            Rule::EndIdle => candidate.idle >= IDLE_SECONDS && self.is_turn(candidate.packets),
        }
    }

    fn is_turn(&mut self, packets: u32) -> bool {
        let index = packets.checked_sub(1).map(|index| index as usize);
        let Some(left) = index.and_then(|index| self.0.get_mut(index)) else {
            return false;
        };
        match left.checked_sub(1) {
            Some(fewer @ 1..) => {
                *left = fewer;
                false
            }
            _ => {
                *left = packets;
                true
            }
        }
    }
}
