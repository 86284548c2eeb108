// SPDX-License-Identifier: GPL-2.0-only

//! The IPv4 header: reading, changing, building.

use std::net::Ipv4Addr;

use proptest::prelude::*;
use rvs_host_tests::oracle;
use rvs_host_tests::packet::ipv4::{
    build, decrement_ttl, encapsulated_tos, set_destination, set_source, Header, Outer,
};
use rvs_host_tests::packet::{IPPROTO_IPIP, IPPROTO_TCP};

/// A SYN from 10.0.0.2 to 207.175.44.110, as captured.
const CAPTURED: [u8; 20] = [
    0x45, 0x00, 0x00, 0x3c, 0x1c, 0x46, 0x40, 0x00, 0x40, 0x06, 0x17, 0x53, 0x0a, 0x00, 0x00, 0x02,
    0xcf, 0xaf, 0x2c, 0x6e,
];

/// Any header with its checksum right.
fn header() -> impl Strategy<Value = [u8; 20]> {
    (any::<[u8; 20]>(), 0x45u8..=0x4f).prop_map(|(mut bytes, version_ihl)| {
        bytes[0] = version_ihl;
        with_checksum(bytes)
    })
}

fn with_checksum(bytes: [u8; 20]) -> [u8; 20] {
    oracle::with_checksum(&bytes, 10).try_into().unwrap()
}

#[test]
fn a_captured_header_reads_as_what_it_is() {
    assert_eq!(
        Header::parse(&CAPTURED),
        Some(Header {
            header_len: 20,
            total_len: 60,
            protocol: IPPROTO_TCP,
            src: Ipv4Addr::new(10, 0, 0, 2),
            dst: Ipv4Addr::new(207, 175, 44, 110),
            ttl: 64,
            tos: 0,
            dont_fragment: true,
            more_fragments: false,
            fragment_offset: 0,
        })
    );
}

#[test]
fn fragments_are_recognised_by_offset_or_more_flag() {
    for (bytes, is_fragment, offset) in [
        ([0x40, 0x00], false, 0),
        ([0x20, 0x00], true, 0),
        ([0x20, 0xb9], true, 1480),
        ([0x00, 0xb9], true, 1480),
        ([0x1f, 0xff], true, 65528),
    ] {
        let mut header = CAPTURED;
        header[6..8].copy_from_slice(&bytes);
        let header = Header::parse(&header).unwrap();
        assert_eq!(
            (
                header.more_fragments || header.fragment_offset != 0,
                header.fragment_offset
            ),
            (is_fragment, offset)
        );
    }
}

#[test]
fn only_version_4_with_a_full_header_inside_its_packet_is_accepted() {
    for version_ihl in 0..=u8::MAX {
        let mut header = CAPTURED;
        header[0] = version_ihl;
        let expected = version_ihl >> 4 == 4 && version_ihl & 0x0f >= 5;
        assert_eq!(
            Header::parse(&header).is_some(),
            expected,
            "first byte {version_ihl:#x}"
        );
    }
    for (version_ihl, total_len, accepted) in [
        (0x45, 0u16, true),
        (0x4f, 0, true),
        (0x45, 19, false),
        (0x45, 20, true),
        (0x4f, 59, false),
        (0x4f, 60, true),
    ] {
        let mut header = CAPTURED;
        header[0] = version_ihl;
        header[2..4].copy_from_slice(&total_len.to_be_bytes());
        assert_eq!(Header::parse(&header).is_some(), accepted);
    }
}

#[test]
fn time_to_live_goes_down_by_one_and_stops_at_zero() {
    for ttl in 0..=u8::MAX {
        let mut header = CAPTURED;
        header[8] = ttl;
        let mut header = with_checksum(header);
        decrement_ttl(&mut header);
        assert_eq!(header[8], ttl.saturating_sub(1));
        assert_eq!(header, with_checksum(header), "ttl {ttl}");
    }
}

#[test]
fn outer_tos_is_the_inner_one_but_congestion_experienced_becomes_ect_0() {
    for dscp in (0..=u8::MAX).step_by(4) {
        assert_eq!(encapsulated_tos(dscp), dscp);
        assert_eq!(encapsulated_tos(dscp | 0b01), dscp | 0b01);
        assert_eq!(encapsulated_tos(dscp | 0b10), dscp | 0b10);
        assert_eq!(encapsulated_tos(dscp | 0b11), dscp | 0b10);
    }
}

proptest! {
    #[test]
    fn a_new_address_leaves_everything_else_and_a_right_checksum(
        before in header(),
        addr: Ipv4Addr,
    ) {
        let mut after = before;
        set_source(&mut after, addr);
        let mut expected = before;
        expected[12..16].copy_from_slice(&addr.octets());
        prop_assert_eq!(after, with_checksum(expected));

        let mut after = before;
        set_destination(&mut after, addr);
        let mut expected = before;
        expected[16..20].copy_from_slice(&addr.octets());
        prop_assert_eq!(after, with_checksum(expected));
    }

    #[test]
    fn a_wrong_checksum_is_not_made_right_by_a_new_address(
        mut header in header(),
        error in 1u16..0xffff,
        addr: Ipv4Addr,
    ) {
        let check = u16::from_be_bytes([header[10], header[11]]);
        let wrong = (u32::from(check) + u32::from(error)) % 0xffff;
        header[10..12].copy_from_slice(&(wrong as u16).to_be_bytes());
        set_source(&mut header, addr);
        prop_assert_ne!(header, with_checksum(header));
    }

    #[test]
    fn an_outer_header_reads_as_what_was_asked_for(
        src: Ipv4Addr,
        dst: Ipv4Addr,
        total_len in 20u16..,
        identification: u16,
        ttl: u8,
        inner_tos: u8,
        dont_fragment: bool,
    ) {
        let outer = Outer { src, dst, total_len, identification, protocol: IPPROTO_IPIP, ttl, inner_tos, dont_fragment };
        let mut header = [0xee; 20];
        build(&mut header, &outer);
        prop_assert_eq!(header, with_checksum(header));
        prop_assert_eq!([header[4], header[5]], identification.to_be_bytes());
        prop_assert_eq!(Header::parse(&header), Some(Header {
            header_len: 20,
            total_len,
            protocol: IPPROTO_IPIP,
            src,
            dst,
            ttl,
            tos: encapsulated_tos(inner_tos),
            dont_fragment,
            more_fragments: false,
            fragment_offset: 0,
        }));
    }
}
