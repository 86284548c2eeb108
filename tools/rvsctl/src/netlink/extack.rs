// SPDX-License-Identifier: GPL-2.0-only
//! The kernel's extended acknowledgement: what it says about a refused request in words, and which
//! attribute it points at. Source: `include/uapi/linux/netlink.h`, `enum nlmsgerr_attrs`.

use netlink_packet_core::{parse_string, parse_u32, NlasIterator, NLM_F_ACK_TLVS, NLM_F_CAPPED};

use super::numbers::{self, AttributeSet};

const NLMSGERR_ATTR_MSG: u16 = 1;
const NLMSGERR_ATTR_OFFS: u16 = 2;
const NLMSGERR_ATTR_MISS_TYPE: u16 = 5;
const NLMSGERR_ATTR_MISS_NEST: u16 = 6;

/// Netlink header and generic netlink header, which precede the attributes.
const NETLINK_HEADER: usize = 16;
const HEADERS: usize = NETLINK_HEADER + 4;

/// What the kernel added to an acknowledgement.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExtendedAck {
    /// The kernel's words.
    pub message: Option<String>,
    /// Byte of the request's attributes at which the wrong one begins.
    pub offset: Option<usize>,
    /// Name of the attribute that is wrong, such as `service.sched-name`.
    pub offending: Option<String>,
    /// Name of the attribute that is missing.
    pub missing: Option<String>,
}

impl ExtendedAck {
    /// Reads what follows the error code of an `NLMSG_ERROR`: the request (only its header if the
    /// kernel capped it) and then attributes, if `flags` says there are any. What cannot be read is
    /// left out: the error itself matters more than its explanation.
    pub fn of_error(flags: u16, after_code: &[u8], request: &[u8]) -> Self {
        if flags & NLM_F_ACK_TLVS == 0 {
            return Self::default();
        }
        let echoed = if flags & NLM_F_CAPPED != 0 {
            NETLINK_HEADER
        } else {
            let length = after_code.get(..4).and_then(|bytes| parse_u32(bytes).ok());
            length.map_or(usize::MAX, |length| length as usize)
        };
        let attributes = echoed
            .checked_next_multiple_of(4)
            .and_then(|start| after_code.get(start..));
        Self::parse(attributes.unwrap_or_default(), request)
    }

    /// Reads what follows the error code of an `NLMSG_DONE`.
    pub fn of_done(flags: u16, after_code: &[u8], request: &[u8]) -> Self {
        if flags & NLM_F_ACK_TLVS == 0 {
            return Self::default();
        }
        Self::parse(after_code, request)
    }

    fn parse(attributes: &[u8], request: &[u8]) -> Self {
        let mut found = Self::default();
        let (mut missing, mut missing_in) = (None, None);
        for attribute in NlasIterator::new(attributes).map_while(Result::ok) {
            let number = || parse_u32(attribute.value()).ok();
            match attribute.kind() {
                NLMSGERR_ATTR_MSG => found.message = parse_string(attribute.value()).ok(),
                NLMSGERR_ATTR_OFFS => {
                    let at = number().map(|at| at as usize);
                    found.offset = at.and_then(|at| at.checked_sub(HEADERS));
                    found.offending = at.and_then(|at| name_at(request, at));
                }
                NLMSGERR_ATTR_MISS_TYPE => missing = number(),
                NLMSGERR_ATTR_MISS_NEST => missing_in = number(),
                _ => {}
            }
        }
        found.missing = missing.and_then(|number| name_missing(request, number, missing_in));
        found
    }
}

/// The attribute that starts at byte `target` of `request`, as a dotted path.
fn name_at(request: &[u8], target: usize) -> Option<String> {
    let path = path_at(request, HEADERS, request.len(), &numbers::rvs::SET, target)?;
    Some(path.join("."))
}

/// The name of missing attribute `number` in the container that starts at byte `container` of
/// `request`; without one, at top level.
fn name_missing(request: &[u8], number: u32, container: Option<u32>) -> Option<String> {
    let number = u16::try_from(number).ok()?;
    let Some(at) = container else {
        return Some(numbers::rvs::SET.find(number)?.name.to_string());
    };
    let end = request.len();
    let path = path_at(request, HEADERS, end, &numbers::rvs::SET, at as usize)?;
    let mut set = &numbers::rvs::SET;
    for name in &path {
        set = set.attributes.iter().find(|id| id.name == *name)?.nested?;
    }
    Some(format!("{}.{}", path.join("."), set.find(number)?.name))
}

