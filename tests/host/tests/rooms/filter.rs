// SPDX-License-Identifier: GPL-2.0-only

//! Which entries of the connection table a filter selects.

use core::net::IpAddr;

use proptest::prelude::*;
use rvs_host_tests::{
    conn::filter::{Filter, Prefix, Span, States, Subject},
    packet::{Endpoint, Family},
    proto::{sctp, tcp},
};

fn end(addr: &str, port: u16) -> Endpoint<IpAddr> {
    Endpoint {
        addr: addr.parse().unwrap(),
        port,
    }
}

fn subject() -> Subject<u32> {
    Subject {
        service: Some(7),
        protocol: 6,
        client: end("203.0.113.7", 4711),
        server: end("10.0.0.1", 8080),
        method: 3,
        state: tcp::State::Established as u8,
        is_template: false,
        age: 1000,
        idle: 50,
    }
}

fn states(names: &[&str]) -> Option<States> {
    let mut states = States::default();
    for name in names {
        assert!(states.add(name.as_bytes()), "{name}");
    }
    Some(states)
}

fn prefix(addr: &str, len: u8) -> Option<Prefix> {
    Some(Prefix::new(addr.parse().unwrap(), len).unwrap())
}

/// Filters that select [`subject`], and the same that do not, each for another reason.
fn pairs() -> Vec<(Filter<u32>, Filter<u32>)> {
    let open = Filter::default;
    let span = |min, max| Span { min, max };
    vec![
        (
            Filter {
                service: Some(7),
                ..open()
            },
            Filter {
                service: Some(8),
                ..open()
            },
        ),
        (
            Filter {
                protocol: Some(6),
                ..open()
            },
            Filter {
                protocol: Some(17),
                ..open()
            },
        ),
        (
            Filter {
                family: Some(Family::V4),
                ..open()
            },
            Filter {
                family: Some(Family::V6),
                ..open()
            },
        ),
        (
            Filter {
                client: prefix("203.0.113.0", 24),
                ..open()
            },
            Filter {
                client: prefix("203.0.112.0", 24),
                ..open()
            },
        ),
        (
            Filter {
                client: prefix("203.0.113.7", 32),
                ..open()
            },
            Filter {
                client: prefix("2001:db8::", 0),
                ..open()
            },
        ),
        (
            Filter {
                client_port: Some(4711),
                ..open()
            },
            Filter {
                client_port: Some(0),
                ..open()
            },
        ),
        (
            Filter {
                server: Some(end("10.0.0.1", 0).addr),
                ..open()
            },
            Filter {
                server: Some(end("10.0.0.2", 0).addr),
                ..open()
            },
        ),
        (
            Filter {
                server_port: Some(8080),
                ..open()
            },
            Filter {
                server_port: Some(80),
                ..open()
            },
        ),
        (
            Filter {
                method: Some(3),
                ..open()
            },
            Filter {
                method: Some(0),
                ..open()
            },
        ),
        (
            Filter {
                states: states(&["CLOSE", "ESTABLISHED"]),
                ..open()
            },
            Filter {
                states: states(&["CLOSE", "TEMPLATE"]),
                ..open()
            },
        ),
        (
            Filter {
                age: span(1000, 1000),
                ..open()
            },
            Filter {
                age: span(1001, u32::MAX),
                ..open()
            },
        ),
        (
            Filter {
                idle: span(0, 50),
                ..open()
            },
            Filter {
                idle: span(0, 49),
                ..open()
            },
        ),
    ]
}

#[test]
fn each_part_of_a_filter_selects_what_fits_and_nothing_else() {
    for (number, (fits, does_not)) in (0..).zip(pairs()) {
        assert!(fits.selects(&subject()), "pair {number}");
        assert!(!does_not.selects(&subject()), "pair {number}");
        assert!(!fits.is_open() && !does_not.is_open(), "pair {number}");
    }
    assert!(Filter::<u32>::default().selects(&subject()));
    assert!(Filter::<u32>::default().is_open());
}

#[test]
fn a_connection_without_a_service_is_of_none() {
    let bypassed = Subject {
        service: None,
        ..subject()
    };
    let of_service = Filter {
        service: Some(7),
        ..Filter::default()
    };
    assert!(!of_service.selects(&bypassed));
    assert!(Filter::default().selects(&bypassed));
}

#[test]
fn a_table_is_passed_over_whose_clients_no_filter_means() {
    let of_client = Filter::<u32> {
        client: prefix("2001:db8::", 32),
        ..Filter::default()
    };
    let of_family = Filter::<u32> {
        family: Some(Family::V6),
        ..Filter::default()
    };
    for filter in [of_client, of_family] {
        assert!(filter.excludes(Family::V4));
        assert!(!filter.excludes(Family::V6));
    }
    assert!(!Filter::<u32>::default().excludes(Family::V4));
}

#[test]
fn a_state_is_meant_with_every_protocol_that_has_it_and_templates_by_their_own_name() {
    let established = states(&["ESTABLISHED"]);
    let selects = |states, subject| {
        Filter {
            states,
            ..Filter::default()
        }
        .selects(&subject)
    };
    let association = Subject {
        protocol: 132,
        state: sctp::State::Established as u8,
        ..subject()
    };
    let datagrams = Subject {
        protocol: 17,
        state: 0,
        ..subject()
    };
    let template = Subject {
        protocol: 0,
        state: 0,
        is_template: true,
        ..subject()
    };
    assert!(selects(established, association));
    assert!(!selects(established, datagrams));
    assert!(selects(states(&["UDP"]), datagrams));
    assert!(selects(states(&["TEMPLATE"]), template));
    assert!(!selects(states(&["NONE"]), template));
    for name in ["", "ESTABLISHE", "established", "TEMPLATES"] {
        assert!(!States::default().add(name.as_bytes()), "{name}");
    }
}

#[test]
fn a_prefix_has_no_more_bits_than_its_address() {
    for (addr, len) in [("10.0.0.0", 33), ("2001:db8::", 129)] {
        assert_eq!(Prefix::new(addr.parse().unwrap(), len), None);
    }
}

proptest! {
    #[test]
    fn a_prefix_includes_the_addresses_that_begin_like_it(
        a: u128, b: u128, len in 0..=128u8, v4: bool
    ) {
        let (bits, len) = if v4 { (32, len % 33) } else { (128, len) };
        let addr = |bits: u128| -> IpAddr {
            if v4 { core::net::Ipv4Addr::from(bits as u32).into() } else { core::net::Ipv6Addr::from(bits).into() }
        };
        // The same beginning half of the time.
        let behind = u128::MAX.checked_shr(u32::from(len) + if v4 { 96 } else { 0 }).unwrap_or(0);
        let b = if b & 1 == 0 { b } else { a ^ (b & behind) };
        let text = |bits_of: u128| -> String {
            format!("{:0width$b}", if v4 { bits_of & u128::from(u32::MAX) } else { bits_of }, width = bits)
        };
        let filter = Filter::<u32> { client: Prefix::new(addr(a), len), ..Filter::default() };
        let subject = Subject { client: Endpoint { addr: addr(b), port: 1 }, ..subject() };
        let is_like = text(a)[..usize::from(len)] == text(b)[..usize::from(len)];
        prop_assert_eq!(filter.selects(&subject), is_like);
    }
}
