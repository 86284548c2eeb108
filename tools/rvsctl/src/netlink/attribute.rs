// SPDX-License-Identifier: GPL-2.0-only
//! Netlink attributes: writing typed values, and reading them back without trusting a length.
//!
//! Which attribute a value belongs to is said by an [`AttributeId`]; what a service or a server
//! consists of lives in the files named after them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netlink_packet_core::{
    Emitable, Nla, NLA_ALIGNTO, NLA_F_NESTED, NLA_HEADER_SIZE, NLA_TYPE_MASK,
};

use super::numbers::{AttributeId, AttributeSet, AF_INET, AF_INET6};

/// Why an answer of the kernel could not be understood.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum DecodeError {
    #[error("attribute {set}.{name} is missing")]
    Missing {
        set: &'static str,
        name: &'static str,
    },
    #[error("attribute {set}.{name} cannot be read: {reason}")]
    Value {
        set: &'static str,
        name: &'static str,
        reason: String,
    },
    #[error("malformed netlink message: {0}")]
    Malformed(String),
}

/// An attribute to be sent: its number and its encoded value or its children.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    number: u16,
    value: Value,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Value {
    Bytes(Vec<u8>),
    Nest(Vec<Attribute>),
}

impl Attribute {
    pub fn bytes(id: AttributeId, bytes: &[u8]) -> Self {
        Self {
            number: id.number,
            value: Value::Bytes(bytes.to_vec()),
        }
    }

    /// One that says all by being there.
    pub fn flag(id: AttributeId) -> Self {
        Self::bytes(id, &[])
    }

    pub fn u8(id: AttributeId, value: u8) -> Self {
        Self::bytes(id, &[value])
    }

    /// Host byte order.
    pub fn u16(id: AttributeId, value: u16) -> Self {
        Self::bytes(id, &value.to_ne_bytes())
    }

    /// Network byte order.
    pub fn be16(id: AttributeId, value: u16) -> Self {
        Self::bytes(id, &value.to_be_bytes())
    }

    /// Host byte order.
    pub fn u32(id: AttributeId, value: u32) -> Self {
        Self::bytes(id, &value.to_ne_bytes())
    }

    /// Host byte order.
    pub fn u64(id: AttributeId, value: u64) -> Self {
        Self::bytes(id, &value.to_ne_bytes())
    }

    /// NUL-terminated.
    pub fn string(id: AttributeId, value: &str) -> Self {
        let mut bytes = value.as_bytes().to_vec();
        bytes.push(0);
        Self::bytes(id, &bytes)
    }

    /// 4 bytes for IPv4, 16 for IPv6, network byte order.
    pub fn address(id: AttributeId, address: IpAddr) -> Self {
        match address {
            IpAddr::V4(v4) => Self::bytes(id, &v4.octets()),
            IpAddr::V6(v6) => Self::bytes(id, &v6.octets()),
        }
    }

    /// A container, sent with `NLA_F_NESTED`.
    pub fn nest(id: AttributeId, children: Vec<Attribute>) -> Self {
        Self {
            number: id.number,
            value: Value::Nest(children),
        }
    }
}

impl Nla for Attribute {
    fn value_len(&self) -> usize {
        match &self.value {
            Value::Bytes(bytes) => bytes.len(),
            Value::Nest(children) => children.as_slice().buffer_len(),
        }
    }

    fn kind(&self) -> u16 {
        match self.value {
            Value::Bytes(_) => self.number,
            Value::Nest(_) => self.number | NLA_F_NESTED,
        }
    }

    fn emit_value(&self, buffer: &mut [u8]) {
        match &self.value {
            Value::Bytes(bytes) => buffer.copy_from_slice(bytes),
            Value::Nest(children) => children.as_slice().emit(buffer),
        }
    }
}

/// The bytes of attributes that stand side by side.
pub fn encode(attributes: &[Attribute]) -> Vec<u8> {
    let mut bytes = vec![0; attributes.buffer_len()];
    attributes.emit(&mut bytes);
    bytes
}

/// Few containers have more attributes.
const USUAL: usize = 24;

