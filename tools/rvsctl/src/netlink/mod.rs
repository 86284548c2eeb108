// SPDX-License-Identifier: GPL-2.0-only
//! The kernel's side of the conversation: the generic netlink family RVS.
//!
//! `numbers` holds what `docs/netlink/rvs.yaml` assigns; `attribute` writes and reads values;
//! `service`, `server`, `drain`, `connection`, `filter`, `explanation`, `statistics` and `event`
//! translate between attributes and `model`; `message`, `extack`, `socket`, `client` and `listener` are
//! netlink itself; `operations` and `configuration` are what the rest of the program calls. Nothing here prints or knows of
//! the command line.

mod attribute;
mod client;
mod configuration;
mod connection;
mod drain;
mod event;
mod explanation;
mod extack;
#[cfg(test)]
pub mod fake;
mod filter;
mod listener;
mod message;
pub mod numbers;
mod operations;
mod server;
mod service;
mod socket;
mod statistics;
mod transaction;

pub use client::{Client, Consistency, Error};
pub use extack::ExtendedAck;
pub use filter::ConnectionFilter;
pub use listener::{events, Heard, KernelSource, Source};
pub use operations::{Remark, TimeoutChange};
pub use server::ServerSettings;
pub use service::{Naming, ServiceSettings};
pub use socket::{KernelSocket, Transport};
pub use transaction::{Rejection, Transaction};

/// Reading kernel answers, for the tests of other modules.
#[cfg(test)]
pub mod decode {
    pub use super::connection::decode_connection as connection;
    pub use super::server::decode_server as server;
    pub use super::service::decode_service as service;
    pub use super::statistics::decode_totals as totals;
}

/// Encoded kernel answers for the tests of other modules.
#[cfg(test)]
pub mod samples {
    pub use super::configuration::tests::server_of;
    pub use super::connection::tests::connection_body;
    pub use super::drain::tests::draining_attribute;
    pub use super::event::tests::{event_body, Sample};
    pub use super::explanation::tests::{dropped_body, scheduled_body};
    pub use super::operations::tests::{info_body, info_body_without_generation};
    pub use super::server::tests::{server_body, server_body_with, server_name, server_sent};
    pub use super::service::tests::{body_of_service, service_body, service_sent};
    pub use super::statistics::tests::totals_body;
}
