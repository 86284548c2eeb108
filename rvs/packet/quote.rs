// SPDX-License-Identifier: GPL-2.0-only

//! What errors about packets in tunnels quote, and what they mean for who sent the packet inside: he knows
//! nothing of the tunnel, and may speak the other IP.

use super::{
    gre, gue, icmp, icmpv6, udp, Complaint, Family, IPPROTO_GRE, IPPROTO_IPIP, IPPROTO_IPV6,
    IPPROTO_UDP,
};

/// By what a packet travels inside another.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Carrier {
    /// Nothing but the outer network header.
    Ip,
    /// GUE to this UDP port.
    Gue(u16),
    /// GRE.
    Gre,
}

impl Carrier {
    /// The carrier in the packet whose payload has the protocol number `protocol` and begins with `bytes`, as
    /// far as its first bytes tell, the eight of them that every error quotes (RFC 792). `None` if there is none.
    #[must_use]
    pub fn read(protocol: u8, bytes: &[u8]) -> Option<Self> {
        match protocol {
            IPPROTO_IPIP | IPPROTO_IPV6 => Some(Self::Ip),
            IPPROTO_UDP => Some(Self::Gue(udp::destination_port(bytes.first_chunk()?))),
            IPPROTO_GRE => gre::Header::parse(bytes.first_chunk()?).map(|_| Self::Gre),
            _ => None,
        }
    }
}

/// What is known of the packet inside.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Inside {
    /// Its family.
    pub family: Family,
    /// Where it begins, bytes from the beginning of the outer packet's payload.
    pub offset: usize,
}

impl Inside {
    /// The length of what stands between the network headers, options not included, bytes.
    #[must_use]
    pub const fn needs(protocol: u8) -> usize {
        match protocol {
            IPPROTO_UDP => gue::HEADER_LEN,
            IPPROTO_GRE => gre::HEADER_LEN,
            _ => 0,
        }
    }

    /// The packet inside the one whose payload has the protocol number `protocol` and begins with `bytes`, of
    /// which there are as many as [`Inside::needs`] says. `None` if it is no tunnel's.
    #[must_use]
    pub fn read(protocol: u8, bytes: &[u8]) -> Option<Self> {
        let (inner, offset) = match protocol {
            IPPROTO_IPIP | IPPROTO_IPV6 => (protocol, 0),
            IPPROTO_UDP => {
                let header = gue::Header::parse(bytes.first_chunk()?)?;
                (header.inner, header.header_len)
            }
            IPPROTO_GRE => {
                let header = gre::Header::parse(bytes.first_chunk()?)?;
                (header.inner, header.header_len)
            }
            _ => return None,
        };
        let family = match inner {
            IPPROTO_IPV6 => Family::V6,
            _ => Family::V4,
        };
        Some(Self { family, offset })
    }
}

/// An error about a packet in a tunnel, as who sent the packet inside shall see it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Relayed {
    /// The outer packet may have this many bytes at most; 0 if the router did not tell.
    TooBig(u32),
    /// An error of this type and code.
    Error(u8, u8),
    /// Nothing that he could do something about.
    Nothing,
}

impl Relayed {
    /// What the ICMP header of an error about an outer packet says to a sender of a family. To one of the same
    /// family it is the same error; between families host and router are told apart no more (RFC 4213 §3.4,
    /// RFC 2473 §8).
    #[must_use]
    pub fn read(outer: Family, header: &[u8; icmp::HEADER_LEN], inner: Family) -> Self {
        let (kind, code) = match outer {
            Family::V4 => match icmp::Header::parse(header) {
                icmp::Header {
                    kind: icmp::DEST_UNREACHABLE,
                    code: icmp::FRAG_NEEDED,
                    mtu,
                } => return Self::TooBig(u32::from(mtu)),
                header => (header.kind, header.code),
            },
            Family::V6 => match icmpv6::Header::parse(header) {
                icmpv6::Header {
                    kind: icmpv6::PACKET_TOO_BIG,
                    mtu,
                    ..
                } => return Self::TooBig(mtu),
                header => (header.kind, header.code),
            },
        };
        let told = |complaint: Complaint| {
            let (kind, code, _) = complaint.message(inner);
            Self::Error(kind, code)
        };
        match (outer, kind) {
            (Family::V4, icmp::DEST_UNREACHABLE | icmp::SOURCE_QUENCH | icmp::TIME_EXCEEDED)
            | (Family::V6, icmpv6::DEST_UNREACHABLE | icmpv6::TIME_EXCEEDED)
                if outer == inner =>
            {
                Self::Error(kind, code)
            }
            (Family::V4, icmp::DEST_UNREACHABLE) | (Family::V6, icmpv6::DEST_UNREACHABLE) => {
                told(Complaint::Unreachable)
            }
            (Family::V4, icmp::TIME_EXCEEDED) | (Family::V6, icmpv6::TIME_EXCEEDED) => {
                told(Complaint::TimeExceeded)
            }
            // A parameter of the outer header is none of his.
            (Family::V6, icmpv6::PARAMETER_PROBLEM) => told(Complaint::Unreachable),
            _ => Self::Nothing,
        }
    }
}
