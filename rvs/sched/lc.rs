// SPDX-License-Identifier: GPL-2.0-only

//! Least-connection (`lc`): the server with the smallest overhead among those that are not overloaded and whose
//! weight is not 0; how much greater it is does not count. The first in list order wins ties. The overhead is that
//! of `wlc`, as in IPVS.

use super::Candidate;

#[inline]
pub(super) fn pick<C: Candidate>(servers: &[C]) -> Option<usize> {
    let mut choice = None;
    let mut least = u64::MAX;
    // A range counts without the overflow check that `enumerate` carries.
    for (index, server) in (0..servers.len()).zip(servers) {
        let overhead = server.overhead();
        if server.takes_flows() && overhead < least {
            least = overhead;
            choice = Some(index);
        }
    }
    choice
}