/// Number and value of the attribute that `bytes` begin with.
fn first(bytes: &[u8]) -> Option<(u16, &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    let (kind, _) = rest.split_first_chunk()?;
    let value = bytes.get(NLA_HEADER_SIZE..u16::from_ne_bytes(*length).into())?;
    Some((u16::from_ne_bytes(*kind) & NLA_TYPE_MASK, value))
}

/// The attributes of one received container. Attributes this program does not know are skipped,
/// and the `NLA_F_NESTED` flag may be set or not.
#[derive(Debug)]
pub struct Attributes<'a> {
    set: &'static AttributeSet,
    found: Vec<(u16, &'a [u8])>,
}

impl<'a> Attributes<'a> {
    /// Splits `bytes` into attributes. A length that leaves the buffer is an error.
    pub fn parse(set: &'static AttributeSet, bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut found = Vec::with_capacity(USUAL);
        let mut rest = bytes;
        while !rest.is_empty() {
            let (kind, value) = first(rest).ok_or_else(|| {
                let (name, position) = (set.name, bytes.len() - rest.len());
                let reason = "no attribute fits into what is left";
                DecodeError::Malformed(format!("in {name}, at byte {position}: {reason}"))
            })?;
            found.push((kind, value));
            let taken = (NLA_HEADER_SIZE + value.len()).next_multiple_of(NLA_ALIGNTO);
            rest = rest.get(taken..).unwrap_or_default();
        }
        Ok(Self { set, found })
    }

    /// Values of every occurrence, in the order sent.
    fn values(&self, id: AttributeId) -> impl Iterator<Item = &'a [u8]> + '_ {
        self.found
            .iter()
            .filter(move |(number, _)| *number == id.number)
            .map(|(_, value)| *value)
    }

