// SPDX-License-Identifier: GPL-2.0-only

//! Masquerading of TCP and UDP packets.

use std::net::Ipv4Addr;

use proptest::prelude::*;
use rvs_host_tests::oracle;
use rvs_host_tests::packet::checksum::sum;
use rvs_host_tests::packet::rewrite::transport;
use rvs_host_tests::packet::rewrite::Truncated;
use rvs_host_tests::packet::transport::has_ports;
use rvs_host_tests::packet::{ChecksumMode, Endpoint, Side, IPPROTO_TCP, IPPROTO_UDP};

use crate::strategies::{at, endpoint, side};

/// A TCP or UDP packet between two endpoints, its checksum still zero.
#[derive(Clone, Debug)]
struct Packet {
    protocol: u8,
    src: Endpoint<Ipv4Addr>,
    dst: Endpoint<Ipv4Addr>,
    bytes: Vec<u8>,
}

impl Packet {
    fn new(
        protocol: u8,
        src: Endpoint<Ipv4Addr>,
        dst: Endpoint<Ipv4Addr>,
        mut bytes: Vec<u8>,
    ) -> Packet {
        bytes[0..2].copy_from_slice(&src.port.to_be_bytes());
        bytes[2..4].copy_from_slice(&dst.port.to_be_bytes());
        let mut packet = Packet {
            protocol,
            src,
            dst,
            bytes,
        };
        packet.set_check(0);
        packet
    }

    fn check_offset(&self) -> usize {
        if self.protocol == IPPROTO_TCP {
            16
        } else {
            6
        }
    }

    fn set_check(&mut self, check: u16) {
        self.bytes = oracle::with16(&self.bytes, self.check_offset(), check);
    }

    /// With the checksum a sender without offloading would put in.
    fn complete(mut self) -> Packet {
        self.set_check(0);
        let check =
            oracle::transport_checksum(self.src.addr, self.dst.addr, self.protocol, &self.bytes);
        self.set_check(match (self.protocol, check) {
            (IPPROTO_UDP, 0) => 0xffff,
            _ => check,
        });
        self
    }

    /// With the pseudo-header's sum only, as a sender with offloading leaves it.
    fn partial(mut self) -> Packet {
        let pseudo = oracle::pseudo_header(
            self.src.addr,
            self.dst.addr,
            self.protocol,
            self.bytes.len(),
        );
        self.set_check(sum(&pseudo).to_be());
        self
    }

    fn end(&self, side: Side) -> Endpoint<Ipv4Addr> {
        match side {
            Side::Source => self.src,
            Side::Destination => self.dst,
        }
    }

    /// The same packet sent from, or to, somewhere else.
    fn moved(&self, side: Side, to: Endpoint<Ipv4Addr>) -> Packet {
        let (src, dst) = match side {
            Side::Source => (to, self.dst),
            Side::Destination => (self.src, to),
        };
        Packet::new(self.protocol, src, dst, self.bytes.clone())
    }

    /// The packet's bytes after the code under test moved it.
    fn rewritten(&self, side: Side, to: Endpoint<Ipv4Addr>, mode: ChecksumMode) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        transport(self.protocol, &mut bytes, side, self.end(side), to, mode).unwrap();
        bytes
    }
}

fn packet() -> impl Strategy<Value = Packet> {
    (
        prop_oneof![Just(IPPROTO_TCP), Just(IPPROTO_UDP)],
        endpoint(),
        endpoint(),
        prop::collection::vec(any::<u8>(), 20..120),
    )
        .prop_map(|(protocol, src, dst, bytes)| Packet::new(protocol, src, dst, bytes))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_complete_packet_becomes_what_its_new_sender_would_have_sent(
        packet in packet(), side in side(), to in endpoint(),
    ) {
        prop_assert_eq!(
            packet.clone().complete().rewritten(side, to, ChecksumMode::Complete),
            packet.moved(side, to).complete().bytes
        );
    }

    #[test]
    fn a_partial_packet_becomes_what_its_new_sender_would_have_left_to_hardware(
        packet in packet(), side in side(), to in endpoint(),
    ) {
        prop_assert_eq!(
            packet.clone().partial().rewritten(side, to, ChecksumMode::Partial),
            packet.moved(side, to).partial().bytes
        );
    }

    #[test]
    fn a_packet_rewritten_there_and_back_is_the_same(
        packet in packet(), side in side(), to in endpoint(),
    ) {
        let there = Packet { bytes: packet.clone().complete().bytes, ..packet.clone() }
            .rewritten(side, to, ChecksumMode::Complete);
        let mut back = there;
        transport(packet.protocol, &mut back, side, to, packet.end(side), ChecksumMode::Complete)
            .unwrap();
        prop_assert_eq!(back, packet.complete().bytes);
    }

    #[test]
    fn a_udp_packet_without_a_checksum_stays_without(
        packet in packet(), side in side(), to in endpoint(),
    ) {
        let packet = Packet::new(IPPROTO_UDP, packet.src, packet.dst, packet.bytes);
        prop_assert_eq!(
            packet.rewritten(side, to, ChecksumMode::Complete),
            packet.moved(side, to).bytes
        );
    }

    #[test]
    fn a_truncated_header_is_refused_and_left_as_it_was(
        packet in packet(), side in side(), to in endpoint(), len: prop::sample::Index,
    ) {
        let before = &packet.bytes[..len.index(packet.check_offset() + 2)];
        let mut after = before.to_vec();
        let from = packet.end(side);
        let result =
            transport(packet.protocol, &mut after, side, from, to, ChecksumMode::Complete);
        prop_assert_eq!(result, Err(Truncated));
        prop_assert_eq!(&after, before);
    }
}

#[test]
fn a_udp_checksum_that_comes_out_as_zero_is_sent_as_ones() {
    // Of all destination ports exactly one makes the sum come out as all ones.
    let packet = Packet::new(
        IPPROTO_UDP,
        at("192.0.2.1:53"),
        at("198.51.100.7:1"),
        vec![0; 12],
    );
    let zero_sums: Vec<u16> = (0..=u16::MAX)
        .filter(|&port| {
            let to = Endpoint { port, ..packet.dst };
            let moved = packet.moved(Side::Destination, to);
            oracle::transport_checksum(moved.src.addr, to.addr, IPPROTO_UDP, &moved.bytes) == 0
        })
        .collect();
    let [port] = zero_sums[..] else {
        panic!("{zero_sums:?}")
    };
    let to = Endpoint { port, ..packet.dst };
    let bytes = packet
        .complete()
        .rewritten(Side::Destination, to, ChecksumMode::Complete);
    assert_eq!(bytes[6..8], [0xff, 0xff]);
}

#[test]
fn protocols_without_ports_are_left_alone() {
    let before = [0xa5; 24];
    for protocol in (0..=u8::MAX).filter(|number| !has_ports(*number)) {
        let mut after = before;
        let result = transport(
            protocol,
            &mut after,
            Side::Source,
            at("192.0.2.1:1"),
            at("192.0.2.2:2"),
            ChecksumMode::Complete,
        );
        assert_eq!((result, after), (Ok(()), before));
    }
}
