// SPDX-License-Identifier: GPL-2.0-only

//! FTP: the commands and replies that announce data connections, and the text that takes their place.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use proptest::prelude::*;
use rvs_host_tests::app::ftp::{
    command, extended_text, plain_text, reply, Command, Family, Passive, Reply, EXTENDED_LEN,
    PLAIN_LEN,
};

const BOTH: [Family; 2] = [Family::V4, Family::V6];

fn active(endpoint: &str) -> Option<Command> {
    let endpoint: SocketAddr = endpoint.parse().expect("address:port");
    Some(Command::Active(endpoint))
}

fn passive(passive: Passive) -> Option<Command> {
    Some(Command::Passive(passive))
}

#[test]
fn pasv_asks_for_a_plain_reply_over_ipv4_alone() {
    for text in ["PASV\r\n", "pasv\r\n", "PaSv\r\n"] {
        assert_eq!(
            command(text.as_bytes(), Family::V4),
            passive(Passive::Plain)
        );
        assert_eq!(command(text.as_bytes(), Family::V6), None);
    }
}

#[test]
fn epsv_asks_for_an_extended_reply_of_the_same_family() {
    for family in BOTH {
        assert_eq!(command(b"epsv\r\n", family), passive(Passive::Extended));
        let (own, other) = match family {
            Family::V4 => ("EPSV 1\r\n", "EPSV 2\r\n"),
            Family::V6 => ("EPSV 2\r\n", "EPSV 1\r\n"),
        };
        assert_eq!(command(own.as_bytes(), family), passive(Passive::Extended));
        assert_eq!(command(other.as_bytes(), family), None);
    }
}

#[test]
fn epsv_for_another_family_or_for_ever_is_the_last_that_is_read() {
    for (text, family) in [
        ("EPSV ALL\r\nPASV\r\n", Family::V4),
        ("EPSV 2\r\nEPSV 1\r\n", Family::V4),
        ("EPSV 1\r\nEPSV\r\n", Family::V6),
    ] {
        assert_eq!(command(text.as_bytes(), family), None, "{text:?}");
    }
}

#[test]
fn passive_commands_are_recognised_behind_others() {
    assert_eq!(
        command(b"TYPE I\r\nPASV\r\n", Family::V4),
        passive(Passive::Plain)
    );
    assert_eq!(
        command(b"TYPE I\r\nEPSV\r\n", Family::V6),
        passive(Passive::Extended)
    );
    assert_eq!(
        command(b"EPSV\r\nPASV\r\n", Family::V4),
        passive(Passive::Extended)
    );
}

#[test]
fn unfinished_passive_commands_are_not_recognised() {
    for text in [
        "PASV",
        "PASV\r",
        "PASV \r\n",
        "PASV\n",
        "EPSV",
        "EPSV\r",
        "EPSV 1",
        "EPSVX\r\n",
    ] {
        assert_eq!(command(text.as_bytes(), Family::V4), None, "{text:?}");
    }
}

#[test]
fn port_tells_where_the_client_listens() {
    for text in [
        "PORT 192,0,2,10,156,64\r\n",
        "port 192,0,2,10,156,64\r\n",
        "PORT  192,0,2,10,156,64\r\n",
        "PORT 192,0,2,10,156,64\n",
        "PORT 192,0,2,010,156,64\r\n",
    ] {
        assert_eq!(
            command(text.as_bytes(), Family::V4),
            active("192.0.2.10:40000"),
            "{text:?}"
        );
        assert_eq!(command(text.as_bytes(), Family::V6), None);
    }
}

#[test]
fn a_port_command_that_is_not_exactly_one_is_none() {
    for text in [
        "PORT 192,0,2,10,156\r\n",
        "PORT 192,0,2,256,156,64\r\n",
        "PORT 192,0,2,10,256,64\r\n",
        "PORT 192,0,2,,156,64\r\n",
        "PORT 192,0,2,10,0,0\r\n",
        "PORT ,192,0,2,10,156,64\r\n",
        "PORT 192.0.2.10,156,64\r\n",
        "PORT 192,0,2,10,156,64",
        "PORT 192,0,2,10,156,",
        "PORT192,0,2,10,156,64\r\n",
        "PORTS 192,0,2,10,156,64\r\n",
        " PORT 192,0,2,10,156,64\r\n",
        "NOOP\r\nPORT 192,0,2,10,156,64\r\n",
        "PORT\r\n",
        "POR",
        "",
    ] {
        assert_eq!(command(text.as_bytes(), Family::V4), None, "{text:?}");
    }
}

