// SPDX-License-Identifier: GPL-2.0-only

//! Wire headers: what a packet says, and how it is rewritten.
//!
//! Here live the views of network, transport, tunnel and ICMP headers as the balancer needs them (parsed
//! once, from arrays whose length was checked once), the Internet checksum, and the rewriting that
//! masquerading does. Nothing here knows of packet buffers, connections or services: the caller
//! brings bytes and takes bytes away.

#![forbid(unsafe_code)]

pub mod checksum;
pub mod extension;
pub mod gre;
pub mod gue;
pub mod icmp;
pub mod icmpv6;
pub mod ipv4;
pub mod ipv6;
mod network;
pub mod quote;
pub mod reset;
pub mod rewrite;
pub mod sctp;
pub mod tcp;
pub mod transport;
pub mod udp;

pub use network::{Address, Complaint, Endpoint, Family, FlowKey, Fragment, Header, Mask, Unread};
pub use rewrite::{ChecksumMode, Side};

/// IP protocol number of ICMP (RFC 792).
pub const IPPROTO_ICMP: u8 = 1;
/// IP protocol number of IPv4 in IP (RFC 2003).
pub const IPPROTO_IPIP: u8 = 4;
/// IP protocol number of TCP (RFC 9293).
pub const IPPROTO_TCP: u8 = 6;
/// IP protocol number of UDP (RFC 768).
pub const IPPROTO_UDP: u8 = 17;
/// IP protocol number of IPv6 in IP (RFC 2473).
pub const IPPROTO_IPV6: u8 = 41;
/// IP protocol number of GRE (RFC 2784).
pub const IPPROTO_GRE: u8 = 47;
/// IP protocol number of the encrypted payload of IPsec (RFC 4303).
pub const IPPROTO_ESP: u8 = 50;
/// IP protocol number of the authentication header of IPsec (RFC 4302).
pub const IPPROTO_AH: u8 = 51;
/// IP protocol number of ICMPv6 (RFC 4443).
pub const IPPROTO_ICMPV6: u8 = 58;
/// IP protocol number of SCTP (RFC 9260).
pub const IPPROTO_SCTP: u8 = 132;
