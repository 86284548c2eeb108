// SPDX-License-Identifier: GPL-2.0-only

//! The IPv4 header (RFC 791): parsed into values, changed in place, and written anew in front of a
//! tunneled packet (RFC 2003).

use core::net::Ipv4Addr;

use super::checksum;

/// Length of a header without options, bytes.
pub const HEADER_LEN: usize = 20;

/// The shortest packet that every IPv4 link carries unfragmented, bytes (RFC 791).
pub const MIN_MTU: u32 = 68;

const TOTAL_LEN: usize = 2;
const TTL: usize = 8;
const PROTOCOL: usize = 9;
const CHECK: usize = 10;
const SOURCE: usize = 12;
const DESTINATION: usize = 16;

const DONT_FRAGMENT: u16 = 0x4000;
const MORE_FRAGMENTS: u16 = 0x2000;
const FRAGMENT_OFFSET: u16 = 0x1fff;

/// The two low bits of the type of service (RFC 3168).
const ECN_MASK: u8 = 0b11;
const ECN_CE: u8 = 0b11;
const ECN_ECT_0: u8 = 0b10;

/// What the first 20 bytes of an IPv4 packet say. Checksum and options are not looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// Length of the header with its options, bytes: 20 to 60.
    pub header_len: usize,
    /// Length of the packet, bytes; at least `header_len`.
    pub total_len: u16,
    /// IP protocol number of the payload.
    pub protocol: u8,
    /// Source address.
    pub src: Ipv4Addr,
    /// Destination address.
    pub dst: Ipv4Addr,
    /// Time to live, hops.
    pub ttl: u8,
    /// Type of service: DSCP and ECN.
    pub tos: u8,
    /// Routers may not fragment this packet.
    pub dont_fragment: bool,
    /// More fragments of the same packet follow.
    pub more_fragments: bool,
    /// Where this fragment's payload belongs in the original payload, bytes.
    pub fragment_offset: u16,
}

impl Header {
    /// Reads a header. `None` if it is not version 4, claims to be shorter than 20 bytes or longer than
    /// its packet. A total length of 0 is that of a packet too large for the field, which Linux
    /// cuts into segments later (BIG TCP).
    #[inline]
    #[must_use]
    pub fn parse(bytes: &[u8; HEADER_LEN]) -> Option<Header> {
        #[rustfmt::skip]
        let &[
            version_ihl, tos, len0, len1,
            _, _, fragment0, fragment1,
            ttl, protocol, _, _,
            src0, src1, src2, src3,
            dst0, dst1, dst2, dst3,
        ] = bytes;
        // Version in the upper nibble, length in 32-bit words in the lower one.
        if !matches!(version_ihl, 0x45..=0x4f) {
            return None;
        }
        let header_len = usize::from(version_ihl & 0x0f) << 2;
        let total_len = u16::from_be_bytes([len0, len1]);
        if total_len != 0 && usize::from(total_len) < header_len {
            return None;
        }
        let fragment = u16::from_be_bytes([fragment0, fragment1]);
        Some(Header {
            header_len,
            total_len,
            protocol,
            src: Ipv4Addr::new(src0, src1, src2, src3),
            dst: Ipv4Addr::new(dst0, dst1, dst2, dst3),
            ttl,
            tos,
            dont_fragment: fragment & DONT_FRAGMENT != 0,
            more_fragments: fragment & MORE_FRAGMENTS != 0,
            fragment_offset: (fragment & FRAGMENT_OFFSET) << 3,
        })
    }
}

/// An address as a wire-order value, see [`checksum`].
#[inline]
#[must_use]
pub fn wire(addr: Ipv4Addr) -> u32 {
    u32::from_ne_bytes(addr.octets())
}

/// Replaces the source address and keeps the header checksum right.
#[inline]
pub fn set_source(header: &mut [u8; HEADER_LEN], addr: Ipv4Addr) {
    set_addr::<SOURCE>(header, addr);
}

/// Replaces the destination address and keeps the header checksum right.
#[inline]
pub fn set_destination(header: &mut [u8; HEADER_LEN], addr: Ipv4Addr) {
    set_addr::<DESTINATION>(header, addr);
}