#[test]
fn eprt_tells_where_the_client_listens_in_its_own_family() {
    for (text, endpoint) in [
        ("EPRT |1|192.0.2.10|40000|\r\n", "192.0.2.10:40000"),
        ("eprt !1!192.0.2.10!40000!\r\n", "192.0.2.10:40000"),
        ("EPRT |2|2001:db8::5|40000|\r\n", "[2001:db8::5]:40000"),
        ("EPRT |2|::ffff:192.0.2.1|1|\r\n", "[::ffff:192.0.2.1]:1"),
    ] {
        let (own, other) = match text.as_bytes()[6] {
            b'1' => (Family::V4, Family::V6),
            _ => (Family::V6, Family::V4),
        };
        assert_eq!(command(text.as_bytes(), own), active(endpoint), "{text:?}");
        assert_eq!(command(text.as_bytes(), other), None, "{text:?}");
    }
}

#[test]
fn an_eprt_command_that_is_not_exactly_one_is_none() {
    for text in [
        "EPRT |1|192.0.2.10|40000\r\n",
        "EPRT |1|192.0.2.10|65536|\r\n",
        "EPRT |1|192.0.2.10|0|\r\n",
        "EPRT |1|192.0.2.10||\r\n",
        "EPRT |1|192.0.2.010|40000|\r\n",
        "EPRT |1|192.0.2|40000|\r\n",
        "EPRT |1|2001:db8::5|40000|\r\n",
        "EPRT |1||40000|\r\n",
        "EPRT |||40000|\r\n",
        "EPRT |3|192.0.2.10|40000|\r\n",
        "EPRT |11|192.0.2.10|40000|\r\n",
        "EPRT |1|192.0.2.10!40000|\r\n",
        "EPRT 11119202.10140000|\r\n",
        "EPRT \x011\x01192.0.2.10\x0140000\x01\r\n",
        "EPRT|1|192.0.2.10|40000|\r\n",
        "EPRT |1|192.0.2.10|40000",
        "EPRT ",
        "EPRT",
    ] {
        assert_eq!(command(text.as_bytes(), Family::V4), None, "{text:?}");
    }
}

/// A reply and the text in it that names address and port.
fn found(payload: &str, reply: Reply) -> (Option<IpAddr>, u16, &str) {
    let text = &payload[reply.offset..reply.offset + reply.len];
    (reply.addr, reply.port, text)
}

#[test]
fn a_227_names_address_and_port() {
    for payload in [
        "227 Entering Passive Mode (10,0,0,2,195,80)\r\n",
        "227 Entering Passive Mode (10,0,0,2,195,80).\r\n",
        "227 Entering Passive Mode. 10,0,0,2,195,80\r\n",
        "227 =10,0,0,2,195,80\r\n",
        "227 10,0,0,2,195,80\r\n",
        "227 ((10,0,0,2,195,80))\r\n",
    ] {
        let reply = reply(payload.as_bytes(), Passive::Plain, Family::V4);
        assert_eq!(
            reply.map(|reply| found(payload, reply)),
            Some((Some([10, 0, 0, 2].into()), 50000, "10,0,0,2,195,80")),
            "{payload:?}"
        );
    }
}

#[test]
fn a_229_names_the_port_and_seldom_the_address() {
    let v4: IpAddr = [10, 0, 0, 2].into();
    let v6: IpAddr = "2001:db8::2".parse().unwrap();
    for (family, payload, addr, text) in [
        (
            Family::V4,
            "229 Entering Extended Passive Mode (|||50000|)\r\n",
            None,
            "|||50000|",
        ),
        (
            Family::V6,
            "229 Extended Passive Mode OK (|||50000|)\r\n",
            None,
            "|||50000|",
        ),
        (Family::V6, "229 (!!!50000!)\r\n", None, "!!!50000!"),
        (
            Family::V4,
            "229 ok (|1|10.0.0.2|50000|)\r\n",
            Some(v4),
            "|1|10.0.0.2|50000|",
        ),
        (
            Family::V6,
            "229 ok (|2|2001:db8::2|50000|)\r\n",
            Some(v6),
            "|2|2001:db8::2|50000|",
        ),
    ] {
        let reply = reply(payload.as_bytes(), Passive::Extended, family);
        assert_eq!(
            reply.map(|reply| found(payload, reply)),
            Some((addr, 50000, text)),
            "{payload:?}"
        );
    }
}

