// SPDX-License-Identifier: GPL-2.0-only

//! Schedulers: which real server gets a new flow. One file per scheduler.
//!
//! A scheduler sees the real servers of one virtual service as a slice in IPVS's list order, the newest
//! first; that order decides ties, the order of turns and the owners of tables. What it has to remember between two
//! picks is a [`Cursor`], and what it wants to know about the servers as a whole is prepared once per
//! configuration. Both are kept by the caller, who also brings all memory; nothing here holds state, takes locks or
//! knows what a real server is beyond [`Candidate`].
//!
//! A pick is right for the servers it is given even if the cursor belongs to an older or newer configuration, as
//! happens to packets during a change: at worst a turn is lost or taken twice.

#![forbid(unsafe_code)]

mod dh;
mod extreme;
mod fo;
pub mod lblc;
pub mod lblcr;
mod lc;
pub mod locality;
mod mh;
mod nq;
mod ovf;
mod rr;
mod sed;
mod sh;
mod table;
mod twos;
mod wlc;
mod wrr;

pub use mh::Walk;
pub use table::{Slot, NOBODY};

use core::net::IpAddr;

/// What a scheduler asks about a real server.
pub trait Candidate {
    /// Share of the flows relative to the other real servers; 0 takes no new ones.
    fn weight(&self) -> u32;

    /// The last weight that was not 0 since the server was added; 0 if there was none.
    fn last_weight(&self) -> u32;

    /// Active connections bound to it.
    fn active(&self) -> u32;

    /// All connections bound to it, active and inactive.
    fn total(&self) -> u32;

    /// Has it reached its upper connection threshold and not yet fallen below the lower one?
    fn is_overloaded(&self) -> bool;

    /// Is it one of its service's servers at present? One that a cache refers to may have been removed.
    fn is_configured(&self) -> bool;

    /// Its address, [folded](fold).
    fn address(&self) -> u32;

    /// Its port, host byte order; 0 if it takes any.
    fn port(&self) -> u16;

    /// May it get new flows?
    #[inline]
    fn takes_flows(&self) -> bool {
        !self.is_overloaded() && self.weight() > 0
    }

    /// How busy it is: 256 · active + total connections, so an active connection counts as much as 257 inactive
    /// ones.
    #[inline]
    fn overhead(&self) -> u64 {
        // Below 2^41, cannot wrap.
        (u64::from(self.active()) << 8).wrapping_add(u64::from(self.total()))
    }
}

/// An address as a number of 32 bits, host byte order: IPv6 as the exclusive or of its four words.
#[inline]
#[must_use]
pub fn fold(address: IpAddr) -> u32 {
    match address {
        IpAddr::V4(address) => address.to_bits(),
        IpAddr::V6(address) => {
            let bits = address.to_bits();
            let half = (bits >> 64) as u64 ^ bits as u64;
            (half >> 32) as u32 ^ half as u32
        }
    }
}

/// How the real server of a new flow is chosen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scheduler {
    /// `rr`: each in turn.
    RoundRobin,
    /// `wrr`: each in turn, as often as its weight says.
    WeightedRoundRobin,
    /// `lc`: the one with the fewest connections.
    LeastConnection,
    /// `wlc`: the one with the fewest connections for its weight.
    WeightedLeastConnection,
    /// `fo`: the heaviest.
    Failover,
    /// `ovf`: the heaviest that has no more connections than its weight.
    Overflow,
    /// `lblc`: the one that had the destination last, else as `wlc`.
    Locality,
    /// `lblcr`: the least busy of those that have the destination, else as `wlc`.
    LocalityWithReplication,
    /// `dh`: by the destination's address.
    DestinationHashing,
    /// `sh`: by the client's address.
    SourceHashing,
    /// `mh`: by the client's address, with few changes when servers come and go.
    MaglevHashing,
    /// `sed`: the one where a flow can expect to wait least.
    ShortestExpectedDelay,
    /// `nq`: an idle one, else as `sed`.
    NeverQueue,
    /// `twos`: the less busy one of two drawn by weight.
    TwoChoices,
}

