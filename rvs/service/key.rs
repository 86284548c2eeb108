// SPDX-License-Identifier: GPL-2.0-only

//! What identifies a virtual service, as people configure it and as packets
//! find it.

use crate::packet::{Address, Endpoint, Family, IPPROTO_TCP};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What identifies a virtual service; in the order of listings.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum ServiceKey {
    /// Packets to an address.
    Address {
        /// IP protocol number.
        protocol: u8,
        /// Virtual address and port; port 0 stands for all that have no service of their own.
        endpoint: Endpoint<IpAddr>,
    },
    /// Packets that netfilter rules marked.
    Mark {
        /// The family of the packets.
        family: Family,
        /// The mark, never 0.
        mark: u32,
    },
}

impl ServiceKey {
    /// The family of the packets it serves.
    pub const fn family(self) -> Family {
        match self {
            Self::Address { endpoint, .. } => Family::of(endpoint.addr),
            Self::Mark { family, .. } => family,
        }
    }

    /// Its port; 0 for all ports.
    pub const fn port(self) -> u16 {
        match self {
            Self::Address { endpoint, .. } => endpoint.port,
            Self::Mark { .. } => 0,
        }
    }

    /// Whether it serves all ports of its address.
    pub const fn is_for_all_ports(self) -> bool {
        matches!(
            self,
            Self::Address {
                endpoint: Endpoint { port: 0, .. },
                ..
            }
        )
    }

    /// The key as three words.
    pub fn to_words(self) -> [u64; 3] {
        PackedKey::of(self).0
    }

    /// The key that [`ServiceKey::to_words`] gave these words for.
    pub fn from_words([what, low, high]: [u64; 3]) -> Self {
        let is_ipv6 = (what & !PACKED_MARK) >> 32 == Family::V6 as u64;
        if what & PACKED_MARK != 0 {
            return Self::Mark {
                family: if is_ipv6 { Family::V6 } else { Family::V4 },
                mark: what as u32,
            };
        }
        let addr = if is_ipv6 {
            let octets = (u128::from(high) << 64 | u128::from(low)).to_le_bytes();
            Ipv6Addr::from(octets).into()
        } else {
            Ipv4Addr::from((low as u32).to_le_bytes()).into()
        };
        Self::Address {
            protocol: (what >> 16) as u8,
            endpoint: Endpoint {
                addr,
                port: what as u16,
            },
        }
    }

    /// Whether it serves FTP, and with it the data connections of passive clients.
    pub(super) const fn is_ftp(self) -> bool {
        matches!(
            self,
            Self::Address {
                protocol: IPPROTO_TCP,
                endpoint: Endpoint { port: FTP, .. },
            }
        )
    }
}

/// The port of FTP's control connections.
pub const FTP: u16 = 21;
/// The port from which FTP servers connect to active clients.
pub const FTP_DATA: u16 = 20;

/// A key as three words, which compare and hash quickly: kind, family, protocol and port or mark; then
/// the address.
#[derive(Clone, Copy)]
pub(super) struct PackedKey([u64; 3]);

impl PartialEq for PackedKey {
    /// Word by word: comparing arrays is a call.
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        let (Self([a, b, c]), Self([d, e, f])) = (self, other);
        (a ^ d) | (b ^ e) | (c ^ f) == 0
    }
}

const PACKED_MARK: u64 = 1 << 63;

impl PackedKey {
    #[inline]
    pub(super) const fn of_address(
        family: Family,
        protocol: u8,
        port: u16,
        [low, high]: [u64; 2],
    ) -> Self {
        Self([
            (family as u64) << 32 | (protocol as u64) << 16 | port as u64,
            low,
            high,
        ])
    }

    #[inline]
    pub(super) const fn of_mark(family: Family, mark: u32) -> Self {
        Self([PACKED_MARK | (family as u64) << 32 | mark as u64, 0, 0])
    }

    pub(super) fn of(key: ServiceKey) -> Self {
        match key {
            ServiceKey::Mark { family, mark } => Self::of_mark(family, mark),
            ServiceKey::Address { protocol, endpoint } => {
                let words = match endpoint.addr {
                    IpAddr::V4(addr) => addr.words(),
                    IpAddr::V6(addr) => addr.words(),
                };
                Self::of_address(key.family(), protocol, endpoint.port, words)
            }
        }
    }

    /// A hash that nobody can aim at without the secret, though a clever observer might learn it: the keys
    /// that are in the table are chosen by its owner.
    #[inline]
    pub(super) fn hash(self, [first, second]: [u64; 2]) -> u64 {
        let Self([what, low, high]) = self;
        let hash = folded_product(what ^ first, low ^ second);
        folded_product(hash ^ high, second | 1)
    }
}

#[inline]
fn folded_product(a: u64, b: u64) -> u64 {
    let product = u128::from(a).wrapping_mul(u128::from(b));
    (product >> 64) as u64 ^ product as u64
}
