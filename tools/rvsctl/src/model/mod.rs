// SPDX-License-Identifier: GPL-2.0-only
//! What the balancer consists of, as typed values: services, real servers, connections, counters.
//!
//! The names and shapes that `serde` gives these types are the documented, stable JSON of every
//! listing (`docs/rvsctl.md`). How the types travel over netlink lives in `netlink`, how they look
//! to people in `output`.

mod connection;
mod draining;
mod event;
mod explanation;
mod listing;
mod reading;
mod scheduler;
mod service;

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use bitcode::{Decode, Encode};
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

pub use connection::Connection;
pub use draining::{DrainPlan, Draining, Leftovers};
pub use event::{Event, EventKind, Packet, Process, ServerLoad, Subject, Topic};
pub use explanation::{Candidate, ChosenBy, Dropped, Explanation, Flow, Outcome, Way};
pub use listing::Listing;
pub use reading::{Counted, Pace, Reading};
pub use scheduler::{SchedulerOption, OPTIONS, SCHEDULERS};
pub use service::{Misfit, Netmask, Service, ServiceFlags, ServiceKey, ServiceWithServers};

/// Labels by their keys.
pub type Labels = BTreeMap<String, String>;

/// What people call a service or a real server.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Encode, Decode)]
pub struct Identity {
    pub name: Option<String>,
    pub labels: Labels,
}

/// Transport protocol of a service or connection, an IP protocol number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct Protocol(pub u16);

impl Protocol {
    pub const TCP: Self = Self(6);
    pub const UDP: Self = Self(17);
    pub const SCTP: Self = Self(132);
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => f.pad("ip"),
            6 => f.pad("tcp"),
            17 => f.pad("udp"),
            50 => f.pad("esp"),
            51 => f.pad("ah"),
            132 => f.pad("sctp"),
            other => f.pad(&format!("proto-{other}")),
        }
    }
}

impl Serialize for Protocol {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// An address and a port, written `192.0.2.10:80` or `[2001:db8::1]:80`. Port 0 stands for any, or
/// for one that is not known, and is written `192.0.2.10:any`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Encode, Decode)]
pub struct Endpoint {
    pub address: IpAddr,
    /// Host byte order.
    pub port: u16,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address {
            IpAddr::V4(address) => write!(f, "{address}:")?,
            IpAddr::V6(address) => write!(f, "[{address}]:")?,
        }
        match self.port {
            0 => f.write_str("any"),
            port => write!(f, "{port}"),
        }
    }
}

/// Address family of a firewall-mark service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Encode, Decode)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    Ipv4,
    Ipv6,
}

impl Family {
    pub fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::Ipv4,
            IpAddr::V6(_) => Self::Ipv6,
        }
    }
}

/// Counters since creation or the last zeroing, and how fast they grow now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Encode, Decode)]
pub struct Statistics {
    pub counters: Traffic,
    /// Per second.
    pub rates: Traffic,
    /// When they were read, by a clock of the kernel that nobody sets.
    #[serde(skip)]
    pub time: Option<Duration>,
}

/// An amount of traffic. "In" is from clients to real servers, "out" the replies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Encode, Decode)]
pub struct Traffic {
    pub connections: u64,
    pub packets_in: u64,
    pub packets_out: u64,
    /// Bytes of whole IP packets.
    pub bytes_in: u64,
    pub bytes_out: u64,
}

/// How packets reach a real server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum ForwardingMethod {
    Masquerading,
    LocalNode,
    Tunneling,
    DirectRouting,
    Bypass,
    Unknown(u32),
}

impl ForwardingMethod {
    pub fn from_number(number: u32) -> Self {
        match number {
            0 => Self::Masquerading,
            1 => Self::LocalNode,
            2 => Self::Tunneling,
            3 => Self::DirectRouting,
            4 => Self::Bypass,
            other => Self::Unknown(other),
        }
    }

    pub fn number(self) -> u32 {
        match self {
            Self::Masquerading => 0,
            Self::LocalNode => 1,
            Self::Tunneling => 2,
            Self::DirectRouting => 3,
            Self::Bypass => 4,
            Self::Unknown(number) => number,
        }
    }

