// SPDX-License-Identifier: GPL-2.0-only

//! Destination hashing (`dh`): a table of 256 entries, which the servers own in turn, in list order, whatever
//! their weight; the hash of the address a packet goes to says which. Made for caches behind a service by firewall mark,
//! each of which is to hold its own part of the sites. As in IPVS, a server that takes no flows is not
//! replaced by another.

use super::{
    table::{bucket_of, Slot, BUCKETS, NOBODY},
    Candidate, Flow, Pool,
};

/// Fills the table for a list of so many servers.
pub(super) fn fill(servers: usize, table: &mut [Slot]) {
    let mut owners = (0..NOBODY).take(servers).cycle();
    for slot in table.iter_mut().take(BUCKETS) {
        *slot = owners.next().unwrap_or(NOBODY);
    }
}

#[inline]
pub(super) fn pick<C: Candidate>(pool: &Pool<'_, C>, flow: &Flow) -> Option<usize> {
    let owner = pool.owner(bucket_of(flow.destination))?;
    owner.takes_flows.then_some(owner.index)
}
