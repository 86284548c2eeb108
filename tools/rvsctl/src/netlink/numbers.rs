// SPDX-License-Identifier: GPL-2.0-only
//! The numbers of the family RVS: those of the kernel module, with the names that
//! `docs/netlink/rvs.yaml` gives attributes and what they nest.
//!
//! Nothing else in this program knows a command or attribute by number. How values are written and
//! read lives in `attribute`.

/// The constants of the kernel module, compiled from its own file.
#[allow(dead_code)]
#[path = "../../../../rvs/control/uapi.rs"]
mod uapi;

/// Commands, in requests and in replies. Replies to a `GET` carry the `NEW` or `SET` command of the
/// same object.
pub use uapi::cmd as command;
pub use uapi::{event_type, AF_INET, AF_INET6, FAMILY_VERSION};

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

/// Declares an attribute set as a module with one constant per attribute and `SET` for the whole:
/// its name in the specification, that of its numbers in the kernel module, and the attributes.
macro_rules! attribute_set {
    (
        $(#[$doc:meta])*
        $set:ident = $numbers:ident { $($constant:ident $name:literal $(=> $nested:ident)?,)+ }
    ) => {
        $(#[$doc])*
        pub mod $set {
            use super::{uapi, AttributeId, AttributeSet};

            $(
                pub const $constant: AttributeId = AttributeId {
                    number: uapi::$numbers::$constant,
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
    rvs = top {
        SERVICE "service" => service,
        DEST "server" => server,
        TIMEOUT_TCP "timeout-tcp",
        TIMEOUT_TCP_FIN "timeout-tcp-fin",
        TIMEOUT_UDP "timeout-udp",
        CONNECTION "connection" => connection,
        TOTALS "totals" => totals,
        OPERATION "operation" => operation,
        GENERATION "generation",
        BRIEF "brief",
        FILTER "filter" => filter,
        COUNT "count",
        DRAIN "drain" => drain,
        FLOW "flow" => flow,
        EXPLANATION "explanation" => explanation,
        SILENT "silent",
        EVENT "event" => event,
        EVENTS_LOST "events-lost",
        CURSOR "cursor",
    }
}

attribute_set! {
    /// Top level of `GET_INFO` replies.
    info = info {
        VERSION "version",
        CONN_TAB_SIZE "conn-tab-size",
        GENERATION "generation",
    }
}

attribute_set! {
    /// One change of a transaction.
    operation = operation {
        SERVICE "service" => service,
        DEST "server" => server,
        COMMAND "command",
    }
}

attribute_set! {
    /// A virtual service.
    service = svc {
        AF "af",
        PROTOCOL "protocol",
        ADDR "addr",
        PORT "port",
        FWMARK "fwmark",
        SCHED_NAME "sched-name",
        FLAGS "flags",
        TIMEOUT "timeout",
        NETMASK "netmask",
        PE_NAME "pe-name",
        STATS64 "stats64" => stats64,
        NAME "name",
        LABEL "label",
        FINGERPRINT "fingerprint",
    }
}

attribute_set! {
    /// A real server.
    server = dest {
        ADDR "addr",
        PORT "port",
        FWD_METHOD "fwd-method",
        WEIGHT "weight",
        U_THRESH "u-thresh",
        L_THRESH "l-thresh",
        ACTIVE_CONNS "active-conns",
        INACT_CONNS "inact-conns",
        PERSIST_CONNS "persist-conns",
        ADDR_FAMILY "addr-family",
        STATS64 "stats64" => stats64,
        TUN_TYPE "tun-type",
        TUN_PORT "tun-port",
        TUN_FLAGS "tun-flags",
        NAME "name",
        LABEL "label",
        DRAIN "drain" => drain,
        OVERLOADED "overloaded",
    }
}

attribute_set! {
    /// A flow that a question is about.
    flow = flow {
        AF "af",
        PROTOCOL "protocol",
        SRC_ADDR "src-addr",
        SRC_PORT "src-port",
        DST_ADDR "dst-addr",
        DST_PORT "dst-port",
        MARK "mark",
    }
}

attribute_set! {
    /// What would become of a packet.
    explanation = explanation {
        OUTCOME "outcome",
        DROP "drop" => drop,
        CHOSEN_BY "chosen-by",
        WAY "way",
        IS_REPLACED "is-replaced",
        TEMPLATE "template" => connection,
        IS_UNUSABLE "is-unusable",
        SERVER "server" => server,
        TARGET_PORT "target-port",
        FWD_METHOD "fwd-method",
        IS_LOCAL "is-local",
        MTU "mtu",
        IS_FULL "is-full",
        IS_OF_CHANCE "is-of-chance",
    }
}

attribute_set! {
    /// The draining of a real server.
    drain = drain {
        STOP "stop",
        TIMEOUT "timeout",
        LEFTOVERS "leftovers",
        REMOVE "remove",
        LEFT "left",
        DONE "done",
    }
}

attribute_set! {
    /// Counters and rates.
    stats64 = stats {
        CONNS "conns",
        INPKTS "inpkts",
        OUTPKTS "outpkts",
        INBYTES "inbytes",
        OUTBYTES "outbytes",
        CPS "cps",
        INPPS "inpps",
        OUTPPS "outpps",
        INBPS "inbps",
        OUTBPS "outbps",
        TIME "time",
    }
}

attribute_set! {
    /// A connection.
    connection = conn {
        AF "af",
        PROTOCOL "protocol",
        CLIENT_ADDR "client-addr",
        CLIENT_PORT "client-port",
        VIRTUAL_ADDR "virtual-addr",
        VIRTUAL_PORT "virtual-port",
        SERVER_ADDR "server-addr",
        SERVER_PORT "server-port",
        FWD_METHOD "fwd-method",
        STATE "state",
        EXPIRES "expires",
        FLAGS "flags",
        SERVER_AF "server-af",
        AGE "age",
        IDLE "idle",
    }
}

attribute_set! {
    /// Which entries of the connection table are meant.
    filter = filter {
        SERVICE "service" => service,
        PROTOCOL "protocol",
        AF "af",
        CLIENT_ADDR "client-addr",
        CLIENT_PREFIX "client-prefix",
        CLIENT_PORT "client-port",
        SERVER_AF "server-af",
        SERVER_ADDR "server-addr",
        SERVER_PORT "server-port",
        FWD_METHOD "fwd-method",
        STATE "state",
        MIN_AGE "min-age",
        MAX_AGE "max-age",
        MIN_IDLE "min-idle",
        MAX_IDLE "max-idle",
        LIMIT "limit",
        ALL "all",
    }
}

attribute_set! {
    /// The whole network namespace.
    totals = totals {
        STATS64 "stats64" => stats64,
        CONNECTIONS "connections",
        DROP "drop" => drop,
    }
}

attribute_set! {
    /// One drop reason.
    drop = drop {
        REASON "reason",
        COUNT "count",
        MEANING "meaning",
    }
}

attribute_set! {
    /// Something that happened.
    event = event {
        TYPE "type",
        TIME "time",
        PID "pid",
        PROGRAM "program",
        LEFT_OUT "left-out",
        STRATEGY "strategy",
        FAMILY "family",
        SLOTS_BEFORE "slots-before",
        SLOTS "slots",
        ENTRIES "entries",
        REASON "reason",
        PACKET "packet" => packet,
    }
}

attribute_set! {
    /// A dropped packet.
    packet = packet {
        AF "af",
        PROTOCOL "protocol",
        SRC_ADDR "src-addr",
        SRC_PORT "src-port",
        DST_ADDR "dst-addr",
        DST_PORT "dst-port",
        LENGTH "length",
    }
}

#[cfg(test)]
mod tests {
    use yaml_rust2::{Yaml, YamlLoader};

    use super::*;

    const SPECIFICATION: &str = include_str!("../../../../docs/netlink/rvs.yaml");

    #[test]
    fn every_attribute_has_the_name_number_and_nesting_of_the_specification() {
        let specification = &YamlLoader::load_from_str(SPECIFICATION).unwrap()[0];
        for set in [
            rvs::SET,
            info::SET,
            operation::SET,
            service::SET,
            server::SET,
            stats64::SET,
            connection::SET,
            filter::SET,
            drain::SET,
            flow::SET,
            explanation::SET,
            totals::SET,
            drop::SET,
            event::SET,
            packet::SET,
        ] {
            let sets = specification["attribute-sets"].as_vec().unwrap();
            let specified = sets.iter().find(|it| it["name"].as_str() == Some(set.name));
            let attributes = specified.expect(set.name)["attributes"].as_vec().unwrap();
            for id in set.attributes {
                let is_this = |it: &&Yaml| it["name"].as_str() == Some(id.name);
                let path = format!("{}.{}", set.name, id.name);
                let specified = attributes.iter().find(is_this).expect(&path);
                assert_eq!(
                    specified["value"].as_i64(),
                    Some(id.number.into()),
                    "{path}"
                );
                let nested = id.nested.map(|set| set.name);
                assert_eq!(specified["nested-attributes"].as_str(), nested, "{path}");
            }
        }
    }

    #[test]
    fn every_event_and_multicast_group_is_that_of_the_specification() {
        use crate::model::{EventKind, Topic};

        let specification = &YamlLoader::load_from_str(SPECIFICATION).unwrap()[0];
        let definitions = specification["definitions"].as_vec().unwrap();
        let types = definitions
            .iter()
            .find(|it| it["name"].as_str() == Some("event-type"));
        let types = types.unwrap()["entries"].as_vec().unwrap().iter();
        let types: Vec<_> = types
            .map(|it| {
                let number = it["value"].as_i64().unwrap().try_into().unwrap();
                (EventKind(number), it["name"].as_str().unwrap())
            })
            .collect();
        assert_eq!(types, EventKind::NAMES);

        let groups = specification["mcast-groups"]["list"]
            .as_vec()
            .unwrap()
            .iter();
        let groups: Vec<_> = groups.map(|it| it["name"].as_str().unwrap()).collect();
        assert_eq!(groups, Topic::ALL.map(Topic::name));
    }
}
