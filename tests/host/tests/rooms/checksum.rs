// SPDX-License-Identifier: GPL-2.0-only

//! The Internet checksum and its incremental update.

use proptest::prelude::*;
use rvs_host_tests::oracle;
use rvs_host_tests::packet::checksum::{adjust16, pseudo_header_v4, pseudo_header_v6, sum, Delta};

/// A number as the wire-order value that the functions under test deal in.
fn wire(value: u16) -> u16 {
    value.to_be()
}

#[test]
fn sums_the_example_of_rfc_1071() {
    let bytes = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
    assert_eq!(sum(&bytes), wire(0xddf2));
}

#[test]
fn adjusts_the_example_of_rfc_1624_to_zero() {
    assert_eq!(adjust16(wire(0xdd2f), wire(0x5555), wire(0x3285)), 0);
}

#[test]
fn sum_of_nothing_or_zeros_is_zero_and_of_ones_is_ones() {
    assert_eq!(sum(&[]), 0);
    assert_eq!(sum(&[0; 40]), 0);
    assert_eq!(sum(&[0xff; 41]), wire(0xff00));
    assert_eq!(sum(&[0xff; 42]), 0xffff);
    assert_eq!(sum(&[0xff; 65536]), 0xffff);
}

#[test]
fn the_largest_changes_of_ipv6_addresses_carry_correctly() {
    let (zeros, ones) = (0, u128::MAX);
    assert_eq!(Delta::of128(zeros, ones).adjust(wire(0x1234)), wire(0x1234));
    assert_eq!(Delta::of128(ones, zeros).adjust(wire(0x1234)), wire(0x1234));
    assert_eq!(pseudo_header_v6(ones, ones, u8::MAX, u32::MAX), wire(0xff));
}

proptest! {
    #[test]
    fn sum_is_that_of_the_textbook(bytes: Vec<u8>) {
        prop_assert_eq!(!sum(&bytes), wire(oracle::checksum(&bytes)));
    }

    #[test]
    fn what_carries_a_correct_checksum_sums_up_to_ones(
        bytes in prop::collection::vec(any::<u8>(), 2..200),
        place: prop::sample::Index,
    ) {
        let offset = place.index(bytes.len() / 2) * 2;
        let bytes = oracle::with_checksum(&bytes, offset);
        prop_assert_eq!(sum(&bytes), 0xffff);
    }

    #[test]
    fn adjusting_for_a_changed_word_equals_computing_again(
        mut bytes in prop::collection::vec(any::<u8>(), 6..100),
        place: prop::sample::Index,
        to: [u8; 2],
    ) {
        bytes[0] = 0x45; // As in any packet, something is not zero.
        let offset = 2 + place.index((bytes.len() - 2) / 2) * 2;
        let old = oracle::checksum(&bytes);
        let from = [bytes[offset], bytes[offset + 1]];
        bytes[offset..offset + 2].copy_from_slice(&to);
        prop_assert_eq!(
            adjust16(wire(old), u16::from_ne_bytes(from), u16::from_ne_bytes(to)),
            wire(oracle::checksum(&bytes))
        );
    }

    #[test]
    fn adjusting_for_a_changed_double_word_equals_computing_again(
        mut bytes in prop::collection::vec(any::<u8>(), 6..100),
        place: prop::sample::Index,
        to: [u8; 4],
    ) {
        bytes[0] = 0x45;
        let offset = 2 + place.index((bytes.len() - 4) / 2) * 2;
        let old = oracle::checksum(&bytes);
        let from: [u8; 4] = bytes[offset..offset + 4].try_into().unwrap();
        bytes[offset..offset + 4].copy_from_slice(&to);
        prop_assert_eq!(
            Delta::of32(u32::from_ne_bytes(from), u32::from_ne_bytes(to)).adjust(wire(old)),
            wire(oracle::checksum(&bytes))
        );
    }

    #[test]
    fn adjusting_a_pseudo_header_sum_equals_summing_again(
        from: [u8; 4],
        to: [u8; 4],
        other: std::net::Ipv4Addr,
        len in 8usize..1500,
    ) {
        let pseudo = |addr: [u8; 4]| sum(&oracle::pseudo_header(addr.into(), other, 6, len));
        prop_assert_eq!(
            Delta::of32(u32::from_ne_bytes(from), u32::from_ne_bytes(to))
                .adjust_pseudo(pseudo(from)),
            pseudo(to)
        );
    }

    #[test]
    fn adjusting_for_changed_ipv6_addresses_equals_computing_again(
        mut bytes in prop::collection::vec(any::<u8>(), 34..100),
        to: [[u8; 16]; 2],
    ) {
        bytes[0] = 0x60;
        let old = oracle::checksum(&bytes);
        let from = [2, 18].map(|at| bytes[at..at + 16].try_into().unwrap());
        bytes[2..34].copy_from_slice(&to.concat());
        let [from0, from1] = from.map(u128::from_ne_bytes);
        let [to0, to1] = to.map(u128::from_ne_bytes);
        let between = Delta::of128(from0, to0).adjust(wire(old));
        prop_assert_eq!(
            Delta::of128(from1, to1).adjust(between),
            wire(oracle::checksum(&bytes))
        );
    }

    #[test]
    fn the_sum_of_an_ipv4_pseudo_header_is_that_of_its_bytes(
        src: std::net::Ipv4Addr, dst: std::net::Ipv4Addr, protocol: u8, len: u16,
    ) {
        let [from, to] = [src, dst].map(|addr| u32::from_ne_bytes(addr.octets()));
        prop_assert_eq!(
            pseudo_header_v4(from, to, protocol, len.into()),
            sum(&oracle::pseudo_header(src, dst, protocol, len.into()))
        );
    }

    #[test]
    fn the_sum_of_an_ipv6_pseudo_header_is_that_of_its_bytes(
        src: std::net::Ipv6Addr, dst: std::net::Ipv6Addr, protocol: u8, len: u32,
    ) {
        let [from, to] = [src, dst].map(|addr| u128::from_ne_bytes(addr.octets()));
        prop_assert_eq!(
            pseudo_header_v6(from, to, protocol, len),
            sum(&oracle::pseudo_header_v6(src, dst, protocol, len as usize))
        );
    }

    #[test]
    fn a_pseudo_header_joins_the_sum_of_what_it_stands_before(
        src: std::net::Ipv4Addr, dst: std::net::Ipv4Addr, covered: Vec<u16>,
    ) {
        let bytes: Vec<u8> = covered.iter().flat_map(|word| word.to_be_bytes()).collect();
        let [from, to] = [src, dst].map(|addr| u32::from_ne_bytes(addr.octets()));
        let pseudo = pseudo_header_v4(from, to, 17, bytes.len() as u32);
        prop_assert_eq!(
            !Delta::sum(pseudo).adjust_pseudo(sum(&bytes)),
            wire(oracle::transport_checksum(src, dst, 17, &bytes))
        );
    }

    #[test]
    fn adjusting_there_and_back_changes_nothing(check in 0u16..0xffff, from: u32, to: u32) {
        prop_assert_eq!(Delta::of32(to, from).adjust(Delta::of32(from, to).adjust(check)),
            check
        );
    }
}
