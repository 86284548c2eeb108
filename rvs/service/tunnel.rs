// SPDX-License-Identifier: GPL-2.0-only

//! What stands between the outer and the inner packet of a real server that
//! is reached by tunneling: as configured, and as packets read it.

use core::sync::atomic::{AtomicU64, Ordering};

/// The tunnel to a real server as it was configured. Methods other than tunneling keep it and don't
/// look at it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tunnel {
    /// `IP_VS_CONN_F_TUNNEL_TYPE_*`. Numbers that nobody knows are kept, and mean IP in IP.
    pub kind: u8,
    /// UDP port of GUE, host byte order.
    pub port: u16,
    /// `IP_VS_TUNNEL_ENCAP_FLAG_*`.
    pub flags: u16,
}

/// `IP_VS_CONN_F_TUNNEL_TYPE_GUE`.
pub const GUE: u8 = 1;
/// `IP_VS_CONN_F_TUNNEL_TYPE_GRE`.
pub const GRE: u8 = 2;

/// `IP_VS_TUNNEL_ENCAP_FLAG_CSUM`.
const CHECKSUM: u16 = 1;
/// `IP_VS_TUNNEL_ENCAP_FLAG_REMCSUM`.
const REMOTE_CHECKSUM: u16 = 2;

/// What stands between the two network headers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Encapsulation {
    /// Nothing: IP in IP.
    Ipip,
    /// UDP and the header of generic UDP encapsulation.
    Gue {
        /// UDP destination port.
        port: u16,
        /// Whether UDP has a checksum, which covers the inner packet.
        checksum: bool,
        /// Whether the far end completes the checksums that the sender left to its hardware.
        remote_checksum: bool,
    },
    /// Generic routing encapsulation.
    Gre {
        /// Whether there is a checksum, which covers the inner packet.
        checksum: bool,
    },
}

impl Tunnel {
    /// Whether it puts UDP in front of packets.
    #[inline]
    pub const fn is_gue(self) -> bool {
        self.kind == GUE
    }

    /// What it puts in front of packets (reference §6.5).
    #[inline]
    pub const fn encapsulation(self) -> Encapsulation {
        match self.kind {
            GUE => Encapsulation::Gue {
                port: self.port,
                checksum: self.flags & (CHECKSUM | REMOTE_CHECKSUM) != 0,
                remote_checksum: self.flags & REMOTE_CHECKSUM != 0,
            },
            GRE => Encapsulation::Gre {
                checksum: self.flags & CHECKSUM != 0,
            },
            _ => Encapsulation::Ipip,
        }
    }
}

/// A tunnel that packets read while the configuration changes it: in one piece.
pub struct AtomicTunnel(AtomicU64);

impl AtomicTunnel {
    /// Begins with this one.
    pub const fn new(tunnel: Tunnel) -> Self {
        Self(AtomicU64::new(pack(tunnel)))
    }

    /// The tunnel at present.
    #[inline]
    pub fn load(&self) -> Tunnel {
        let word = self.0.load(Ordering::Relaxed);
        Tunnel {
            kind: (word >> 32) as u8,
            port: (word >> 16) as u16,
            flags: word as u16,
        }
    }

    /// Changes it.
    pub fn store(&self, tunnel: Tunnel) {
        self.0.store(pack(tunnel), Ordering::Relaxed);
    }
}

const fn pack(tunnel: Tunnel) -> u64 {
    ((tunnel.kind as u64) << 32) | ((tunnel.port as u64) << 16) | tunnel.flags as u64
}
