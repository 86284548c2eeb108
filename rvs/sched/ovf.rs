// SPDX-License-Identifier: GPL-2.0-only

//! Weighted overflow (`ovf`): the heaviest server gets everything until it has more active connections than its
//! weight; what comes then flows over to the next one in order of weight. The first in list order wins ties. When all
//! are full, nobody is picked. As in IPVS, so a server takes one connection more than its weight says.

use super::{extreme, Candidate};

#[inline]
pub(super) fn pick<C: Candidate>(servers: &[C]) -> Option<usize> {
    let (index, _) = extreme::heaviest(servers, |server| server.active() <= server.weight())?;
    Some(index)
}
