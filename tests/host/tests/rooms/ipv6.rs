// SPDX-License-Identifier: GPL-2.0-only

//! The IPv6 header: reading, changing, building.

use std::net::Ipv6Addr;

use proptest::prelude::*;
use rvs_host_tests::packet::ipv4::encapsulated_tos;
use rvs_host_tests::packet::ipv6::{
    build, decrement_hop_limit, set_destination, set_source, Header, Outer, HEADER_LEN,
};

/// An echo request from 2001:db8::1 to 2001:db8::2: traffic class 0xb8, flow label 0xf2345, 64 hops.
const PING: [u8; HEADER_LEN] = [
    0x6b, 0x8f, 0x23, 0x45, 0x00, 0x40, 58, 64, //
    0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, //
    0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, //
];

fn address(text: &str) -> Ipv6Addr {
    text.parse().expect("an IPv6 address")
}

#[test]
fn a_header_is_read_field_by_field() {
    assert_eq!(
        Header::parse(&PING),
        Some(Header {
            payload_len: 64,
            next_header: 58,
            src: address("2001:db8::1"),
            dst: address("2001:db8::2"),
            hop_limit: 64,
            traffic_class: 0xb8,
            flow_label: 0xf2345,
        })
    );
}

#[test]
fn only_version_six_is_a_header() {
    for version in 0..16 {
        let mut bytes = PING;
        bytes[0] = (version << 4) | 0x0b;
        assert_eq!(Header::parse(&bytes).is_some(), version == 6);
    }
}

#[test]
fn a_payload_length_of_zero_is_that_of_a_packet_too_large_for_the_field() {
    let mut bytes = PING;
    bytes[4..6].fill(0);
    assert_eq!(
        Header::parse(&bytes).map(|header| header.payload_len),
        Some(0)
    );
}

#[test]
fn a_hop_is_taken_off_and_none_off_zero() {
    let mut bytes = PING;
    decrement_hop_limit(&mut bytes);
    assert_eq!(bytes[7], 63);
    bytes[7] = 0;
    decrement_hop_limit(&mut bytes);
    assert_eq!(bytes[7], 0);
}

#[test]
fn congestion_experienced_outside_is_not_told_again_inside_the_tunnel() {
    let outer = |inner_tos| {
        let mut bytes = [0xff; HEADER_LEN];
        let outer = Outer {
            src: address("::1"),
            dst: address("::2"),
            payload_len: 100,
            next_header: 41,
            hop_limit: 9,
            inner_tos,
        };
        build(&mut bytes, &outer);
        Header::parse(&bytes)
            .expect("what was built can be read")
            .traffic_class
    };
    assert_eq!(outer(0xbb), 0xba);
    assert_eq!(outer(0xb9), 0xb9);
}

proptest! {
    #[test]
    fn addresses_are_replaced_and_nothing_else(src: Ipv6Addr, dst: Ipv6Addr) {
        let mut bytes = PING;
        set_source(&mut bytes, src);
        set_destination(&mut bytes, dst);
        let expected = [&PING[..8], &src.octets(), &dst.octets()].concat();
        prop_assert_eq!(&bytes[..], expected);
    }

    #[test]
    fn what_is_built_for_a_tunnel_can_be_read(
        src: Ipv6Addr, dst: Ipv6Addr, payload_len: u16, next_header: u8, hop_limit: u8, inner_tos: u8,
    ) {
        let mut bytes = [0xff; HEADER_LEN];
        build(&mut bytes, &Outer { src, dst, payload_len, next_header, hop_limit, inner_tos });
        let traffic_class = encapsulated_tos(inner_tos);
        prop_assert_eq!(
            Header::parse(&bytes),
            Some(Header { payload_len, next_header, src, dst, hop_limit, traffic_class, flow_label: 0 })
        );
    }
}
