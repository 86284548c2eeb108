// SPDX-License-Identifier: GPL-2.0-only

//! The IPv6 header (RFC 8200 §3): parsed into values, changed in place, and written anew in front of a
//! tunneled packet (RFC 2473). It has no checksum; what stands between it and the transport header is
//! walked over in [`super::extension`].

use core::net::Ipv6Addr;

use super::ipv4;

/// Length of the header, bytes. Extension headers come behind it.
pub const HEADER_LEN: usize = 40;

/// The shortest packet that every IPv6 link carries, bytes (RFC 8200 §5).
pub const MIN_MTU: u32 = 1280;

const PAYLOAD_LEN: usize = 4;
const HOP_LIMIT: usize = 7;
const SOURCE: usize = 8;
const DESTINATION: usize = 24;
const ADDRESS_LEN: usize = 16;

/// What the first 40 bytes of an IPv6 packet say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// Length of what follows this header, bytes. 0 is that of a packet too large for the field: a
    /// jumbogram (RFC 2675), or one that Linux cuts into segments later (BIG TCP).
    pub payload_len: u16,
    /// What follows this header: the protocol number of an extension header or of the payload.
    pub next_header: u8,
    /// Source address.
    pub src: Ipv6Addr,
    /// Destination address.
    pub dst: Ipv6Addr,
    /// How many more hops the packet may make.
    pub hop_limit: u8,
    /// DSCP and ECN, as in IPv4's type of service.
    pub traffic_class: u8,
    /// The sender's label for the flow, 20 bits; 0 if it gave none (RFC 6437).
    pub flow_label: u32,
}

impl Header {
    /// Reads a header. `None` if it is not version 6.
    #[inline]
    #[must_use]
    pub fn parse(bytes: &[u8; HEADER_LEN]) -> Option<Header> {
        #[rustfmt::skip]
        let &[
            word0, word1, word2, word3,
            len0, len1, next_header, hop_limit,
            ref addresses @ ..
        ] = bytes;
        let (src, dst) = addresses.split_first_chunk::<ADDRESS_LEN>()?;
        let dst = dst.first_chunk::<ADDRESS_LEN>()?;
        // Version, traffic class and flow label: 4, 8 and 20 bits.
        let word = u32::from_be_bytes([word0, word1, word2, word3]);
        if word >> 28 != 6 {
            return None;
        }
        Some(Header {
            payload_len: u16::from_be_bytes([len0, len1]),
            next_header,
            src: Ipv6Addr::from(*src),
            dst: Ipv6Addr::from(*dst),
            hop_limit,
            traffic_class: ((word >> 20) & 0xff) as u8,
            flow_label: word & 0xf_ffff,
        })
    }
}

/// An address as a wire-order value, see [`super::checksum`].
#[inline]
#[must_use]
pub fn wire(addr: Ipv6Addr) -> u128 {
    u128::from_ne_bytes(addr.octets())
}

/// Replaces the source address.
#[inline]
pub fn set_source(header: &mut [u8; HEADER_LEN], addr: Ipv6Addr) {
    header[SOURCE..SOURCE + ADDRESS_LEN].copy_from_slice(&addr.octets());
}

/// Replaces the destination address.
#[inline]
pub fn set_destination(header: &mut [u8; HEADER_LEN], addr: Ipv6Addr) {
    header[DESTINATION..DESTINATION + ADDRESS_LEN].copy_from_slice(&addr.octets());
}

/// Takes one hop off the hop limit. A limit of 0 stays: the caller answers 0 and 1 with "time exceeded"
/// instead of forwarding.
#[inline]
pub fn decrement_hop_limit(header: &mut [u8; HEADER_LEN]) {
    header[HOP_LIMIT] = header[HOP_LIMIT].saturating_sub(1);
}

/// Replaces the payload length, bytes.
pub fn set_payload_len(header: &mut [u8; HEADER_LEN], len: u16) {
    [header[PAYLOAD_LEN], header[PAYLOAD_LEN + 1]] = len.to_be_bytes();
}

/// The header that carries a packet through a tunnel (RFC 2473).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Outer {
    /// The tunnel's near end: an address of the director.
    pub src: Ipv6Addr,
    /// The tunnel's far end: the real server.
    pub dst: Ipv6Addr,
    /// Length of what follows this header, bytes; 0 if that does not fit.
    pub payload_len: u16,
    /// Protocol number of what follows: the inner packet's family, or the tunnel protocol.
    pub next_header: u8,
    /// How many hops the packet may make.
    pub hop_limit: u8,
    /// Traffic class, or type of service, of the *inner* packet, see [`ipv4::encapsulated_tos`].
    pub inner_tos: u8,
}

/// Writes a complete outer header. Its flow label is 0, as IPVS's is.
#[inline]
pub fn build(header: &mut [u8; HEADER_LEN], outer: &Outer) {
    let class = ipv4::encapsulated_tos(outer.inner_tos);
    let [len0, len1] = outer.payload_len.to_be_bytes();
    *header = [0; HEADER_LEN];
    if let Some(start) = header.first_chunk_mut() {
        #[rustfmt::skip]
        let bytes: [u8; SOURCE] = [
            0x60 | (class >> 4), class << 4, 0, 0,
            len0, len1, outer.next_header, outer.hop_limit,
        ];
        *start = bytes;
    }
    set_source(header, outer.src);
    set_destination(header, outer.dst);
}
