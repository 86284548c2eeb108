// SPDX-License-Identifier: GPL-2.0-only
//! Connections as netlink attributes. The kernel only sends these.

use super::attribute::{Attributes, DecodeError};
use super::numbers::{connection, rvs, AttributeId};
use crate::model::{Connection, Endpoint, ForwardingMethod, Protocol};

fn decode_endpoint(
    attributes: &Attributes<'_>,
    af: u16,
    address: AttributeId,
    port: AttributeId,
) -> Result<Endpoint, DecodeError> {
    Ok(Endpoint {
        address: attributes.require_address(address, af)?,
        port: attributes.require_be16(port)?,
    })
}

/// Reads the body of a reply that carries a connection.
pub fn decode_connection(body: &[u8]) -> Result<Connection, DecodeError> {
    let top = Attributes::parse(&rvs::SET, body)?;
    decode_attributes(&top.require_nest(rvs::CONNECTION)?)
}

/// Reads a connection.
pub fn decode_attributes(attributes: &Attributes<'_>) -> Result<Connection, DecodeError> {
    use connection::{
        AF, AGE, CLIENT_ADDR, CLIENT_PORT, EXPIRES, FLAGS, FWD_METHOD, IDLE, PROTOCOL, SERVER_ADDR,
        SERVER_AF, SERVER_PORT, STATE, VIRTUAL_ADDR, VIRTUAL_PORT,
    };

    let af = attributes.require_u16(AF)?;
    let server_af = attributes.u16(SERVER_AF)?.unwrap_or(af);
    Ok(Connection {
        protocol: Protocol(attributes.require_u16(PROTOCOL)?),
        client: decode_endpoint(attributes, af, CLIENT_ADDR, CLIENT_PORT)?,
        r#virtual: decode_endpoint(attributes, af, VIRTUAL_ADDR, VIRTUAL_PORT)?,
        server: decode_endpoint(attributes, server_af, SERVER_ADDR, SERVER_PORT)?,
        method: ForwardingMethod::from_number(attributes.require_u32(FWD_METHOD)?),
        state: attributes.require_string(STATE)?,
        expires: attributes.require_u32(EXPIRES)?,
        flags: attributes.require_u32(FLAGS)?,
        age: attributes.require_u64(AGE)?,
        idle: attributes.require_u64(IDLE)?,
    })
}

#[cfg(test)]
pub mod tests {
    use super::super::attribute::{encode, Attribute};
    use super::*;

    /// The body of the kernel's answer about a connection of 198.51.100.7 to 192.0.2.10:80, which
    /// 10.0.0.1:8080 serves.
    pub fn connection_body(client_port: u16) -> Vec<u8> {
        let address = |id, octets: [u8; 4]| {
            let mut padded = [0; 16];
            padded[..4].copy_from_slice(&octets);
            Attribute::bytes(id, &padded)
        };
        encode(&[Attribute::nest(
            rvs::CONNECTION,
            vec![
                Attribute::u16(connection::AF, 2),
                Attribute::u16(connection::PROTOCOL, 6),
                address(connection::CLIENT_ADDR, [198, 51, 100, 7]),
                Attribute::be16(connection::CLIENT_PORT, client_port),
                address(connection::VIRTUAL_ADDR, [192, 0, 2, 10]),
                Attribute::be16(connection::VIRTUAL_PORT, 80),
                address(connection::SERVER_ADDR, [10, 0, 0, 1]),
                Attribute::be16(connection::SERVER_PORT, 8080),
                Attribute::u32(connection::FWD_METHOD, 0),
                Attribute::string(connection::STATE, "ESTABLISHED"),
                Attribute::u32(connection::EXPIRES, 899_250),
                Attribute::u32(connection::FLAGS, 0x100),
                Attribute::u64(connection::AGE, 75_500),
                Attribute::u64(connection::IDLE, 750),
            ],
        )])
    }

    #[test]
    fn a_connection_read_from_the_kernel_has_its_three_endpoints_and_state() {
        let connection = decode_connection(&connection_body(51234)).unwrap();
        assert_eq!(connection.protocol, Protocol::TCP);
        assert_eq!(connection.client.to_string(), "198.51.100.7:51234");
        assert_eq!(connection.r#virtual.to_string(), "192.0.2.10:80");
        assert_eq!(connection.server.to_string(), "10.0.0.1:8080");
        assert_eq!(connection.method, ForwardingMethod::Masquerading);
        assert_eq!(connection.state, "ESTABLISHED");
        assert_eq!(connection.expires, 899_250);
        assert_eq!(connection.flags, 0x100);
        assert_eq!((connection.age, connection.idle), (75_500, 750));
    }

    #[test]
    fn every_truncation_of_a_connection_is_an_error_and_never_a_panic() {
        let body = connection_body(51234);
        for length in 0..body.len() {
            assert!(
                decode_connection(&body[..length]).is_err(),
                "{length} of {} bytes were accepted",
                body.len()
            );
        }
    }
}
