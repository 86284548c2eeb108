// SPDX-License-Identifier: GPL-2.0-only
//! Reading addresses and names as people type them, with errors that say what would be right.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use crate::model::{Endpoint, Family, Labels, Netmask};

/// Longest persistence timeout in seconds, 31 days as with `ipvsadm`.
pub const MAX_PERSISTENCE: u32 = 31 * 24 * 3600;

/// Most bytes of a name, of a label's key and of its value, as the kernel takes them.
const TEXT: usize = 63;

/// Most labels of a service or a server.
const LABELS: usize = 16;

/// Words that begin the address of a service on the command line, so that no service can be called
/// so.
const RESERVED: [&str; 5] = ["tcp", "udp", "sctp", "mark", "fwmark"];

/// Longest scheduler name the kernel takes, in bytes.
const SCHEDULER_NAME: usize = 15;

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

/// Reads the name of a state of connections in the form in which it is listed. Which states there are
/// is the kernel's to say.
pub fn state(text: &str) -> Result<String, String> {
    let name = text.to_ascii_uppercase().replace('-', "_");
    let letters = name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if letters && !name.is_empty() {
        Ok(name)
    } else {
        Err("a state is named as in listings, such as ESTABLISHED".to_string())
    }
}

/// A span of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Milliseconds(pub u64);

/// Reads `90s`, `15m`, `2h`, `1d`, `250ms`; a bare number is of seconds.
pub fn duration(text: &str) -> Result<Milliseconds, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit = match unit {
        "ms" => 1,
        "" | "s" => 1000,
        "m" | "min" => 60 * 1000,
        "h" => 3600 * 1000,
        "d" => 24 * 3600 * 1000,
        _ => 0,
    };
    match number
        .parse::<u64>()
        .ok()
        .and_then(|it| it.checked_mul(unit))
    {
        Some(milliseconds) if unit != 0 => Ok(Milliseconds(milliseconds)),
        _ => Err("a duration is a number with a unit: 90s, 15m, 2h, 1d".to_string()),
    }
}

/// Longest time that is waited, seconds.
const LONGEST_WAIT: u64 = 366 * 24 * 3600;

/// Reads how long to wait, at least a second: `10s`, `5m`, `1h`.
pub fn waiting_time(text: &str) -> Result<Duration, String> {
    let Milliseconds(milliseconds) = duration(text)?;
    match Duration::from_millis(milliseconds) {
        time if time < Duration::from_secs(1) => Err("a time is at least a second".to_string()),
        time if time.as_secs() > LONGEST_WAIT => Err("a time is at most 366d".to_string()),
        time => Ok(time),
    }
}

/// Reads a firewall mark, decimal or with `0x` hexadecimal. 0 means "no mark" and names nothing.
pub fn fwmark(text: &str) -> Result<u32, String> {
    let parsed = match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => text.parse(),
    };
    match parsed {
        Ok(mark) if mark != 0 => Ok(mark),
        _ => Err("a firewall mark is a number from 1 to 4294967295".to_string()),
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

/// Whether a text has the form of a name.
pub fn is_name(text: &str) -> bool {
    text.len() <= TEXT
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(is_plain)
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')
}

/// Reads the name of a service or a server.
pub fn name(text: &str) -> Result<String, String> {
    if RESERVED.contains(&text) {
        return Err(format!("'{text}' begins an address and cannot be a name"));
    }
    if is_name(text) {
        return Ok(text.to_string());
    }
    Err(format!(
        "'{text}' is not a name: a name is a letter and up to 62 letters, digits, '.', '_' or '-'"
    ))
}

/// As [`name`]; the empty text stands for no name.
pub fn name_or_none(text: &str) -> Result<String, String> {
    match text {
        "" => Ok(String::new()),
        text => name(text),
    }
}

/// Reads a label, `key=value`.
pub fn label(text: &str) -> Result<(String, String), String> {
    let (key, value) = text
        .split_once('=')
        .ok_or_else(|| format!("'{text}' is not a label, such as tier=front"))?;
    let key = label_key(key)?;
    let is_value = value.len() <= TEXT
        && value
            .bytes()
            .all(|byte| is_plain(byte) || matches!(byte, b'/' | b':' | b'@' | b'+'));
    if !is_value {
        return Err(format!(
            "'{value}' is not a label's value: up to 63 letters, digits, '.', '_', '-', '/', ':', '@' \
             or '+'"
        ));
    }
    Ok((key, value.to_string()))
}

/// Reads the key of a label.
pub fn label_key(text: &str) -> Result<String, String> {
    let is_key = text.len() <= TEXT
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|byte| is_plain(byte) || byte == b'/');
    if is_key {
        return Ok(text.to_string());
    }
    Err(format!(
        "'{text}' is not a label's key: a letter and up to 62 letters, digits, '.', '_', '-' or '/'"
    ))
}

