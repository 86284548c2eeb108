// SPDX-License-Identifier: GPL-2.0-only

//! What is done alike for both address families: headers, masks, masquerading.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;
use rvs_host_tests::oracle;
use rvs_host_tests::packet::rewrite::{quoted, transport};
use rvs_host_tests::packet::{
    Address, ChecksumMode, Complaint, Endpoint, Family, Fragment, Mask, Side, Unread,
    IPPROTO_ICMPV6, IPPROTO_TCP, IPPROTO_UDP,
};

const DESTINATION_OPTIONS: u8 = 60;
const FRAGMENT: u8 = 44;

/// A packet of IPv6 whose payload, extensions included, begins with a header of type `next`.
fn ipv6(src: Ipv6Addr, dst: Ipv6Addr, next: u8, payload: &[u8]) -> Vec<u8> {
    let len = (payload.len() as u16).to_be_bytes();
    let mut packet = vec![0x60, 0, 0, 0, len[0], len[1], next, 64];
    packet.extend(src.octets());
    packet.extend(dst.octets());
    packet.extend(payload);
    packet
}

fn addr6() -> impl Strategy<Value = Ipv6Addr> {
    any::<u128>().prop_map(Ipv6Addr::from_bits)
}

fn end6() -> impl Strategy<Value = Endpoint<Ipv6Addr>> {
    (addr6(), any::<u16>()).prop_map(|(addr, port)| Endpoint { addr, port })
}

/// A TCP or UDP packet with a right checksum.
fn segment(protocol: u8, src: Endpoint<Ipv6Addr>, dst: Endpoint<Ipv6Addr>) -> Vec<u8> {
    let mut bytes = [src.port.to_be_bytes(), dst.port.to_be_bytes()].concat();
    bytes.extend([0x5a; 21]);
    let check = if protocol == IPPROTO_TCP { 16 } else { 6 };
    bytes[check..check + 2].fill(0);
    let covered = oracle::pseudo_header_v6(src.addr, dst.addr, protocol, bytes.len());
    let sum = match oracle::checksum(&[covered, bytes.clone()].concat()) {
        0 if protocol == IPPROTO_UDP => 0xffff,
        sum => sum,
    };
    oracle::with16(&bytes, check, sum)
}

proptest! {
    #[test]
    fn masquerading_over_ipv6_leaves_a_right_checksum(
        is_tcp: bool, src in end6(), dst in end6(), to in end6(), is_source: bool,
    ) {
        let protocol = if is_tcp { IPPROTO_TCP } else { IPPROTO_UDP };
        let mut bytes = segment(protocol, src, dst);
        let (side, from, expected) = match is_source {
            true => (Side::Source, src, segment(protocol, to, dst)),
            false => (Side::Destination, dst, segment(protocol, src, to)),
        };
        let done = transport(protocol, &mut bytes, side, from, to, ChecksumMode::Complete);
        prop_assert_eq!(done, Ok(()));
        prop_assert_eq!(bytes, expected);
    }

    #[test]
    fn an_icmpv6_error_is_right_after_its_quote_and_its_own_address_changed(
        client in end6(), server in end6(), virt in end6(), router in addr6(),
    ) {
        let error = |about: Endpoint<Ipv6Addr>, from: Ipv6Addr| {
            let quote = ipv6(client.addr, about.addr, IPPROTO_UDP, &segment(IPPROTO_UDP, client, about)[..8]);
            let message = [&[1u8, 4, 0, 0, 0, 0, 0, 0][..], &quote].concat();
            let covered = oracle::pseudo_header_v6(from, client.addr, IPPROTO_ICMPV6, message.len());
            let sum = oracle::checksum(&[covered, message.clone()].concat());
            oracle::with16(&message, 2, sum)
        };
        let mut bytes = error(server, router);
        let done = quoted(&mut bytes, Side::Destination, server, virt, (router, virt.addr));
        prop_assert_eq!(done, Ok(()));
        let mut expected = error(virt, virt.addr);
        // The quoted UDP checksum is that of the packet as it was sent.
        let quoted_check = 8 + 40 + 6;
        expected[quoted_check..].copy_from_slice(&error(server, router)[quoted_check..]);
        let message_sum = |bytes: &[u8]| {
            let covered = oracle::pseudo_header_v6(virt.addr, client.addr, IPPROTO_ICMPV6, bytes.len());
            oracle::checksum(&[covered, bytes.to_vec()].concat())
        };
        prop_assert_eq!(message_sum(&bytes), 0);
        bytes[2..4].fill(0);
        expected[2..4].fill(0);
        prop_assert_eq!(bytes, expected);
    }

    #[test]
    fn a_mask_keeps_the_bits_that_it_has(addr: u32, bits: u32, addr6: u128, prefix in 1u32..=128) {
        prop_assert_eq!(Ipv4Addr::from_bits(addr).masked(Mask::V4(bits)).to_bits(), addr & bits);
        let kept = Ipv6Addr::from_bits(addr6).masked(Mask::V6(prefix)).to_bits();
        for bit in 0..128 {
            let is_kept = bit < prefix && addr6 << bit >> 127 == 1;
            prop_assert_eq!(kept << bit >> 127 == 1, is_kept);
        }
    }
}

