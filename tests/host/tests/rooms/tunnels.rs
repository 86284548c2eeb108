// SPDX-License-Identifier: GPL-2.0-only

//! The headers of tunnels: the bytes that IPVS sends, and what errors about them quote.

use proptest::prelude::*;
use rvs_host_tests::packet::{gre, gue, IPPROTO_IPIP, IPPROTO_IPV6};

const IPV4_IN_GUE: gue::Outer = gue::Outer {
    src_port: 0xc001,
    dst_port: 6080,
    inner: IPPROTO_IPIP,
    inner_len: 100,
};

#[test]
fn gue_is_a_udp_header_without_checksum_and_four_bytes() {
    let mut bytes = [0xff; gue::HEADER_LEN];
    gue::build(&mut bytes, &IPV4_IN_GUE);
    assert_eq!(bytes, [0xc0, 0x01, 0x17, 0xc0, 0, 112, 0, 0, 0, 4, 0, 0]);
    let ipv6 = gue::Outer {
        inner: IPPROTO_IPV6,
        ..IPV4_IN_GUE
    };
    gue::build(&mut bytes, &ipv6);
    assert_eq!(bytes[8..], [0, 41, 0, 0]);
}

#[test]
fn remote_checksum_offload_is_a_private_option_of_two_words() {
    let mut bytes = [0xff; gue::REMOTE_CHECKSUM_LEN];
    // A TCP segment behind an IPv4 header without options.
    let checksum = gue::RemoteChecksum {
        start: 20,
        field: 36,
    };
    gue::build_with_remote_checksum(&mut bytes, &IPV4_IN_GUE, checksum);
    #[rustfmt::skip]
    assert_eq!(
        bytes,
        [
            0xc0, 0x01, 0x17, 0xc0, 0, 120, 0, 0,
            0x02, 4, 0x00, 0x01,
            0x80, 0, 0, 0,
            0, 20, 0, 36,
        ]
    );
}

#[test]
fn a_udp_length_that_does_not_fit_is_zero() {
    for (inner_len, expected) in [(65535 - 12, [0xff, 0xff]), (65536 - 12, [0, 0])] {
        let mut bytes = [0xff; gue::HEADER_LEN];
        let outer = gue::Outer {
            inner_len,
            ..IPV4_IN_GUE
        };
        gue::build(&mut bytes, &outer);
        assert_eq!(bytes[4..6], expected, "{inner_len} bytes inside");
    }
}

#[test]
fn gue_headers_are_as_long_as_their_options_make_them() {
    for words in 0..32 {
        let bytes = [0, 0, 0x17, 0xc0, 0, 0, 0, 0, words, 41, 0xab, 0xcd];
        assert_eq!(
            gue::Header::parse(&bytes),
            Some(gue::Header {
                dst_port: 6080,
                inner: IPPROTO_IPV6,
                header_len: 12 + 4 * usize::from(words),
            })
        );
    }
}

#[test]
fn other_versions_control_messages_and_other_payloads_of_gue_are_not_ours() {
    let parse =
        |first, inner| gue::Header::parse(&[0, 0, 0, 0, 0, 0, 0, 0, first, inner, 0, 0]).is_some();
    assert!(parse(0, IPPROTO_IPIP) && parse(0, IPPROTO_IPV6));
    for first in [0x20, 0x40, 0x80, 0xc0, 0xff] {
        assert!(!parse(first, IPPROTO_IPIP), "first byte {first:#x}");
    }
    for inner in (0..=u8::MAX).filter(|inner| ![4, 41].contains(inner)) {
        assert!(!parse(0, inner), "protocol {inner}");
    }
}

#[test]
fn gre_is_four_bytes_or_eight_with_a_checksum() {
    for (inner, protocol) in [(IPPROTO_IPIP, [0x08, 0x00]), (IPPROTO_IPV6, [0x86, 0xdd])] {
        let mut plain = [0xff; gre::HEADER_LEN];
        gre::build(&mut plain, inner);
        assert_eq!(plain, [0, 0, protocol[0], protocol[1]]);

        let mut with_checksum = [0xff; gre::CHECKSUM_HEADER_LEN];
        gre::build_with_checksum(&mut with_checksum, inner);
        assert_eq!(
            with_checksum,
            [0x80, 0, protocol[0], protocol[1], 0, 0, 0, 0]
        );
        assert_eq!(with_checksum[gre::CHECKSUM_OFFSET..][..2], [0, 0]);
    }
}

#[test]
fn gre_with_key_sequence_number_or_routing_or_of_other_versions_is_not_ours() {
    for flags in 0..=u16::MAX {
        let [flags0, flags1] = flags.to_be_bytes();
        let header = gre::Header::parse(&[flags0, flags1, 0x08, 0x00]);
        let expected = match flags {
            0 => Some(4),
            0x8000 => Some(8),
            _ => None,
        };
        assert_eq!(header.map(|header| header.header_len), expected);
    }
}

#[test]
fn gre_around_something_other_than_ip_is_not_ours() {
    assert_eq!(gre::Header::parse(&[0, 0, 0x65, 0x58]), None);
    assert_eq!(gre::Header::parse(&[0, 0, 0x08, 0x06]), None);
}

proptest! {
    #[test]
    fn what_is_sent_can_be_read(
        src_port: u16, dst_port: u16, inner in prop_oneof![Just(IPPROTO_IPIP), Just(IPPROTO_IPV6)],
        inner_len: usize, start: u16, field: u16,
    ) {
        let outer = gue::Outer { src_port, dst_port, inner, inner_len };
        let mut plain = [0; gue::HEADER_LEN];
        gue::build(&mut plain, &outer);
        let expected = gue::Header { dst_port, inner, header_len: gue::HEADER_LEN };
        prop_assert_eq!(gue::Header::parse(&plain), Some(expected));

        let mut remote = [0; gue::REMOTE_CHECKSUM_LEN];
        gue::build_with_remote_checksum(&mut remote, &outer, gue::RemoteChecksum { start, field });
        let expected = gue::Header { header_len: gue::REMOTE_CHECKSUM_LEN, ..expected };
        prop_assert_eq!(gue::Header::parse(remote.first_chunk().unwrap()), Some(expected));

        let mut plain = [0; gre::HEADER_LEN];
        gre::build(&mut plain, inner);
        let expected = gre::Header { inner, header_len: gre::HEADER_LEN };
        prop_assert_eq!(gre::Header::parse(&plain), Some(expected));

        let mut checked = [0; gre::CHECKSUM_HEADER_LEN];
        gre::build_with_checksum(&mut checked, inner);
        let expected = gre::Header { inner, header_len: gre::CHECKSUM_HEADER_LEN };
        prop_assert_eq!(gre::Header::parse(checked.first_chunk().unwrap()), Some(expected));
    }
}
