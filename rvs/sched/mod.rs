// SPDX-License-Identifier: GPL-2.0-only

//! Schedulers: which real server gets a new flow. One file per scheduler.
//!
//! A scheduler sees the real servers of one virtual service as a slice in IPVS's list order, the newest
//! first; that order decides ties and the order of turns. What it has to remember between two picks is a
//! [`Cursor`], and what it wants to know about the servers as a whole is [`Prepared`] once per
//! configuration. Both are kept by the caller; nothing here holds state, takes locks or knows what a real
//! server is beyond [`Candidate`].
//!
//! A pick is right for the servers it is given even if cursor and preparation belong to an older or newer
//! configuration, as happens to packets during a change: at worst a turn is lost or taken twice.

#![forbid(unsafe_code)]

mod rr;
mod wlc;
mod wrr;

/// What a scheduler asks about a real server.
pub trait Candidate {
    /// Share of the flows relative to the other real servers; 0 takes no new ones.
    fn weight(&self) -> u32;

    /// Active connections bound to it.
    fn active(&self) -> u32;

    /// All connections bound to it, active and inactive.
    fn total(&self) -> u32;

    /// Has it reached its upper connection threshold and not yet fallen below the lower one?
    fn is_overloaded(&self) -> bool;
}

/// How the real server of a new flow is chosen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scheduler {
    /// `rr`: each in turn.
    RoundRobin,
    /// `wrr`: each in turn, as often as its weight says.
    WeightedRoundRobin,
    /// `wlc`: the one with the fewest connections for its weight.
    WeightedLeastConnection,
}

impl Scheduler {
    /// All schedulers.
    pub const ALL: [Scheduler; 3] = [
        Scheduler::RoundRobin,
        Scheduler::WeightedRoundRobin,
        Scheduler::WeightedLeastConnection,
    ];

    /// The name by which IPVS's clients call the scheduler.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Scheduler::RoundRobin => "rr",
            Scheduler::WeightedRoundRobin => "wrr",
            Scheduler::WeightedLeastConnection => "wlc",
        }
    }

    /// The scheduler of this name, given without a terminating zero.
    #[must_use]
    pub fn from_name(name: &[u8]) -> Option<Scheduler> {
        Scheduler::ALL
            .into_iter()
            .find(|scheduler| scheduler.name().as_bytes() == name)
    }

    /// What picks need to know about the servers as a whole. To be computed again whenever a server is
    /// added or removed or a weight changes.
    #[must_use]
    pub fn prepare<C: Candidate>(self, servers: &[C]) -> Prepared {
        match self {
            Scheduler::WeightedRoundRobin => wrr::prepare(servers),
            Scheduler::RoundRobin | Scheduler::WeightedLeastConnection => Prepared::default(),
        }
    }

    /// Chooses the real server of a new flow. `None` if no server is available: every one has weight 0
    /// or is overloaded; then the cursor to keep is the old one.
    #[inline]
    #[must_use]
    pub fn pick<C: Candidate>(
        self,
        servers: &[C],
        prepared: Prepared,
        cursor: Cursor,
    ) -> Option<Pick> {
        match self {
            Scheduler::RoundRobin => rr::pick(servers, cursor),
            Scheduler::WeightedRoundRobin => wrr::pick(servers, prepared, cursor),
            Scheduler::WeightedLeastConnection => wlc::pick(servers, cursor),
        }
    }

    /// The cursor to go on with after a change of configuration; `servers` are those after the change.
    #[must_use]
    pub fn after_change<C: Candidate>(
        self,
        cursor: Cursor,
        change: Change,
        servers: &[C],
    ) -> Cursor {
        match self {
            Scheduler::RoundRobin => rr::after_change(cursor, change),
            Scheduler::WeightedRoundRobin => wrr::after_change(cursor, wrr::prepare(servers)),
            Scheduler::WeightedLeastConnection => cursor,
        }
    }
}

/// What a scheduler remembers between two picks. The default is the start.
///
/// It fits 64 bits so that it can be kept in an atomic and replaced by compare-and-exchange. Any
/// 64 bits are a valid cursor for any servers.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Cursor {
    /// How many servers of the current lap have had their chance: one more than the index of the server
    /// picked last, or 0 before the first.
    passed: u32,
    /// `wrr`: the weight that a server needs for a turn in the current lap; 0 before the first pick.
    threshold: u32,
}

impl Cursor {
    /// The cursor that [`to_bits`](Cursor::to_bits) gave these bits for.
    #[inline]
    #[must_use]
    pub const fn from_bits(bits: u64) -> Cursor {
        Cursor {
            passed: bits as u32,
            threshold: (bits >> 32) as u32,
        }
    }

    /// The cursor as an integer; the default cursor is 0.
    #[inline]
    #[must_use]
    pub const fn to_bits(self) -> u64 {
        ((self.threshold as u64) << 32) | self.passed as u64
    }

    /// The cursor after the server at `index` was picked.
    #[inline]
    fn picked(index: usize, threshold: u32) -> Cursor {
        Cursor {
            // Lists of more than 2^32 servers do not exist; one would merely be begun anew.
            passed: u32::try_from(index).unwrap_or(0).wrapping_add(1),
            threshold,
        }
    }
}

/// What a scheduler wants to know about all servers together, see [`Scheduler::prepare`].
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Prepared {
    /// `wrr`: the greatest common divisor of all weights above 0; 0 if there are none.
    step: u32,
    /// `wrr`: the threshold of the first lap.
    top: u32,
}

/// A scheduler's choice.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pick {
    /// Index of the chosen server.
    pub index: usize,
    /// The cursor to go on with.
    pub cursor: Cursor,
}

/// How the list of servers changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// A server was put at the head of the list.
    Added,
    /// The server at this index was taken out.
    Removed {
        /// Its index before.
        index: usize,
    },
    /// A server's weight or thresholds changed.
    Edited,
}
