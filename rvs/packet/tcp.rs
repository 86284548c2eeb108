// SPDX-License-Identifier: GPL-2.0-only

//! The TCP header (RFC 9293 §3.1), as far as a balancer reads it.

/// Length of a header without options, bytes.
pub const HEADER_LEN: usize = 20;

/// Where the checksum is in the header, bytes.
pub const CHECKSUM_OFFSET: usize = 16;

const DATA_OFFSET: usize = 12;
const FLAGS: usize = 13;

const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const ACK: u8 = 0x10;

/// What a segment carries, behind its header and options; `None` if the header says that it ends before
/// it began, or behind the segment.
#[must_use]
pub fn payload(segment: &[u8]) -> Option<&[u8]> {
    let len = header_len(segment.first_chunk()?);
    if len < HEADER_LEN {
        return None;
    }
    segment.get(len..)
}

/// The length of a header with its options, bytes, as it says itself.
#[inline]
#[must_use]
pub fn header_len(header: &[u8; HEADER_LEN]) -> usize {
    usize::from(header[DATA_OFFSET] >> 4) * 4
}

/// The control bits of a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Flags(u8);

impl Flags {
    /// The control bits in a header.
    #[inline]
    #[must_use]
    pub fn parse(header: &[u8; HEADER_LEN]) -> Flags {
        Flags(header[FLAGS])
    }

    /// Synchronize sequence numbers: the segment opens a connection.
    #[inline]
    #[must_use]
    pub const fn syn(self) -> bool {
        self.0 & SYN != 0
    }

    /// The acknowledgment number is significant.
    #[inline]
    #[must_use]
    pub const fn ack(self) -> bool {
        self.0 & ACK != 0
    }

    /// The sender has no more data.
    #[inline]
    #[must_use]
    pub const fn fin(self) -> bool {
        self.0 & FIN != 0
    }

    /// The connection is aborted.
    #[inline]
    #[must_use]
    pub const fn rst(self) -> bool {
        self.0 & RST != 0
    }
}
