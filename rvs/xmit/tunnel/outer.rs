// SPDX-License-Identifier: GPL-2.0-only

//! The outer network header (RFC 2003, RFC 2473), with ECN as RFC 3168 §9.1
//! has it.

use crate::{
    packet::{
        checksum::{pseudo_header_v4, pseudo_header_v6},
        ipv4, ipv6, Family,
    },
    sys::skb::Wrapping,
};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The ends of a tunnel.
#[derive(Clone, Copy)]
pub(super) enum Ends {
    /// IPv4: here and there.
    V4(Ipv4Addr, Ipv4Addr),
    /// IPv6: here and there.
    V6(Ipv6Addr, Ipv6Addr),
}

impl Ends {
    /// From an address of this host to one of the same family.
    pub(super) fn new(here: IpAddr, there: IpAddr) -> Option<Self> {
        match (here, there) {
            (IpAddr::V4(here), IpAddr::V4(there)) => Some(Self::V4(here, there)),
            (IpAddr::V6(here), IpAddr::V6(there)) => Some(Self::V6(here, there)),
            _ => None,
        }
    }

    /// The family of both.
    pub(super) const fn family(self) -> Family {
        match self {
            Self::V4(..) => Family::V4,
            Self::V6(..) => Family::V6,
        }
    }

    /// The length of the header, bytes.
    pub(super) const fn header_len(self) -> usize {
        self.family().header_len()
    }

    /// The sum of the pseudo-header of a packet between them, `len` bytes long without its network header.
    pub(super) fn pseudo_header(self, protocol: u8, len: u32) -> u16 {
        match self {
            Self::V4(here, there) => {
                pseudo_header_v4(ipv4::wire(here), ipv4::wire(there), protocol, len)
            }
            Self::V6(here, there) => {
                pseudo_header_v6(ipv6::wire(here), ipv6::wire(there), protocol, len)
            }
        }
    }
}

/// What an outer header says.
pub(super) struct Outer {
    /// Whence and whereto.
    pub(super) ends: Ends,
    /// Protocol number of what follows.
    pub(super) protocol: u8,
    /// Time to live or hop limit.
    pub(super) ttl: u8,
    /// Type of service or traffic class of the inner packet.
    pub(super) inner_tos: u8,
    /// Routers may not fragment the packet.
    pub(super) dont_fragment: bool,
}

impl Outer {
    /// Puts the header in front. An IPv4 header gets its identification later.
    pub(super) fn put(&self, wrapping: Wrapping<'_, '_>) -> Option<()> {
        // A packet that is cut into segments later can exceed the length field; each segment gets its own.
        let field = |len: usize| u16::try_from(len).unwrap_or(0);
        let len = wrapping.len();
        match self.ends {
            Ends::V4(src, dst) => {
                let mut header = [0; ipv4::HEADER_LEN];
                let outer = ipv4::Outer {
                    src,
                    dst,
                    total_len: field(len.saturating_add(ipv4::HEADER_LEN)),
                    identification: 0,
                    protocol: self.protocol,
                    ttl: self.ttl,
                    inner_tos: self.inner_tos,
                    dont_fragment: self.dont_fragment,
                };
                ipv4::build(&mut header, &outer);
                wrapping.push_network(&header)
            }
            Ends::V6(src, dst) => {
                let mut header = [0; ipv6::HEADER_LEN];
                let outer = ipv6::Outer {
                    src,
                    dst,
                    payload_len: field(len),
                    next_header: self.protocol,
                    hop_limit: self.ttl,
                    inner_tos: self.inner_tos,
                };
                ipv6::build(&mut header, &outer);
                wrapping.push_network(&header)
            }
        }
    }
}
