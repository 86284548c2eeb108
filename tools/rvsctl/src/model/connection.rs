// SPDX-License-Identifier: GPL-2.0-only
//! Entries of the connection table.

use serde::{Serialize, Serializer};

use super::service::mark_of;
use super::{Endpoint, ForwardingMethod, Protocol};

/// An entry of the connection table: a connection, or a persistence template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    pub protocol: Protocol,
    pub client: Endpoint,
    pub r#virtual: Endpoint,
    pub server: Endpoint,
    pub method: ForwardingMethod,
    /// State name as in `/proc/net/ip_vs_conn`.
    pub state: String,
    /// Milliseconds until the entry goes away when no packet comes.
    pub expires: u32,
    /// Connection flags as on the synchronisation wire.
    pub flags: u32,
    /// Milliseconds since it was made.
    pub age: u64,
    /// Milliseconds since its last packet.
    pub idle: u64,
}

impl Connection {
    const TEMPLATE: u32 = 0x1000;

    /// Whether it is no connection, but keeps a client (or a network of them) at a server.
    pub fn is_template(&self) -> bool {
        self.flags & Self::TEMPLATE != 0
    }

    /// The firewall mark of the service, if it is a template of such a service. The virtual address
    /// holds the mark then.
    pub fn fwmark(&self) -> Option<u32> {
        (self.is_template() && self.protocol.0 == 0).then(|| mark_of(self.r#virtual.address))
    }
}

impl Serialize for Connection {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Shown<'a> {
            protocol: Protocol,
            client: Endpoint,
            r#virtual: Endpoint,
            server: Endpoint,
            method: ForwardingMethod,
            state: &'a str,
            expires_milliseconds: u32,
            age_milliseconds: u64,
            idle_milliseconds: u64,
            flags: u32,
            template: bool,
            #[serde(skip_serializing_if = "Option::is_none")]
            fwmark: Option<u32>,
        }
        Shown {
            protocol: self.protocol,
            client: self.client,
            r#virtual: self.r#virtual,
            server: self.server,
            method: self.method,
            state: &self.state,
            expires_milliseconds: self.expires,
            age_milliseconds: self.age,
            idle_milliseconds: self.idle,
            flags: self.flags,
            template: self.is_template(),
            fwmark: self.fwmark(),
        }
        .serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{json, to_value};

    use crate::output::samples;

    #[test]
    fn a_connection_has_its_documented_json() {
        let expected = json!({
            "protocol": "tcp",
            "client": {"address": "198.51.100.7", "port": 51234},
            "virtual": {"address": "192.0.2.10", "port": 80},
            "server": {"address": "10.0.0.1", "port": 8080},
            "method": "masquerading",
            "state": "ESTABLISHED",
            "expires_milliseconds": 899_250,
            "age_milliseconds": 75_500,
            "idle_milliseconds": 750,
            "flags": 256,
            "template": false,
        });
        assert_eq!(to_value(samples::connection(51234)).unwrap(), expected);
    }

    #[test]
    fn a_template_says_so_and_names_its_firewall_mark() {
        let template = to_value(samples::template()).unwrap();
        assert_eq!(template["template"], true);
        assert_eq!(template["state"], "NONE");
        assert_eq!(template["fwmark"], 7);
    }
}
