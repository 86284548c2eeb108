// SPDX-License-Identifier: GPL-2.0-only

//! What the property tests draw their cases from.

use std::net::Ipv4Addr;

use proptest::prelude::*;
use rvs_host_tests::packet::{Endpoint, Side};

pub(crate) fn endpoint() -> impl Strategy<Value = Endpoint<Ipv4Addr>> {
    (any::<Ipv4Addr>(), any::<u16>()).prop_map(|(addr, port)| Endpoint { addr, port })
}

pub(crate) fn side() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Side::Source), Just(Side::Destination)]
}

/// An endpoint from its usual notation.
pub(crate) fn at(endpoint: &str) -> Endpoint<Ipv4Addr> {
    let endpoint: std::net::SocketAddrV4 = endpoint.parse().expect("address:port");
    Endpoint {
        addr: *endpoint.ip(),
        port: endpoint.port(),
    }
}
