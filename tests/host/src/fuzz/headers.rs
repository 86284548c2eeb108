// SPDX-License-Identifier: GPL-2.0-only

//! Bodies of the fuzz targets that read headers.

use core::net::Ipv6Addr;

use super::{assert_same_outside, Input};
use crate::oracle;
use crate::packet::extension::{walk, Walk};
use crate::packet::{gre, gue, ipv6, sctp, IPPROTO_IPIP, IPPROTO_IPV6};
use crate::proto::{self, Direction, Protocol, Timeouts};

/// Forty bytes read as a header that makes sense or as none, what is changed in a header changes nothing
/// else, and the chain behind it leads where the textbook says, however the bytes come in.
pub fn ipv6_header(data: &[u8]) {
    let mut input = Input(data);
    let mut bytes: [u8; ipv6::HEADER_LEN] = input.array();
    if bytes[0] & 1 != 0 {
        bytes[0] = 0x60 | bytes[0] & 0x0f;
    }
    let Some(header) = ipv6::Header::parse(&bytes) else {
        assert_ne!(bytes[0] >> 4, 6);
        return;
    };
    let mut changed = bytes;
    let (src, dst) = (Ipv6Addr::from(input.array::<16>()), header.src);
    ipv6::set_source(&mut changed, src);
    ipv6::set_destination(&mut changed, dst);
    ipv6::decrement_hop_limit(&mut changed);
    assert_same_outside(&bytes, &changed, &[7..8, 8..40]);
    assert_eq!(
        ipv6::Header::parse(&changed),
        Some(ipv6::Header {
            src,
            dst,
            hop_limit: header.hop_limit.saturating_sub(1),
            ..header
        })
    );

    // Random bytes are seldom extension headers.
    const CHAIN: [u8; 8] = [0, 43, 44, 60, 51, 6, 17, 59];
    let mut behind = input.0.to_vec();
    let next_header = match header.next_header {
        number if number & 1 == 0 => CHAIN[usize::from(number >> 1) % CHAIN.len()],
        number => number,
    };
    let mut at = 0;
    while behind.len() > at + 1 {
        behind[at] = CHAIN[usize::from(behind[at]) % CHAIN.len()];
        at += 8 * (1 + usize::from(behind[at + 1] & 3));
    }
    // Bytes become available as the walk asks for them.
    let mut available = 0;
    let found = loop {
        match walk(next_header, &behind[..available]) {
            Walk::Needs(more) => {
                assert!(more > available);
                if more > behind.len() {
                    break None;
                }
                available = more;
            }
            Walk::Complete(upper) => break Some(upper),
            Walk::Unparsable => break None,
        }
    };
    assert_eq!(found, oracle::upper_layer(next_header, &behind));
}

/// Any sequence of packets, in any direction, moves from state to state, and whatever is behind a packet's
/// first chunk, only an ABORT behind a cookie changes what the packet means.
pub fn sctp_packets(data: &[u8]) {
    let timeouts = Timeouts::default();
    let mut input = Input(data);
    let mut state = input.byte();
    while !input.is_empty() {
        let direction = match input.byte() % 3 {
            0 => Direction::Input,
            1 => Direction::Output,
            _ => Direction::InputOnly,
        };
        let mut chunks: [u8; 24] = input.array();
        if chunks[0] & 0x80 != 0 {
            // A short cookie, often with an ABORT behind it.
            chunks[0] = sctp::COOKIE_ECHO + (chunks[0] & 1);
            chunks[2] = 0;
            chunks[3] &= 0x1f;
        }
        let first = sctp::Chunk::parse(chunks.first_chunk().expect("long enough"));
        let mut second = None;
        let kind = sctp::decisive_kind(first, |offset| {
            let at = offset.checked_sub(sctp::HEADER_LEN).expect("behind it");
            assert_eq!(at, usize::from(first.len).next_multiple_of(4));
            second = chunks.get(at..).and_then(<[u8]>::first_chunk).copied();
            second
        });
        let is_aborted = second.is_some_and(|chunk| chunk[0] == sctp::ABORT);
        assert_eq!(kind, if is_aborted { sctp::ABORT } else { first.kind });

        let current = proto::sctp::State::from_u8(state).unwrap_or(proto::sctp::State::None);
        let event = proto::sctp::Event::from_chunk(kind);
        let next = proto::sctp::next(current, direction, event);
        state = next as u8;
        assert_eq!(proto::sctp::State::from_u8(state), Some(next));
        assert_eq!(proto::state_name(Protocol::Sctp, state), next.name());
        assert!(proto::timeout(&timeouts, Protocol::Sctp, state) > 0);
    }
}

/// What is taken for the header of a tunnel of ours begins as the one that would be sent, options apart, and
/// leaves room for itself.
pub fn tunnel_headers(data: &[u8]) {
    let mut input = Input(data);
    let mut bytes: [u8; gue::HEADER_LEN] = input.array();
    if bytes[0] & 1 != 0 {
        (bytes[8], bytes[9]) = (
            bytes[8] & 0x1f,
            [IPPROTO_IPIP, IPPROTO_IPV6][data.len() & 1],
        );
    }
    if let Some(header) = gue::Header::parse(&bytes) {
        let outer = gue::Outer {
            src_port: u16::from_be_bytes([bytes[0], bytes[1]]),
            dst_port: header.dst_port,
            inner: header.inner,
            inner_len: usize::from(u16::from_be_bytes([bytes[4], bytes[5]])),
        };
        let mut built = [0; gue::HEADER_LEN];
        gue::build(&mut built, &outer);
        assert_eq!((&built[..4], built[9]), (&bytes[..4], bytes[9]));
        assert_eq!(header.header_len, 12 + 4 * usize::from(bytes[8]));
    }
    let bytes: [u8; gre::HEADER_LEN] = match input.byte() & 3 {
        0 => input.array(),
        1 => [0, 0, 0x08, 0x00],
        2 => [0x80, 0, 0x86, 0xdd],
        _ => [input.byte() & 0xb0, input.byte() & 7, 0x86, 0xdd],
    };
    if let Some(header) = gre::Header::parse(&bytes) {
        let mut built = [0; gre::CHECKSUM_HEADER_LEN];
        gre::build_with_checksum(&mut built, header.inner);
        assert_eq!(built[2..4], bytes[2..4]);
        assert_eq!(
            header.header_len == gre::CHECKSUM_HEADER_LEN,
            bytes[..2] == built[..2]
        );
    }
}
