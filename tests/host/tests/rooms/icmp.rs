// SPDX-License-Identifier: GPL-2.0-only

//! ICMP errors: recognising them, rewriting the packet they quote.

use std::net::Ipv4Addr;

use proptest::prelude::*;
use rvs_host_tests::oracle;
use rvs_host_tests::packet::icmp::{
    is_error, Header, DEST_UNREACHABLE, FRAG_NEEDED, SOURCE_QUENCH, TIME_EXCEEDED,
};
use rvs_host_tests::packet::rewrite::quoted;
use rvs_host_tests::packet::rewrite::Truncated;
use rvs_host_tests::packet::{Endpoint, Side, IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP};

use crate::strategies::{at, endpoint, side};

/// The addresses of the message's own header make no difference to ICMP.
const OWN: (Ipv4Addr, Ipv4Addr) = (Ipv4Addr::LOCALHOST, Ipv4Addr::BROADCAST);

/// An ICMP error in parts.
#[derive(Clone, Debug)]
struct Error {
    protocol: u8,
    /// IPv4 options of the quoted packet, a multiple of 4 bytes.
    options: Vec<u8>,
    /// In units of 8 bytes.
    fragment_offset: u16,
    src: Endpoint<Ipv4Addr>,
    dst: Endpoint<Ipv4Addr>,
    /// What is quoted behind the ports.
    rest: Vec<u8>,
}

impl Error {
    fn has_ports(&self) -> bool {
        self.fragment_offset == 0 && [IPPROTO_TCP, IPPROTO_UDP].contains(&self.protocol)
    }

    /// The message as a router would send it.
    fn bytes(&self) -> Vec<u8> {
        let mut quote = vec![0x45 + (self.options.len() / 4) as u8, 0];
        quote.extend(1500u16.to_be_bytes());
        quote.extend([0xbe, 0xef]);
        quote.extend(self.fragment_offset.to_be_bytes());
        quote.extend([17, self.protocol, 0, 0]);
        quote.extend(self.src.addr.octets());
        quote.extend(self.dst.addr.octets());
        quote.extend(&self.options);
        let mut quote = oracle::with_checksum(&quote, 10);
        if self.has_ports() {
            quote.extend(self.src.port.to_be_bytes());
            quote.extend(self.dst.port.to_be_bytes());
        }
        quote.extend(&self.rest);
        let header = [DEST_UNREACHABLE, FRAG_NEEDED, 0, 0, 0, 0, 5, 120];
        oracle::with_checksum(&[&header, &quote[..]].concat(), 2)
    }

    /// The error about the same packet sent from, or to, somewhere else.
    fn moved(&self, side: Side, to: Endpoint<Ipv4Addr>) -> Error {
        let mut moved = self.clone();
        match side {
            Side::Source => moved.src = to,
            Side::Destination => moved.dst = to,
        }
        moved
    }

    fn end(&self, side: Side) -> Endpoint<Ipv4Addr> {
        match side {
            Side::Source => self.src,
            Side::Destination => self.dst,
        }
    }
}

fn error() -> impl Strategy<Value = Error> {
    (
        prop_oneof![Just(IPPROTO_TCP), Just(IPPROTO_UDP), Just(IPPROTO_ICMP)],
        (0usize..=10).prop_flat_map(|words| prop::collection::vec(any::<u8>(), words * 4)),
        prop_oneof![4 => Just(0u16), 1 => 1u16..0x2000],
        (endpoint(), endpoint()),
        prop::collection::vec(any::<u8>(), 0..60),
    )
        .prop_map(
            |(protocol, options, fragment_offset, (src, dst), rest)| Error {
                protocol,
                options,
                fragment_offset,
                src,
                dst,
                rest,
            },
        )
}

#[test]
fn exactly_unreachable_quench_and_time_exceeded_are_errors_about_a_flow() {
    let errors: Vec<u8> = (0..=u8::MAX).filter(|&kind| is_error(kind)).collect();
    assert_eq!(errors, [DEST_UNREACHABLE, SOURCE_QUENCH, TIME_EXCEEDED]);
    assert_eq!(errors, [3, 4, 11]);
}

#[test]
fn a_header_is_type_and_code() {
    let header = Header::parse(&[3, 4, 0xab, 0xcd, 0, 0, 5, 120]);
    assert_eq!((header.kind, header.code), (DEST_UNREACHABLE, FRAG_NEEDED));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn an_error_becomes_the_one_about_the_rewritten_packet(
        error in error(), side in side(), to in endpoint(),
    ) {
        let mut bytes = error.bytes();
        prop_assert_eq!(quoted(&mut bytes, side, error.end(side), to, OWN), Ok(()));
        prop_assert_eq!(bytes, error.moved(side, to).bytes());
    }

    #[test]
    fn a_quote_that_ends_before_its_ports_is_refused_and_left_as_it_was(
        error in error(), side in side(), to in endpoint(), len: prop::sample::Index,
    ) {
        let bytes = error.bytes();
        let needed = match error.has_ports() {
            true => 8 + 20 + error.options.len() + 4,
            false => 8 + 20,
        };
        let before = &bytes[..len.index(needed)];
        let mut after = before.to_vec();
        prop_assert_eq!(quoted(&mut after, side, error.end(side), to, OWN), Err(Truncated));
        prop_assert_eq!(&after, before);
    }
}

#[test]
fn a_quote_that_ends_right_behind_its_ports_is_enough() {
    let error = Error {
        protocol: IPPROTO_TCP,
        options: vec![],
        fragment_offset: 0,
        src: at("192.0.2.10:80"),
        dst: at("203.0.113.5:40000"),
        rest: vec![],
    };
    let mut bytes = error.bytes();
    let to = at("10.1.1.1:8080");
    assert_eq!(quoted(&mut bytes, Side::Source, error.src, to, OWN), Ok(()));
    assert_eq!(bytes, error.moved(Side::Source, to).bytes());
}

#[test]
fn a_quote_that_is_not_ipv4_is_refused() {
    let mut bytes = vec![0; 64];
    bytes[8] = 0x60;
    let end = at("192.0.2.1:1");
    assert_eq!(
        quoted(&mut bytes, Side::Source, end, end, OWN),
        Err(Truncated)
    );
}
