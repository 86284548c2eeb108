// SPDX-License-Identifier: GPL-2.0-only
//! Real servers as netlink attributes.

use super::attribute::{Attribute, Attributes, DecodeError};
use super::drain::decode_draining;
use super::numbers::{rvs, server};
use super::service::{decode_identity, family_number, Naming};
use super::statistics::statistics_if_any;
use crate::model::{Encapsulation, Endpoint, Family, ForwardingMethod, Server};

/// What a real server is set to besides its key. The kernel wants all of them in one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerSettings {
    pub method: ForwardingMethod,
    pub weight: u32,
    pub upper_threshold: u32,
    pub lower_threshold: u32,
    pub encapsulation: Option<Encapsulation>,
    pub naming: Naming,
}

impl ServerSettings {
    /// A new server without thresholds.
    pub fn new(method: ForwardingMethod, weight: u32) -> Self {
        Self {
            method,
            weight,
            upper_threshold: 0,
            lower_threshold: 0,
            encapsulation: None,
            naming: Naming::default(),
        }
    }

    /// The settings an existing server has, to be sent back with changes.
    pub fn of(server: &Server) -> Self {
        Self {
            method: server.method,
            weight: server.weight,
            upper_threshold: server.upper_threshold,
            lower_threshold: server.lower_threshold,
            encapsulation: server.encapsulation,
            naming: Naming::default(),
        }
    }
}

fn key_attributes(endpoint: Endpoint) -> Vec<Attribute> {
    let family = family_number(Family::of(endpoint.address));
    vec![
        Attribute::address(server::ADDR, endpoint.address),
        Attribute::be16(server::PORT, endpoint.port),
        Attribute::u16(server::ADDR_FAMILY, family),
    ]
}

/// The container that names a real server of a service.
pub fn encode_key(endpoint: Endpoint) -> Attribute {
    Attribute::nest(rvs::DEST, key_attributes(endpoint))
}

/// The container that names a real server and says what it is set to.
pub fn encode_server(endpoint: Endpoint, settings: &ServerSettings) -> Attribute {
    let mut attributes = key_attributes(endpoint);
    attributes.extend([
        Attribute::u32(server::FWD_METHOD, settings.method.number()),
        Attribute::u32(server::WEIGHT, settings.weight),
        Attribute::u32(server::U_THRESH, settings.upper_threshold),
        Attribute::u32(server::L_THRESH, settings.lower_threshold),
    ]);
    if let Some(encapsulation) = settings.encapsulation {
        attributes.extend([
            Attribute::u8(server::TUN_TYPE, encapsulation.kind),
            Attribute::be16(server::TUN_PORT, encapsulation.port),
            Attribute::u16(server::TUN_FLAGS, encapsulation.flags),
        ]);
    }
    attributes.extend(settings.naming.attributes(server::NAME, server::LABEL));
    Attribute::nest(rvs::DEST, attributes)
}

fn decode_encapsulation(attributes: &Attributes<'_>) -> Result<Option<Encapsulation>, DecodeError> {
    let Some(kind) = attributes.u8(server::TUN_TYPE)? else {
        return Ok(None);
    };
    Ok(Some(Encapsulation {
        kind,
        port: attributes.be16(server::TUN_PORT)?.unwrap_or(0),
        flags: attributes.u16(server::TUN_FLAGS)?.unwrap_or(0),
    }))
}

/// Reads what names a real server among its attributes; see [`decode_server`].
pub fn decode_endpoint(
    attributes: &Attributes<'_>,
    family: Family,
) -> Result<Endpoint, DecodeError> {
    let af = attributes
        .u16(server::ADDR_FAMILY)?
        .unwrap_or(family_number(family));
    Ok(Endpoint {
        address: attributes.require_address(server::ADDR, af)?,
        port: attributes.require_be16(server::PORT)?,
    })
}

