// SPDX-License-Identifier: GPL-2.0-only

//! Never queue (`nq`): the first available server without active connections, whatever its weight; if all
//! have some, as `sed`. A flow does not wait at a fast server while a slow one is idle (Weinrib, Shenker, 1988).

use super::{sed, Candidate};

#[inline]
pub(super) fn pick<C: Candidate>(servers: &[C]) -> Option<usize> {
    servers
        .iter()
        .position(|server| server.active() == 0 && server.takes_flows())
        .or_else(|| sed::pick(servers))
}
