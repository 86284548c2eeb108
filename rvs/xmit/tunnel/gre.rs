// SPDX-License-Identifier: GPL-2.0-only

//! GRE: a header of four bytes in front of the inner packet, eight with a
//! checksum.

use crate::{
    packet::{gre, IPPROTO_GRE},
    sys::skb::{Covered, Wrapping},
};

/// The GRE that a packet gets.
#[derive(Clone, Copy)]
pub(super) struct Gre {
    /// Whether it has a checksum.
    pub(super) checksum: bool,
}

impl Gre {
    /// Length of its header, bytes.
    pub(super) const fn len(self) -> usize {
        if self.checksum {
            gre::CHECKSUM_HEADER_LEN
        } else {
            gre::HEADER_LEN
        }
    }

    /// Puts the header in front of a packet whose family has the protocol number `inner`; the result is
    /// the number of what is in front now.
    pub(super) fn put(self, wrapping: &mut Wrapping<'_, '_>, inner: u8) -> Option<u8> {
        wrapping.name_inner_ethernet();
        if self.checksum {
            let mut header = [0; gre::CHECKSUM_HEADER_LEN];
            gre::build_with_checksum(&mut header, inner);
            wrapping.push_transport(&header)?;
            let (covered, field) = wrapping.checksum(gre::CHECKSUM_OFFSET as u16)?;
            if let Covered::Sum(sum) = covered {
                *field = (!sum).to_ne_bytes();
            }
        } else {
            let mut header = [0; gre::HEADER_LEN];
            gre::build(&mut header, inner);
            wrapping.push_transport(&header)?;
        }
        Some(IPPROTO_GRE)
    }
}
