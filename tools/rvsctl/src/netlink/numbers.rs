// SPDX-License-Identifier: GPL-2.0-only
//! The numbers of the family RVS: commands and attributes, as `docs/netlink/rvs.yaml` assigns them.
//!
//! Nothing else in this program knows a command or attribute by number. A test compares this file
//! with the specification. How values are written and read lives in `attribute`.

/// Version of the family that requests carry in their generic netlink header.
pub const FAMILY_VERSION: u8 = 1;

/// Commands, in requests and in replies. Replies to a `GET` carry the `NEW` or `SET` command of the
/// same object.
pub mod command {
    pub const NEW_SERVICE: u8 = 1;
    pub const SET_SERVICE: u8 = 2;
    pub const DEL_SERVICE: u8 = 3;
    pub const GET_SERVICE: u8 = 4;
    pub const NEW_SERVER: u8 = 5;
    pub const SET_SERVER: u8 = 6;
    pub const DEL_SERVER: u8 = 7;
    pub const GET_SERVER: u8 = 8;
    pub const SET_CONFIG: u8 = 12;
    pub const GET_CONFIG: u8 = 13;
    pub const SET_INFO: u8 = 14;
    pub const GET_INFO: u8 = 15;
    pub const ZERO: u8 = 16;
    pub const FLUSH: u8 = 17;
    pub const GET_CONNECTION: u8 = 18;
    pub const NEW_CONNECTION: u8 = 19;
    pub const GET_TOTALS: u8 = 20;
    pub const NEW_TOTALS: u8 = 21;
    pub const EVENT: u8 = 32;
}

/// One attribute: its number on the wire, its name in the specification, and the set its value
/// nests, if it is a container.
#[derive(Debug, Clone, Copy)]
pub struct AttributeId {
    pub number: u16,
    pub name: &'static str,
    pub nested: Option<&'static AttributeSet>,
}

/// The attributes that may stand side by side in one container.
#[derive(Debug)]
pub struct AttributeSet {
    pub name: &'static str,
    pub attributes: &'static [AttributeId],
}

impl AttributeSet {
    /// The attribute with this number, if the set has one.
    pub fn find(&self, number: u16) -> Option<&'static AttributeId> {
        self.attributes.iter().find(|id| id.number == number)
    }
}

