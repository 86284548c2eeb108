// SPDX-License-Identifier: GPL-2.0-only

//! The timeouts of a namespace in ticks, as packets read them while the
//! configuration changes them.

use crate::{
    proto::{self, Protocol},
    sys::time,
};
use core::sync::atomic::{AtomicU32, Ordering};

const TCP_STATES: usize = proto::tcp::State::COUNT;
const SCTP_STATES: usize = proto::sctp::State::COUNT;

/// Timeouts of all states.
pub struct Timeouts {
    tcp: [AtomicU32; TCP_STATES],
    udp: AtomicU32,
    sctp: [AtomicU32; SCTP_STATES],
}

impl Timeouts {
    /// Those of the configuration.
    pub fn new(seconds: &proto::Timeouts) -> Self {
        let timeouts = Self {
            tcp: [const { AtomicU32::new(0) }; TCP_STATES],
            udp: AtomicU32::new(0),
            sctp: [const { AtomicU32::new(0) }; SCTP_STATES],
        };
        timeouts.set(seconds);
        timeouts
    }

    /// Takes over those of the configuration; connections follow with their next packet.
    pub fn set(&self, seconds: &proto::Timeouts) {
        let ticks_of = |protocol, state| time::seconds(proto::timeout(seconds, protocol, state));
        for (ticks, state) in self.tcp.iter().zip(0..) {
            ticks.store(ticks_of(Protocol::Tcp, state), Ordering::Relaxed);
        }
        self.udp
            .store(ticks_of(Protocol::Udp, 0), Ordering::Relaxed);
        for (ticks, state) in self.sctp.iter().zip(0..) {
            ticks.store(ticks_of(Protocol::Sctp, state), Ordering::Relaxed);
        }
    }

    /// How many ticks a connection in this state lives without a packet.
    #[inline]
    pub fn ticks(&self, protocol: Protocol, state: u8) -> u32 {
        let ticks = match protocol {
            Protocol::Tcp => self.tcp.get(usize::from(state)),
            Protocol::Udp | Protocol::Esp | Protocol::Ah => Some(&self.udp),
            Protocol::Sctp => self.sctp.get(usize::from(state)),
        };
        ticks.map_or(0, |ticks| ticks.load(Ordering::Relaxed))
    }
}