impl Scheduler {
    /// All schedulers.
    pub const ALL: [Scheduler; 14] = [
        Scheduler::RoundRobin,
        Scheduler::WeightedRoundRobin,
        Scheduler::LeastConnection,
        Scheduler::WeightedLeastConnection,
        Scheduler::Failover,
        Scheduler::Overflow,
        Scheduler::Locality,
        Scheduler::LocalityWithReplication,
        Scheduler::DestinationHashing,
        Scheduler::SourceHashing,
        Scheduler::MaglevHashing,
        Scheduler::ShortestExpectedDelay,
        Scheduler::NeverQueue,
        Scheduler::TwoChoices,
    ];

    /// The name by which IPVS's clients call the scheduler.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Scheduler::RoundRobin => "rr",
            Scheduler::WeightedRoundRobin => "wrr",
            Scheduler::LeastConnection => "lc",
            Scheduler::WeightedLeastConnection => "wlc",
            Scheduler::Failover => "fo",
            Scheduler::Overflow => "ovf",
            Scheduler::Locality => "lblc",
            Scheduler::LocalityWithReplication => "lblcr",
            Scheduler::DestinationHashing => "dh",
            Scheduler::SourceHashing => "sh",
            Scheduler::MaglevHashing => "mh",
            Scheduler::ShortestExpectedDelay => "sed",
            Scheduler::NeverQueue => "nq",
            Scheduler::TwoChoices => "twos",
        }
    }

    /// The scheduler of this name, given without a terminating zero.
    #[must_use]
    pub fn from_name(name: &[u8]) -> Option<Scheduler> {
        Scheduler::ALL
            .into_iter()
            .find(|scheduler| scheduler.name().as_bytes() == name)
    }

    /// Entries of the table that [`prepare`](Scheduler::prepare) wants for so many servers; 0 if it needs none.
    #[must_use]
    pub fn table_len(self, servers: usize) -> usize {
        match self {
            Scheduler::DestinationHashing | Scheduler::SourceHashing => table::BUCKETS,
            Scheduler::MaglevHashing => mh::table_len(servers),
            _ => 0,
        }
    }

    /// Elements of the memory that [`prepare`](Scheduler::prepare) wants for the meantime.
    #[must_use]
    pub fn walks_len(self, servers: usize) -> usize {
        match self {
            Scheduler::MaglevHashing => servers,
            _ => 0,
        }
    }

    /// What picks need to know about the servers as a whole. To be computed again whenever a server is
    /// added or removed or a weight changes.
    ///
    /// Fills `table`, which has the length that [`table_len`](Scheduler::table_len) says; `walks`, as long as
    /// [`walks_len`](Scheduler::walks_len) says, is not needed any more afterwards. With shorter ones some or all
    /// servers are never picked.
    #[must_use]
    pub fn prepare<C: Candidate>(
        self,
        servers: &[C],
        table: &mut [Slot],
        walks: &mut [Walk],
    ) -> Prepared {
        match self {
            Scheduler::WeightedRoundRobin => return wrr::prepare(servers),
            Scheduler::DestinationHashing => dh::fill(servers.len(), table),
            Scheduler::SourceHashing => sh::fill(servers, table),
            Scheduler::MaglevHashing => {
                return Prepared {
                    entries: mh::fill(servers, table, walks),
                    ..Prepared::default()
                }
            }
            _ => {}
        }
        Prepared::default()
    }

    /// Chooses the real server of a new flow. `None` if the rule has none for it; then the cursor to go on with is
    /// [another one](Scheduler::after_nobody).
    ///
    /// `random` gives 64 random bits each time. For `lblc` and `lblcr` this is the choice for a destination that the
    /// cache does not have; see [`lblc::keeps`] and [`lblcr::decide`].
    #[inline]
    #[must_use]
    pub fn pick<C: Candidate>(
        self,
        pool: &Pool<'_, C>,
        cursor: Cursor,
        flow: &Flow,
        random: impl FnMut() -> u64,
    ) -> Option<Pick> {
        let servers = pool.servers;
        let index = match self {
            Scheduler::RoundRobin => return rr::pick(servers, cursor),
            Scheduler::WeightedRoundRobin => return wrr::pick(servers, pool.prepared, cursor),
            Scheduler::LeastConnection => lc::pick(servers),
            Scheduler::WeightedLeastConnection
            | Scheduler::Locality
            | Scheduler::LocalityWithReplication => wlc::pick(servers),
            Scheduler::Failover => fo::pick(servers),
            Scheduler::Overflow => ovf::pick(servers),
            Scheduler::DestinationHashing => dh::pick(pool, flow),
            Scheduler::SourceHashing => sh::pick(pool, flow),
            Scheduler::MaglevHashing => mh::pick(pool, flow),
            Scheduler::ShortestExpectedDelay => sed::pick(servers),
            Scheduler::NeverQueue => nq::pick(servers),
            Scheduler::TwoChoices => twos::pick(servers, random),
        };
        index.map(|index| Pick { index, cursor })
    }

    /// As [`pick`](Scheduler::pick), for schedulers that only go by turns: they ask nothing about the flow.
    /// `None` for all others.
    #[inline]
    #[must_use]
    pub fn turn<C: Candidate>(
        self,
        servers: &[C],
        prepared: Prepared,
        cursor: Cursor,
    ) -> Option<Option<Pick>> {
        match self {
            Scheduler::RoundRobin => Some(rr::pick(servers, cursor)),
            Scheduler::WeightedRoundRobin => Some(wrr::pick(servers, prepared, cursor)),
            _ => None,
        }
    }

    /// The cursor to go on with after a pick from this one that found nobody.
    #[inline]
    #[must_use]
    pub fn after_nobody(self, prepared: Prepared, cursor: Cursor) -> Cursor {
        match self {
            Scheduler::WeightedRoundRobin => wrr::after_nobody(prepared, cursor),
            _ => cursor,
        }
    }

    /// The cursor to begin with when a service takes this scheduler; `prepared` is what
    /// [`prepare`](Scheduler::prepare) gave for the servers that it has then.
    #[must_use]
    pub fn start(self, prepared: Prepared) -> Cursor {
        match self {
            Scheduler::WeightedRoundRobin => wrr::start(prepared),
            _ => Cursor::default(),
        }
    }

    /// The cursor to go on with after changes of configuration, in their order; `prepared` is what
    /// [`prepare`](Scheduler::prepare) gave for the servers as they are after them.
    #[must_use]
    pub fn after_changes(
        self,
        cursor: Cursor,
        changes: impl IntoIterator<Item = Change>,
        prepared: Prepared,
    ) -> Cursor {
        let mut changes = changes.into_iter();
        match self {
            Scheduler::RoundRobin => changes.fold(cursor, rr::after_change),
            Scheduler::WeightedRoundRobin => match changes.next() {
                Some(_) => wrr::after_change(cursor, prepared),
                None => cursor,
            },
            _ => cursor,
        }
    }
}