/// Checks that there are no more labels than the kernel takes.
pub fn label_count(labels: &Labels) -> Result<(), String> {
    match labels.len() {
        0..=LABELS => Ok(()),
        more => Err(format!("there are {more} labels; {LABELS} is the most")),
    }
}

/// Checks the form of a scheduler's name. Which names exist is the kernel's to say.
pub fn scheduler(text: &str) -> Result<String, String> {
    let well_formed = text
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    if well_formed && (1..=SCHEDULER_NAME).contains(&text.len()) {
        Ok(text.to_string())
    } else {
        Err(format!(
            "a scheduler's name has 1 to {SCHEDULER_NAME} letters and digits, such as wlc"
        ))
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
    fn durations_are_read_with_their_units() {
        for (text, milliseconds) in [
            ("90", 90_000),
            ("90s", 90_000),
            ("250ms", 250),
            ("15m", 900_000),
            ("2h", 7_200_000),
            ("1d", 86_400_000),
            ("0", 0),
        ] {
            assert_eq!(duration(text), Ok(Milliseconds(milliseconds)), "{text}");
        }
        for text in [
            "",
            "s",
            "-1s",
            "1.5h",
            "1w",
            "99999999999999999999",
            "9999999999999999d",
        ] {
            assert!(duration(text).unwrap_err().contains("90s"), "{text}");
        }
    }

    #[test]
    fn states_are_read_in_either_case_and_refused_by_form() {
        assert_eq!(state("fin-wait").as_deref(), Ok("FIN_WAIT"));
        for text in ["", "fin wait", "état"] {
            assert!(state(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn firewall_marks_are_read_in_both_bases_and_zero_is_refused() {
        assert_eq!(fwmark("7"), Ok(7));
        assert_eq!(fwmark("0x10"), Ok(16));
        for text in ["0", "0x0", "-1", "4294967296", "web", ""] {
            assert!(fwmark(text).is_err(), "{text}");
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

    #[test]
    fn names_are_such_that_no_address_and_no_keyword_is_one() {
        for text in ["web", "a.b_c-9", &"x".repeat(63)] {
            assert_eq!(name(text).as_deref(), Ok(text));
        }
        for text in [
            "",
            "9web",
            "192.0.2.1",
            "we b",
            "ä",
            "tcp",
            "mark",
            &"x".repeat(64),
        ] {
            assert!(name(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn labels_are_keys_with_values() {
        assert_eq!(
            label("k8s.io/app=a:b@c+d"),
            Ok(("k8s.io/app".into(), "a:b@c+d".into()))
        );
        assert_eq!(label("empty="), Ok(("empty".into(), String::new())));
        for text in ["", "tier", "=x", "9=x", "a b=c", "a=b c", "a=b=c"] {
            assert!(label(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn scheduler_names_the_kernel_could_not_take_are_refused_by_form() {
        assert_eq!(scheduler("wlc").as_deref(), Ok("wlc"));
        for text in ["", "has space", "wlc\0", "sixteen-letters-"] {
            assert!(scheduler(text).is_err(), "{text:?}");
        }
    }
}
