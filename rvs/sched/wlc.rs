// SPDX-License-Identifier: GPL-2.0-only

//! Weighted least-connection (`wlc`): the available server with the smallest overhead per weight; the first in
//! list order wins ties. As in IPVS, the overhead of a server is 256 · active + total connections, so an
//! active connection counts as much as 257 inactive ones.

use super::{Candidate, Cursor, Pick};

#[inline]
fn overhead<C: Candidate>(server: &C) -> u64 {
    // Below 2^40, cannot wrap.
    (u64::from(server.active()) << 8).wrapping_add(u64::from(server.total()))
}

#[inline]
pub(super) fn pick<C: Candidate>(servers: &[C], cursor: Cursor) -> Option<Pick> {
    let mut choice = None;
    // Infinitely loaded: any server is better.
    let (mut least, mut least_weight) = (1u64, 0);
    // A range counts without the overflow check that `enumerate` carries.
    for (index, server) in (0..servers.len()).zip(servers) {
        let weight = u64::from(server.weight());
        if weight == 0 || server.is_overloaded() {
            continue;
        }
        let overhead = overhead(server);
        // Compares overhead / weight < least / least_weight without division. A product saturates only
        // from 2^25 active connections at a weight of 2^31 on.
        if overhead.saturating_mul(least_weight) < least.saturating_mul(weight) {
            (least, least_weight) = (overhead, weight);
            choice = Some(Pick { index, cursor });
        }
    }
    choice
}
