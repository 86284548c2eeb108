// SPDX-License-Identifier: GPL-2.0-only

//! Transport protocols as the balancer follows them: states, what moves a connection between them, and how
//! long each may last without a packet.
//!
//! One file per protocol. States are numbers on the wire of the synchronisation protocol and inside
//! connection entries, so the functions here take `(protocol, state: u8)` pairs and answer for any of
//! them. What a connection is, and when its time is up, is not known here.

#![forbid(unsafe_code)]

pub mod tcp;
pub mod udp;

use crate::packet::{IPPROTO_TCP, IPPROTO_UDP};

/// A transport protocol that is balanced; its discriminant is the IP protocol number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Protocol {
    /// RFC 9293.
    Tcp = IPPROTO_TCP,
    /// RFC 768.
    Udp = IPPROTO_UDP,
}

impl Protocol {
    /// The protocol with this IP protocol number, if it is one that is balanced.
    #[inline]
    #[must_use]
    pub const fn from_u8(number: u8) -> Option<Protocol> {
        match number {
            IPPROTO_TCP => Some(Protocol::Tcp),
            IPPROTO_UDP => Some(Protocol::Udp),
            _ => None,
        }
    }

    /// The protocol's name in capitals, as listings print it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Protocol::Tcp => "TCP",
            Protocol::Udp => "UDP",
        }
    }
}

/// Which way a packet that drives a state machine goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Direction {
    /// From the client, on a connection whose replies pass the director.
    Input,
    /// From the real server.
    Output,
    /// From the client, on a connection whose replies do not pass the director (tunneling, direct routing).
    InputOnly,
}

/// How a state is shown: `ESTABLISHED`, `UDP`. A number that is no state is `ERR!`, as IPVS prints it.
#[must_use]
pub fn state_name(protocol: Protocol, state: u8) -> &'static str {
    let name = match protocol {
        Protocol::Tcp => tcp::State::from_u8(state).map(tcp::State::name),
        Protocol::Udp => udp::State::from_u8(state).map(udp::State::name),
    };
    name.unwrap_or("ERR!")
}

/// How long a connection in `state` lives without a packet, seconds. A number that is no state gets the
/// timeout of a connection that has none yet.
#[inline]
#[must_use]
pub fn timeout(timeouts: &Timeouts, protocol: Protocol, state: u8) -> u32 {
    match protocol {
        Protocol::Tcp => timeouts.tcp(tcp::State::from_u8(state).unwrap_or(tcp::State::None)),
        Protocol::Udp => timeouts.udp,
    }
}

/// The longest timeout that can be configured, seconds: what fits a signed 32-bit count of IPVS's ticks
/// of 4 ms.
pub const MAX_TIMEOUT: u32 = i32::MAX as u32 / 250;

/// How long connections live without a packet, per state, seconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Timeouts {
    /// TCP, by state number.
    pub tcp: [u32; tcp::State::COUNT],
    /// UDP.
    pub udp: u32,
}

impl Default for Timeouts {
    fn default() -> Timeouts {
        Timeouts {
            tcp: tcp::State::ALL.map(tcp::State::default_timeout),
            udp: udp::State::Udp.default_timeout(),
        }
    }
}

/// A timeout to be configured is longer than [`MAX_TIMEOUT`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TimeoutOutOfRange {
    /// The one of established TCP connections.
    Tcp,
    /// The one of TCP connections in FIN_WAIT.
    TcpFin,
    /// The one of UDP.
    Udp,
}

impl Timeouts {
    /// The timeout of TCP connections in `state`, seconds.
    #[inline]
    #[must_use]
    pub fn tcp(&self, state: tcp::State) -> u32 {
        self.tcp[state as usize]
    }

    /// Sets what an operator can set, seconds: established TCP connections, TCP connections in FIN_WAIT,
    /// UDP. 0 keeps a value (IPVS `SET_CONFIG`).
    ///
    /// # Errors
    ///
    /// Names the first argument that is out of range; then nothing was set.
    pub fn set(&mut self, tcp: u32, tcp_fin: u32, udp: u32) -> Result<(), TimeoutOutOfRange> {
        if tcp > MAX_TIMEOUT {
            return Err(TimeoutOutOfRange::Tcp);
        }
        if tcp_fin > MAX_TIMEOUT {
            return Err(TimeoutOutOfRange::TcpFin);
        }
        if udp > MAX_TIMEOUT {
            return Err(TimeoutOutOfRange::Udp);
        }
        let keep_if_zero = |value: &mut u32, new| {
            if new != 0 {
                *value = new;
            }
        };
        keep_if_zero(&mut self.tcp[tcp::State::Established as usize], tcp);
        keep_if_zero(&mut self.tcp[tcp::State::FinWait as usize], tcp_fin);
        keep_if_zero(&mut self.udp, udp);
        Ok(())
    }
}