/// Walks the attributes in `request[start..end]`, which belong to `set`, to the one at `target`.
/// The nesting depth is that of `set`, which is fixed.
fn path_at(
    request: &[u8],
    start: usize,
    end: usize,
    set: &AttributeSet,
    target: usize,
) -> Option<Vec<&'static str>> {
    let mut position = start;
    for attribute in NlasIterator::new(request.get(start..end)?).map_while(Result::ok) {
        let next = position + usize::from(attribute.length()).next_multiple_of(4);
        if target < next {
            let id = set.find(attribute.kind())?;
            if target <= position {
                return (target == position).then(|| vec![id.name]);
            }
            let inner = position + netlink_packet_core::NLA_HEADER_SIZE;
            let inner_end = position + usize::from(attribute.length());
            let mut path = path_at(request, inner, inner_end, id.nested?, target)?;
            path.insert(0, id.name);
            return Some(path);
        }
        position = next;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::message::Message;
    use super::super::service::{encode_service, tests::key, ServiceSettings};
    use super::*;
    use crate::model::Family;
    use crate::netlink::attribute::encode;
    use netlink_packet_generic::GenlHeader;

    fn request() -> Vec<u8> {
        let settings = ServiceSettings::new(Family::Ipv4, "nope");
        let message = Message {
            family: 30,
            header: GenlHeader { cmd: 1, version: 1 },
            body: encode(&[encode_service(&key(), &settings)]),
        };
        message.into_datagram(5, 1)
    }

    fn tlv(kind: u16, value: &[u8]) -> Vec<u8> {
        let length = value.len() as u16 + 4;
        let mut bytes = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
        bytes.extend(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    /// Byte at which the attribute with this name and value starts in the request.
    fn offset_of(request: &[u8], value: &[u8]) -> u32 {
        let at = request.windows(value.len()).position(|w| w == value);
        at.unwrap() as u32 - 4
    }

    #[test]
    fn words_and_offending_attribute_are_read_from_a_capped_error() {
        let request = request();
        let offset = offset_of(&request, b"nope\0");
        let mut bytes = request[..16].to_vec();
        bytes.extend(tlv(1, b"unknown scheduler\0"));
        bytes.extend(tlv(2, &offset.to_ne_bytes()));
        let ack = ExtendedAck::of_error(NLM_F_CAPPED | NLM_F_ACK_TLVS, &bytes, &request);
        assert_eq!(ack.message.as_deref(), Some("unknown scheduler"));
        assert_eq!(ack.offending.as_deref(), Some("service.sched-name"));
    }

    #[test]
    fn words_are_read_from_an_error_that_echoes_the_whole_request() {
        let request = request();
        let mut bytes = request.clone();
        bytes.extend(tlv(1, b"unknown scheduler\0"));
        let ack = ExtendedAck::of_error(NLM_F_ACK_TLVS, &bytes, &request);
        assert_eq!(ack.message.as_deref(), Some("unknown scheduler"));
    }

    #[test]
    fn a_missing_attribute_is_named_with_its_container() {
        let request = request();
        let mut bytes = request[..16].to_vec();
        bytes.extend(tlv(5, &6u32.to_ne_bytes()));
        bytes.extend(tlv(6, &20u32.to_ne_bytes()));
        let flags = NLM_F_CAPPED | NLM_F_ACK_TLVS;
        let ack = ExtendedAck::of_error(flags, &bytes, &request);
        assert_eq!(ack.missing.as_deref(), Some("service.sched-name"));

        let mut bytes = request[..16].to_vec();
        bytes.extend(tlv(5, &2u32.to_ne_bytes()));
        let ack = ExtendedAck::of_error(flags, &bytes, &request);
        assert_eq!(ack.missing.as_deref(), Some("server"));
    }

    #[test]
    fn without_the_flag_no_attributes_are_looked_for() {
        let request = request();
        let ack = ExtendedAck::of_error(NLM_F_CAPPED, &tlv(1, b"x\0"), &request);
        assert_eq!(ack, ExtendedAck::default());
    }

    #[test]
    fn an_explanation_that_cannot_be_read_is_left_out() {
        let request = request();
        let flags = NLM_F_CAPPED | NLM_F_ACK_TLVS;
        let mut whole = request[..16].to_vec();
        whole.extend(tlv(1, b"unknown scheduler\0"));
        whole.extend(tlv(2, &u32::MAX.to_ne_bytes()));
        for length in 0..whole.len() {
            ExtendedAck::of_error(flags, &whole[..length], &request);
            ExtendedAck::of_error(NLM_F_ACK_TLVS, &whole[..length], &request);
            ExtendedAck::of_done(flags, &whole[..length], &request);
        }
        let ack = ExtendedAck::of_error(flags, &whole, &request);
        assert_eq!(ack.offending, None);
    }

    #[test]
    fn an_offset_inside_a_value_names_nothing() {
        let request = request();
        let offset = offset_of(&request, b"nope\0") as usize;
        assert_eq!(name_at(&request, offset + 1), None);
        assert_eq!(name_at(&request, offset + 4), None);
        assert_eq!(name_at(&request, 0), None);
    }
}
