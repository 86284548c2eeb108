// SPDX-License-Identifier: GPL-2.0-only

//! Generic UDP encapsulation, version 0 (draft-ietf-intarea-gue), as IPVS sends it in front of a
//! tunneled packet: a UDP header, a GUE header, and perhaps the private option by which the far end
//! completes a checksum that the sender left to its hardware (draft-herbert-remotecsumoffload).
//!
//! The UDP checksum is written as 0, "none". Whoever wants one computes it over the finished packet.

use super::{udp, IPPROTO_IPIP, IPPROTO_IPV6};

/// Length of the GUE header without options, bytes.
const BASE_LEN: usize = 4;

/// Length of UDP and GUE header without options, bytes.
pub const HEADER_LEN: usize = udp::HEADER_LEN + BASE_LEN;

/// Length of the option for remote checksum offload, bytes: private flags, then two offsets.
const OPTION_LEN: usize = 8;

/// Length of UDP and GUE header with the option for remote checksum offload, bytes.
pub const REMOTE_CHECKSUM_LEN: usize = HEADER_LEN + OPTION_LEN;

/// The bits of the first byte that tell version and control messages.
const VERSION_CONTROL: u8 = 0b1110_0000;
/// The bits of the first byte that tell the options' length, in words of 4 bytes.
const OPTIONS: u8 = 0b0001_1111;
/// The first byte of a data message of version 0 with the option for remote checksum offload.
const WITH_OPTION: u8 = (OPTION_LEN / 4) as u8;

/// Flag: private flags follow.
const PRIVATE: u16 = 1;
/// Private flag: remote checksum offload.
const REMOTE_CHECKSUM: u32 = 1 << 31;

/// The headers in front of a tunneled packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Outer {
    /// UDP source port: the same for all packets of a flow, different for most flows, so that the network
    /// spreads them (RFC 8086 §3.2.1 tells why).
    pub src_port: u16,
    /// UDP destination port: that of the real server's tunnel.
    pub dst_port: u16,
    /// Protocol number of the inner packet's family.
    pub inner: u8,
    /// Length of the inner packet, bytes.
    pub inner_len: usize,
}

/// What the far end completes: a checksum of the inner packet, of which only the pseudo-header's part is
/// in its field. Both are offsets from the beginning of the inner packet, bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RemoteChecksum {
    /// Where the covered bytes begin.
    pub start: u16,
    /// Where the field is.
    pub field: u16,
}

/// Writes UDP and GUE header.
#[inline]
pub fn build(header: &mut [u8; HEADER_LEN], outer: &Outer) {
    let [src0, src1, dst0, dst1, len0, len1] = udp_header(outer, HEADER_LEN);
    #[rustfmt::skip]
    let bytes = [
        src0, src1, dst0, dst1, len0, len1, 0, 0,
        0, outer.inner, 0, 0,
    ];
    *header = bytes;
}

/// Writes UDP and GUE header with the option for remote checksum offload.
#[inline]
pub fn build_with_remote_checksum(
    header: &mut [u8; REMOTE_CHECKSUM_LEN],
    outer: &Outer,
    checksum: RemoteChecksum,
) {
    let [src0, src1, dst0, dst1, len0, len1] = udp_header(outer, REMOTE_CHECKSUM_LEN);
    let [flags0, flags1] = PRIVATE.to_be_bytes();
    let [private0, private1, private2, private3] = REMOTE_CHECKSUM.to_be_bytes();
    let [start0, start1] = checksum.start.to_be_bytes();
    let [field0, field1] = checksum.field.to_be_bytes();
    #[rustfmt::skip]
    let bytes = [
        src0, src1, dst0, dst1, len0, len1, 0, 0,
        WITH_OPTION, outer.inner, flags0, flags1,
        private0, private1, private2, private3,
        start0, start1, field0, field1,
    ];
    *header = bytes;
}

/// A UDP header up to its checksum. Its length is 0 for a packet that is too large for the field, which
/// Linux cuts into segments later.
#[inline]
fn udp_header(outer: &Outer, header_len: usize) -> [u8; 6] {
    let len = u16::try_from(outer.inner_len.saturating_add(header_len)).unwrap_or(0);
    let [src0, src1] = outer.src_port.to_be_bytes();
    let [dst0, dst1] = outer.dst_port.to_be_bytes();
    let [len0, len1] = len.to_be_bytes();
    [src0, src1, dst0, dst1, len0, len1]
}

/// What UDP and GUE header of a tunneled packet say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// UDP destination port.
    pub dst_port: u16,
    /// Protocol number of the inner packet's family: IPv4 or IPv6.
    pub inner: u8,
    /// Length of UDP and GUE header with their options, bytes: the inner packet's place.
    pub header_len: usize,
}

impl Header {
    /// Reads UDP and GUE header of a tunneled packet. `None` if this is no data message of version 0, or
    /// nothing of IPv4 or IPv6 is inside. What the options say is not looked at.
    #[inline]
    #[must_use]
    pub fn parse(bytes: &[u8; HEADER_LEN]) -> Option<Header> {
        let &[_, _, dst0, dst1, _, _, _, _, first, inner, _, _] = bytes;
        if first & VERSION_CONTROL != 0 || !matches!(inner, IPPROTO_IPIP | IPPROTO_IPV6) {
            return None;
        }
        let options = usize::from(first & OPTIONS) << 2;
        Some(Header {
            dst_port: u16::from_be_bytes([dst0, dst1]),
            inner,
            header_len: HEADER_LEN.wrapping_add(options),
        })
    }
}
