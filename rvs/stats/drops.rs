// SPDX-License-Identifier: GPL-2.0-only

//! Why packets were dropped: one table that the counters, the native netlink
//! family, `rvsctl stats` and `rvsctl drops` share.

use crate::sys::per_cpu;
use kernel::prelude::*;

macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident, $name:literal, $meaning:literal;)*) => {
        /// Why a packet was dropped.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(usize)]
        pub enum Reason {
            $(#[doc = $meaning] $variant,)*
        }

        impl Reason {
            /// All reasons.
            pub const ALL: &'static [Reason] = &[$(Reason::$variant,)*];

            /// A stable name for scripts.
            pub const fn name(self) -> &'static str {
                match self { $(Reason::$variant => $name,)* }
            }

            /// One sentence for people.
            pub const fn meaning(self) -> &'static str {
                match self { $(Reason::$variant => $meaning,)* }
            }
        }
    };
}

reasons! {
    Malformed, "malformed", "The packet ends before its headers do.";
    DropPacket, "drop-packet", "The defence drop_packet was on, and it was this packet's turn not to create a connection.";
    NoMemory, "no-memory", "Memory was out: for a connection, or for a header to be rewritten.";
    TableFull, "table-full", "As many connections exist already as may exist in memory of this size.";
    NoCallId, "no-call-id", "The service goes by the Call-ID of SIP, and the packet has none.";
    NoServer, "no-server", "Every real server of the service has weight 0, is over its threshold, or there is none.";
    ServerRemoved, "server-removed", "The connection's real server is no longer configured.";
    TtlExceeded, "ttl-exceeded", "The packet's time to live ran out at the director.";
    TooBig, "too-big", "The packet exceeds the path's MTU and must not be fragmented.";
    Unreachable, "unreachable", "Routing knows no way to the real server.";
    NotLocal, "not-local", "The real server's address became local while the packet was only routed through.";
    Stray, "stray", "A masqueraded real server sent it outside of any connection, and was told so (nat_icmp_send).";
    Untrackable, "untrackable", "Connection tracking refused the packet: its table is full, or another flow has the same ends.";
    BadChecksum, "bad-checksum", "The checksum of an ICMP error that would have to be rewritten is wrong.";
}

/// Counts of dropped packets, one for each reason.
pub struct Drops(per_cpu::Counters<{ Reason::ALL.len() }>);

impl Drops {
    /// Counts at 0. Sleeps.
    pub fn new() -> Result<Self> {
        Ok(Self(per_cpu::Counters::new()?))
    }

    /// Counts a packet.
    #[inline]
    pub fn count(&self, reason: Reason) {
        self.0.add(reason as usize, 1);
    }

    /// How many packets each reason cost.
    pub fn counts(&self) -> Counts {
        Counts(self.0.sum())
    }
}

/// How many packets each reason cost, at one moment.
#[derive(Default)]
pub struct Counts([u64; Reason::ALL.len()]);

impl Counts {
    /// Each reason with its count.
    pub fn iter(&self) -> impl Iterator<Item = (Reason, u64)> {
        Reason::ALL.iter().copied().zip(self.0)
    }
}
