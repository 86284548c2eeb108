// SPDX-License-Identifier: GPL-2.0-only

//! The server with the least or the most of something. The first in list order wins ties, everywhere.

use super::Candidate;

/// Has `a` less overhead for its weight than `b`?
#[inline]
pub(super) fn is_lighter<C: Candidate>(a: &C, b: &C) -> bool {
    let (weight_a, weight_b) = (u64::from(a.weight()), u64::from(b.weight()));
    a.overhead().saturating_mul(weight_b) < b.overhead().saturating_mul(weight_a)
}

/// Index of the server that takes flows and costs least for its weight.
#[inline]
pub(super) fn least_per_weight<C: Candidate>(
    servers: &[C],
    cost: impl Fn(&C) -> u64,
) -> Option<usize> {
    let mut choice = None;
    // Infinitely loaded: any server is better.
    let (mut least, mut least_weight) = (1u64, 0);
    // A range counts without the overflow check that `enumerate` carries.
    for (index, server) in (0..servers.len()).zip(servers) {
        let weight = u64::from(server.weight());
        if weight == 0 || server.is_overloaded() {
            continue;
        }
        let cost = cost(server);
        // Compares cost / weight < least / least_weight without division. A product saturates only from
        // 2^25 active connections at a weight of 2^31 on.
        if cost.saturating_mul(least_weight) < least.saturating_mul(weight) {
            (least, least_weight) = (cost, weight);
            choice = Some(index);
        }
    }
    choice
}

/// Index and weight of the heaviest server that takes flows and is `suitable`.
#[inline]
pub(super) fn heaviest<C: Candidate>(
    servers: &[C],
    suitable: impl Fn(&C) -> bool,
) -> Option<(usize, u32)> {
    let mut choice = None;
    let mut greatest = 0;
    for (index, server) in (0..servers.len()).zip(servers) {
        let weight = server.weight();
        if weight > greatest && !server.is_overloaded() && suitable(server) {
            greatest = weight;
            choice = Some((index, weight));
        }
    }
    choice
}