    /// Whether the real server may listen on another port than the service.
    pub fn translates_ports(self) -> bool {
        self == Self::Masquerading
    }
}

impl fmt::Display for ForwardingMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Masquerading => f.pad("masquerading"),
            Self::LocalNode => f.pad("local-node"),
            Self::Tunneling => f.pad("tunneling"),
            Self::DirectRouting => f.pad("direct-routing"),
            Self::Bypass => f.pad("bypass"),
            Self::Unknown(number) => f.pad(&format!("method-{number}")),
        }
    }
}

impl Serialize for ForwardingMethod {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The tunnel to a server as the kernel reports it, to be handed back unchanged where nothing else
/// is said. Servers that are reached otherwise have one too, which means nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Encode, Decode)]
pub struct Encapsulation {
    pub kind: u8,
    pub port: u16,
    pub flags: u16,
}

impl Encapsulation {
    pub const IPIP: u8 = 0;
    pub const GUE: u8 = 1;
    pub const GRE: u8 = 2;
    pub const CHECKSUM: u16 = 1;
    pub const REMOTE_CHECKSUM: u16 = 2;

    /// The type's name on the command line. Types without one are IP in IP to the kernel.
    pub fn type_name(self) -> &'static str {
        match self.kind {
            Self::GUE => "gue",
            Self::GRE => "gre",
            _ => "ipip",
        }
    }

    /// The checksum's name on the command line.
    pub fn checksum_name(self) -> &'static str {
        match self.kind {
            Self::GUE if self.flags & Self::REMOTE_CHECKSUM != 0 => "remote",
            Self::GUE | Self::GRE if self.flags & Self::CHECKSUM != 0 => "full",
            _ => "none",
        }
    }
}

/// What is not usual about the tunnel: `gue:6080`, `gre checksum`; nothing for IP in IP.
impl fmt::Display for Encapsulation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Self::GUE => write!(f, "gue:{}", self.port)?,
            Self::GRE => f.write_str("gre")?,
            _ => return Ok(()),
        }
        match self.checksum_name() {
            "remote" => f.write_str(" remote-checksum"),
            "full" => f.write_str(" checksum"),
            _ => Ok(()),
        }
    }
}

impl Serialize for Encapsulation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let is_gue = self.kind == Self::GUE;
        let mut fields = serializer.serialize_struct("Tunnel", 3)?;
        fields.serialize_field("type", self.type_name())?;
        fields.serialize_field("port", &is_gue.then_some(self.port))?;
        fields.serialize_field("checksum", self.checksum_name())?;
        fields.end()
    }
}

/// A real server of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode)]
pub struct Server {
    #[serde(flatten)]
    pub identity: Identity,
    #[serde(flatten)]
    pub endpoint: Endpoint,
    pub method: ForwardingMethod,
    /// The tunnel by which packets reach it, if they travel in one.
    pub tunnel: Option<Encapsulation>,
    /// Share of new connections relative to the other servers; 0 gives it none.
    pub weight: u32,
    /// No new connections at this many; 0 for no limit.
    pub upper_threshold: u32,
    /// New connections again below this many; 0 for three quarters of the upper threshold.
    pub lower_threshold: u32,
    pub active_connections: u32,
    pub inactive_connections: u32,
    /// Persistence templates that point here.
    pub persistent_connections: u32,
    /// How far it is drained, if it is.
    pub draining: Option<Draining>,
    /// It has reached the upper threshold, and not yet fallen below the lower one.
    pub overloaded: bool,
    #[serde(skip)]
    pub encapsulation: Option<Encapsulation>,
    #[serde(flatten)]
    pub statistics: Statistics,
}

/// A real server with the service it belongs to, for listings of servers alone.
#[derive(Debug, Serialize)]
pub struct ServerOfService {
    pub service: ServiceKey,
    #[serde(flatten)]
    pub server: Server,
}

/// Why packets were dropped, and how many.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DropReason {
    /// Stable name, for programs.
    pub reason: String,
    pub count: u64,
    /// One sentence, for people.
    pub meaning: String,
}

