// SPDX-License-Identifier: GPL-2.0-only
//! Virtual services: what identifies one, and what it is set to.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use bitcode::{Decode, Encode};
use serde::{Serialize, Serializer};

use super::{
    Endpoint, Family, ForwardingMethod, Identity, Protocol, SchedulerOption, Server, Statistics,
};

/// What identifies a virtual service: a protocol and an endpoint, or a firewall mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Encode, Decode)]
#[serde(untagged)]
pub enum ServiceKey {
    Endpoint {
        protocol: Protocol,
        #[serde(flatten)]
        endpoint: Endpoint,
    },
    Fwmark {
        fwmark: u32,
        family: Family,
    },
}

impl ServiceKey {
    pub fn family(&self) -> Family {
        match self {
            Self::Endpoint { endpoint, .. } => Family::of(endpoint.address),
            Self::Fwmark { family, .. } => *family,
        }
    }

    /// The port clients connect to; 0 where the service has no single one.
    pub fn port(&self) -> u16 {
        match self {
            Self::Endpoint { endpoint, .. } => endpoint.port,
            Self::Fwmark { .. } => 0,
        }
    }
}

/// Why packets of a service would not be what a real server expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Misfit {
    /// They are of another address family.
    Family,
    /// They are for all ports, of which the server names one.
    AllPorts,
    /// They are for another port, which the method leaves as it is.
    Port,
}

impl ServiceKey {
    /// Whether it is for every port of an address. Such a service is persistent, or balances nothing:
    /// the ports of a protocol like FTP only belong together by the client.
    pub fn is_for_all_ports(&self) -> bool {
        matches!(self, Self::Endpoint { endpoint, .. } if endpoint.port == 0)
    }

    /// Whether its packets can be scheduled one by one: those of connections have to stay together.
    pub fn can_be_one_packet(&self) -> bool {
        !matches!(self, Self::Endpoint { protocol, .. } if *protocol != Protocol::UDP)
    }

    /// What is wrong with a real server of the service. Only tunnels join families; without rewriting,
    /// packets keep the service's port, and those of a service for all ports keep theirs anyway.
    pub fn misfit(&self, server: Endpoint, method: ForwardingMethod) -> Option<Misfit> {
        let is_same_family = Family::of(server.address) == self.family();
        if !is_same_family && method != ForwardingMethod::Tunneling {
            return Some(Misfit::Family);
        }
        match (server.port == self.port(), self.is_for_all_ports()) {
            (true, _) => None,
            (false, true) => Some(Misfit::AllPorts),
            (false, false) => (!method.translates_ports()).then_some(Misfit::Port),
        }
    }
}

/// As it is typed on the command line: `tcp 192.0.2.10:80`, `mark 7`, `mark 7 --ipv6`.
impl fmt::Display for ServiceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Endpoint { protocol, endpoint } => write!(f, "{protocol} {endpoint}"),
            Self::Fwmark { fwmark, family } => match family {
                Family::Ipv4 => write!(f, "mark {fwmark}"),
                Family::Ipv6 => write!(f, "mark {fwmark} --ipv6"),
            },
        }
    }
}

/// Service flags as on the wire. JSON shows the names of those a person may set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Encode, Decode)]
pub struct ServiceFlags(pub u32);

impl ServiceFlags {
    /// All connections of a client go to one server.
    pub const PERSISTENT: u32 = 0x01;
    /// Every packet of UDP is scheduled by itself.
    pub const ONE_PACKET: u32 = 0x04;
    /// What an option of the scheduler can be.
    pub const SCHEDULER: u32 = 0x38;

    const NAMES: [(u32, &'static str); 5] = [
        (Self::PERSISTENT, "persistent"),
        (Self::ONE_PACKET, "one-packet"),
        (0x08, "sched-1"),
        (0x10, "sched-2"),
        (0x20, "sched-3"),
    ];

    /// Names of the flags that are set. The kernel's own "hashed" (0x02) is left out: every service
    /// has it.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES
            .into_iter()
            .filter(move |(bit, _)| self.has(*bit))
            .map(|(_, name)| name)
    }

    pub fn has(self, flag: u32) -> bool {
        self.0 & flag != 0
    }
}

impl Serialize for ServiceFlags {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.names())
    }
}

/// Which part of a client's address persistence goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Encode, Decode)]
#[serde(untagged)]
pub enum Netmask {
    Ipv4(Ipv4Addr),
    /// Prefix length in bits.
    Ipv6(u32),
}

impl Netmask {
    /// The mask by which each client is on its own.
    pub fn whole(family: Family) -> Self {
        match family {
            Family::Ipv4 => Self::Ipv4(Ipv4Addr::BROADCAST),
            Family::Ipv6 => Self::Ipv6(128),
        }
    }

    /// The IPv4 mask whose first `length` bits are set; `length` is at most 32.
    pub fn ipv4(length: u32) -> Self {
        let bits = u32::MAX.checked_shl(32 - length).unwrap_or(0);
        Self::Ipv4(Ipv4Addr::from_bits(bits))
    }
}

/// As a prefix length, `/24`, wherever it is one.
impl fmt::Display for Netmask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ipv4(mask) => {
                let length = mask.to_bits().leading_ones();
                if Self::ipv4(length) == *self {
                    write!(f, "/{length}")
                } else {
                    write!(f, "{mask}")
                }
            }
            Self::Ipv6(length) => write!(f, "/{length}"),
        }
    }
}