/// The servers of a service as a pick sees them.
#[derive(Debug)]
pub struct Pool<'a, C> {
    /// In list order.
    pub servers: &'a [C],
    /// What [`Scheduler::prepare`] gave for these servers.
    pub prepared: Prepared,
    /// The table that it filled.
    pub table: &'a [Slot],
    /// Options of the service.
    pub options: Options,
}

/// What can be chosen about a scheduler.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Options {
    /// `sh-fallback`, `mh-fallback`: another server for the clients of one that takes no flows.
    pub fallback: bool,
    /// `sh-port`, `mh-port`: the client's port counts too.
    pub port: bool,
}

impl Options {
    /// The options in the flags of a service (`IP_VS_SVC_F_SCHED1`, `IP_VS_SVC_F_SCHED2`).
    #[inline]
    #[must_use]
    pub const fn from_flags(flags: u32) -> Options {
        Options {
            fallback: flags & 0x08 != 0,
            port: flags & 0x10 != 0,
        }
    }
}

/// What a scheduler asks about a new flow.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Flow {
    /// The client's address, [folded](fold).
    pub client: u32,
    /// The client's port, host byte order; 0 for protocols without ports.
    pub client_port: u16,
    /// The address that the client's packet goes to, [folded](fold).
    pub destination: u32,
}

impl Flow {
    /// What stands for the client in a hash.
    #[inline]
    fn client_key(&self, options: Options) -> u32 {
        let port = if options.port { self.client_port } else { 0 };
        self.client.wrapping_add(u32::from(port))
    }
}

/// The greatest number that divides all of `numbers` but zeros; 0 if there are none.
fn greatest_common_divisor(numbers: impl Iterator<Item = u32>) -> u32 {
    numbers.fold(0, |mut a, mut b| {
        while let Some(rest) = a.checked_rem(b) {
            (a, b) = (b, rest);
        }
        a
    })
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
    /// `mh`: the number of entries of its table.
    entries: mh::Divisor,
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
