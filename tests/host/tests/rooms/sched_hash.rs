// SPDX-License-Identifier: GPL-2.0-only

//! Destination hashing and source hashing.

use std::iter::repeat_n;

use proptest::prelude::*;
use rvs_host_tests::sched::{Flow, Options, Scheduler};

use crate::server::{from, servers, Preparation, Server};

const DH: Scheduler = Scheduler::DestinationHashing;
const SH: Scheduler = Scheduler::SourceHashing;
const FALLBACK: Options = Options {
    fallback: true,
    port: false,
};
const PORT: Options = Options {
    fallback: false,
    port: true,
};

/// The number of the bucket that each scheduler looks into for a flow.
fn bucket(scheduler: Scheduler, options: Options, flow: &Flow) -> usize {
    let servers: Vec<Server> = ('\0'..)
        .take(256)
        .map(|name| Server::new(name, 1))
        .collect();
    let preparation = Preparation::new(scheduler, &servers).with(options);
    preparation.name(&servers, flow) as usize
}

fn named(names: &str) -> Vec<Server> {
    names.chars().map(|name| Server::new(name, 1)).collect()
}

/// A flow whose client and destination hash to this bucket.
fn flow_of_bucket(bucket: u8) -> Flow {
    // The inverse of the factor modulo 2^32.
    let inverse = (0..5).fold(1u32, |inverse, _| {
        inverse.wrapping_mul(2u32.wrapping_sub(inverse.wrapping_mul(0x61c8_8647)))
    });
    let address = ((u32::from(bucket) << 24) | 0x00ab_cdef).wrapping_mul(inverse);
    Flow {
        client: address,
        client_port: 40_000,
        destination: address,
    }
}

#[test]
fn clients_look_where_they_look_in_ipvs() {
    let none = Options::default();
    for (client, without_port, with_port) in [
        ("10.0.0.2", 137, 45),
        ("192.0.2.1", 50, 214),
        ("203.0.113.77", 57, 221),
    ] {
        assert_eq!(bucket(SH, none, &from(client, 40_000)), without_port);
        assert_eq!(bucket(SH, PORT, &from(client, 40_000)), with_port);
        let destination = Flow {
            destination: from(client, 0).client,
            ..Flow::default()
        };
        assert_eq!(bucket(DH, none, &destination), without_port);
    }
    assert_eq!(bucket(SH, none, &flow_of_bucket(200)), 200);
}

#[test]
fn destinations_are_shared_out_in_turn_whatever_the_weights() {
    let mut servers = named("ABC");
    servers[1].weight = 100;
    let preparation = Preparation::new(DH, &servers);
    let names: String = (0..7)
        .map(|bucket| preparation.name(&servers, &flow_of_bucket(bucket)))
        .collect();
    assert_eq!(names, "ABCABCA");
    assert_eq!(preparation.shares(&servers), [86, 85, 85]);
}

#[test]
fn a_destination_waits_for_its_server_even_if_others_are_idle() {
    let servers = [Server::new('A', 1).quiesced(), Server::new('B', 1)];
    let preparation = Preparation::new(DH, &servers).with(FALLBACK);
    assert_eq!(preparation.name(&servers, &flow_of_bucket(0)), '-');
    assert_eq!(preparation.name(&servers, &flow_of_bucket(1)), 'B');
    let servers = [servers[0], servers[1].overloaded()];
    assert_eq!(preparation.name(&servers, &flow_of_bucket(1)), '-');
}

#[test]
fn clients_are_shared_out_by_weight_in_runs_and_weight_0_has_one_entry_per_lap() {
    let servers = [
        Server::new('A', 3),
        Server::new('B', 0),
        Server::new('C', 2),
    ];
    let preparation = Preparation::new(SH, &servers);
    let table: Vec<u16> = [0, 0, 0, 1, 2, 2].into_iter().cycle().take(256).collect();
    assert_eq!(preparation.table, table);
    assert_eq!(preparation.name(&servers, &flow_of_bucket(3)), '-');
}