/// A virtual service.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Service {
    pub key: ServiceKey,
    /// Scheduler name, `none` if the service has none.
    pub scheduler: String,
    pub flags: ServiceFlags,
    /// Persistence timeout in seconds.
    pub timeout: u32,
    pub netmask: Netmask,
    /// Name of the persistence engine, if it has one.
    pub engine: Option<String>,
    pub identity: Identity,
    /// Of the text that it was made from, if nothing changed it since.
    pub fingerprint: Option<u64>,
    pub statistics: Statistics,
}

impl Service {
    pub fn is_persistent(&self) -> bool {
        self.flags.has(ServiceFlags::PERSISTENT)
    }

    /// Names of the options its scheduler is given.
    pub fn scheduler_options(&self) -> Vec<&'static str> {
        SchedulerOption::of(&self.scheduler)
            .filter(|option| self.flags.has(option.flag))
            .map(|option| option.name)
            .collect()
    }
}

impl Serialize for Service {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Shown<'a> {
            #[serde(flatten)]
            identity: &'a Identity,
            #[serde(flatten)]
            key: &'a ServiceKey,
            scheduler: &'a str,
            scheduler_options: Vec<&'static str>,
            flags: ServiceFlags,
            persistence_timeout_seconds: u32,
            netmask: Netmask,
            persistence_engine: Option<&'a str>,
            #[serde(flatten)]
            statistics: &'a Statistics,
        }
        Shown {
            identity: &self.identity,
            key: &self.key,
            scheduler: &self.scheduler,
            scheduler_options: self.scheduler_options(),
            flags: self.flags,
            persistence_timeout_seconds: self.timeout,
            netmask: self.netmask,
            persistence_engine: self.engine.as_deref(),
            statistics: &self.statistics,
        }
        .serialize(serializer)
    }
}

/// A service with its real servers, as listings show them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode)]
pub struct ServiceWithServers {
    #[serde(flatten)]
    pub service: Service,
    pub servers: Vec<Server>,
}

/// The mark of the service that a persistence template belongs to, out of the address that stands
/// for the service in the connection table: the first 32 bits.
pub fn mark_of(address: IpAddr) -> u32 {
    match address {
        IpAddr::V4(address) => address.to_bits(),
        IpAddr::V6(address) => {
            let [a, b, ..] = address.segments();
            (u32::from(a) << 16) | u32::from(b)
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{json, to_value};

    use super::*;
    use crate::output::samples;

    #[test]
    fn a_service_has_its_documented_json() {
        let services = samples::services();
        let expected = json!({
            "name": null,
            "labels": {},
            "protocol": "tcp",
            "address": "192.0.2.10",
            "port": 80,
            "scheduler": "wlc",
            "scheduler_options": [],
            "flags": [],
            "persistence_timeout_seconds": 0,
            "netmask": "255.255.255.255",
            "persistence_engine": null,
            "counters": {
                "connections": 100,
                "packets_in": 101,
                "packets_out": 102,
                "bytes_in": 103,
                "bytes_out": 104
            },
            "rates": {
                "connections": 105,
                "packets_in": 106,
                "packets_out": 107,
                "bytes_in": 108,
                "bytes_out": 109
            },
        });
        assert_eq!(to_value(&services[0].service).unwrap(), expected);
    }

    #[test]
    fn a_listed_service_nests_its_servers() {
        let services = to_value(samples::services()).unwrap();
        assert_eq!(services[0]["port"], 80);
        assert_eq!(services[0]["servers"][1]["address"], "10.0.0.2");
        assert_eq!(services[1]["servers"], json!([]));
        assert_eq!(services[2]["netmask"], 128);
    }

    #[test]
    fn a_firewall_mark_service_has_its_documented_json() {
        let key = ServiceKey::Fwmark {
            fwmark: 7,
            family: Family::Ipv4,
        };
        assert_eq!(
            to_value(key).unwrap(),
            json!({"fwmark": 7, "family": "ipv4"})
        );
    }

    #[test]
    fn the_options_of_a_scheduler_are_named_and_those_of_another_are_not() {
        let mut service = samples::services().remove(0).service;
        service.flags = ServiceFlags(0x18);
        assert!(service.scheduler_options().is_empty());
        service.scheduler = "mh".to_string();
        assert_eq!(service.scheduler_options(), ["mh-fallback", "mh-port"]);
        let shown = to_value(service).unwrap();
        assert_eq!(shown["flags"], json!(["sched-1", "sched-2"]));
    }

    #[test]
    fn a_mask_is_written_as_prefix_length_wherever_it_is_one() {
        for length in 0..=32 {
            assert_eq!(Netmask::ipv4(length).to_string(), format!("/{length}"));
        }
        let uneven = Netmask::Ipv4([255, 0, 255, 0].into());
        assert_eq!(uneven.to_string(), "255.0.255.0");
        assert_eq!(Netmask::Ipv6(64).to_string(), "/64");
    }

    #[test]
    fn the_mark_of_a_template_is_read_from_its_address() {
        assert_eq!(mark_of("0.0.0.7".parse().unwrap()), 7);
        assert_eq!(mark_of("1:7::".parse().unwrap()), 0x0001_0007);
    }
}
