// SPDX-License-Identifier: GPL-2.0-only

//! What TCP and UDP headers have in common: two ports at the start.

/// Length of the two ports, bytes. That much of a transport header identifies its flow.
pub const PORTS_LEN: usize = 4;

/// Source and destination port, in this order, host byte order.
#[inline]
#[must_use]
pub fn ports(bytes: &[u8; PORTS_LEN]) -> (u16, u16) {
    let &[src0, src1, dst0, dst1] = bytes;
    (
        u16::from_be_bytes([src0, src1]),
        u16::from_be_bytes([dst0, dst1]),
    )
}
