// SPDX-License-Identifier: GPL-2.0-only
//! Addresses, ports, networks and masks.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::model::{Endpoint, Family, Netmask};

/// Reads `192.0.2.10:80` or `[2001:db8::1]:80`; the port `any` is 0.
pub fn endpoint(text: &str) -> Result<Endpoint, String> {
    let (address, port) = address_and_port(text)?;
    match port {
        Some(port) => Ok(Endpoint { address, port }),
        None => {
            let example = Endpoint { address, port: 80 };
            Err(format!("the port is missing, as in {example}"))
        }
    }
}

/// Reads an endpoint whose port may be left out; `default_port` stands for it then.
pub fn endpoint_or_port(text: &str, default_port: u16) -> Result<Endpoint, String> {
    let (address, port) = address_and_port(text)?;
    Ok(Endpoint {
        address,
        port: port.unwrap_or(default_port),
    })
}

/// Reads an address whose port may be left out.
pub fn address_and_port(text: &str) -> Result<(IpAddr, Option<u16>), String> {
    if let Some(rest) = text.strip_prefix('[') {
        let Some((address, rest)) = rest.split_once(']') else {
            return Err("the closing bracket of the IPv6 address is missing".to_string());
        };
        let address = address
            .parse::<Ipv6Addr>()
            .map_err(|_| format!("'{address}' is not an IPv6 address, such as 2001:db8::1"))?;
        let port = match rest.strip_prefix(':') {
            Some(text) => Some(port(text)?),
            None if rest.is_empty() => None,
            None => return Err(format!("'{rest}' stands where ':PORT' is expected")),
        };
        return Ok((address.into(), port));
    }
    if text.matches(':').count() > 1 {
        return Err(
            "an IPv6 address stands in brackets before its port, as in [2001:db8::1]:80"
                .to_string(),
        );
    }
    match text.split_once(':') {
        Some((address, text)) => Ok((ipv4(address)?, Some(port(text)?))),
        None => Ok((ipv4(text)?, None)),
    }
}

fn ipv4(text: &str) -> Result<IpAddr, String> {
    text.parse().map(IpAddr::V4).map_err(|_| {
        format!("'{text}' is not an IP address, such as 192.0.2.10 (names are not looked up)")
    })
}

fn port(text: &str) -> Result<u16, String> {
    if text == "any" {
        return Ok(0);
    }
    // `parse` alone would take "+80".
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(port) if digits => Ok(port),
        _ => Err(format!("'{text}' is not a port: 1 to 65535, or any")),
    }
}

/// Reads where to listen: `127.0.0.1:9877`, `[::]:9877`.
pub fn listening_address(text: &str) -> Result<SocketAddr, String> {
    let endpoint = endpoint(text)?;
    Ok(SocketAddr::new(endpoint.address, endpoint.port))
}

/// An address, and a port if one is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressWithPort {
    pub address: IpAddr,
    pub port: Option<u16>,
}

/// Reads `10.0.0.1`, `10.0.0.1:8080`, `2001:db8::1`, `[2001:db8::1]` or `[2001:db8::1]:8080`.
pub fn address_with_port(text: &str) -> Result<AddressWithPort, String> {
    // Without a port, nobody has to wonder where it begins.
    let (address, port) = match text.parse::<Ipv6Addr>() {
        Ok(address) => (address.into(), None),
        Err(_) => address_and_port(text)?,
    };
    Ok(AddressWithPort { address, port })
}

/// One client or those of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Client {
    pub address: IpAddr,
    /// How many bits of the address count, if not all.
    pub prefix: Option<u8>,
    pub port: Option<u16>,
}

/// Reads `203.0.113.7`, `203.0.113.7:4711`, `203.0.113.0/24` or the like of IPv6.
pub fn client(text: &str) -> Result<Client, String> {
    let Some((network, length)) = text.split_once('/') else {
        let AddressWithPort { address, port } = address_with_port(text)?;
        return Ok(Client {
            address,
            prefix: None,
            port,
        });
    };
    let AddressWithPort { address, port } = address_with_port(network)?;
    if port.is_some() {
        return Err("a network has no port, as in 203.0.113.0/24".to_string());
    }
    let longest = if address.is_ipv4() { 32 } else { 128 };
    let digits = length.bytes().all(|byte| byte.is_ascii_digit());
    match length.parse() {
        Ok(prefix) if digits && prefix <= longest => Ok(Client {
            address,
            prefix: Some(prefix),
            port: None,
        }),
        _ => Err(format!("'{length}' is not a prefix length: 0 to {longest}")),
    }
}

/// Which part of a client's address persistence goes by, before the family is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mask {
    /// A prefix length in bits, at most 128.
    Length(u32),
    /// An IPv4 netmask.
    Ipv4(Netmask),
}

impl Mask {
    /// The mask for this family, or what would be one.
    pub fn of(self, family: Family) -> Result<Netmask, &'static str> {
        match (self, family) {
            (Self::Length(length @ 0..=32), Family::Ipv4) => Ok(Netmask::ipv4(length)),
            (Self::Ipv4(mask), Family::Ipv4) => Ok(mask),
            (Self::Length(length @ 1..=128), Family::Ipv6) => Ok(Netmask::Ipv6(length)),
            (_, Family::Ipv4) => {
                Err("IPv4 takes a netmask, such as 255.255.255.0, or a prefix length from 0 to 32")
            }
            (_, Family::Ipv6) => Err("IPv6 takes a prefix length from 1 to 128, such as 64"),
        }
    }
}

