// SPDX-License-Identifier: GPL-2.0-only

//! Source hashing (`sh`): a table of 256 entries, of which the servers, in list order, own as many in a row as
//! their weight says, over and over until the table is full; the hash of the client's address says which one is
//! meant. A server of weight 0 owns one entry per lap, and its clients wait for it. All of that is IPVS's rule.
//!
//! Options: with `sh-port` the client's port is added to its address; with `sh-fallback` clients of a server that
//! takes no flows go to the owner of another entry, the same as long as nothing changes.

use super::{
    table::{bucket_of, Slot, BUCKETS, NOBODY},
    Candidate, Flow, Pool,
};

/// Fills the table.
pub(super) fn fill<C: Candidate>(servers: &[C], table: &mut [Slot]) {
    let mut slots = table.iter_mut().take(BUCKETS);
    if servers.is_empty() {
        slots.for_each(|slot| *slot = NOBODY);
        return;
    }
    loop {
        for (index, server) in (0..NOBODY).zip(servers) {
            for _ in 0..server.weight().max(1) {
                match slots.next() {
                    Some(slot) => *slot = index,
                    None => return,
                }
            }
        }
    }
}

#[inline]
pub(super) fn pick<C: Candidate>(pool: &Pool<'_, C>, flow: &Flow) -> Option<usize> {
    let home = bucket_of(flow.client_key(pool.options));
    let start = home.wrapping_mul(2);
    let others = (0..BUCKETS).map(|step| start.wrapping_add(step) & (BUCKETS - 1));
    pool.owner_or_fallback(home, others)
}
