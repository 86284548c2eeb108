// SPDX-License-Identifier: GPL-2.0-only

//! ICMPv6: recognising errors, and the checksum that covers the carrying packet's addresses.

use std::net::Ipv6Addr;

use rvs_host_tests::oracle;
use rvs_host_tests::packet::checksum::sum;
use rvs_host_tests::packet::icmpv6::{
    is_error, pseudo_header, Header, ADDRESS_UNREACHABLE, DEST_UNREACHABLE, HOP_LIMIT_EXCEEDED,
    PACKET_TOO_BIG, PORT_UNREACHABLE, TIME_EXCEEDED,
};
use rvs_host_tests::packet::IPPROTO_ICMPV6;

#[test]
fn every_type_below_128_is_an_error_about_a_flow() {
    for kind in 0..=u8::MAX {
        assert_eq!(is_error(kind), kind < 128, "type {kind}");
    }
}

#[test]
fn types_and_codes_have_the_numbers_of_rfc_4443() {
    assert_eq!([DEST_UNREACHABLE, PACKET_TOO_BIG, TIME_EXCEEDED], [1, 2, 3]);
    assert_eq!([ADDRESS_UNREACHABLE, PORT_UNREACHABLE], [3, 4]);
    assert_eq!(HOP_LIMIT_EXCEEDED, 0);
    assert_eq!(IPPROTO_ICMPV6, 58);
}

#[test]
fn packet_too_big_tells_a_mtu_of_32_bits() {
    let header = Header::parse(&[2, 0, 0xab, 0xcd, 0, 1, 0x05, 0x14]);
    assert_eq!(
        header,
        Header {
            kind: PACKET_TOO_BIG,
            code: 0,
            mtu: 0x1_0514
        }
    );
}

#[test]
fn the_sum_of_the_pseudo_header_is_what_the_message_lacks_to_a_checksum() {
    let [src, dst]: [Ipv6Addr; 2] = ["2001:db8::1", "fe80::5"].map(|text| text.parse().unwrap());
    let mut message = vec![DEST_UNREACHABLE, PORT_UNREACHABLE, 0, 0, 0, 0, 0, 0];
    message.extend(0..100);
    let covered = [
        &oracle::pseudo_header_v6(src, dst, 58, message.len())[..],
        &message,
    ]
    .concat();
    let partial = pseudo_header(src, dst, message.len() as u32).to_ne_bytes();
    message[2..][..2].copy_from_slice(&partial);
    assert_eq!(!sum(&message), oracle::checksum(&covered).to_be());
}
