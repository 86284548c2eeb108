// SPDX-License-Identifier: GPL-2.0-only
//! Which entries of the connection table a request is about, as netlink attributes.

use super::attribute::{Attribute, Attributes, DecodeError};
use super::numbers::{filter, rvs};
use super::service;
use crate::model::{Family, ForwardingMethod, Protocol, ServiceKey};
use crate::parse::{AddressWithPort, Client};

/// What entries must be like to be selected: all that is said here. The default selects all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConnectionFilter {
    pub service: Option<ServiceKey>,
    pub protocol: Option<Protocol>,
    pub client: Option<Client>,
    pub server: Option<AddressWithPort>,
    pub method: Option<ForwardingMethod>,
    /// Names of states, as in listings.
    pub states: Vec<String>,
    /// Milliseconds since they were made, and since their last packets.
    pub min_age: Option<u64>,
    pub max_age: Option<u64>,
    pub min_idle: Option<u64>,
    pub max_idle: Option<u64>,
    /// How many at most.
    pub limit: Option<u64>,
    /// Everything is meant, where that has to be said.
    pub all: bool,
}

impl ConnectionFilter {
    /// Whether it selects everything.
    pub fn is_open(&self) -> bool {
        *self == Self::default()
    }
}

/// The container that says what is selected.
pub fn encode_filter(wanted: &ConnectionFilter) -> Attribute {
    let mut attributes = Vec::new();
    attributes.extend(wanted.service.as_ref().map(service::encode_key));
    attributes.extend(
        wanted
            .protocol
            .map(|it| Attribute::u16(filter::PROTOCOL, it.0)),
    );
    if let Some(client) = wanted.client {
        attributes.extend(client_attributes(client));
    }
    if let Some(server) = wanted.server {
        let family = service::family_number(Family::of(server.address));
        attributes.push(Attribute::u16(filter::SERVER_AF, family));
        attributes.push(Attribute::address(filter::SERVER_ADDR, server.address));
        attributes.extend(
            server
                .port
                .map(|port| Attribute::be16(filter::SERVER_PORT, port)),
        );
    }
    let method = wanted.method.map(ForwardingMethod::number);
    attributes.extend(method.map(|number| Attribute::u32(filter::FWD_METHOD, number)));
    let states = wanted.states.iter();
    attributes.extend(states.map(|name| Attribute::string(filter::STATE, name)));
    for (id, value) in [
        (filter::MIN_AGE, wanted.min_age),
        (filter::MAX_AGE, wanted.max_age),
        (filter::MIN_IDLE, wanted.min_idle),
        (filter::MAX_IDLE, wanted.max_idle),
        (filter::LIMIT, wanted.limit),
    ] {
        attributes.extend(value.map(|value| Attribute::u64(id, value)));
    }
    attributes.extend(wanted.all.then(|| Attribute::flag(filter::ALL)));
    Attribute::nest(rvs::FILTER, attributes)
}

fn client_attributes(client: Client) -> impl Iterator<Item = Attribute> {
    let family = service::family_number(Family::of(client.address));
    [
        Some(Attribute::u16(filter::AF, family)),
        Some(Attribute::address(filter::CLIENT_ADDR, client.address)),
        client
            .prefix
            .map(|length| Attribute::u8(filter::CLIENT_PREFIX, length)),
        client
            .port
            .map(|port| Attribute::be16(filter::CLIENT_PORT, port)),
    ]
    .into_iter()
    .flatten()
}

/// Reads the body of an answer that says how many entries were meant in the part of a pass that is over,
/// with the cursor to go on with if it is not through.
pub fn decode_count(body: &[u8]) -> Result<(u64, Option<Vec<u8>>), DecodeError> {
    let answer = Attributes::parse(&rvs::SET, body)?;
    let cursor = answer.bytes(rvs::CURSOR).map(<[u8]>::to_vec);
    Ok((answer.require_u64(rvs::COUNT)?, cursor))
}

#[cfg(test)]
mod tests {
    use super::super::attribute::encode;
    use super::*;
    use crate::parse;

    fn sent(filter: &ConnectionFilter) -> Vec<u8> {
        encode(&[encode_filter(filter)])
    }

    fn contains(bytes: &[u8], part: &[u8]) -> bool {
        bytes.windows(part.len()).any(|window| window == part)
    }

    #[test]
    fn an_empty_filter_is_an_empty_container() {
        assert_eq!(sent(&ConnectionFilter::default()), [4, 0, 13, 0x80]);
    }

    #[test]
    fn a_client_is_sent_with_its_family_and_what_is_known_of_it() {
        let of = |text: &str| {
            sent(&ConnectionFilter {
                client: Some(parse::client(text).unwrap()),
                ..Default::default()
            })
        };
        let network = of("10.0.0.0/8");
        assert!(contains(&network, &[6, 0, 3, 0, 2, 0, 0, 0]), "family");
        assert!(contains(&network, &[8, 0, 4, 0, 10, 0, 0, 0]), "address");
        assert!(contains(&network, &[5, 0, 5, 0, 8, 0, 0, 0]), "prefix");
        let one = of("[2001:db8::1]:4711");
        assert!(contains(&one, &[6, 0, 3, 0, 10, 0, 0, 0]), "family");
        assert!(contains(&one, &[6, 0, 6, 0, 0x12, 0x67, 0, 0]), "port");
        assert!(!contains(&one, &[5, 0, 5, 0]), "no prefix");
    }

    #[test]
    fn every_state_is_sent_by_its_name() {
        let bytes = sent(&ConnectionFilter {
            states: vec!["CLOSE".to_string(), "UDP".to_string()],
            ..Default::default()
        });
        assert!(contains(&bytes, b"\x0a\0\x0b\0CLOSE\0"));
        assert!(contains(&bytes, b"\x08\0\x0b\0UDP\0"));
    }
}
