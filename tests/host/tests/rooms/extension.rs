// SPDX-License-Identifier: GPL-2.0-only

//! IPv6 extension headers: where a packet's payload begins, and whether it is a fragment.

use rvs_host_tests::packet::extension::{walk, Fragment, Upper, Walk, MAX_HEADERS};
use rvs_host_tests::packet::{IPPROTO_AH, IPPROTO_TCP, IPPROTO_UDP};

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const ESP: u8 = 50;
const NONE: u8 = 59;
const DESTINATION_OPTIONS: u8 = 60;

/// A packet's extension headers and the numbers that link them.
struct Chain {
    first: u8,
    bytes: Vec<u8>,
}

/// Links headers, given as their number and their bytes from the second on, and a payload.
fn chain(headers: &[(u8, &[u8])], payload: u8) -> Chain {
    let mut numbers = headers.iter().map(|(number, _)| *number).chain([payload]);
    let first = numbers.next().expect("a payload, if nothing else");
    let bytes = headers
        .iter()
        .zip(numbers)
        .flat_map(|((_, rest), next)| [&[next], *rest].concat())
        .collect();
    Chain { first, bytes }
}

fn complete(protocol: u8, behind: usize, fragment: Option<Fragment>) -> Walk {
    Walk::Complete(Upper {
        protocol,
        offset: 40 + behind,
        fragment,
    })
}

/// An options or routing header of 8 bytes, without its first.
const EIGHT: &[u8] = &[0; 7];

/// A fragment header without its first byte.
fn fragment_header(offset: u16, more: bool) -> [u8; 7] {
    let [high, low] = (offset | u16::from(more)).to_be_bytes();
    [0, high, low, 0xde, 0xad, 0xbe, 0xef]
}

#[test]
fn a_packet_without_extension_headers_carries_what_its_header_says() {
    for protocol in [IPPROTO_TCP, IPPROTO_UDP, 58, 132, ESP, NONE] {
        assert_eq!(walk(protocol, &[]), complete(protocol, 0, None));
    }
}

#[test]
fn options_routing_and_authentication_are_walked_over() {
    let sixteen = [&[1][..], &[0; 14]].concat();
    // The authentication header counts in words of 4 bytes and leaves out two.
    let authentication = [&[4][..], &[0; 22]].concat();
    let chain = chain(
        &[
            (HOP_BY_HOP, EIGHT),
            (DESTINATION_OPTIONS, &sixteen),
            (ROUTING, EIGHT),
            (IPPROTO_AH, &authentication),
            (DESTINATION_OPTIONS, EIGHT),
        ],
        IPPROTO_TCP,
    );
    assert_eq!(chain.bytes.len(), 8 + 16 + 8 + 24 + 8);
    assert_eq!(
        walk(chain.first, &chain.bytes),
        complete(IPPROTO_TCP, 64, None)
    );
}

#[test]
fn encrypted_payload_ends_the_chain() {
    let chain = chain(&[(HOP_BY_HOP, EIGHT)], ESP);
    assert_eq!(walk(chain.first, &chain.bytes), complete(ESP, 8, None));
}

#[test]
fn a_first_fragment_leads_to_the_transport_header() {
    let chain = chain(
        &[
            (HOP_BY_HOP, EIGHT),
            (FRAGMENT, &fragment_header(0, true)),
            (DESTINATION_OPTIONS, EIGHT),
        ],
        IPPROTO_UDP,
    );
    let fragment = Fragment {
        offset: 0,
        more: true,
    };
    assert!(fragment.is_first());
    assert_eq!(
        walk(chain.first, &chain.bytes),
        complete(IPPROTO_UDP, 24, Some(fragment))
    );
}

#[test]
fn a_whole_packet_with_a_fragment_header_is_told_from_one_without() {
    let chain = chain(&[(FRAGMENT, &fragment_header(0, false))], IPPROTO_TCP);
    let fragment = Fragment {
        offset: 0,
        more: false,
    };
    assert_eq!(
        walk(chain.first, &chain.bytes),
        complete(IPPROTO_TCP, 8, Some(fragment))
    );
}

#[test]
fn a_later_fragment_names_its_protocol_and_place() {
    for (offset, more) in [(8, true), (1448, true), (0xfff8, false)] {
        let chain = chain(&[(FRAGMENT, &fragment_header(offset, more))], IPPROTO_UDP);
        let fragment = Fragment { offset, more };
        assert!(!fragment.is_first());
        assert_eq!(
            walk(chain.first, &chain.bytes),
            complete(IPPROTO_UDP, 8, Some(fragment))
        );
    }
}

#[test]
fn a_later_fragment_that_begins_within_the_chain_is_unparsable() {
    let chain = chain(
        &[(FRAGMENT, &fragment_header(8, false))],
        DESTINATION_OPTIONS,
    );
    let bytes = [&chain.bytes[..], &[IPPROTO_TCP, 0, 0, 0, 0, 0, 0, 0]].concat();
    assert_eq!(walk(chain.first, &bytes), Walk::Unparsable);
}

#[test]
fn twelve_headers_are_followed_and_a_thirteenth_is_not() {
    let headers = [(DESTINATION_OPTIONS, EIGHT); MAX_HEADERS + 1];
    let most = chain(&headers[1..], IPPROTO_TCP);
    assert_eq!(
        walk(most.first, &most.bytes),
        complete(IPPROTO_TCP, 12 * 8, None)
    );
    let more = chain(&headers, IPPROTO_TCP);
    assert_eq!(walk(more.first, &more.bytes), Walk::Unparsable);
}

#[test]
fn a_chain_that_is_not_all_there_asks_for_what_gets_it_further() {
    let sixteen = [&[1][..], &[0; 14]].concat();
    let chain = chain(
        &[
            (HOP_BY_HOP, &sixteen),
            (FRAGMENT, &fragment_header(0, true)),
        ],
        IPPROTO_TCP,
    );
    for available in 0..chain.bytes.len() {
        let needed = match available {
            0..4 => 8,
            4..16 => 16,
            _ => 24,
        };
        assert_eq!(
            walk(chain.first, &chain.bytes[..available]),
            Walk::Needs(needed),
            "with {available} bytes"
        );
    }
}