/// Reads the body of a reply that carries a real server; see [`decode_attributes`].
pub fn decode_server(body: &[u8], family: Family) -> Result<Server, DecodeError> {
    let top = Attributes::parse(&rvs::SET, body)?;
    decode_attributes(&top.require_nest(rvs::DEST)?, family)
}

/// Reads a real server. `family` is that of the service, for kernels that do not say the server's own.
pub fn decode_attributes(
    attributes: &Attributes<'_>,
    family: Family,
) -> Result<Server, DecodeError> {
    let method = ForwardingMethod::from_number(attributes.require_u32(server::FWD_METHOD)?);
    let encapsulation = decode_encapsulation(attributes)?;
    Ok(Server {
        endpoint: decode_endpoint(attributes, family)?,
        method,
        tunnel: encapsulation.filter(|_| method == ForwardingMethod::Tunneling),
        weight: attributes.require_u32(server::WEIGHT)?,
        upper_threshold: attributes.require_u32(server::U_THRESH)?,
        lower_threshold: attributes.require_u32(server::L_THRESH)?,
        active_connections: attributes.require_u32(server::ACTIVE_CONNS)?,
        inactive_connections: attributes.require_u32(server::INACT_CONNS)?,
        persistent_connections: attributes.require_u32(server::PERSIST_CONNS)?,
        draining: decode_draining(attributes)?,
        overloaded: attributes.flag(server::OVERLOADED),
        encapsulation,
        identity: decode_identity(attributes, server::NAME, server::LABEL)?,
        statistics: statistics_if_any(attributes, server::STATS64)?,
    })
}

#[cfg(test)]
pub mod tests {
    use super::super::attribute::encode;
    use super::super::statistics::tests::{expected_counting_from, statistics_counting_from};
    use super::*;

    pub fn endpoint() -> Endpoint {
        Endpoint {
            address: [10, 0, 0, 1].into(),
            port: 8080,
        }
    }

    /// The body of the kernel's answer about a real server with 12 active, 3 inactive connections.
    pub fn server_body(endpoint: Endpoint, settings: &ServerSettings) -> Vec<u8> {
        server_body_with(endpoint, settings, vec![])
    }

    /// The same with further attributes.
    pub fn server_body_with(
        endpoint: Endpoint,
        settings: &ServerSettings,
        further: Vec<Attribute>,
    ) -> Vec<u8> {
        let mut attributes = key_attributes(endpoint);
        if let std::net::IpAddr::V4(v4) = endpoint.address {
            let mut padded = [0; 16];
            padded[..4].copy_from_slice(&v4.octets());
            attributes[0] = Attribute::bytes(server::ADDR, &padded);
        }
        attributes.extend(further);
        attributes.extend([
            Attribute::u32(server::FWD_METHOD, settings.method.number()),
            Attribute::u32(server::WEIGHT, settings.weight),
            Attribute::u8(server::TUN_TYPE, 1),
            Attribute::be16(server::TUN_PORT, 6080),
            Attribute::u16(server::TUN_FLAGS, 2),
            Attribute::u32(server::U_THRESH, settings.upper_threshold),
            Attribute::u32(server::L_THRESH, settings.lower_threshold),
            Attribute::u32(server::ACTIVE_CONNS, 12),
            Attribute::u32(server::INACT_CONNS, 3),
            Attribute::u32(server::PERSIST_CONNS, 1),
            statistics_counting_from(server::STATS64, 200),
        ]);
        encode(&[Attribute::nest(rvs::DEST, attributes)])
    }

    /// The name of a server.
    pub fn server_name(name: &str) -> Attribute {
        Attribute::string(server::NAME, name)
    }

