// SPDX-License-Identifier: GPL-2.0-only

//! Errors about packets in tunnels: what they quote, and what the sender of the packet inside is told.

use proptest::prelude::*;
use rvs_host_tests::packet::{
    gre, gue, icmp, icmpv6,
    quote::{Carrier, Inside, Relayed},
    Family::{self, V4, V6},
    IPPROTO_GRE, IPPROTO_IPIP, IPPROTO_IPV6, IPPROTO_TCP, IPPROTO_UDP,
};

fn gue(inner: u8) -> [u8; gue::HEADER_LEN] {
    let mut bytes = [0; gue::HEADER_LEN];
    let outer = gue::Outer {
        src_port: 40000,
        dst_port: 6080,
        inner,
        inner_len: 100,
    };
    gue::build(&mut bytes, &outer);
    bytes
}

/// The ICMP header of an error.
fn error(kind: u8, code: u8, rest: u32) -> [u8; icmp::HEADER_LEN] {
    let [a, b, c, d] = rest.to_be_bytes();
    [kind, code, 0, 0, a, b, c, d]
}

#[test]
fn eight_bytes_tell_what_carries_a_packet() {
    let mut with_checksum = [0; gre::CHECKSUM_HEADER_LEN];
    gre::build_with_checksum(&mut with_checksum, IPPROTO_IPV6);
    for (protocol, bytes, carrier) in [
        (IPPROTO_IPIP, [0x45, 0, 0, 0, 0, 0, 0, 0], Some(Carrier::Ip)),
        (IPPROTO_IPV6, [0x60, 0, 0, 0, 0, 0, 0, 0], Some(Carrier::Ip)),
        (
            IPPROTO_UDP,
            *gue(IPPROTO_IPIP).first_chunk().unwrap(),
            Some(Carrier::Gue(6080)),
        ),
        (IPPROTO_GRE, with_checksum, Some(Carrier::Gre)),
        (IPPROTO_TCP, [0; 8], None),
    ] {
        assert_eq!(
            Carrier::read(protocol, &bytes),
            carrier,
            "protocol {protocol}"
        );
    }
}

#[test]
fn the_packet_inside_stands_behind_all_that_carries_it() {
    let mut gre4 = [0; gre::HEADER_LEN];
    gre::build(&mut gre4, IPPROTO_IPIP);
    let mut gre6 = [0; gre::CHECKSUM_HEADER_LEN];
    gre::build_with_checksum(&mut gre6, IPPROTO_IPV6);
    let inside = |family, offset| Some(Inside { family, offset });
    assert_eq!(Inside::read(IPPROTO_IPIP, &[]), inside(V4, 0));
    assert_eq!(Inside::read(IPPROTO_IPV6, &[]), inside(V6, 0));
    assert_eq!(
        Inside::read(IPPROTO_UDP, &gue(IPPROTO_IPIP)),
        inside(V4, 12)
    );
    assert_eq!(
        Inside::read(IPPROTO_UDP, &gue(IPPROTO_IPV6)),
        inside(V6, 12)
    );
    assert_eq!(Inside::read(IPPROTO_GRE, &gre4), inside(V4, 4));
    assert_eq!(Inside::read(IPPROTO_GRE, &gre6), inside(V6, 8));
    assert_eq!(Inside::read(IPPROTO_TCP, &[0; 20]), None);
}

#[test]
fn a_router_that_wants_smaller_packets_is_understood_in_either_ip() {
    for inner in [V4, V6] {
        let v4 = error(icmp::DEST_UNREACHABLE, icmp::FRAG_NEEDED, 1300);
        assert_eq!(Relayed::read(V4, &v4, inner), Relayed::TooBig(1300));
        let v6 = error(icmpv6::PACKET_TOO_BIG, 0, 70_000);
        assert_eq!(Relayed::read(V6, &v6, inner), Relayed::TooBig(70_000));
    }
}

#[test]
fn between_families_an_error_becomes_the_nearest_one() {
    let unreachable4 = Relayed::Error(icmp::DEST_UNREACHABLE, icmp::HOST_UNREACHABLE);
    let unreachable6 = Relayed::Error(icmpv6::DEST_UNREACHABLE, icmpv6::ADDRESS_UNREACHABLE);
    for (outer, kind, code, inner, expected) in [
        (V4, icmp::DEST_UNREACHABLE, 3, V6, unreachable6),
        (V4, icmp::TIME_EXCEEDED, 0, V6, Relayed::Error(3, 0)),
        (V4, icmp::SOURCE_QUENCH, 0, V6, Relayed::Nothing),
        (V6, icmpv6::DEST_UNREACHABLE, 4, V4, unreachable4),
        (V6, icmpv6::TIME_EXCEEDED, 0, V4, Relayed::Error(11, 0)),
        (V6, icmpv6::PARAMETER_PROBLEM, 1, V4, unreachable4),
        (V6, icmpv6::PARAMETER_PROBLEM, 1, V6, unreachable6),
    ] {
        let relayed = Relayed::read(outer, &error(kind, code, 0), inner);
        assert_eq!(relayed, expected, "{outer:?} {kind}/{code} to {inner:?}");
    }
}

proptest! {
    #[test]
    fn within_a_family_an_unreachable_destination_stays_what_it_is(code in 5u8.., is_ipv6: bool) {
        let (family, kind): (Family, u8) = if is_ipv6 { (V6, 1) } else { (V4, 3) };
        prop_assert_eq!(
            Relayed::read(family, &error(kind, code, 7), family),
            Relayed::Error(kind, code)
        );
    }

    #[test]
    fn any_bytes_can_be_read(protocol: u8, bytes in prop::collection::vec(any::<u8>(), 0..24)) {
        let _ = Carrier::read(protocol, &bytes);
        if let Some(inside) = Inside::read(protocol, &bytes) {
            prop_assert!(inside.offset <= gue::HEADER_LEN + 31 * 4);
            prop_assert!(bytes.len() >= Inside::needs(protocol));
        }
    }
}
