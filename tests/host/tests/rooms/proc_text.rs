// SPDX-License-Identifier: GPL-2.0-only

//! Lines of the files below `/proc/net`, byte for byte as reference §9.1 has them, and as the tools scan them.

use proptest::prelude::*;
use rvs_host_tests::control::{
    line::Line,
    text::{AppLine, By, HexAddr, ProtocolName, Row, ServerLine, ServiceLine},
};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const VIRTUAL: IpAddr = IpAddr::V4(Ipv4Addr::new(207, 175, 44, 110));
const VIRTUAL6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 0x100));

fn service(addr: IpAddr) -> ServiceLine<'static> {
    ServiceLine {
        by: By::Address {
            protocol: 6,
            addr,
            port: 8080,
        },
        scheduler: "rr",
        is_one_packet: false,
        persistence: None,
    }
}

fn server(addr: IpAddr) -> ServerLine {
    ServerLine {
        addr,
        port: 8080,
        method: 0,
        weight: 1,
        active: 2,
        inactive: 0,
    }
}

#[test]
fn a_service_of_ipv4_ends_in_two_blanks() {
    assert_eq!(service(VIRTUAL).to_string(), "TCP  CFAF2C6E:1F90 rr  \n");
}

#[test]
fn flags_of_a_service_follow_its_scheduler() {
    let line = ServiceLine {
        by: By::Address {
            protocol: 17,
            addr: VIRTUAL,
            port: 53,
        },
        scheduler: "wlc",
        is_one_packet: true,
        persistence: Some((75_000, 0xffff_ffff)),
    };
    assert_eq!(
        line.to_string(),
        "UDP  CFAF2C6E:0035 wlc ops  persistent 75000 FFFFFFFF\n"
    );
}

#[test]
fn a_helper_stands_in_columns() {
    let line = AppLine {
        protocol: 6,
        port: 21,
        users: 0,
        name: "ftp",
    };
    assert_eq!(line.to_string(), "TCP  21      0      ftp              \n");
}

#[test]
fn a_service_by_mark_has_neither_protocol_nor_address() {
    let line = ServiceLine {
        by: By::Mark(1),
        ..service(VIRTUAL)
    };
    assert_eq!(line.to_string(), "FWM  00000001 rr \n");
}

#[test]
fn a_service_of_ipv6_has_its_address_in_full_and_no_ops() {
    let line = ServiceLine {
        is_one_packet: true,
        ..service(VIRTUAL6)
    };
    assert_eq!(
        line.to_string(),
        "TCP  [fd00:0000:0000:0000:0000:0000:0000:0100]:1F90 rr \n"
    );
}

#[test]
fn a_service_by_mark_ends_in_one_blank() {
    let line = ServiceLine {
        by: By::Mark(1),
        ..service(VIRTUAL)
    };
    assert_eq!(line.to_string(), "FWM  00000001 rr \n");
    let line = ServiceLine {
        is_one_packet: true,
        ..line
    };
    assert_eq!(line.to_string(), "FWM  00000001 rr ops \n");
}

#[test]
fn a_real_server_has_its_columns_and_a_blank_at_the_end() {
    assert_eq!(
        server(IpAddr::V4(Ipv4Addr::new(172, 16, 0, 2))).to_string(),
        "  -> AC100002:1F90      Masq    1      2          0         \n"
    );
    assert_eq!(
        server(VIRTUAL6).to_string(),
        "  -> [fd00:0000:0000:0000:0000:0000:0000:0100]:1F90      Masq    1      2          0         \n"
    );
}

#[test]
fn methods_have_the_names_that_monitoring_knows() {
    let names = [0, 1, 2, 3, 4].map(|method| {
        let line = ServerLine {
            method,
            ..server(VIRTUAL)
        };
        let text = line.to_string();
        text.split_whitespace().nth(2).map(str::to_owned)
    });
    assert_eq!(
        names.map(Option::unwrap),
        ["Masq", "Local", "Tunnel", "Route", "Masq"]
    );
}

#[test]
fn numbers_wider_than_their_column_push_the_rest() {
    let line = ServerLine {
        weight: 12_345_678,
        active: 4_294_967_295,
        ..server(VIRTUAL)
    };
    let text = line.to_string();
    assert!(text.ends_with("Masq    12345678 4294967295 0         \n"));
}

#[test]
fn addresses_have_the_lengths_that_clients_scan() {
    assert_eq!(
        HexAddr(IpAddr::V4(Ipv4Addr::new(1, 2, 3, 4))).to_string(),
        "01020304"
    );
    assert_eq!(HexAddr(VIRTUAL6).to_string().len(), 39);
}

#[test]
fn protocols_without_a_name_have_their_number_and_at_most_seven_characters() {
    let names = [0, 1, 6, 17, 50, 58, 132, 255].map(|number| ProtocolName(number).to_string());
    assert_eq!(
        names,
        ["IP", "ICMP", "TCP", "UDP", "IP_50", "ICMPv6", "SCTP", "IP_255"]
    );
    assert!((0..=255).all(|number| ProtocolName(number).to_string().len() <= 7));
    assert_eq!(format!("{:<3}", ProtocolName(0)), "IP ");
}

#[test]
fn counters_are_hexadecimal_in_columns() {
    assert_eq!(
        Row([0x2a, 0x1f4, 0x190, 0x9c40, 0x1e_8480]).to_string(),
        "      2A      1F4      190             9C40           1E8480\n"
    );
    assert_eq!(Row([u64::MAX; 5]).to_string().split_whitespace().count(), 5);
}

proptest! {
    #[test]
    fn a_line_is_put_together_as_the_formatter_would(
        protocol: u8, addr: IpAddr, port: u16, number: u32, width in 0usize..12, text in "[A-Z_]{0,14}",
    ) {
        let mut line = Line::new();
        line.text("of an earlier line", 20);
        line.clear();
        line.protocol(protocol);
        line.byte(b' ');
        line.place(addr, port);
        line.byte(b' ');
        line.text(&text, width);
        line.decimal(number, width);
        let expected = format!(
            "{:<3} {} {port:04X} {text:<width$}{number:width$}", ProtocolName(protocol), HexAddr(addr)
        );
        prop_assert_eq!(line.bytes(), expected.as_bytes());
    }
}

#[test]
fn what_does_not_fit_into_a_line_is_left_out() {
    let mut line = Line::new();
    for _ in 0..60 {
        line.text("0123456789", 0);
    }
    assert_eq!(line.bytes(), "0123456789".repeat(51).as_bytes());
}