#[test]
fn without_servers_nobody_is_picked() {
    for scheduler in [DH, SH] {
        let preparation = Preparation::new(scheduler, &[]).with(FALLBACK);
        assert_eq!(preparation.name(&[], &flow_of_bucket(0)), '-');
    }
}

#[test]
fn clients_of_an_unavailable_server_fall_back_to_the_owner_of_another_entry_if_that_is_wanted() {
    let mut servers = named("ABCD");
    servers[1].weight = 0;
    let preparation = Preparation::new(SH, &named("ABCD"));
    assert_eq!(preparation.name(&servers, &flow_of_bucket(5)), '-');
    let preparation = preparation.with(FALLBACK);
    // Entry 5 is B's, so 10 (C's) is asked next.
    assert_eq!(preparation.name(&servers, &flow_of_bucket(5)), 'C');
    // Entry 225 is B's, then 450 mod 256 = 194, which is C's, then 195, which is D's.
    assert_eq!(preparation.name(&servers, &flow_of_bucket(225)), 'C');
    servers[2].overloaded = true;
    assert_eq!(preparation.name(&servers, &flow_of_bucket(225)), 'D');
    assert_eq!(preparation.name(&servers, &flow_of_bucket(4)), 'A');
    for server in &mut servers {
        server.weight = 0;
    }
    assert_eq!(preparation.name(&servers, &flow_of_bucket(5)), '-');
}

#[test]
fn only_the_port_option_makes_the_port_count() {
    let servers = named("ABCDEFGH");
    let reached = |options, scheduler| {
        let preparation = Preparation::new(scheduler, &servers).with(options);
        let mut reached: Vec<char> = (0..200)
            .map(|port| preparation.name(&servers, &from("10.0.0.2", port)))
            .collect();
        reached.sort_unstable();
        reached.dedup();
        reached.len()
    };
    assert_eq!(reached(Options::default(), SH), 1);
    assert_eq!(reached(PORT, SH), 8);
    assert_eq!(reached(PORT, DH), 1);
}

#[test]
fn options_come_from_the_first_two_scheduler_flags_of_a_service() {
    let (none, both) = (
        Options::default(),
        Options {
            fallback: true,
            port: true,
        },
    );
    for (flags, options) in [(0x08, FALLBACK), (0x10, PORT), (0x18, both), (0x27, none)] {
        assert_eq!(Options::from_flags(flags), options);
    }
}

proptest! {
    #[test]
    fn the_table_of_sources_is_that_of_the_rule_taken_literally(servers in servers(0u32..300)) {
        let expected: Vec<u16> = (0..)
            .zip(&servers)
            .flat_map(|(index, server)| repeat_n(index, server.weight.max(1) as usize))
            .collect::<Vec<u16>>()
            .into_iter()
            .cycle()
            .take(if servers.is_empty() { 0 } else { 256 })
            .collect();
        let table = Preparation::new(SH, &servers).table;
        prop_assert_eq!(&table[..expected.len()], &expected[..]);
    }

    #[test]
    fn picks_of_sources_are_those_of_the_rule_taken_literally(
        servers in servers(0u32..9), client: u32, client_port: u16, flags in 0u32..0x20,
    ) {
        let options = Options::from_flags(flags);
        let preparation = Preparation::new(SH, &servers).with(options);
        let key = client.wrapping_add(if options.port { client_port.into() } else { 0 });
        let home = (key.wrapping_mul(0x61c8_8647) >> 24) as usize;
        let tries = if options.fallback { 256 } else { 0 };
        let expected = std::iter::once(home)
            .chain((0..tries).map(|step| (2 * home + step) % 256))
            .filter_map(|entry| servers.get(usize::from(preparation.table[entry])))
            .find(|server| server.is_available())
            .map_or('-', |server| server.name);
        let flow = Flow { client, client_port, destination: 0 };
        prop_assert_eq!(preparation.name(&servers, &flow), expected);
    }
}