    /// As in the kernel, the last of several equal attributes counts.
    fn value(&self, id: AttributeId) -> Option<&'a [u8]> {
        let mut found = self.found.iter();
        let last = found.rfind(|(number, _)| *number == id.number);
        last.map(|(_, value)| *value)
    }

    fn missing(&self, id: AttributeId) -> DecodeError {
        DecodeError::Missing {
            set: self.set.name,
            name: id.name,
        }
    }

    fn unreadable(&self, id: AttributeId, reason: impl ToString) -> DecodeError {
        DecodeError::Value {
            set: self.set.name,
            name: id.name,
            reason: reason.to_string(),
        }
    }

    /// Exactly `N` bytes, if the attribute is there.
    fn array<const N: usize>(&self, id: AttributeId) -> Result<Option<[u8; N]>, DecodeError> {
        let Some(value) = self.value(id) else {
            return Ok(None);
        };
        let array = value.try_into().map_err(|_| {
            let reason = format!("expected {N} bytes, received {}", value.len());
            self.unreadable(id, reason)
        })?;
        Ok(Some(array))
    }

    fn text(&self, id: AttributeId, value: &[u8]) -> Result<String, DecodeError> {
        let text = value.strip_suffix(&[0]).unwrap_or(value);
        let text = std::str::from_utf8(text).map_err(|error| self.unreadable(id, error))?;
        Ok(text.to_string())
    }

    /// Whether an attribute is there that says all by that.
    pub fn flag(&self, id: AttributeId) -> bool {
        self.value(id).is_some()
    }

    /// What an attribute holds.
    pub fn bytes(&self, id: AttributeId) -> Option<&'a [u8]> {
        self.value(id)
    }

    /// Turns an absent attribute into an error that names it.
    pub fn require<T>(&self, id: AttributeId, value: Option<T>) -> Result<T, DecodeError> {
        value.ok_or_else(|| self.missing(id))
    }

    pub fn u8(&self, id: AttributeId) -> Result<Option<u8>, DecodeError> {
        Ok(self.array(id)?.map(u8::from_ne_bytes))
    }

    /// Host byte order.
    pub fn u16(&self, id: AttributeId) -> Result<Option<u16>, DecodeError> {
        Ok(self.array(id)?.map(u16::from_ne_bytes))
    }

    /// Network byte order.
    pub fn be16(&self, id: AttributeId) -> Result<Option<u16>, DecodeError> {
        Ok(self.array(id)?.map(u16::from_be_bytes))
    }

    /// Host byte order.
    pub fn u32(&self, id: AttributeId) -> Result<Option<u32>, DecodeError> {
        Ok(self.array(id)?.map(u32::from_ne_bytes))
    }

    /// Host byte order.
    pub fn u64(&self, id: AttributeId) -> Result<Option<u64>, DecodeError> {
        Ok(self.array(id)?.map(u64::from_ne_bytes))
    }

    /// UTF-8, with or without its terminating NUL.
    pub fn string(&self, id: AttributeId) -> Result<Option<String>, DecodeError> {
        let text = self.value(id).map(|value| self.text(id, value));
        text.transpose()
    }

    /// Every occurrence of a text that may come several times.
    pub fn strings(&self, id: AttributeId) -> Result<Vec<String>, DecodeError> {
        self.values(id).map(|value| self.text(id, value)).collect()
    }

    /// Up to the terminating NUL; what is not UTF-8 is replaced.
    pub fn lossy_string(&self, id: AttributeId) -> Option<String> {
        let bytes = self.value(id)?;
        let end = bytes.iter().position(|byte| *byte == 0);
        let text = &bytes[..end.unwrap_or(bytes.len())];
        Some(String::from_utf8_lossy(text).into_owned())
    }

    pub fn require_u16(&self, id: AttributeId) -> Result<u16, DecodeError> {
        self.require(id, self.u16(id)?)
    }

    pub fn require_be16(&self, id: AttributeId) -> Result<u16, DecodeError> {
        self.require(id, self.be16(id)?)
    }

    pub fn require_u32(&self, id: AttributeId) -> Result<u32, DecodeError> {
        self.require(id, self.u32(id)?)
    }

    pub fn require_u64(&self, id: AttributeId) -> Result<u64, DecodeError> {
        self.require(id, self.u64(id)?)
    }

    pub fn require_string(&self, id: AttributeId) -> Result<String, DecodeError> {
        self.require(id, self.string(id)?)
    }

    /// Exactly `N` bytes.
    pub fn require_bytes<const N: usize>(&self, id: AttributeId) -> Result<[u8; N], DecodeError> {
        self.require(id, self.array(id)?)
    }

    /// An address of family `af`: IPv4 in the first four of 4 or 16 bytes, IPv6 in 16.
    pub fn require_address(&self, id: AttributeId, af: u16) -> Result<IpAddr, DecodeError> {
        let value = self.require(id, self.value(id))?;
        match (af, value.len()) {
            (AF_INET, 4 | 16) => {
                let octets = [value[0], value[1], value[2], value[3]];
                Ok(Ipv4Addr::from(octets).into())
            }
            (AF_INET6, 16) => Ok(Ipv6Addr::from(self.require_bytes::<16>(id)?).into()),
            (AF_INET | AF_INET6, length) => {
                Err(self.unreadable(id, format!("an address of {length} bytes")))
            }
            _ => Err(self.unreadable(id, format!("address family {af} is unknown"))),
        }
    }

    /// What a container may have inside.
    fn set_of(&self, id: AttributeId) -> Result<&'static AttributeSet, DecodeError> {
        id.nested
            .ok_or_else(|| self.unreadable(id, "it is not a container"))
    }

    /// The attributes inside a container.
    pub fn require_nest(&self, id: AttributeId) -> Result<Attributes<'a>, DecodeError> {
        self.require(id, self.nest(id)?)
    }

    /// The attributes inside a container that may be absent.
    pub fn nest(&self, id: AttributeId) -> Result<Option<Attributes<'a>>, DecodeError> {
        let set = self.set_of(id)?;
        let value = self.value(id);
        value.map(|value| Attributes::parse(set, value)).transpose()
    }

    /// The containers inside a container that numbers them; none if it is absent.
    pub fn list(&self, id: AttributeId) -> Result<Vec<Attributes<'a>>, DecodeError> {
        let Some(value) = self.value(id) else {
            return Ok(Vec::new());
        };
        let set = self.set_of(id)?;
        let entries = Attributes::parse(set, value)?.found.into_iter();
        entries
            .map(|(_, value)| Attributes::parse(set, value))
            .collect()
    }

    /// Every occurrence of a container that may come several times.
    pub fn nests(&self, id: AttributeId) -> Result<Vec<Attributes<'a>>, DecodeError> {
        let set = self.set_of(id)?;
        self.values(id)
            .map(|value| Attributes::parse(set, value))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::numbers::{rvs, service};
    use super::*;

    #[test]
    fn values_are_written_in_their_byte_order_padded_and_nested_with_the_flag() {
        let bytes = encode(&[Attribute::nest(
            rvs::SERVICE,
            vec![
                Attribute::u16(service::AF, 2),
                Attribute::be16(service::PORT, 80),
                Attribute::string(service::SCHED_NAME, "wlc"),
            ],
        )]);
        let mut expected = vec![28, 0, 1, 0x80];
        expected.extend([6, 0, 1, 0, 2, 0, 0, 0]);
        expected.extend([6, 0, 4, 0, 0, 80, 0, 0]);
        expected.extend([8, 0, 6, 0, b'w', b'l', b'c', 0]);
        assert_eq!(bytes, expected);
    }

    #[test]
    fn a_container_is_read_with_and_without_the_nested_flag() {
        for flag in [0x00, 0x80] {
            let bytes = [12, 0, 1, flag, 6, 0, 1, 0, 2, 0, 0, 0];
            let top = Attributes::parse(&rvs::SET, &bytes).unwrap();
            let nest = top.require_nest(rvs::SERVICE).unwrap();
            assert_eq!(nest.require_u16(service::AF), Ok(2));
        }
    }

    #[test]
    fn an_attribute_whose_length_leaves_the_buffer_is_an_error() {
        for bytes in [
            &[12, 0, 1, 0, 0, 0, 0, 0][..],
            &[3, 0, 1, 0],
            &[0, 0, 0, 0],
            &[8, 0, 1],
        ] {
            let error = Attributes::parse(&service::SET, bytes).unwrap_err();
            assert!(
                error.to_string().contains("in service, at byte 0"),
                "{error}"
            );
        }
    }

    #[test]
    fn a_short_value_is_an_error_that_names_the_attribute() {
        let bytes = [5, 0, 4, 0, 80, 0, 0, 0];
        let attributes = Attributes::parse(&service::SET, &bytes).unwrap();
        let error = attributes.require_be16(service::PORT).unwrap_err();
        assert!(
            error.to_string().starts_with("attribute service.port"),
            "{error}"
        );
    }

    #[test]
    fn an_absent_attribute_is_an_error_that_names_it() {
        let attributes = Attributes::parse(&service::SET, &[]).unwrap();
        let error = attributes.require_string(service::SCHED_NAME).unwrap_err();
        assert_eq!(error.to_string(), "attribute service.sched-name is missing");
    }

    #[test]
    fn addresses_of_a_wrong_length_or_family_are_errors() {
        for (af, length) in [(AF_INET, 3), (AF_INET, 15), (AF_INET6, 4), (77, 16)] {
            let bytes = encode(&[Attribute::bytes(service::ADDR, &vec![1; length])]);
            let attributes = Attributes::parse(&service::SET, &bytes).unwrap();
            assert!(
                attributes.require_address(service::ADDR, af).is_err(),
                "family {af}, {length} bytes"
            );
        }
    }

    #[test]
    fn an_ipv4_address_is_read_from_four_and_from_sixteen_bytes() {
        for length in [4, 16] {
            let mut value = vec![0; length];
            value[..4].copy_from_slice(&[192, 0, 2, 10]);
            let bytes = encode(&[Attribute::bytes(service::ADDR, &value)]);
            let attributes = Attributes::parse(&service::SET, &bytes).unwrap();
            assert_eq!(
                attributes
                    .require_address(service::ADDR, AF_INET)
                    .unwrap()
                    .to_string(),
                "192.0.2.10"
            );
        }
    }

    #[test]
    fn the_last_of_several_equal_attributes_counts() {
        let bytes = encode(&[
            Attribute::u16(service::AF, 2),
            Attribute::u16(service::AF, 10),
        ]);
        let attributes = Attributes::parse(&service::SET, &bytes).unwrap();
        assert_eq!(attributes.require_u16(service::AF), Ok(10));
    }
}
