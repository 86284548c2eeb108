// SPDX-License-Identifier: GPL-2.0-only

//! The power of two random choices (`twos`; Mitzenmacher, Richa, Sitaraman, 2001): two servers are drawn by weight,
//! and the one with less overhead for its weight is picked. That keeps the greatest load close to the average almost
//! as well as looking at all servers does, without every director sending its flows to the same idle one.
//!
//! As in IPVS, a draw is a number from 0 to the sum of the weights, both included, and stands for the first server
//! in list order up to which the weights add up to it; the same server may be drawn twice, and the first draw wins
//! ties.

use super::{extreme::is_lighter, Candidate};

#[inline]
pub(super) fn pick<C: Candidate>(servers: &[C], mut random: impl FnMut() -> u64) -> Option<usize> {
    let mut total = 0u64;
    for server in servers.iter().filter(|server| server.takes_flows()) {
        total = total.wrapping_add(u64::from(server.weight()));
    }
    if total == 0 {
        return None;
    }
    let mut draw = || scaled(random(), total.wrapping_add(1));
    let mut draws = [Draw::new(draw()), Draw::new(draw())];
    let mut sum = 0u64;
    for (index, server) in (0..servers.len()).zip(servers) {
        if !server.takes_flows() {
            continue;
        }
        sum = sum.wrapping_add(u64::from(server.weight()));
        for draw in &mut draws {
            draw.offer(index, sum);
        }
        if draws.iter().all(|draw| draw.is_met) {
            break;
        }
    }
    let [first, second] = draws.map(|draw| draw.index);
    let (a, b) = (servers.get(first?)?, servers.get(second?)?);
    if is_lighter(b, a) {
        second
    } else {
        first
    }
}

/// A number below `end`, for a random number of 64 bits (Lemire, 2019; without rejection, its bias is below 2^-30
/// for any sum of weights).
#[inline]
fn scaled(random: u64, end: u64) -> u64 {
    (u128::from(random).wrapping_mul(u128::from(end)) >> 64) as u64
}

/// A number that was drawn, and the server that it stands for.
#[derive(Clone, Copy)]
struct Draw {
    number: u64,
    index: Option<usize>,
    is_met: bool,
}

impl Draw {
    #[inline]
    fn new(number: u64) -> Draw {
        Draw {
            number,
            index: None,
            is_met: false,
        }
    }

    /// Takes the server at `index`, up to which the weights add up to `sum`, unless it has one that reaches its
    /// number. It keeps the last if weights were lowered meanwhile so that none does.
    #[inline]
    fn offer(&mut self, index: usize, sum: u64) {
        if !self.is_met {
            self.index = Some(index);
            self.is_met = sum >= self.number;
        }
    }
}
