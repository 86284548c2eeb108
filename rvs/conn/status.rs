// SPDX-License-Identifier: GPL-2.0-only

//! State and flags of a connection in one word, so that both directions
//! change them together or not at all.

use core::sync::atomic::{AtomicU32, Ordering};

const STATE: u32 = 0xff;
const ACTIVE: u32 = 1 << 8;
const OUTPUT_UNSEEN: u32 = 1 << 9;
const DEAD: u32 = 1 << 10;
const TEMPLATE: u32 = 1 << 11;
const INVALID: u32 = 1 << 12;
const TRACKED: u32 = 1 << 13;
const UNCLAIMED: u32 = 1 << 14;
const RESET: u32 = 1 << 15;

/// State and flags of a connection at one moment.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Status(u32);

impl Status {
    /// State 0, inactive; `output_unseen` if the real server answers the client itself.
    pub const fn fresh(output_unseen: bool) -> Self {
        Self(if output_unseen { OUTPUT_UNSEEN } else { 0 })
    }

    /// The protocol's state number.
    #[inline]
    pub const fn state(self) -> u8 {
        (self.0 & STATE) as u8
    }

    /// Whether it counts as active on its real server.
    #[inline]
    pub const fn is_active(self) -> bool {
        self.0 & ACTIVE != 0
    }

    /// Whether no packet of the real server was seen so far, and none is expected.
    #[inline]
    pub const fn is_output_unseen(self) -> bool {
        self.0 & OUTPUT_UNSEEN != 0
    }

    /// Whether it was ended before its time.
    #[inline]
    pub const fn is_dead(self) -> bool {
        self.0 & DEAD != 0
    }

    /// The same flags with another state.
    #[inline]
    pub const fn with_state(self, state: u8, is_active: bool) -> Self {
        let flags = self.0 & !(STATE | ACTIVE);
        Self(flags | state as u32 | if is_active { ACTIVE } else { 0 })
    }

    /// A packet of the real server was seen.
    #[inline]
    pub const fn with_output_seen(self) -> Self {
        Self(self.0 & !OUTPUT_UNSEEN)
    }

    /// The same for a template.
    pub const fn of_template(self) -> Self {
        Self(self.0 | TEMPLATE)
    }

    /// Whether it is a template of connections, rather than one.
    #[inline]
    pub const fn is_template(self) -> bool {
        self.0 & TEMPLATE != 0
    }

    /// A template that is not used any more.
    pub const fn invalidated(self) -> Self {
        Self(self.0 | INVALID)
    }

    /// Whether it is a template that is not used any more.
    pub const fn is_invalid(self) -> bool {
        self.0 & INVALID != 0
    }

    /// Whether it has ended or is not used any more.
    pub const fn is_over(self) -> bool {
        self.0 & (DEAD | INVALID) != 0
    }

    /// The same for one whose packets connection tracking follows.
    pub const fn tracked(self) -> Self {
        Self(self.0 | TRACKED)
    }

    /// The same for one that waits for a client whose port is not known.
    pub const fn unclaimed(self) -> Self {
        Self(self.0 | UNCLAIMED)
    }

    /// The client has come.
    pub const fn claimed(self) -> Self {
        Self(self.0 & !UNCLAIMED)
    }

    /// Whether it waits for a client whose port is not known.
    pub const fn is_unclaimed(self) -> bool {
        self.0 & UNCLAIMED != 0
    }

    /// Whether it is a connection between known ends, which packets can be of.
    #[inline]
    pub const fn has_packets(self) -> bool {
        self.0 & (TEMPLATE | UNCLAIMED) == 0
    }

    /// Whether connection tracking follows its packets.
    #[inline]
    pub const fn is_tracked(self) -> bool {
        self.0 & TRACKED != 0
    }

    /// The same for one whose ends are told that it is over.
    pub const fn reset(self) -> Self {
        Self(self.0 | RESET)
    }

    /// Whether its ends are told that it is over.
    #[inline]
    pub const fn is_reset(self) -> bool {
        self.0 & RESET != 0
    }

    /// Ended.
    pub const fn killed(self) -> Self {
        Self(self.0 | DEAD)
    }
}

/// A [`Status`] that several CPUs change.
pub struct AtomicStatus(AtomicU32);

impl AtomicStatus {
    pub const fn new(status: Status) -> Self {
        Self(AtomicU32::new(status.0))
    }

    #[inline]
    pub fn load(&self) -> Status {
        Status(self.0.load(Ordering::Relaxed))
    }

    /// Replaces `from` by `to`; `false` if it was something else by now.
    #[inline]
    pub fn replace(&self, from: Status, to: Status) -> bool {
        self.0
            .compare_exchange(from.0, to.0, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
    }
}
