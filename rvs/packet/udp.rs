// SPDX-License-Identifier: GPL-2.0-only

//! The UDP header (RFC 768), as far as a balancer reads it.

/// Length of the header, bytes.
pub const HEADER_LEN: usize = 8;

/// Where the checksum is in the header, bytes.
pub const CHECKSUM_OFFSET: usize = 6;

/// In the checksum field over IPv4: the sender computed none.
pub const NO_CHECKSUM: u16 = 0;

/// The destination port, host byte order.
#[inline]
#[must_use]
pub fn destination_port(header: &[u8; HEADER_LEN]) -> u16 {
    let &[_, _, port0, port1, ..] = header;
    u16::from_be_bytes([port0, port1])
}

/// The checksum to send: one that was computed as 0 goes out as its other representation, because 0 says
/// that there is none.
#[inline]
#[must_use]
pub fn never_zero(check: u16) -> u16 {
    if check == NO_CHECKSUM {
        0xffff
    } else {
        check
    }
}
