// SPDX-License-Identifier: GPL-2.0-only
//! What the kernel tells without being asked.

use std::fmt;

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use super::{Endpoint, Family, Protocol, Server, Service, ServiceKey, Timeouts};
use crate::netlink::numbers::event_type;

/// A kind of events that can be listened to by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    Config,
    Servers,
    Defence,
    Table,
    Drops,
}

impl Topic {
    pub const ALL: [Self; 5] = [
        Self::Config,
        Self::Servers,
        Self::Defence,
        Self::Table,
        Self::Drops,
    ];

    /// The name of its multicast group.
    pub fn name(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Servers => "servers",
            Self::Defence => "defence",
            Self::Table => "table",
            Self::Drops => "drops",
        }
    }
}

/// What happened, as the number on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventKind(pub u32);

impl EventKind {
    pub const SERVICE_ADDED: Self = Self(event_type::SERVICE_ADDED);
    pub const SERVICE_CHANGED: Self = Self(event_type::SERVICE_CHANGED);
    pub const SERVICE_REMOVED: Self = Self(event_type::SERVICE_REMOVED);
    pub const SERVER_ADDED: Self = Self(event_type::SERVER_ADDED);
    pub const SERVER_CHANGED: Self = Self(event_type::SERVER_CHANGED);
    pub const SERVER_REMOVED: Self = Self(event_type::SERVER_REMOVED);
    pub const FLUSHED: Self = Self(event_type::FLUSHED);
    pub const ZEROED: Self = Self(event_type::ZEROED);
    pub const TIMEOUTS_CHANGED: Self = Self(event_type::TIMEOUTS_CHANGED);
    pub const SERVER_OVERLOADED: Self = Self(event_type::SERVER_OVERLOADED);
    pub const SERVER_RECOVERED: Self = Self(event_type::SERVER_RECOVERED);
    pub const SERVER_DRAINING: Self = Self(event_type::SERVER_DRAINING);
    pub const SERVER_DRAINED: Self = Self(event_type::SERVER_DRAINED);
    pub const SERVER_UNDRAINED: Self = Self(event_type::SERVER_UNDRAINED);
    pub const DEFENCE_ON: Self = Self(event_type::DEFENCE_ON);
    pub const DEFENCE_OFF: Self = Self(event_type::DEFENCE_OFF);
    pub const TABLE_RESIZED: Self = Self(event_type::TABLE_RESIZED);
    pub const PACKET_DROPPED: Self = Self(event_type::PACKET_DROPPED);

    /// Events were lost. From here on, what this program tells itself, under numbers that the kernel
    /// does not use.
    pub const LOST: Self = Self(1 << 31);
    pub const SERVICE_PRESENT: Self = Self(Self::LOST.0 + 1);
    pub const SERVER_PRESENT: Self = Self(Self::LOST.0 + 2);
    /// All that is configured was told.
    pub const LISTED: Self = Self(Self::LOST.0 + 3);

    /// What this program tells itself.
    const OWN: [(Self, &'static str); 4] = [
        (Self::LOST, "events-lost"),
        (Self::SERVICE_PRESENT, "service-present"),
        (Self::SERVER_PRESENT, "server-present"),
        (Self::LISTED, "listed"),
    ];

    /// Numbers and names, as `docs/netlink/rvs.yaml` has them.
    pub const NAMES: [(Self, &'static str); 18] = [
        (Self::SERVICE_ADDED, "service-added"),
        (Self::SERVICE_CHANGED, "service-changed"),
        (Self::SERVICE_REMOVED, "service-removed"),
        (Self::SERVER_ADDED, "server-added"),
        (Self::SERVER_CHANGED, "server-changed"),
        (Self::SERVER_REMOVED, "server-removed"),
        (Self::FLUSHED, "flushed"),
        (Self::ZEROED, "zeroed"),
        (Self::TIMEOUTS_CHANGED, "timeouts-changed"),
        (Self::SERVER_OVERLOADED, "server-overloaded"),
        (Self::SERVER_RECOVERED, "server-recovered"),
        (Self::SERVER_DRAINING, "server-draining"),
        (Self::SERVER_DRAINED, "server-drained"),
        (Self::SERVER_UNDRAINED, "server-undrained"),
        (Self::DEFENCE_ON, "defence-on"),
        (Self::DEFENCE_OFF, "defence-off"),
        (Self::TABLE_RESIZED, "table-resized"),
        (Self::PACKET_DROPPED, "packet-dropped"),
    ];
}

/// Its name; of those that this program does not know, the number.
impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names = Self::NAMES.iter().chain(&Self::OWN);
        match names.find(|(kind, _)| kind == self) {
            Some((_, name)) => f.pad(name),
            None => f.pad(&format!("event-{}", self.0)),
        }
    }
}

impl Serialize for EventKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Event {
    /// When, by the kernel's time of day.
    pub time: Timestamp,
    #[serde(rename = "event")]
    pub kind: EventKind,
    /// Whose doing it was, of changes of the configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process: Option<Process>,
    /// So many like it, just before, were not told.
    #[serde(skip_serializing_if = "is_zero")]
    pub left_out: u32,
    #[serde(flatten)]
    pub subject: Subject,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// A process, as it knows itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Process {
    pub pid: u32,
    /// The name of its program, of which the kernel keeps 15 characters.
    pub program: String,
}

/// What an event is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Subject {
    Everything {},
    ServiceKey {
        service: ServiceKey,
    },
    Service {
        service: Box<Service>,
    },
    ServerKey {
        service: ServiceKey,
        server: Endpoint,
    },
    Server {
        service: ServiceKey,
        server: Box<Server>,
    },
    Load {
        service: ServiceKey,
        server: ServerLoad,
    },
    Timeouts {
        timeouts: Timeouts,
    },
    Defence {
        defence: String,
    },
    Table {
        family: Family,
        slots_before: u32,
        slots: u32,
        entries: u64,
    },
    Drop {
        reason: String,
        packet: Packet,
    },
}

/// How busy a real server is, and from when to when it gets no new connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ServerLoad {
    #[serde(flatten)]
    pub endpoint: Endpoint,
    pub upper_threshold: u32,
    pub lower_threshold: u32,
    pub active_connections: u32,
    pub inactive_connections: u32,
}

/// A packet that was dropped, as its headers stood then. Ports are 0 where it has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Packet {
    pub protocol: Protocol,
    pub source: Endpoint,
    pub destination: Endpoint,
    /// Bytes of the whole IP packet.
    pub length: u32,
}
