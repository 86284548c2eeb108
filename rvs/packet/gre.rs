// SPDX-License-Identifier: GPL-2.0-only

//! The GRE header (RFC 2784) as IPVS sends it in front of a tunneled packet: version 0, with or without a
//! checksum, without key and sequence number.

use super::{IPPROTO_IPIP, IPPROTO_IPV6};

/// Length of the header without a checksum, bytes.
pub const HEADER_LEN: usize = 4;

/// Length of the header with a checksum, bytes.
pub const CHECKSUM_HEADER_LEN: usize = 8;

/// Where the checksum is in a header that has one, bytes. It covers the header and the inner packet.
pub const CHECKSUM_OFFSET: usize = 4;

/// Flag: there is a checksum.
const CHECKSUM_PRESENT: u16 = 0x8000;

/// Ethernet protocol number of IPv4.
const ETH_P_IP: u16 = 0x0800;
/// Ethernet protocol number of IPv6.
const ETH_P_IPV6: u16 = 0x86dd;

/// The Ethernet protocol number of the family with this IP protocol number: IPv6's of IPv6, IPv4's of all
/// others.
#[inline]
fn ethernet_protocol(inner: u8) -> u16 {
    if inner == IPPROTO_IPV6 {
        ETH_P_IPV6
    } else {
        ETH_P_IP
    }
}

/// Writes a header in front of a packet whose family has the protocol number `inner`.
#[inline]
pub fn build(header: &mut [u8; HEADER_LEN], inner: u8) {
    let [protocol0, protocol1] = ethernet_protocol(inner).to_be_bytes();
    *header = [0, 0, protocol0, protocol1];
}

/// Writes a header with a checksum in front of a packet whose family has the protocol number `inner`. The
/// checksum is left 0, for whoever computes it over the finished packet.
#[inline]
pub fn build_with_checksum(header: &mut [u8; CHECKSUM_HEADER_LEN], inner: u8) {
    let [flags0, flags1] = CHECKSUM_PRESENT.to_be_bytes();
    let [protocol0, protocol1] = ethernet_protocol(inner).to_be_bytes();
    *header = [flags0, flags1, protocol0, protocol1, 0, 0, 0, 0];
}

/// What the header of a tunneled packet says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// Protocol number of the inner packet's family: IPv4 or IPv6.
    pub inner: u8,
    /// Length of the header, bytes: the inner packet's place.
    pub header_len: usize,
}

impl Header {
    /// Reads a header. `None` if it is not version 0, has a key or a sequence number, or nothing of IPv4 or
    /// IPv6 is inside.
    #[inline]
    #[must_use]
    pub fn parse(bytes: &[u8; HEADER_LEN]) -> Option<Header> {
        let &[flags0, flags1, protocol0, protocol1] = bytes;
        let header_len = match u16::from_be_bytes([flags0, flags1]) {
            0 => HEADER_LEN,
            CHECKSUM_PRESENT => CHECKSUM_HEADER_LEN,
            _ => return None,
        };
        let inner = match u16::from_be_bytes([protocol0, protocol1]) {
            ETH_P_IP => IPPROTO_IPIP,
            ETH_P_IPV6 => IPPROTO_IPV6,
            _ => return None,
        };
        Some(Header { inner, header_len })
    }
}
