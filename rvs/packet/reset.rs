// SPDX-License-Identifier: GPL-2.0-only

//! Resets of TCP connections (RFC 9293 §3.5.2) by somebody between the ends, who
//! knows of the sequence numbers what the segment at hand says.
//!
//! An end takes a reset only at the very number that it expects next (RFC 5961 §3). A segment tells that of its
//! sender, whose acknowledgment it is, and of its receiver if nothing between the two was lost. One that
//! makes no sense is answered by an acknowledgment that says it exactly (RFC 5961 §4): that is what a
//! [`Reset::PROBE`] is for.

use super::{
    checksum, ipv4, ipv6,
    tcp::{Flags, CHECKSUM_OFFSET, HEADER_LEN},
    Endpoint, IPPROTO_TCP,
};
use core::net::IpAddr;

const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const ACK: u8 = 0x10;

/// The sequence numbers and control bits of a segment that has no other meaning than these.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reset {
    seq: u32,
    ack: u32,
    flags: u8,
}

impl Reset {
    /// A SYN, of which nothing matters but that there is one: an end that is connected already answers with what it
    /// expects.
    pub const PROBE: Self = Self {
        seq: 0,
        ack: 0,
        flags: SYN,
    };

    /// The reset that the sender of a segment accepts; `None` if the segment is a reset itself. `payload` is the
    /// number of bytes behind the header.
    pub fn of_sender(header: &[u8; HEADER_LEN], payload: u32) -> Option<Self> {
        let flags = Flags::parse(header);
        if flags.rst() {
            return None;
        }
        let (seq, ack) = numbers(header);
        if flags.ack() {
            return Some(Self {
                seq: ack,
                ack: 0,
                flags: RST,
            });
        }
        let controls = u32::from(flags.syn()).wrapping_add(u32::from(flags.fin()));
        Some(Self {
            seq: 0,
            ack: seq.wrapping_add(payload).wrapping_add(controls),
            flags: RST | ACK,
        })
    }

    /// The reset that the receiver of a segment accepts in its place.
    pub fn of_receiver(header: &[u8; HEADER_LEN]) -> Self {
        let (seq, ack) = numbers(header);
        let flags = Flags::parse(header);
        Self {
            seq,
            ack: if flags.ack() { ack } else { 0 },
            flags: RST | if flags.ack() { ACK } else { 0 },
        }
    }

    /// The segment between two ends.
    pub fn segment(self, src: Endpoint<IpAddr>, dst: Endpoint<IpAddr>) -> [u8; HEADER_LEN] {
        let mut header = [0; HEADER_LEN];
        let [src0, src1] = src.port.to_be_bytes();
        let [dst0, dst1] = dst.port.to_be_bytes();
        let [seq0, seq1, seq2, seq3] = self.seq.to_be_bytes();
        let [ack0, ack1, ack2, ack3] = self.ack.to_be_bytes();
        let words = (HEADER_LEN / 4) as u8;
        let fields = [
            src0,
            src1,
            dst0,
            dst1,
            seq0,
            seq1,
            seq2,
            seq3,
            ack0,
            ack1,
            ack2,
            ack3,
            words << 4,
            self.flags,
        ];
        for (byte, field) in header.iter_mut().zip(fields) {
            *byte = field;
        }
        let len = HEADER_LEN as u32;
        let pseudo = match (src.addr, dst.addr) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => {
                checksum::pseudo_header_v4(ipv4::wire(src), ipv4::wire(dst), IPPROTO_TCP, len)
            }
            (IpAddr::V6(src), IpAddr::V6(dst)) => {
                checksum::pseudo_header_v6(ipv6::wire(src), ipv6::wire(dst), IPPROTO_TCP, len)
            }
            // No packet goes between them.
            _ => 0,
        };
        let sum = checksum::Delta::sum(checksum::sum(&header)).plus(checksum::Delta::sum(pseudo));
        if let Some(field) = header
            .get_mut(CHECKSUM_OFFSET..)
            .and_then(<[u8]>::first_chunk_mut)
        {
            *field = sum.adjust(u16::MAX).to_ne_bytes();
        }
        header
    }
}

/// A packet that holds nothing but a segment without payload.
#[derive(Clone, Copy, Debug)]
pub struct Packet {
    bytes: [u8; ipv6::HEADER_LEN + HEADER_LEN],
    len: usize,
}

impl Packet {
    /// The bytes from the network header on.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    fn join(network: &[u8], segment: &[u8]) -> Self {
        let mut packet = Self {
            bytes: [0; ipv6::HEADER_LEN + HEADER_LEN],
            len: network.len().wrapping_add(segment.len()),
        };
        let bytes = network.iter().chain(segment);
        for (to, from) in packet.bytes.iter_mut().zip(bytes) {
            *to = *from;
        }
        packet
    }
}

/// How many hops a packet may make that begins here.
const HOPS: u8 = 64;

impl Reset {
    /// A packet with the segment; `None` if the ends are of different families.
    pub fn packet(self, src: Endpoint<IpAddr>, dst: Endpoint<IpAddr>) -> Option<Packet> {
        let segment = self.segment(src, dst);
        match (src.addr, dst.addr) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => {
                let mut header = [0; ipv4::HEADER_LEN];
                let outer = ipv4::Outer {
                    src,
                    dst,
                    total_len: (ipv4::HEADER_LEN + HEADER_LEN) as u16,
                    identification: 0,
                    protocol: IPPROTO_TCP,
                    ttl: HOPS,
                    inner_tos: 0,
                    dont_fragment: true,
                };
                ipv4::build(&mut header, &outer);
                Some(Packet::join(&header, &segment))
            }
            (IpAddr::V6(src), IpAddr::V6(dst)) => {
                let mut header = [0; ipv6::HEADER_LEN];
                let outer = ipv6::Outer {
                    src,
                    dst,
                    payload_len: HEADER_LEN as u16,
                    next_header: IPPROTO_TCP,
                    hop_limit: HOPS,
                    inner_tos: 0,
                };
                ipv6::build(&mut header, &outer);
                Some(Packet::join(&header, &segment))
            }
            _ => None,
        }
    }
}

/// Sequence and acknowledgment number.
fn numbers(header: &[u8; HEADER_LEN]) -> (u32, u32) {
    let [_, _, _, _, s0, s1, s2, s3, a0, a1, a2, a3, ..] = *header;
    (
        u32::from_be_bytes([s0, s1, s2, s3]),
        u32::from_be_bytes([a0, a1, a2, a3]),
    )
}
