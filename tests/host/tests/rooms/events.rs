// SPDX-License-Identifier: GPL-2.0-only

//! How often something is told, and what of a dropped packet.

use proptest::prelude::*;
use rvs_host_tests::{
    events::{bucket::Bucket, sample::Sample},
    sys::time::HZ,
};
use std::net::IpAddr;

const START: u32 = u32::MAX - 10;

fn taken(bucket: &Bucket, asked: u32, now: u32) -> usize {
    (0..asked).filter(|_| bucket.take(now)).count()
}

#[test]
fn a_burst_is_let_through_and_then_no_more_until_time_has_passed() {
    let bucket = Bucket::new(20, 5, START);
    assert_eq!(taken(&bucket, 100, START), 5);
    assert!(!bucket.take(START));
    // 20 a second are one in 12.5 ticks of 4 ms, also while the ticks wrap.
    assert!(!bucket.take(START.wrapping_add(12)));
    assert!(bucket.take(START.wrapping_add(13)));
    assert_eq!(taken(&bucket, 100, START.wrapping_add(13 + HZ)), 5);
}

#[test]
fn who_has_not_seen_the_last_tick_yet_does_not_fill_it() {
    let bucket = Bucket::new(20, 5, START);
    let next = START.wrapping_add(1);
    assert_eq!(taken(&bucket, 4, next), 4);
    assert_eq!(taken(&bucket, 100, START), 1);
    assert_eq!(taken(&bucket, 100, next), 0);
    // The tick did not go back either.
    assert_eq!(taken(&bucket, 1, next.wrapping_add(12)), 0);
}

proptest! {
    #[test]
    fn over_any_time_no_more_than_the_rate_and_one_burst_are_let_through(
        rate in 1..200u32,
        burst in 1..50u32,
        steps in prop::collection::vec((0..HZ, 1..20u32), 1..200),
    ) {
        let bucket = Bucket::new(rate, burst, START);
        let mut now = START;
        let (mut passed, mut through) = (0u64, 0u64);
        for (ticks, asked) in steps {
            now = now.wrapping_add(ticks);
            passed += u64::from(ticks);
            through += taken(&bucket, asked, now) as u64;
        }
        prop_assert!(through <= u64::from(burst) + passed * u64::from(rate) / u64::from(HZ));
    }

    #[test]
    fn whatever_a_packet_is_it_is_told_without_fault(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        let _ = Sample::of(&bytes, bytes.len());
    }
}

fn told(bytes: &[u8]) -> Sample {
    Sample::of(bytes, 1500).unwrap()
}

/// An IPv4 header without checksum: these flags and fragment offset, this protocol.
fn ipv4(fragment: u16, protocol: u8) -> Vec<u8> {
    let [high, low] = fragment.to_be_bytes();
    let mut header = vec![0x45, 0, 0x05, 0xdc, 0, 0, high, low, 64, protocol, 0, 0];
    header.extend([198, 51, 100, 7, 192, 0, 2, 10]);
    header
}

#[test]
fn a_packet_is_told_by_protocol_addresses_ports_and_length() {
    let mut packet = ipv4(0, 6);
    packet.extend([0x12, 0x67, 0x00, 0x50]);
    let sample = told(&packet);
    assert_eq!((sample.protocol, sample.len), (6, 1500));
    assert_eq!(sample.src.addr, IpAddr::from([198, 51, 100, 7]));
    assert_eq!((sample.src.port, sample.dst.port), (0x1267, 80));
    assert_eq!(sample.dst.addr, IpAddr::from([192, 0, 2, 10]));

    let mut packet = vec![0x60, 0, 0, 0, 0, 8, 17, 64];
    packet.extend([0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7]);
    packet.extend([0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    packet.extend([0x12, 0x67, 0x00, 0x35]);
    let sample = told(&packet);
    assert_eq!(
        (sample.protocol, sample.src.port, sample.dst.port),
        (17, 0x1267, 53)
    );
    assert_eq!(sample.dst.addr, "2001:db8::1".parse::<IpAddr>().unwrap());
}

#[test]
fn what_has_no_ports_is_told_without() {
    for (fragment, protocol) in [(0, 1), (0, 50), (100, 6)] {
        let mut packet = ipv4(fragment, protocol);
        packet.extend([0x12, 0x67, 0x00, 0x50]);
        let sample = told(&packet);
        assert_eq!(
            (sample.src.port, sample.dst.port),
            (0, 0),
            "{protocol} at {fragment}"
        );
    }
    // Cut off within the ports.
    let mut packet = ipv4(0, 6);
    packet.extend([0x12, 0x67, 0x00]);
    assert_eq!(told(&packet).src.port, 0);
}

#[test]
fn what_is_no_packet_is_not_told() {
    assert_eq!(Sample::of(&[], 0), None);
    assert_eq!(Sample::of(&ipv4(0, 6)[..19], 19), None);
    assert_eq!(Sample::of(&[0x15; 40], 40), None);
}