#[test]
fn extensions_are_followed_to_the_transport_header() {
    let (src, dst) = ("fd00::1".parse().unwrap(), "fd00::2".parse().unwrap());
    let options = [IPPROTO_TCP, 0, 1, 4, 0, 0, 0, 0];
    let packet = ipv6(
        src,
        dst,
        DESTINATION_OPTIONS,
        &[&options[..], &[0; 20]].concat(),
    );
    let header = Ipv6Addr::read_header(&packet).unwrap();
    assert_eq!((header.protocol, header.len), (IPPROTO_TCP, 48));
    assert_eq!((header.src, header.dst, header.ttl), (src, dst, 64));
    assert_eq!(
        (header.fragment, header.dont_fragment),
        (Fragment::Whole, true)
    );
}

#[test]
fn a_header_that_goes_on_asks_for_the_bytes_it_needs() {
    let (src, dst) = (Ipv6Addr::LOCALHOST, Ipv6Addr::LOCALHOST);
    let options = [IPPROTO_TCP, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let packet = ipv6(src, dst, DESTINATION_OPTIONS, &options);
    for len in 0..packet.len() {
        let Err(Unread::Short(needed)) = Ipv6Addr::read_header(&packet[..len]) else {
            panic!("{len} bytes are not enough");
        };
        assert!(
            needed > len && needed <= packet.len(),
            "{needed} after {len}"
        );
    }
    assert!(Ipv6Addr::read_header(&packet).is_ok());
}

#[test]
fn fragments_tell_first_from_later_and_from_whole_ones() {
    let (src, dst) = (Ipv6Addr::LOCALHOST, Ipv6Addr::LOCALHOST);
    let read = |offset_and_more: [u8; 2]| {
        let [high, low] = offset_and_more;
        let fragment = [IPPROTO_UDP, 0, high, low, 0, 0, 0, 1];
        Ipv6Addr::read_header(&ipv6(src, dst, FRAGMENT, &fragment)).unwrap()
    };
    assert_eq!(read([0, 1]).fragment, Fragment::First);
    assert_eq!(read([0, 9]).fragment, Fragment::Later);
    assert_eq!(read([0, 8]).fragment, Fragment::Later);
    assert_eq!(read([0, 0]).fragment, Fragment::Whole);

    let read = |field: u16| {
        let [high, low] = field.to_be_bytes();
        let bytes = [
            0x45,
            0,
            0,
            20,
            0,
            0,
            high,
            low,
            64,
            IPPROTO_UDP,
            0,
            0,
            1,
            1,
            1,
            1,
            2,
            2,
            2,
            2,
        ];
        Ipv4Addr::read_header(&bytes).unwrap()
    };
    assert_eq!(read(0x2000).fragment, Fragment::First);
    assert_eq!(read(0x2001).fragment, Fragment::Later);
    assert_eq!(read(0x0001).fragment, Fragment::Later);
    assert_eq!(read(0x4000).fragment, Fragment::Whole);
    assert!(read(0x4000).dont_fragment);
}

#[test]
fn a_header_of_the_other_family_is_unknown() {
    let packet = ipv6(Ipv6Addr::LOCALHOST, Ipv6Addr::LOCALHOST, IPPROTO_TCP, &[]);
    assert_eq!(Ipv4Addr::read_header(&packet), Err(Unread::Unknown));
    assert_eq!(Ipv6Addr::read_header(&[0x45; 40]), Err(Unread::Unknown));
}

#[test]
fn addresses_go_back_and_forth_only_within_their_family() {
    let (v4, v6) = (
        Ipv4Addr::new(192, 0, 2, 1),
        "fd00::1".parse::<Ipv6Addr>().unwrap(),
    );
    assert_eq!(Ipv4Addr::from_ip(v4.ip()), Some(v4));
    assert_eq!(Ipv6Addr::from_ip(v6.ip()), Some(v6));
    assert_eq!(Ipv6Addr::from_ip(IpAddr::V4(v4)), None);
    assert_eq!(Ipv4Addr::from_ip(IpAddr::V6(v6)), None);
    assert_eq!(Family::of(v4.ip()), Family::V4);
}

#[test]
fn a_mark_stands_in_the_first_four_bytes_of_an_address() {
    assert_eq!(Ipv4Addr::from_mark(7).octets(), [0, 0, 0, 7]);
    assert_eq!(Ipv6Addr::from_mark(7).octets()[..5], [0, 0, 0, 7, 0]);
}

#[test]
fn complaints_are_what_each_family_calls_them() {
    let said =
        |complaint: Complaint| [Family::V4, Family::V6].map(|family| complaint.message(family));
    assert_eq!(said(Complaint::TimeExceeded), [(11, 0, 0), (3, 0, 0)]);
    assert_eq!(said(Complaint::PortUnreachable), [(3, 3, 0), (1, 4, 0)]);
    assert_eq!(said(Complaint::TooBig(1400)), [(3, 4, 1400), (2, 0, 1400)]);
}
