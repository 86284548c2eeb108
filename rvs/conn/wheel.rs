// SPDX-License-Identifier: GPL-2.0-only

//! A hashed timing wheel (Varghese, Lauck 1987): which slot an entry waits
//! in, and which slots are due. Where the slots' lists live, and what happens
//! to an entry whose slot is due, is not decided here.

#![forbid(unsafe_code)]

/// Slots of the wheel. A power of two, so that slots follow each other when the tick counter wraps.
pub const SLOTS: usize = 256;

/// Ticks per slot, as a shift: a quarter of a second at 250 Hz.
const SLOT_SHIFT: u32 = 6;

/// Ticks per slot.
pub const SLOT_TICKS: u32 = 1 << SLOT_SHIFT;

/// The farthest that an entry is put ahead, in slots. Later deadlines are met in several rounds,
/// so an entry is looked at no more often than once a minute.
const HORIZON: u32 = SLOTS as u32 - 2;

/// The hand of the wheel.
pub struct Wheel {
    /// The slot number, on the wrapping counter of slots, up to which all were visited.
    visited: u32,
}

/// Where an entry waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// Its slot.
    pub slot: usize,
    /// The tick at which the slot is due.
    pub due: u32,
}

impl Wheel {
    /// A wheel that starts at the tick `now`.
    pub const fn new(now: u32) -> Self {
        Self {
            visited: now >> SLOT_SHIFT,
        }
    }

    /// Where an entry waits that has `left` ticks from `now`; its slot is due at its deadline or less
    /// than a slot later, but the next slot at the earliest and the horizon at the latest.
    pub fn place(now: u32, left: u32) -> Place {
        let from_slot_start = left.saturating_add(now % SLOT_TICKS);
        let ahead = from_slot_start.div_ceil(SLOT_TICKS).clamp(1, HORIZON);
        let number = (now >> SLOT_SHIFT).wrapping_add(ahead);
        Place {
            slot: number as usize % SLOTS,
            due: number << SLOT_SHIFT,
        }
    }

    /// The slots that became due up to `now`, each once.
    pub fn advance(&mut self, now: u32) -> impl Iterator<Item = usize> {
        let to = now >> SLOT_SHIFT;
        // The number of slots wraps together with the tick counter.
        let mask = u32::MAX >> SLOT_SHIFT;
        let passed = to.wrapping_sub(self.visited) & mask;
        let due = passed.min(SLOTS as u32);
        self.visited = to;
        (0..due).map(move |back| to.wrapping_sub(due - 1 - back) as usize % SLOTS)
    }
}
