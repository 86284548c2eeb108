// SPDX-License-Identifier: GPL-2.0-only

//! Locality-based least-connection (`lblc`): flows to a destination go to the server that the last one went to, for
//! which the caller keeps a cache by destination address; a destination without one gets the server that `wlc` picks.
//! Made for caches behind a service by firewall mark. As in IPVS, the cached server is kept while it is configured,
//! has a weight, and is not congested: more active connections than its weight while another server of the service has
//! less than half of its own. Thresholds do not count for it.

use super::{wlc, Candidate};

/// Index of the server for a destination that the cache has none for, or none that it keeps.
#[inline]
#[must_use]
pub fn choose<C: Candidate>(servers: &[C]) -> Option<usize> {
    wlc::pick(servers)
}

/// Whether the server that the cache has for a destination may have another flow.
#[inline]
#[must_use]
pub fn keeps<C: Candidate>(cached: &C, servers: &[C]) -> bool {
    cached.is_configured() && cached.weight() > 0 && !is_congested(cached, servers)
}

/// Whether a server has more than it should while another one has much less.
#[inline]
pub(super) fn is_congested<C: Candidate>(server: &C, servers: &[C]) -> bool {
    server.active() > server.weight()
        && servers
            .iter()
            .any(|other| u64::from(other.active()).wrapping_mul(2) < u64::from(other.weight()))
}
