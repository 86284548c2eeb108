// SPDX-License-Identifier: GPL-2.0-only

//! GUE: UDP and a header of four bytes or more in front of the inner packet.

use super::outer::Ends;
use crate::{
    packet::{
        checksum::Delta,
        gue::{self, RemoteChecksum},
        udp, IPPROTO_UDP,
    },
    sys::{
        net::Net,
        skb::{Covered, Wrapping},
    },
};

/// The GUE that a packet gets.
#[derive(Clone, Copy)]
pub(super) struct Gue {
    /// UDP destination port.
    pub(super) port: u16,
    /// Whether UDP gets a checksum.
    pub(super) checksum: bool,
    /// Whether the far end completes the inner packet's checksum.
    pub(super) remote_checksum: bool,
}

impl Gue {
    /// Length of its headers, bytes.
    pub(super) const fn len(self) -> usize {
        if self.remote_checksum {
            gue::REMOTE_CHECKSUM_LEN
        } else {
            gue::HEADER_LEN
        }
    }

    /// Puts the headers in front of a packet whose family has the protocol number `inner`; the result is
    /// the number of what is in front now.
    pub(super) fn put(
        self,
        wrapping: &mut Wrapping<'_, '_>,
        inner: u8,
        ends: Ends,
        net: Net<'_>,
    ) -> Option<u8> {
        let outer = gue::Outer {
            src_port: wrapping.flow_port(net),
            dst_port: self.port,
            inner,
            inner_len: wrapping.len(),
        };
        if self.remote_checksum {
            let unfinished = wrapping.unfinished_checksum()?;
            let place = RemoteChecksum {
                start: unfinished.start,
                field: unfinished.field,
            };
            let mut header = [0; gue::REMOTE_CHECKSUM_LEN];
            gue::build_with_remote_checksum(&mut header, &outer, place);
            wrapping.push_transport(&header)?;
            wrapping.leave_checksum_unfinished();
        } else {
            let mut header = [0; gue::HEADER_LEN];
            gue::build(&mut header, &outer);
            wrapping.push_transport(&header)?;
        }
        if self.checksum {
            let len = u32::try_from(wrapping.len()).ok()?;
            put_checksum(wrapping, ends.pseudo_header(IPPROTO_UDP, len))?;
        }
        Some(IPPROTO_UDP)
    }
}

/// Fills in the checksum of the UDP header in front.
fn put_checksum(wrapping: &mut Wrapping<'_, '_>, pseudo_header: u16) -> Option<()> {
    let (covered, field) = wrapping.checksum(udp::CHECKSUM_OFFSET as u16)?;
    let check = match covered {
        Covered::Later => pseudo_header,
        Covered::Sum(sum) => udp::never_zero(!Delta::sum(pseudo_header).adjust_pseudo(sum)),
    };
    *field = check.to_ne_bytes();
    Some(())
}
