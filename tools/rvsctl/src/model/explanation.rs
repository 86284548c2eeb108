// SPDX-License-Identifier: GPL-2.0-only
//! What would become of a packet, and why.

use std::fmt;

use serde::Serialize;

use super::{Connection, Draining, Endpoint, ForwardingMethod, Protocol, Server, ServiceKey};

/// The flow that a client would open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Flow {
    pub protocol: Protocol,
    pub client: Endpoint,
    #[serde(rename = "virtual")]
    pub destination: Endpoint,
    /// What rules of the firewall would give its packets; 0 for none.
    pub mark: u32,
}

impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} -> {}",
            self.protocol, self.client, self.destination
        )?;
        match self.mark {
            0 => Ok(()),
            mark => write!(f, ", mark {mark}"),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// To a real server, or back to the client.
    Forwarded,
    /// It is none of rvs: the host takes or routes it.
    Passed,
    Dropped,
}

/// By what the real server of a packet is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ChosenBy {
    Connection,
    Template,
    Scheduler,
}

/// Which way a packet goes in its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// From the client.
    In,
    /// From the real server.
    Out,
}

/// Why a packet would be dropped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Dropped {
    /// Stable name, for programs.
    pub reason: String,
    /// One sentence, for people.
    pub meaning: String,
}

/// A real server that might get the flow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Candidate {
    #[serde(flatten)]
    pub endpoint: Endpoint,
    pub weight: u32,
    pub active_connections: u32,
    pub inactive_connections: u32,
    pub chosen: bool,
    /// Why it gets no new flows: `draining`, `weight` or `overloaded`.
    pub obstacle: Option<&'static str>,
    #[serde(skip)]
    pub draining: Option<Draining>,
}

impl Candidate {
    pub fn of(server: &Server, chosen: Option<Endpoint>) -> Self {
        let obstacle = match server {
            Server {
                draining: Some(_), ..
            } => Some("draining"),
            Server { weight: 0, .. } => Some("weight"),
            Server {
                overloaded: true, ..
            } => Some("overloaded"),
            _ => None,
        };
        Self {
            endpoint: server.endpoint,
            weight: server.weight,
            active_connections: server.active_connections,
            inactive_connections: server.inactive_connections,
            chosen: chosen == Some(server.endpoint),
            obstacle,
            draining: server.draining,
        }
    }
}

/// What would become of the packet that opens a flow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    pub outcome: Outcome,
    pub dropped: Option<Dropped>,
    /// The service that it is for.
    pub service: Option<ServiceKey>,
    pub scheduler: Option<String>,
    /// The connection that it is of.
    pub connection: Option<Connection>,
    pub way: Option<Way>,
    /// That connection makes place for a new one.
    pub connection_replaced: bool,
    /// The template that its client has.
    pub template: Option<Connection>,
    pub template_usable: Option<bool>,
    pub chosen_by: Option<ChosenBy>,
    /// Another packet may get another server.
    pub by_chance: bool,
    pub server: Option<Endpoint>,
    /// The port that masquerading gives it.
    pub target_port: Option<u16>,
    pub method: Option<ForwardingMethod>,
    /// The real server is this host.
    pub local: bool,
    /// The largest packet that gets to the server whole, bytes.
    pub mtu: Option<u32>,
    /// As many connections exist as may.
    pub table_full: bool,
}