/// Declares an attribute set as a module with one constant per attribute and `SET` for the whole.
macro_rules! attribute_set {
    (
        $(#[$doc:meta])*
        $set:ident { $($constant:ident = $number:literal $name:literal $(=> $nested:ident)?,)+ }
    ) => {
        $(#[$doc])*
        pub mod $set {
            use super::{AttributeId, AttributeSet};

            $(
                pub const $constant: AttributeId = AttributeId {
                    number: $number,
                    name: $name,
                    nested: attribute_set!(@nested $($nested)?),
                };
            )+
            pub const SET: AttributeSet = AttributeSet {
                name: stringify!($set),
                attributes: &[$($constant),+],
            };
        }
    };
    (@nested) => { None };
    (@nested $nested:ident) => { Some(&super::$nested::SET) };
}

attribute_set! {
    /// Top level of every message except `GET_INFO` replies.
    rvs {
        SERVICE = 1 "service" => service,
        SERVER = 2 "server" => server,
        TIMEOUT_TCP = 4 "timeout-tcp",
        TIMEOUT_TCP_FIN = 5 "timeout-tcp-fin",
        TIMEOUT_UDP = 6 "timeout-udp",
        CONNECTION = 7 "connection" => connection,
        TOTALS = 8 "totals" => totals,
        EVENT = 19 "event" => event,
        EVENTS_LOST = 20 "events-lost",
    }
}

attribute_set! {
    /// Top level of `GET_INFO` replies.
    info {
        VERSION = 1 "version",
        CONN_TAB_SIZE = 2 "conn-tab-size",
    }
}

attribute_set! {
    /// A virtual service.
    service {
        AF = 1 "af",
        PROTOCOL = 2 "protocol",
        ADDR = 3 "addr",
        PORT = 4 "port",
        FWMARK = 5 "fwmark",
        SCHED_NAME = 6 "sched-name",
        FLAGS = 7 "flags",
        TIMEOUT = 8 "timeout",
        NETMASK = 9 "netmask",
        STATS64 = 12 "stats64" => stats64,
    }
}

attribute_set! {
    /// A real server.
    server {
        ADDR = 1 "addr",
        PORT = 2 "port",
        FWD_METHOD = 3 "fwd-method",
        WEIGHT = 4 "weight",
        U_THRESH = 5 "u-thresh",
        L_THRESH = 6 "l-thresh",
        ACTIVE_CONNS = 7 "active-conns",
        INACT_CONNS = 8 "inact-conns",
        PERSIST_CONNS = 9 "persist-conns",
        ADDR_FAMILY = 11 "addr-family",
        STATS64 = 12 "stats64" => stats64,
        TUN_TYPE = 13 "tun-type",
        TUN_PORT = 14 "tun-port",
        TUN_FLAGS = 15 "tun-flags",
    }
}

attribute_set! {
    /// Counters and rates.
    stats64 {
        CONNS = 1 "conns",
        INPKTS = 2 "inpkts",
        OUTPKTS = 3 "outpkts",
        INBYTES = 4 "inbytes",
        OUTBYTES = 5 "outbytes",
        CPS = 6 "cps",
        INPPS = 7 "inpps",
        OUTPPS = 8 "outpps",
        INBPS = 9 "inbps",
        OUTBPS = 10 "outbps",
        TIME = 12 "time",
    }
}

attribute_set! {
    /// A connection.
    connection {
        AF = 1 "af",
        PROTOCOL = 2 "protocol",
        CLIENT_ADDR = 3 "client-addr",
        CLIENT_PORT = 4 "client-port",
        VIRTUAL_ADDR = 5 "virtual-addr",
        VIRTUAL_PORT = 6 "virtual-port",
        SERVER_ADDR = 7 "server-addr",
        SERVER_PORT = 8 "server-port",
        FWD_METHOD = 9 "fwd-method",
        STATE = 10 "state",
        EXPIRES = 11 "expires",
        FLAGS = 12 "flags",
        SERVER_AF = 13 "server-af",
    }
}

attribute_set! {
    /// The whole network namespace.
    totals {
        STATS64 = 1 "stats64" => stats64,
        CONNECTIONS = 2 "connections",
        DROP = 3 "drop" => drop,
    }
}

attribute_set! {
    /// One drop reason.
    drop {
        REASON = 1 "reason",
        COUNT = 2 "count",
        MEANING = 3 "meaning",
    }
}

attribute_set! {
    /// Something that happened.
    event {
        TYPE = 1 "type",
        TIME = 2 "time",
        PID = 3 "pid",
        PROGRAM = 4 "program",
        LEFT_OUT = 5 "left-out",
        STRATEGY = 6 "strategy",
        FAMILY = 7 "family",
        SLOTS_BEFORE = 8 "slots-before",
        SLOTS = 9 "slots",
        ENTRIES = 10 "entries",
        REASON = 11 "reason",
        PACKET = 12 "packet" => packet,
    }
}

attribute_set! {
    /// A dropped packet.
    packet {
        AF = 1 "af",
        PROTOCOL = 2 "protocol",
        SRC_ADDR = 3 "src-addr",
        SRC_PORT = 4 "src-port",
        DST_ADDR = 5 "dst-addr",
        DST_PORT = 6 "dst-port",
        LENGTH = 7 "length",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPECIFICATION: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/netlink/rvs.yaml");

    /// The value of `key` in a flow mapping such as `- {name: af, type: u16, value: 1}`.
    fn field<'a>(line: &'a str, key: &str) -> Option<&'a str> {
        let start = line.find(&format!("{key}: "))? + key.len() + 2;
        line[start..].split([',', '}']).next().map(str::trim)
    }

    /// Every `(set, attribute, number, nested set)` that the specification defines.
    fn specified_attributes(text: &str) -> Vec<(String, String, u16, Option<String>)> {
        let mut set = String::new();
        let mut found = Vec::new();
        for line in text.lines().take_while(|line| *line != "operations:") {
            if let Some(name) = line.strip_prefix("    name: ") {
                set = name.to_string();
            }
            if let (Some(name), Some(Ok(number))) = (
                field(line, "name"),
                field(line, "value").map(str::parse::<u16>),
            ) {
                let nested = field(line, "nested-attributes").map(str::to_string);
                found.push((set.clone(), name.to_string(), number, nested));
            }
        }
        found
    }

    #[test]
    fn every_attribute_has_the_number_and_nesting_of_the_specification() {
        let text = std::fs::read_to_string(SPECIFICATION).unwrap();
        let specified = specified_attributes(&text);
        assert!(specified.len() > 80, "the specification was not understood");
        for set in [
            rvs::SET,
            info::SET,
            service::SET,
            server::SET,
            stats64::SET,
            connection::SET,
            totals::SET,
            drop::SET,
            event::SET,
            packet::SET,
        ] {
            for id in set.attributes {
                let ours = (
                    set.name.to_string(),
                    id.name.to_string(),
                    id.number,
                    id.nested.map(|set| set.name.to_string()),
                );
                assert!(
                    specified.contains(&ours),
                    "{ours:?} is not in the specification"
                );
            }
        }
    }

    #[test]
    fn every_event_and_multicast_group_is_that_of_the_specification() {
        use crate::model::{EventKind, Topic};

        let text = std::fs::read_to_string(SPECIFICATION).unwrap();
        let (_, definition) = text.split_once("name: event-type\n").unwrap();
        let (definition, _) = definition.split_once("\n  -\n").unwrap();
        let specified: Vec<_> = definition
            .lines()
            .filter_map(|line| {
                let number = field(line, "value")?.parse().ok()?;
                Some((EventKind(number), field(line, "name")?))
            })
            .collect();
        assert_eq!(specified, EventKind::NAMES);

        let (_, groups) = text.split_once("\nmcast-groups:").unwrap();
        let groups: Vec<_> = groups
            .lines()
            .filter_map(|line| field(line, "name"))
            .collect();
        assert_eq!(groups, Topic::ALL.map(Topic::name));
    }

    #[test]
    fn every_command_has_the_number_of_the_specification() {
        let text = std::fs::read_to_string(SPECIFICATION).unwrap();
        let (_, operations) = text.split_once("\noperations:").unwrap();
        for (name, request, reply) in [
            ("new-service", command::NEW_SERVICE, None),
            ("set-service", command::SET_SERVICE, None),
            ("del-service", command::DEL_SERVICE, None),
            (
                "get-service",
                command::GET_SERVICE,
                Some(command::NEW_SERVICE),
            ),
            ("new-server", command::NEW_SERVER, None),
            ("set-server", command::SET_SERVER, None),
            ("del-server", command::DEL_SERVER, None),
            ("get-server", command::GET_SERVER, Some(command::NEW_SERVER)),
            ("set-config", command::SET_CONFIG, None),
            ("get-config", command::GET_CONFIG, Some(command::SET_CONFIG)),
            ("get-info", command::GET_INFO, Some(command::SET_INFO)),
            ("zero", command::ZERO, None),
            ("flush", command::FLUSH, None),
            (
                "get-connection",
                command::GET_CONNECTION,
                Some(command::NEW_CONNECTION),
            ),
            ("get-totals", command::GET_TOTALS, Some(command::NEW_TOTALS)),
            ("event", command::EVENT, None),
        ] {
            let entry = operations
                .split("\n    -")
                .find(|entry| entry.contains(&format!("name: {name}")))
                .unwrap_or_else(|| panic!("{name} is not in the specification"));
            let value = |text: &str| {
                let start = text.find("value: ").unwrap() + 7;
                text[start..]
                    .split(|c: char| !c.is_ascii_digit())
                    .next()
                    .unwrap()
                    .parse::<u8>()
                    .unwrap()
            };
            assert_eq!(value(entry), request, "{name}");
            if let Some(reply) = reply {
                let (_, after) = entry.split_once("reply: ").unwrap();
                assert_eq!(value(after), reply, "reply of {name}");
            }
        }
    }
}
