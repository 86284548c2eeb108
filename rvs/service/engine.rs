// SPDX-License-Identifier: GPL-2.0-only

//! Persistence engines: what tells the flows of a persistent service that
//! belong together, besides the client's address.

/// A persistence engine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Engine {
    /// The Call-ID of SIP over UDP.
    Sip,
}

impl Engine {
    /// The engine of this name.
    pub fn from_name(name: &[u8]) -> Option<Self> {
        (name == Self::Sip.name().as_bytes()).then_some(Self::Sip)
    }

    /// The name by which tools of IPVS know it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sip => "sip",
        }
    }
}
