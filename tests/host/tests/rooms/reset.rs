// SPDX-License-Identifier: GPL-2.0-only

//! Resets of TCP connections by somebody between the ends.

use core::net::IpAddr;

use rvs_host_tests::packet::{
    checksum, ipv4, ipv6,
    reset::Reset,
    tcp::{Flags, HEADER_LEN},
    Endpoint, IPPROTO_TCP,
};

const FIN: u8 = 1;
const SYN: u8 = 2;
const RST: u8 = 4;
const ACK: u8 = 0x10;

fn end(addr: &str, port: u16) -> Endpoint<IpAddr> {
    Endpoint {
        addr: addr.parse().unwrap(),
        port,
    }
}

fn header(flags: u8, seq: u32, ack: u32) -> [u8; HEADER_LEN] {
    let mut header = [0; HEADER_LEN];
    header[4..8].copy_from_slice(&seq.to_be_bytes());
    header[8..12].copy_from_slice(&ack.to_be_bytes());
    header[12] = 5 << 4;
    header[13] = flags;
    header
}

/// Flags, sequence and acknowledgment number of a reset as it is sent.
fn sent(reset: Reset) -> (u8, u32, u32) {
    let segment = reset.segment(end("192.0.2.1", 80), end("10.0.0.2", 4711));
    let number = |at: usize| u32::from_be_bytes(segment[at..at + 4].try_into().unwrap());
    (segment[13], number(4), number(8))
}

#[test]
fn the_sender_of_a_segment_is_reset_at_what_it_acknowledged() {
    let reset = Reset::of_sender(&header(ACK, 1000, 5000), 100).unwrap();
    assert_eq!(sent(reset), (RST, 5000, 0));
}

#[test]
fn the_sender_of_a_segment_without_acknowledgment_is_reset_by_acknowledging_all_of_it() {
    for (flags, payload, ack) in [
        (SYN, 0, 1001),
        (FIN, 0, 1001),
        (SYN | FIN, 10, 1012),
        (0, 100, 1100),
    ] {
        let reset = Reset::of_sender(&header(flags, 1000, 0), payload).unwrap();
        assert_eq!(sent(reset), (RST | ACK, 0, ack), "{flags}");
    }
    let reset = Reset::of_sender(&header(SYN, u32::MAX, 0), 0).unwrap();
    assert_eq!(sent(reset), (RST | ACK, 0, 0));
}

#[test]
fn a_reset_is_not_answered() {
    assert_eq!(Reset::of_sender(&header(RST, 1, 0), 0), None);
    assert_eq!(Reset::of_sender(&header(RST | ACK, 1, 2), 0), None);
}

#[test]
fn the_receiver_of_a_segment_is_reset_where_it_would_go_on() {
    let reset = Reset::of_receiver(&header(ACK | FIN, 1000, 5000));
    assert_eq!(sent(reset), (RST | ACK, 1000, 5000));
    let reset = Reset::of_receiver(&header(SYN, 1000, 77));
    assert_eq!(sent(reset), (RST, 1000, 0));
}

#[test]
fn packets_have_right_lengths_and_checksums() {
    for (src, dst) in [
        (end("192.0.2.1", 80), end("10.0.0.2", 4711)),
        (end("2001:db8::1", 443), end("2001:db8::2", 65535)),
    ] {
        let packet = Reset::PROBE.packet(src, dst).unwrap();
        let bytes = packet.bytes();
        let (pseudo, segment) = match (src.addr, dst.addr) {
            (IpAddr::V4(a), IpAddr::V4(b)) => {
                let network = ipv4::Header::parse(bytes[..20].try_into().unwrap()).unwrap();
                assert_eq!((network.src, network.dst), (a, b));
                assert_eq!(u16::from_be_bytes([bytes[2], bytes[3]]), 40);
                assert_eq!(checksum::sum(&bytes[..20]), 0xffff);
                let (a, b) = (ipv4::wire(a), ipv4::wire(b));
                (
                    checksum::pseudo_header_v4(a, b, IPPROTO_TCP, 20),
                    &bytes[20..],
                )
            }
            (IpAddr::V6(a), IpAddr::V6(b)) => {
                let network = ipv6::Header::parse(bytes[..40].try_into().unwrap()).unwrap();
                assert_eq!((network.src, network.dst), (a, b));
                assert_eq!(u16::from_be_bytes([bytes[4], bytes[5]]), 20);
                let (a, b) = (ipv6::wire(a), ipv6::wire(b));
                (
                    checksum::pseudo_header_v6(a, b, IPPROTO_TCP, 20),
                    &bytes[40..],
                )
            }
            _ => unreachable!(),
        };
        assert_eq!(segment.len(), HEADER_LEN);
        let all = [&pseudo.to_ne_bytes()[..], segment].concat();
        assert_eq!(checksum::sum(&all), 0xffff);
        let flags = Flags::parse(segment.try_into().unwrap());
        assert!(flags.syn() && !flags.ack() && !flags.rst());
        assert_eq!(
            segment[..4],
            [src.port.to_be_bytes(), dst.port.to_be_bytes()].concat()
        );
    }
    assert!(Reset::PROBE
        .packet(end("192.0.2.1", 80), end("2001:db8::2", 80))
        .is_none());
}
