// SPDX-License-Identifier: GPL-2.0-only

//! Weighted failover (`fo`): the heaviest available server gets everything; the first in list order wins ties.
//! The next one's turn comes when it is overloaded, or its weight is lowered. As in IPVS.

use super::{extreme, Candidate};

#[inline]
pub(super) fn pick<C: Candidate>(servers: &[C]) -> Option<usize> {
    let (index, _) = extreme::heaviest(servers, |_| true)?;
    Some(index)
}
