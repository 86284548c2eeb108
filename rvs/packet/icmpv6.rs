// SPDX-License-Identifier: GPL-2.0-only

//! The ICMPv6 header (RFC 4443) and which messages are errors about a flow. Unlike ICMP's, its checksum
//! covers the addresses of the packet that carries it.

use core::net::Ipv6Addr;

use super::{checksum, ipv6, IPPROTO_ICMPV6};

/// Length of the header that all errors begin with, bytes. The packet that an error is about follows.
pub const HEADER_LEN: usize = 8;

/// Type: the packet could not be delivered.
pub const DEST_UNREACHABLE: u8 = 1;
/// Type: the packet is too long for a link.
pub const PACKET_TOO_BIG: u8 = 2;
/// Type: the packet's hop limit or reassembly time ran out.
pub const TIME_EXCEEDED: u8 = 3;

/// Type: a header of the packet can't be understood.
pub const PARAMETER_PROBLEM: u8 = 4;

/// Code of [`DEST_UNREACHABLE`]: the address does not answer.
pub const ADDRESS_UNREACHABLE: u8 = 3;
/// Code of [`DEST_UNREACHABLE`]: nobody listens on the port.
pub const PORT_UNREACHABLE: u8 = 4;
/// Code of [`TIME_EXCEEDED`]: the hop limit ran out in transit.
pub const HOP_LIMIT_EXCEEDED: u8 = 0;

/// Types from here on are no errors: echo, multicast listeners, neighbour discovery.
const FIRST_INFORMATIONAL: u8 = 128;

/// What kind of ICMPv6 message a packet is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// The message's type.
    pub kind: u8,
    /// What the type is made more precise by.
    pub code: u8,
    /// In a [`PACKET_TOO_BIG`] message: the next hop's MTU in bytes. Without meaning in others.
    pub mtu: u32,
}

impl Header {
    /// Reads a header. Its checksum is not looked at.
    #[inline]
    #[must_use]
    pub fn parse(bytes: &[u8; HEADER_LEN]) -> Header {
        let &[kind, code, _, _, mtu0, mtu1, mtu2, mtu3] = bytes;
        Header {
            kind,
            code,
            mtu: u32::from_be_bytes([mtu0, mtu1, mtu2, mtu3]),
        }
    }
}

/// Is a message of this type an error that quotes the packet it is about, and belongs to that packet's
/// flow? All errors are (RFC 4443 §2.1); neighbour discovery and echo are none.
#[inline]
#[must_use]
pub fn is_error(kind: u8) -> bool {
    kind < FIRST_INFORMATIONAL
}

/// What the checksum field holds while the rest is left to the hardware: the sum of the pseudo-header.
/// `len` is the message's length in bytes.
#[inline]
#[must_use]
pub fn pseudo_header(src: Ipv6Addr, dst: Ipv6Addr, len: u32) -> u16 {
    checksum::pseudo_header_v6(ipv6::wire(src), ipv6::wire(dst), IPPROTO_ICMPV6, len)
}
