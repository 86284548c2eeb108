// SPDX-License-Identifier: GPL-2.0-only

//! Transport protocols as the balancer follows them: states, what moves a connection between them, and how
//! long each may last without a packet.
//!
//! One file per protocol. States are numbers on the wire of the synchronisation protocol and inside
//! connection entries, so the functions here take `(protocol, state: u8)` pairs and answer for any of
//! them. What a connection is, and when its time is up, is not known here.

#![forbid(unsafe_code)]

pub mod sctp;
pub mod tcp;
pub mod udp;

use crate::packet::{IPPROTO_AH, IPPROTO_ESP, IPPROTO_SCTP, IPPROTO_TCP, IPPROTO_UDP};

/// A transport protocol that is balanced; its discriminant is the IP protocol number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Protocol {
    /// RFC 9293.
    Tcp = IPPROTO_TCP,
    /// RFC 768.
    Udp = IPPROTO_UDP,
    /// RFC 9260.
    Sctp = IPPROTO_SCTP,
    /// IPsec's encrypted payload, RFC 4303. Has no connections of its own, see [`Protocol::carrier`].
    Esp = IPPROTO_ESP,
    /// IPsec's authentication header over IPv4, RFC 4302. Has no connections of its own, see
    /// [`Protocol::carrier`].
    Ah = IPPROTO_AH,
}

/// The port on both sides of the UDP flow in which IPsec's keys are agreed (RFC 2408 §2.5.1).
pub const ISAKMP_PORT: u16 = 500;

impl Protocol {
    /// The protocol with this IP protocol number, if it is one that is balanced.
    #[inline]
    #[must_use]
    pub const fn from_u8(number: u8) -> Option<Protocol> {
        match number {
            IPPROTO_TCP => Some(Protocol::Tcp),
            IPPROTO_UDP => Some(Protocol::Udp),
            IPPROTO_SCTP => Some(Protocol::Sctp),
            IPPROTO_ESP => Some(Protocol::Esp),
            IPPROTO_AH => Some(Protocol::Ah),
            _ => None,
        }
    }

    /// The protocol in whose connection a packet of this one travels, and the port on both sides if its
    /// own header has none: IPsec goes where its key exchange, UDP from [`ISAKMP_PORT`] to
    /// [`ISAKMP_PORT`], went. Such a packet never opens a connection, never drives a state machine,
    /// and has no ports or checksums to rewrite.
    #[inline]
    #[must_use]
    pub const fn carrier(self) -> (Protocol, Option<u16>) {
        match self {
            Protocol::Tcp | Protocol::Udp | Protocol::Sctp => (self, None),
            Protocol::Esp | Protocol::Ah => (Protocol::Udp, Some(ISAKMP_PORT)),
        }
    }
}

/// Which packets without a connection may open one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Opening {
    /// Those that open one at its ends: SYN, INIT.
    Strict,
    /// All that do not abort one: a director that took over from another meets flows in their midst
    /// (IPVS `sloppy_tcp`, `sloppy_sctp`).
    Sloppy,
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
        Protocol::Sctp => sctp::State::from_u8(state).map(sctp::State::name),
        Protocol::Esp | Protocol::Ah => None,
    };
    name.unwrap_or("ERR!")
}

/// How long a connection in `state` lives without a packet, seconds. A number that is no state gets the
/// timeout of a connection that has none yet; IPsec has the timeout of its [`Protocol::carrier`].
#[inline]
#[must_use]
pub fn timeout(timeouts: &Timeouts, protocol: Protocol, state: u8) -> u32 {
    match protocol {
        Protocol::Tcp => timeouts.tcp(tcp::State::from_u8(state).unwrap_or(tcp::State::None)),
        Protocol::Udp | Protocol::Esp | Protocol::Ah => timeouts.udp,
        Protocol::Sctp => timeouts.sctp(sctp::State::from_u8(state).unwrap_or(sctp::State::None)),
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
    /// SCTP, by state number.
    pub sctp: [u32; sctp::State::COUNT],
}

impl Default for Timeouts {
    fn default() -> Timeouts {
        Timeouts {
            tcp: tcp::State::ALL.map(tcp::State::default_timeout),
            udp: udp::State::Udp.default_timeout(),
            sctp: sctp::State::ALL.map(sctp::State::default_timeout),
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

    /// The timeout of SCTP associations in `state`, seconds.
    #[inline]
    #[must_use]
    pub fn sctp(&self, state: sctp::State) -> u32 {
        self.sctp[state as usize]
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
