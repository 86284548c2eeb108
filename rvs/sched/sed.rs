// SPDX-License-Identifier: GPL-2.0-only

//! Shortest expected delay (`sed`): the available server with the smallest (active + 1) / weight, the first in
//! list order on a tie. With jobs that take exponentially distributed time, and weights as rates of service, that
//! is the time a flow has to expect there once it is taken in (Weinrib, Shenker, 1988). Inactive connections
//! do not count.

use super::{extreme, Candidate};

#[inline]
pub(super) fn pick<C: Candidate>(servers: &[C]) -> Option<usize> {
    extreme::least_per_weight(servers, |server| u64::from(server.active()).wrapping_add(1))
}