    /// The settings of a server in a request.
    pub fn server_sent(body: &[u8]) -> ServerSettings {
        let top = Attributes::parse(&rvs::SET, body).unwrap();
        let sent = top.require_nest(rvs::DEST).unwrap();
        let number = |id| sent.require_u32(id).unwrap();
        ServerSettings {
            method: ForwardingMethod::from_number(number(server::FWD_METHOD)),
            weight: number(server::WEIGHT),
            upper_threshold: number(server::U_THRESH),
            lower_threshold: number(server::L_THRESH),
            encapsulation: decode_encapsulation(&sent).unwrap(),
            naming: Naming::default(),
        }
    }

    fn settings() -> ServerSettings {
        ServerSettings::new(ForwardingMethod::Masquerading, 5)
    }

    #[test]
    fn a_new_server_is_sent_with_its_key_and_every_setting() {
        let bytes = encode(&[encode_server(endpoint(), &settings())]);
        let mut expected = vec![60, 0, 2, 0x80];
        expected.extend([8, 0, 1, 0, 10, 0, 0, 1]);
        expected.extend([6, 0, 2, 0, 0x1f, 0x90, 0, 0]);
        expected.extend([6, 0, 11, 0, 2, 0, 0, 0]);
        expected.extend([8, 0, 3, 0, 0, 0, 0, 0]);
        expected.extend([8, 0, 4, 0, 5, 0, 0, 0]);
        expected.extend([8, 0, 5, 0, 0, 0, 0, 0]);
        expected.extend([8, 0, 6, 0, 0, 0, 0, 0]);
        assert_eq!(bytes, expected);
    }

    #[test]
    fn a_server_read_from_the_kernel_has_its_key_settings_and_counters() {
        let server = decode_server(&server_body(endpoint(), &settings()), Family::Ipv4).unwrap();
        assert_eq!(server.endpoint, endpoint());
        assert_eq!(server.method, ForwardingMethod::Masquerading);
        assert_eq!(server.weight, 5);
        assert_eq!(
            (server.active_connections, server.inactive_connections),
            (12, 3)
        );
        assert_eq!(server.statistics, expected_counting_from(200));
    }

    #[test]
    fn changing_a_server_leaves_thresholds_and_encapsulation_alone() {
        let mut settings = settings();
        settings.upper_threshold = 100;
        settings.lower_threshold = 70;
        let server = decode_server(&server_body(endpoint(), &settings), Family::Ipv4).unwrap();
        let bytes = encode(&[encode_server(endpoint(), &ServerSettings::of(&server))]);
        let top = Attributes::parse(&rvs::SET, &bytes).unwrap();
        let sent = top.require_nest(rvs::DEST).unwrap();
        assert_eq!(sent.require_u32(server::U_THRESH), Ok(100));
        assert_eq!(sent.require_u32(server::L_THRESH), Ok(70));
        assert_eq!(sent.u8(server::TUN_TYPE), Ok(Some(1)));
        assert_eq!(sent.be16(server::TUN_PORT), Ok(Some(6080)));
        assert_eq!(sent.u16(server::TUN_FLAGS), Ok(Some(2)));
    }

    #[test]
    fn a_server_of_another_family_than_its_service_keeps_its_own() {
        let endpoint = Endpoint {
            address: "2001:db8::2".parse().unwrap(),
            port: 80,
        };
        let server = decode_server(&server_body(endpoint, &settings()), Family::Ipv4).unwrap();
        assert_eq!(server.endpoint, endpoint);
    }

    #[test]
    fn every_truncation_of_a_server_is_an_error_and_never_a_panic() {
        let body = server_body(endpoint(), &settings());
        for length in 0..body.len() {
            assert!(
                decode_server(&body[..length], Family::Ipv4).is_err(),
                "{length} of {} bytes were accepted",
                body.len()
            );
        }
    }

    #[test]
    fn flipping_any_bit_of_a_server_never_panics() {
        let body = server_body(endpoint(), &settings());
        for bit in 0..body.len() * 8 {
            let mut hostile = body.clone();
            hostile[bit / 8] ^= 1 << (bit % 8);
            let _ = decode_server(&hostile, Family::Ipv4);
        }
    }
}