#[test]
fn a_reply_that_announces_nothing_is_none() {
    for payload in [
        "",
        "227",
        "227 ",
        "227 Entering Passive Mode\r\n",
        "227 Entering Passive Mode (10,0,0,2,195)\r\n",
        "227 Entering Passive Mode (10,0,0,2,0,0)\r\n",
        "227 Entering Passive Mode (10,0,0,2,195,80",
        "227 Entering Passive Mode (10,0,0,300,195,80)\r\n",
        "227-Entering Passive Mode (10,0,0,2,195,80)\r\n",
        "226 ok\r\n227 Entering Passive Mode (10,0,0,2,195,80)\r\n",
        "229 Entering Extended Passive Mode |||50000|\r\n",
        "229 Entering Extended Passive Mode (||50000|)\r\n",
        "229 Entering Extended Passive Mode (|||50000)\r\n",
        "229 Entering Extended Passive Mode (|||0|)\r\n",
        "229 Entering Extended Passive Mode (|||65536|)\r\n",
        "229 Entering Extended Passive Mode (||10.0.0.2|50000|)\r\n",
        "229 Entering Extended Passive Mode (|2|10.0.0.2|50000|)\r\n",
        "229 Entering Extended Passive Mode (|1||50000|)\r\n",
        "229 Entering Extended Passive Mode (|||50000",
    ] {
        for passive in [Passive::Plain, Passive::Extended] {
            let reply = reply(payload.as_bytes(), passive, Family::V4);
            assert_eq!(reply, None, "{payload:?}");
        }
    }
}

#[test]
fn only_the_reply_that_was_asked_for_is_read() {
    let plain = b"227 Entering Passive Mode (10,0,0,2,195,80)\r\n";
    let extended = b"229 Entering Extended Passive Mode (|||50000|)\r\n";
    assert_eq!(reply(plain, Passive::Extended, Family::V4), None);
    assert_eq!(reply(extended, Passive::Plain, Family::V4), None);
}

#[test]
fn the_longest_texts_fit_and_the_shortest_are_short() {
    let mut buffer = [0; PLAIN_LEN];
    let text = plain_text(&mut buffer, Ipv4Addr::BROADCAST, u16::MAX);
    assert_eq!(text, b"255,255,255,255,255,255");
    let text = plain_text(&mut buffer, Ipv4Addr::UNSPECIFIED, 0);
    assert_eq!(text, b"0,0,0,0,0,0");
    let mut buffer = [0; EXTENDED_LEN];
    assert_eq!(extended_text(&mut buffer, u16::MAX), b"|||65535|");
    assert_eq!(extended_text(&mut buffer, 0), b"|||0|");
}

proptest! {
    #[test]
    fn texts_are_those_of_the_standard_formatter(addr: Ipv4Addr, port: u16) {
        let [a, b, c, d] = addr.octets();
        let mut buffer = [0; PLAIN_LEN];
        let plain = format!("{a},{b},{c},{d},{},{}", port / 256, port % 256);
        prop_assert_eq!(plain_text(&mut buffer, addr, port), plain.as_bytes());
        let mut buffer = [0; EXTENDED_LEN];
        let extended = format!("|||{port}|");
        prop_assert_eq!(extended_text(&mut buffer, port), extended.as_bytes());
    }

    #[test]
    fn what_a_client_or_server_announces_is_understood(addr: IpAddr, port in 1u16..) {
        let (family, number) = match addr {
            IpAddr::V4(_) => (Family::V4, 1),
            IpAddr::V6(_) => (Family::V6, 2),
        };
        let eprt = format!("EPRT |{number}|{addr}|{port}|\r\n");
        let expected = Some(Command::Active(SocketAddr::new(addr, port)));
        prop_assert_eq!(command(eprt.as_bytes(), family), expected);
        let epsv = format!("229 Entering Extended Passive Mode (|{number}|{addr}|{port}|)\r\n");
        let reply = reply(epsv.as_bytes(), Passive::Extended, family).unwrap();
        prop_assert_eq!((reply.addr, reply.port), (Some(addr), port));
        if let IpAddr::V4(addr) = addr {
            let mut buffer = [0; PLAIN_LEN];
            let text = std::str::from_utf8(plain_text(&mut buffer, addr, port)).unwrap();
            let port = command(format!("PORT {text}\r\n").as_bytes(), Family::V4);
            prop_assert_eq!(port, expected);
        }
    }
}
