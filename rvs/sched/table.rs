// SPDX-License-Identifier: GPL-2.0-only

//! Tables that say which server a hash belongs to: the memory of `dh`, `sh` and `mh`, and what they have in
//! common.

use super::{Candidate, Pool};

/// An entry of a table: the index of a server in the list, or [`NOBODY`]. Servers behind the first 65,535 of a list
/// get no entries.
pub type Slot = u16;

/// The entry of no server.
pub const NOBODY: Slot = Slot::MAX;

/// Entries of the tables of `dh` and `sh`.
pub(super) const BUCKETS: usize = 256;

/// The bucket of a number, of [`BUCKETS`]: multiplicative hashing (Knuth, TAOCP 6.4) with 2^32 divided by the square
/// of the golden ratio, as in the kernel's `hash_32`.
#[inline]
pub(super) fn bucket_of(number: u32) -> usize {
    (number.wrapping_mul(0x61C8_8647) >> 24) as usize
}

/// Who owns an entry of a table.
#[derive(Clone, Copy)]
pub(super) struct Owner {
    /// The server's index.
    pub(super) index: usize,
    /// Whether it takes flows now.
    pub(super) takes_flows: bool,
}

impl<C: Candidate> Pool<'_, C> {
    /// The owner of an entry of the table; `None` if it is nobody's.
    #[inline]
    pub(super) fn owner(&self, slot: usize) -> Option<Owner> {
        let index = usize::from(*self.table.get(slot)?);
        let server = self.servers.get(index)?;
        Some(Owner {
            index,
            takes_flows: server.takes_flows(),
        })
    }

    /// The owner of the entry `home`. With the fallback option, while it takes no flows, the owner of the
    /// first of the entries `others` who does.
    #[inline]
    pub(super) fn owner_or_fallback(
        &self,
        home: usize,
        mut others: impl Iterator<Item = usize>,
    ) -> Option<usize> {
        let owner = self.owner(home)?;
        if owner.takes_flows {
            return Some(owner.index);
        }
        // There may be thousands of entries to try: not if it is in vain.
        if !self.options.fallback || !self.servers.iter().any(C::takes_flows) {
            return None;
        }
        others.find_map(|slot| {
            let other = self.owner(slot)?;
            other.takes_flows.then_some(other.index)
        })
    }
}
