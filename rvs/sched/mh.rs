// SPDX-License-Identifier: GPL-2.0-only

//! Maglev hashing (`mh`): a table of a prime number of entries that the servers own in shares by their weight, and of
//! which few change their owner when a server comes or goes (Eisenbud and others, "Maglev: A Fast and Reliable
//! Software Network Load Balancer", NSDI 2016, section 3.4). The hash of the client's address says which entry
//! is meant.
//!
//! Each server has its own order of preference of all entries: from `offset` on in steps of `skip`, both
//! hashes of its address and port. In laps over the list each server takes, in turn, the first entries of its
//! order that are still free, as many as it has `turns`. Directors with the same servers in the same order have the
//! same table; its keys are IPVS's, for directors that run `ip_vs`.
//!
//! The turns are the server's share by its last weight that was not 0, so that entries wait for a server that is
//! taken out for a while; weights are divided by their greatest common divisor, and halved until they have as many
//! bits as the size of the table allows.
//!
//! Options: with `mh-port` the client's port is added to its address; with `mh-fallback` clients of a server that
//! takes no flows go to the owner of another entry.

use super::{
    greatest_common_divisor,
    table::{Slot, NOBODY},
    Candidate, Flow, Pool,
};
use crate::siphash;

/// IPVS's keys, the same everywhere.
const OFFSET_KEY: siphash::Key = siphash::Key::new([2_654_435_761; 2]);
const SKIP_KEY: siphash::Key = siphash::Key::new([2_654_446_892; 2]);

/// A divisor of 32-bit numbers, with what makes the remainder two multiplications (Lemire, Kaser, Kurz, "Faster
/// Remainder by Direct Computation", 2019).
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Divisor {
    divisor: u32,
    reciprocal: u64,
}

impl Divisor {
    /// A divisor greater than 1.
    const fn new(divisor: u32) -> Divisor {
        Divisor {
            divisor,
            reciprocal: u64::MAX / divisor as u64 + 1,
        }
    }

    /// The remainder of `number`; 0 for the default divisor.
    #[inline]
    const fn remainder(self, number: u32) -> u32 {
        let fraction = self.reciprocal.wrapping_mul(number as u64);
        ((fraction as u128).wrapping_mul(self.divisor as u128) >> 64) as u32
    }
}

/// A size of the table.
#[derive(Clone, Copy)]
struct Size {
    entries: Divisor,
    /// Of the steps in which a server walks over the table: entries less one.
    steps: Divisor,
    /// The most bits that the turns of a server have.
    bits: u32,
}

impl Size {
    const fn new(prime: u32, bits: u32) -> Size {
        Size {
            entries: Divisor::new(prime),
            steps: Divisor::new(prime - 1),
            bits,
        }
    }
}

/// The size of IPVS unless its build says otherwise, and the greater ones that it knows.
const SIZES: [Size; 6] = [
    Size::new(4093, 6),
    Size::new(8191, 6),
    Size::new(16_381, 7),
    Size::new(32_749, 7),
    Size::new(65_521, 8),
    Size::new(131_071, 8),
];

/// The smallest size with an entry for every server. IPVS has one size only, and keeps its old table when there are
/// more servers.
fn size_for(servers: usize) -> Size {
    let [.., greatest] = SIZES;
    SIZES
        .into_iter()
        .find(|size| size.entries.divisor as usize >= servers)
        .unwrap_or(greatest)
}

/// Entries of the table for so many servers.
pub(super) fn table_len(servers: usize) -> usize {
    size_for(servers).entries.divisor as usize
}

/// How a server walks over the table while it is filled.
#[derive(Clone, Copy, Default)]
pub struct Walk {
    at: u32,
    skip: u32,
    turns: u32,
}

impl Walk {
    fn new<C: Candidate>(server: &C, size: Size, divisor: u32, shift: u32) -> Walk {
        let key = server.address().wrapping_add(u32::from(server.port()));
        let weight = server.last_weight();
        let turns = weight.checked_div(divisor).unwrap_or(0) >> (shift & 31);
        Walk {
            at: size.entries.remainder(OFFSET_KEY.of_u32(key) as u32),
            skip: size
                .steps
                .remainder(SKIP_KEY.of_u32(key) as u32)
                .wrapping_add(1),
            turns: turns.max(weight.min(1)),
        }
    }

    /// Takes the next entry that is free, of which there must be one.
    fn claim(&mut self, table: &mut [Slot], owner: Slot, entries: u32) {
        loop {
            match table.get_mut(self.at as usize) {
                Some(slot) if *slot == NOBODY => {
                    *slot = owner;
                    return;
                }
                Some(_) => {}
                None => return,
            }
            self.at = self.at.wrapping_add(self.skip);
            if self.at >= entries {
                self.at = self.at.wrapping_sub(entries);
            }
        }
    }
}

/// Fills the table, which has the length that [`table_len`] says; `walks` is memory for the meantime, one for each
/// server. Gives what a pick divides by.
pub(super) fn fill<C: Candidate>(servers: &[C], table: &mut [Slot], walks: &mut [Walk]) -> Divisor {
    let size = size_for(servers.len());
    let entries = size.entries.divisor;
    table.fill(NOBODY);
    let divisor = greatest_common_divisor(servers.iter().map(C::last_weight));
    let heaviest = servers.iter().map(C::last_weight).max().unwrap_or(0);
    let Some(greatest_share) = heaviest.checked_div(divisor) else {
        // No server, or none that ever had a weight.
        return size.entries;
    };
    let occupied_bits = u32::BITS.wrapping_sub(greatest_share.leading_zeros());
    let shift = occupied_bits.saturating_sub(size.bits);
    for (walk, server) in walks.iter_mut().zip(servers) {
        *walk = Walk::new(server, size, divisor, shift);
    }
    // Slots number no more servers than this; those behind have no share.
    let owners = servers.len().min(usize::from(NOBODY));
    let walks = walks.get_mut(..owners).unwrap_or_default();
    let can_be_filled = table.len() == entries as usize && walks.iter().any(|walk| walk.turns > 0);
    let mut free = if can_be_filled { entries } else { 0 };
    while free > 0 {
        for (owner, walk) in (0..NOBODY).zip(walks.iter_mut()) {
            for _ in 0..walk.turns.min(free) {
                walk.claim(table, owner, entries);
                free = free.wrapping_sub(1);
            }
        }
    }
    size.entries
}

#[inline]
pub(super) fn pick<C: Candidate>(pool: &Pool<'_, C>, flow: &Flow) -> Option<usize> {
    let Divisor { divisor, .. } = pool.prepared.entries;
    let key = flow.client_key(pool.options);
    let slot_of = |number| {
        let hash = OFFSET_KEY.of_u32(number) as u32;
        pool.prepared.entries.remainder(hash)
    };
    let home = slot_of(key);
    // All numbers below the divisor, from `home` on.
    let others = (home..divisor)
        .chain(0..home)
        .map(|step| slot_of(key.wrapping_add(step)) as usize);
    pool.owner_or_fallback(home as usize, others)
}
