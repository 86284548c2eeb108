// SPDX-License-Identifier: GPL-2.0-only

//! Locality-based least-connection with replication (`lblcr`): as `lblc`, but a destination has a set of servers, which
//! the caller keeps in a cache by destination address. Of the set, the server with the least overhead for its weight
//! gets the flow. If it is congested, the server that `wlc` picks gets it and joins the set. A set of several that has
//! not changed for long loses the one with the most overhead for its weight, so that it shrinks when a
//! destination is no longer in demand. All of that is IPVS's rule, whose sets have the newest member first.

use super::{extreme::is_lighter, lblc, wlc, Candidate};

/// What becomes of a flow to a destination that has a set, and of the set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Decision {
    /// Who gets the flow.
    pub choice: Choice,
    /// Index of the member that leaves the set.
    pub leaves: Option<usize>,
}

/// Who gets a flow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Choice {
    /// The member of the set at this index.
    Member(usize),
    /// The server of the service at this index, who joins the set if it is no member.
    Server(usize),
    /// Nobody is available.
    Nobody,
}

/// Decides for a flow to a destination with this set, of a service with these servers. `is_old` says that the set has
/// not changed for long.
#[inline]
#[must_use]
pub fn decide<C: Candidate>(set: &[C], servers: &[C], is_old: bool) -> Decision {
    let member = least(set).and_then(|index| Some((index, set.get(index)?)));
    let choice = match member {
        Some((index, server)) if !lblc::is_congested(server, servers) => Choice::Member(index),
        _ => wlc::pick(servers).map_or(Choice::Nobody, Choice::Server),
    };
    let leaves = match set {
        [_, _, ..] if is_old => most(set),
        _ => None,
    };
    Decision { choice, leaves }
}

/// The member with the least overhead for its weight of those that are configured and take flows.
fn least<C: Candidate>(set: &[C]) -> Option<usize> {
    let mut choice: Option<(usize, &C)> = None;
    for (index, server) in (0..set.len()).zip(set) {
        if server.is_configured()
            && server.takes_flows()
            && choice.is_none_or(|(_, least)| is_lighter(server, least))
        {
            choice = Some((index, server));
        }
    }
    choice.map(|(index, _)| index)
}

/// The member with the most overhead for its weight of those that have one.
fn most<C: Candidate>(set: &[C]) -> Option<usize> {
    let mut choice: Option<(usize, &C)> = None;
    for (index, server) in (0..set.len()).zip(set) {
        if server.weight() > 0 && choice.is_none_or(|(_, most)| is_lighter(most, server)) {
            choice = Some((index, server));
        }
    }
    choice.map(|(index, _)| index)
}
