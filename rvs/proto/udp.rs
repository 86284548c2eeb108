// SPDX-License-Identifier: GPL-2.0-only

//! UDP: a single state, which never counts as active: clients of IPVS rely on a UDP real server
//! showing `ActiveConn` 0. A flow is there until it falls silent.

/// States of a UDP connection, numbered as on the wire of the synchronisation protocol.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum State {
    /// The only one.
    Udp = 0,
}

impl State {
    /// The state with this number.
    #[inline]
    #[must_use]
    pub const fn from_u8(number: u8) -> Option<State> {
        match number {
            0 => Some(State::Udp),
            _ => None,
        }
    }

    /// How the state is shown.
    #[must_use]
    pub const fn name(self) -> &'static str {
        "UDP"
    }

    /// How long a flow lives without a packet unless configured otherwise, seconds.
    #[must_use]
    pub const fn default_timeout(self) -> u32 {
        300
    }
}