#[inline]
fn set_addr<const AT: usize>(header: &mut [u8; HEADER_LEN], addr: Ipv4Addr) {
    let Some(field) = header.get_mut(AT..).and_then(<[u8]>::first_chunk_mut) else {
        return;
    };
    let from = *field;
    *field = addr.octets();
    let delta = checksum::Delta::of32(u32::from_ne_bytes(from), wire(addr));
    set_check(header, delta.adjust(check(header)));
}

/// Takes one hop off the time to live and keeps the header checksum right. A time to live of 0 stays:
/// the caller answers 0 and 1 with "time exceeded" instead of forwarding.
#[inline]
pub fn decrement_ttl(header: &mut [u8; HEADER_LEN]) {
    let word = |header: &[u8; HEADER_LEN]| u16::from_ne_bytes([header[TTL], header[PROTOCOL]]);
    let from = word(header);
    header[TTL] = header[TTL].saturating_sub(1);
    let to = word(header);
    set_check(header, checksum::adjust16(check(header), from, to));
}

#[inline]
fn check(header: &[u8; HEADER_LEN]) -> u16 {
    u16::from_ne_bytes([header[CHECK], header[CHECK + 1]])
}

/// Replaces the total length, bytes, and keeps the header's checksum right.
pub fn set_total_len(header: &mut [u8; HEADER_LEN], len: u16) {
    let old = u16::from_ne_bytes([header[TOTAL_LEN], header[TOTAL_LEN + 1]]);
    let new = len.to_be();
    let check = u16::from_ne_bytes([header[CHECK], header[CHECK + 1]]);
    [header[TOTAL_LEN], header[TOTAL_LEN + 1]] = new.to_ne_bytes();
    set_check(header, checksum::adjust16(check, old, new));
}

#[inline]
fn set_check(header: &mut [u8; HEADER_LEN], check: u16) {
    [header[CHECK], header[CHECK + 1]] = check.to_ne_bytes();
}

/// The IPv4 header that carries a packet through a tunnel (IP-in-IP, RFC 2003).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Outer {
    /// The tunnel's near end: an address of the director.
    pub src: Ipv4Addr,
    /// The tunnel's far end: the real server.
    pub dst: Ipv4Addr,
    /// Length of the outer packet, this header included, bytes.
    pub total_len: u16,
    /// Distinguishes the packet from others when it is fragmented (RFC 6864).
    pub identification: u16,
    /// IP protocol number of what follows: that of the inner packet, or of what stands between.
    pub protocol: u8,
    /// Time to live, hops.
    pub ttl: u8,
    /// Type of service of the *inner* packet, see [`encapsulated_tos`].
    pub inner_tos: u8,
    /// Routers may not fragment the outer packet.
    pub dont_fragment: bool,
}

/// The type of service of an outer header: the inner one, except that "congestion experienced" becomes
/// ECT(0), so that congestion inside the tunnel can still be marked and is not confused with
/// congestion before it (RFC 3168 §9.1.1, full functionality).
#[inline]
#[must_use]
pub fn encapsulated_tos(inner: u8) -> u8 {
    if inner & ECN_MASK == ECN_CE {
        inner & !ECN_MASK | ECN_ECT_0
    } else {
        inner
    }
}

/// Writes a complete outer header, checksum included.
#[inline]
pub fn build(header: &mut [u8; HEADER_LEN], outer: &Outer) {
    let [len0, len1] = outer.total_len.to_be_bytes();
    let [id0, id1] = outer.identification.to_be_bytes();
    let fragment = if outer.dont_fragment {
        DONT_FRAGMENT
    } else {
        0
    };
    let [fragment0, fragment1] = fragment.to_be_bytes();
    let [src0, src1, src2, src3] = outer.src.octets();
    let [dst0, dst1, dst2, dst3] = outer.dst.octets();
    #[rustfmt::skip]
    let bytes = [
        0x45, encapsulated_tos(outer.inner_tos), len0, len1,
        id0, id1, fragment0, fragment1,
        outer.ttl, outer.protocol, 0, 0,
        src0, src1, src2, src3,
        dst0, dst1, dst2, dst3,
    ];
    *header = bytes;
    set_check(header, !checksum::sum(&bytes));
}
