// SPDX-License-Identifier: GPL-2.0-only

//! What the outside is told without asking: changes of the configuration,
//! real servers that are full, defences, tables that grow, packets that were
//! dropped. Whoever causes an event says so with [`emit`], from any context;
//! how it looks on the wire is `control::notice`'s.

mod bucket;
mod ledger;
mod sample;

pub use ledger::Ledger;
pub use sample::Sample;

use crate::{
    control::{self, uapi::event_type},
    netns::Netns,
    packet::{Endpoint, Family},
    proto,
    service::{
        config::{ServerView, ServiceView},
        RealServer, ServiceKey,
    },
    stats::drops::Reason,
    sys::{
        genl::Outlet,
        net::Net,
        rcu::{self, Held},
    },
};
use core::net::IpAddr;
use kernel::{c_str, prelude::*};

/// Where events go out: the native family.
pub static OUTLET: Outlet = Outlet::new();

/// What somebody can listen to by itself: a multicast group of the native family. The numbers are the
/// places in [`Group::NAMES`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum Group {
    /// Changes of the configuration, by whatever tool.
    Config = 0,
    /// What becomes of real servers besides.
    Servers = 1,
    /// Defences that go on or off.
    Defence = 2,
    /// Connection tables that grew or shrank much.
    Table = 3,
    /// Some of the packets that were dropped.
    Drops = 4,
}

impl Group {
    /// Their names.
    pub const NAMES: &'static [&'static CStr] = &[
        c_str!("config"),
        c_str!("servers"),
        c_str!("defence"),
        c_str!("table"),
        c_str!("drops"),
    ];

    /// Whether anybody listens. Whoever would have to work out what to tell asks first.
    pub fn is_heard(self, net: Net<'_>) -> bool {
        OUTLET.is_heard(net, self as u32)
    }
}

/// What happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum Event {
    /// A service was added.
    ServiceAdded = event_type::SERVICE_ADDED,
    /// Its settings were set.
    ServiceChanged = event_type::SERVICE_CHANGED,
    /// It was removed, with its real servers.
    ServiceRemoved = event_type::SERVICE_REMOVED,
    /// A real server was added.
    ServerAdded = event_type::SERVER_ADDED,
    /// Its settings were set.
    ServerChanged = event_type::SERVER_CHANGED,
    /// It was removed.
    ServerRemoved = event_type::SERVER_REMOVED,
    /// All services were removed.
    Flushed = event_type::FLUSHED,
    /// Counters were zeroed: of one service, or all.
    Zeroed = event_type::ZEROED,
    /// Timeouts were set.
    TimeoutsChanged = event_type::TIMEOUTS_CHANGED,
    /// A real server has as many connections as its upper threshold: it gets no new ones.
    ServerOverloaded = event_type::SERVER_OVERLOADED,
    /// It has fewer than its lower threshold: it gets new ones again.
    ServerRecovered = event_type::SERVER_RECOVERED,
    /// A real server is being drained: it gets no new connections.
    ServerDraining = event_type::SERVER_DRAINING,
    /// It has none left.
    ServerDrained = event_type::SERVER_DRAINED,
    /// It gets new ones again.
    ServerUndrained = event_type::SERVER_UNDRAINED,
    /// A defence went on.
    DefenceOn = event_type::DEFENCE_ON,
    /// It went off.
    DefenceOff = event_type::DEFENCE_OFF,
    /// A connection table has twice the slots, or half of them.
    TableResized = event_type::TABLE_RESIZED,
    /// A packet was dropped.
    PacketDropped = event_type::PACKET_DROPPED,
}

impl Event {
    /// The group that it is told to.
    pub const fn group(self) -> Group {
        match self {
            Self::ServiceAdded
            | Self::ServiceChanged
            | Self::ServiceRemoved
            | Self::ServerAdded
            | Self::ServerChanged
            | Self::ServerRemoved
            | Self::Flushed
            | Self::Zeroed
            | Self::TimeoutsChanged => Group::Config,
            Self::ServerOverloaded
            | Self::ServerRecovered
            | Self::ServerDraining
            | Self::ServerDrained
            | Self::ServerUndrained => Group::Servers,
            Self::DefenceOn | Self::DefenceOff => Group::Defence,
            Self::TableResized => Group::Table,
            Self::PacketDropped => Group::Drops,
        }
    }
}

/// What it happened to.
#[derive(Clone, Copy)]
pub enum Subject<'a> {
    /// All of the namespace.
    Everything,
    /// A service, by its key alone.
    ServiceKey(ServiceKey),
    /// A service as it is now.
    Service(&'a ServiceView<'a>),
    /// A real server of a service, by its key alone.
    ServerKey(ServiceKey, Endpoint<IpAddr>),
    /// A real server as it is now.
    Server(ServiceKey, &'a ServerView<'a>),
    /// A real server, how busy it is, and its thresholds.
    Load(ServiceKey, &'a RealServer),
    /// Timeouts as they are now.
    Timeouts(&'a proto::Timeouts),
    /// A defence, by the name of its file.
    Defence(&'static str),
    /// The connection table of a family.
    Table {
        /// The family of its connections.
        family: Family,
        /// Slots when it was told the last time.
        before: u32,
        /// Slots now.
        now: u32,
        /// Entries now.
        entries: u64,
    },
    /// A packet.
    Packet(Reason, &'a Sample),
}

/// Tells those who listen what happened. From any context, as long as the namespace's balancer is
/// there; costs next to nothing while nobody listens.
pub fn emit(net: Net<'_>, event: Event, subject: Subject<'_>) {
    emit_if_any(net, event, || Some(subject));
}

/// Tells of a dropped packet of this length, which begins with `bytes` from the network header on.
pub fn dropped(net: Net<'_>, reason: Reason, bytes: &[u8], len: usize) {
    let mut sample = None;
    emit_if_any(net, Event::PacketDropped, || {
        let sample = sample.insert(Sample::of(bytes, len)?);
        Some(Subject::Packet(reason, sample))
    });
}

/// As [`emit`]; what it happened to is worked out if it is told.
fn emit_if_any<'a>(net: Net<'_>, event: Event, subject: impl FnOnce() -> Option<Subject<'a>>) {
    let group = event.group();
    if !group.is_heard(net) {
        return;
    }
    let reading = rcu::read_lock();
    let Some(netns) = Netns::of(net, Held::from(&reading)) else {
        return;
    };
    let ledger = netns.ledger();
    let Some(left_out) = ledger.admit(group) else {
        return;
    };
    let Some(subject) = subject() else {
        return;
    };
    if control::notify(net, event, left_out, subject).is_err() {
        ledger.note_lost();
    }
}
