// SPDX-License-Identifier: GPL-2.0-only

//! The keyed hash of a flow.

use std::collections::HashSet;
use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;
use rvs_host_tests::conn::hash::HashKey;
use rvs_host_tests::packet::{Endpoint, IPPROTO_TCP, IPPROTO_UDP};
use siphasher::sip::SipHasher13;

use crate::strategies::{at, endpoint};

/// The hash as its documentation says, by the reference SipHash-1-3.
fn reference(
    [k0, k1]: [u64; 2],
    protocol: u8,
    a: Endpoint<Ipv4Addr>,
    b: Endpoint<Ipv4Addr>,
) -> u64 {
    let word = |endpoint: Endpoint<Ipv4Addr>| {
        let [a, b, c, d] = endpoint.addr.octets();
        let [low, high] = endpoint.port.to_le_bytes();
        u64::from_le_bytes([a, b, c, d, low, high, 0, 0])
    };
    let smaller = word(a).min(word(b));
    let greater = word(a).max(word(b)) + (u64::from(protocol) << 48);
    let input = [smaller.to_le_bytes(), greater.to_le_bytes()].concat();
    SipHasher13::new_with_keys(k0, k1).hash(&input)
}

/// The same for IPv6.
fn reference6(
    [k0, k1]: [u64; 2],
    protocol: u8,
    a: Endpoint<Ipv6Addr>,
    b: Endpoint<Ipv6Addr>,
) -> u64 {
    let rank = |endpoint: Endpoint<Ipv6Addr>| {
        let octets = endpoint.addr.octets();
        let (low, high) = octets.split_at(8);
        let word = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().expect("8 bytes"));
        (word(low), word(high), endpoint.port)
    };
    let (low, high) = if rank(a) < rank(b) { (a, b) } else { (b, a) };
    let last = u64::from(low.port) + (u64::from(high.port) << 16) + (u64::from(protocol) << 48);
    let input = [
        &low.addr.octets()[..],
        &high.addr.octets(),
        &last.to_le_bytes(),
    ]
    .concat();
    SipHasher13::new_with_keys(k0, k1).hash(&input)
}

/// Addresses of which many share a part, so that every word of them gets to decide.
fn endpoint6() -> impl Strategy<Value = Endpoint<Ipv6Addr>> {
    (any::<[bool; 2]>(), any::<[u64; 2]>(), any::<u16>()).prop_map(|(same, words, port)| {
        let [high, low] = [0, 1].map(|i| if same[i] { 7 } else { words[i] });
        Endpoint {
            addr: Ipv6Addr::from_bits((u128::from(high) << 64) | u128::from(low)),
            port,
        }
    })
}

proptest! {
    #[test]
    fn that_of_ipv6_is_siphash_1_3_of_the_ordered_pair_in_either_direction(
        key: [u64; 2], protocol: u8, a in endpoint6(), b in endpoint6(),
    ) {
        let hash = HashKey::new(key).hash_pair(protocol, a, b);
        prop_assert_eq!(hash, reference6(key, protocol, a, b));
        prop_assert_eq!(hash, HashKey::new(key).hash_pair(protocol, b, a));
    }

    #[test]
    fn it_is_siphash_1_3_of_the_ordered_pair(
        key: [u64; 2], protocol: u8, a in endpoint(), b in endpoint(),
    ) {
        prop_assert_eq!(
            HashKey::new(key).hash_pair(protocol, a, b),
            reference(key, protocol, a, b)
        );
    }

    #[test]
    fn both_directions_hash_alike(
        key: [u64; 2], protocol: u8, a in endpoint(), b in endpoint(),
    ) {
        let key = HashKey::new(key);
        prop_assert_eq!(key.hash_pair(protocol, a, b), key.hash_pair(protocol, b, a));
    }
}

#[test]
fn protocol_addresses_ports_and_key_all_count() {
    let (a, b) = (at("192.0.2.1:1000"), at("198.51.100.1:2000"));
    let key = HashKey::new([1, 2]);
    let swapped_ports = (at("192.0.2.1:2000"), at("198.51.100.1:1000"));
    let hashes = [
        key.hash_pair(IPPROTO_TCP, a, b),
        key.hash_pair(IPPROTO_UDP, a, b),
        key.hash_pair(IPPROTO_TCP, a, at("198.51.100.1:2001")),
        key.hash_pair(IPPROTO_TCP, a, at("198.51.100.2:2000")),
        key.hash_pair(IPPROTO_TCP, at("192.0.2.1:1001"), b),
        key.hash_pair(IPPROTO_TCP, at("192.0.2.2:1000"), b),
        key.hash_pair(IPPROTO_TCP, swapped_ports.0, swapped_ports.1),
        HashKey::new([2, 2]).hash_pair(IPPROTO_TCP, a, b),
        HashKey::new([1, 3]).hash_pair(IPPROTO_TCP, a, b),
    ];
    assert_eq!(HashSet::from(hashes).len(), hashes.len());
}

/// The flows of a busy service: few clients behind one prefix, consecutive ports.
fn flows() -> impl Iterator<Item = (Endpoint<Ipv4Addr>, Endpoint<Ipv4Addr>)> {
    let service = at("203.0.113.80:443");
    (0..65536u32).map(move |n| {
        let client = Endpoint {
            addr: Ipv4Addr::from(0x0a00_0000 + n / 8192),
            port: 32768 + (n % 8192) as u16,
        };
        (client, service)
    })
}

#[test]
fn flows_that_differ_little_spread_evenly_over_low_and_high_bits() {
    let key = HashKey::new([0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908]);
    for shift in [0, 16, 32, 56] {
        let mut buckets = [0u32; 256];
        for (client, service) in flows() {
            let hash = key.hash_pair(IPPROTO_TCP, client, service);
            buckets[(hash >> shift) as usize & 0xff] += 1;
        }
        // 256 per bucket on average: chi-square has 255 degrees of freedom, so a mean of 255 and a
        // standard deviation of 22.6; six of them are not met by chance.
        let chi_square: f64 = buckets
            .iter()
            .map(|&count| (f64::from(count) - 256.0).powi(2) / 256.0)
            .sum();
        assert!(
            (119.0..391.0).contains(&chi_square),
            "bits from {shift}: {chi_square}"
        );
    }
}

#[test]
fn flipping_one_input_bit_flips_half_of_the_hash() {
    let key = HashKey::new([3, 5]);
    let service = at("203.0.113.80:443");
    let mut flipped = 0;
    let mut flips = 0;
    for (client, _) in flows().take(500) {
        let before = key.hash_pair(IPPROTO_TCP, client, service);
        for bit in 0..16 {
            let other = Endpoint {
                port: client.port ^ (1 << bit),
                ..client
            };
            let after = key.hash_pair(IPPROTO_TCP, other, service);
            flipped += (before ^ after).count_ones();
            flips += 1;
        }
    }
    let mean = f64::from(flipped) / f64::from(flips);
    assert!((31.7..32.3).contains(&mean), "{mean} of 64 bits");
}