/// Reads `24`, `/24` or `255.255.255.0`.
pub fn mask(text: &str) -> Result<Mask, String> {
    if let Ok(mask) = text.parse::<Ipv4Addr>() {
        let netmask = Netmask::ipv4(mask.to_bits().leading_ones());
        if netmask != Netmask::Ipv4(mask) {
            return Err("the ones of a netmask come first, as in 255.255.255.0".to_string());
        }
        return Ok(Mask::Ipv4(netmask));
    }
    let length = text.strip_prefix('/').unwrap_or(text);
    let digits = length.bytes().all(|byte| byte.is_ascii_digit());
    match length.parse() {
        Ok(length @ 0..=128) if digits => Ok(Mask::Length(length)),
        _ => Err(
            "it is a netmask, such as 255.255.255.0, or a prefix length, such as 24 (64 for IPv6)"
                .to_string(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_with_port_are_read() {
        for text in ["192.0.2.10:80", "[2001:db8::1]:443", "0.0.0.0:65535"] {
            assert_eq!(endpoint(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_missing_port_is_shown_where_it_belongs() {
        assert_eq!(
            endpoint("192.0.2.10").unwrap_err(),
            "the port is missing, as in 192.0.2.10:80"
        );
        assert_eq!(
            endpoint("[2001:db8::1]").unwrap_err(),
            "the port is missing, as in [2001:db8::1]:80"
        );
    }

    #[test]
    fn a_server_without_port_gets_the_default() {
        let endpoint = endpoint_or_port("10.0.0.1", 80).unwrap();
        assert_eq!(endpoint.to_string(), "10.0.0.1:80");
        let endpoint = endpoint_or_port("[2001:db8::2]", 80).unwrap();
        assert_eq!(endpoint.to_string(), "[2001:db8::2]:80");
    }

    #[test]
    fn an_ipv6_address_without_brackets_is_told_about_them() {
        for text in ["2001:db8::1", "2001:db8::1:80", "::1"] {
            let message = endpoint(text).unwrap_err();
            assert!(message.contains("brackets"), "{text}: {message}");
        }
    }

    #[test]
    fn wrong_parts_are_quoted_with_what_would_be_right() {
        for (text, expected) in [
            ("web:80", "'web' is not an IP address"),
            ("300.0.2.10:80", "'300.0.2.10' is not an IP address"),
            ("", "'' is not an IP address"),
            (
                "192.0.2.10:http",
                "'http' is not a port: 1 to 65535, or any",
            ),
            ("192.0.2.10:anyy", "'anyy' is not a port"),
            ("192.0.2.10:65536", "'65536' is not a port"),
            ("192.0.2.10:", "'' is not a port"),
            ("192.0.2.10:+80", "'+80' is not a port"),
            ("[2001:db8::1", "closing bracket"),
            ("[web]:80", "'web' is not an IPv6 address"),
            ("[::1]80", "'80' stands where ':PORT' is expected"),
        ] {
            let message = endpoint(text).unwrap_err();
            assert!(message.contains(expected), "{text}: {message}");
        }
    }

    #[test]
    fn clients_are_read_alone_with_a_port_and_as_networks() {
        for (text, prefix, port) in [
            ("203.0.113.7", None, None),
            ("203.0.113.7:4711", None, Some(4711)),
            ("203.0.113.0/24", Some(24), None),
            ("0.0.0.0/0", Some(0), None),
            ("2001:db8::1", None, None),
            ("[2001:db8::1]", None, None),
            ("[2001:db8::1]:4711", None, Some(4711)),
            ("2001:db8::/32", Some(32), None),
        ] {
            let client = client(text).unwrap();
            assert_eq!((client.prefix, client.port), (prefix, port), "{text}");
        }
        for (text, expected) in [
            ("203.0.113.0/33", "0 to 32"),
            ("2001:db8::/129", "0 to 128"),
            ("203.0.113.0/", "0 to 32"),
            ("203.0.113.0/+8", "0 to 32"),
            ("203.0.113.7:4711/24", "has no port"),
            ("web", "'web' is not an IP address"),
        ] {
            let message = client(text).unwrap_err();
            assert!(message.contains(expected), "{text}: {message}");
        }
    }

    #[test]
    fn all_ports_are_written_any_or_0() {
        for text in ["192.0.2.10:any", "192.0.2.10:0"] {
            let endpoint = endpoint(text).unwrap();
            assert_eq!(endpoint.port, 0);
            assert_eq!(endpoint.to_string(), "192.0.2.10:any");
        }
    }

    #[test]
    fn masks_are_read_as_netmask_and_as_prefix_length() {
        let class_c = Netmask::Ipv4([255, 255, 255, 0].into());
        for text in ["24", "/24", "255.255.255.0"] {
            assert_eq!(mask(text).unwrap().of(Family::Ipv4), Ok(class_c), "{text}");
        }
        assert_eq!(
            mask("0").unwrap().of(Family::Ipv4),
            Ok(Netmask::Ipv4([0; 4].into()))
        );
        assert_eq!(mask("64").unwrap().of(Family::Ipv6), Ok(Netmask::Ipv6(64)));
    }

    #[test]
    fn masks_of_the_wrong_form_or_family_are_told_the_right_one() {
        for text in ["255.0.255.0", "0.0.0.255"] {
            assert!(mask(text).unwrap_err().contains("ones"), "{text}");
        }
        for text in ["129", "-1", "+24", "", "/", "web", "255.255.255"] {
            assert!(mask(text).unwrap_err().contains("such as 24"), "{text}");
        }
        let wrong = |text: &str, family| mask(text).unwrap().of(family).unwrap_err();
        assert!(wrong("33", Family::Ipv4).contains("0 to 32"));
        assert!(wrong("0", Family::Ipv6).contains("1 to 128"));
        assert!(wrong("255.255.255.0", Family::Ipv6).contains("1 to 128"));
    }
}