/// Figures of the whole network namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Entries in the connection table now.
    #[serde(rename = "connection_entries")]
    pub connections: u64,
    #[serde(flatten)]
    pub statistics: Statistics,
    pub drops: Vec<DropReason>,
}

/// Timeouts of connections in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Timeouts {
    #[serde(rename = "tcp_seconds")]
    pub tcp: u32,
    #[serde(rename = "tcp_fin_seconds")]
    pub tcp_fin: u32,
    #[serde(rename = "udp_seconds")]
    pub udp: u32,
}

/// The module as it is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Info {
    pub version: Version,
    /// Slots in the connection table.
    pub connection_table_slots: u32,
    /// How often the configuration was changed; not every module counts.
    pub generation: Option<u64>,
}

/// A version packed as `major << 16 | minor << 8 | patch`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version(pub u32);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(packed) = self;
        write!(
            f,
            "{}.{}.{}",
            packed >> 16,
            (packed >> 8) & 0xff,
            packed & 0xff
        )
    }
}

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{json, to_value};

    use super::*;
    use crate::output::samples;

    #[test]
    fn a_server_has_its_documented_json() {
        let mut services = samples::services();
        let expected = json!({
            "service": {"protocol": "tcp", "address": "192.0.2.10", "port": 80},
            "name": null,
            "labels": {},
            "address": "10.0.0.1",
            "port": 8080,
            "method": "masquerading",
            "tunnel": null,
            "weight": 5,
            "upper_threshold": 0,
            "lower_threshold": 0,
            "active_connections": 12,
            "inactive_connections": 3,
            "persistent_connections": 1,
            "draining": null,
            "overloaded": false,
            "counters": {
                "connections": 200,
                "packets_in": 201,
                "packets_out": 202,
                "bytes_in": 203,
                "bytes_out": 204
            },
            "rates": {
                "connections": 205,
                "packets_in": 206,
                "packets_out": 207,
                "bytes_in": 208,
                "bytes_out": 209
            },
        });
        let server = ServerOfService {
            service: services[0].service.key,
            server: services[0].servers.remove(0),
        };
        assert_eq!(to_value(server).unwrap(), expected);
    }

    #[test]
    fn a_tunnel_has_its_documented_json() {
        let tunnel = |kind, flags| Encapsulation {
            kind,
            port: 6080,
            flags,
        };
        for (tunnel, expected) in [
            (
                tunnel(0, 0),
                json!({"type": "ipip", "port": null, "checksum": "none"}),
            ),
            (
                tunnel(1, 2),
                json!({"type": "gue", "port": 6080, "checksum": "remote"}),
            ),
            (
                tunnel(2, 1),
                json!({"type": "gre", "port": null, "checksum": "full"}),
            ),
        ] {
            assert_eq!(to_value(tunnel).unwrap(), expected);
        }
    }

    #[test]
    fn totals_have_their_documented_json() {
        let totals = to_value(samples::totals()).unwrap();
        assert_eq!(totals["connection_entries"], 12);
        assert_eq!(totals["counters"]["packets_in"], (1_u64 << 40) + 1);
        assert_eq!(totals["rates"]["bytes_out"], (1_u64 << 40) + 9);
        assert_eq!(
            totals["drops"][0],
            json!({"reason": "no-memory", "count": 3, "meaning": "Memory ran out."})
        );
    }

    #[test]
    fn timeouts_and_info_have_their_documented_json() {
        let timeouts = Timeouts {
            tcp: 900,
            tcp_fin: 120,
            udp: 300,
        };
        assert_eq!(
            to_value(timeouts).unwrap(),
            json!({"tcp_seconds": 900, "tcp_fin_seconds": 120, "udp_seconds": 300})
        );
        let info = Info {
            version: Version(0x0001_0201),
            connection_table_slots: 4096,
            generation: Some(7),
        };
        assert_eq!(
            to_value(info).unwrap(),
            json!({"version": "1.2.1", "connection_table_slots": 4096, "generation": 7})
        );
    }
}
