// SPDX-License-Identifier: GPL-2.0-only

//! Weighted least-connection (`wlc`): the available server with the smallest overhead per weight; the first in
//! list order wins ties. As in IPVS, the overhead of a server is 256 · active + total connections, so an
//! active connection counts as much as 257 inactive ones.

use super::{extreme, Candidate};

#[inline]
pub(super) fn pick<C: Candidate>(servers: &[C]) -> Option<usize> {
    extreme::least_per_weight(servers, C::overhead)
}
