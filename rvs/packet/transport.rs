// SPDX-License-Identifier: GPL-2.0-only

//! What the headers of TCP, UDP and SCTP have in common: two ports at the start.

use super::{IPPROTO_SCTP, IPPROTO_TCP, IPPROTO_UDP};

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

/// Whether the headers of this protocol begin with ports.
#[inline]
#[must_use]
pub const fn has_ports(protocol: u8) -> bool {
    matches!(protocol, IPPROTO_TCP | IPPROTO_UDP | IPPROTO_SCTP)
}
