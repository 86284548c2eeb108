// SPDX-License-Identifier: GPL-2.0-only

//! What the table costs.

use crate::world::{even, World};

/// The budget of the design, in bytes of table per connection.
const BUDGET: f64 = 32.0;

/// Bytes of table (segments, directory, overflow buckets) per entry, as a table with `entries`
/// entries under two keys each grows by itself.
fn bytes_per_entry(world: &World) -> f64 {
    let bytes = world.arrays.bytes() + world.buckets.bytes();
    bytes as f64 / world.keeper.entries() as f64
}

#[test]
fn a_connection_costs_at_most_32_bytes_of_table() {
    let mut world = World::new(even);
    let mut worst = 0.0f64;
    let mut entries = 0;
    // Through all sizes from one power of two to the next, after the fixed costs have become small.
    while entries < 120_000 {
        for _ in 0..2000 {
            world.add(entries, Some(entries));
            entries += 1;
        }
        world.settle();
        if entries >= 40_000 {
            worst = worst.max(bytes_per_entry(&world));
        }
    }
    println!("at most {worst:.2} bytes per entry");
    assert!(worst <= BUDGET, "{worst:.2} bytes per entry");
    world.close();
}

#[test]
fn it_costs_no_more_when_connections_have_come_and_gone_for_long() {
    let mut world = World::new(even);
    let population = 48_000;
    for number in 0..population {
        world.add(number, Some(number));
    }
    world.settle();
    // Each of them is replaced twice, in no order.
    let mut present: Vec<u64> = (0..population).collect();
    for number in population..3 * population {
        let index = even(number) as usize % present.len();
        world.end(present[index]);
        present[index] = number;
        world.add(number, Some(number));
        if number % 2000 == 0 {
            world.settle();
        }
    }
    world.settle();
    let bytes = bytes_per_entry(&world);
    println!("{bytes:.2} bytes per entry");
    assert!(bytes <= BUDGET, "{bytes:.2} bytes per entry");
    world.close();
}

#[test]
#[ignore = "a figure for the record: a million entries take seconds"]
fn a_million_connections_cost_at_most_32_megabytes_of_table() {
    let mut world = World::new(even);
    for number in 0..1_000_000 {
        world.add(number, Some(number));
        if number % 50_000 == 0 {
            world.settle();
        }
    }
    world.settle();
    println!(
        "{:.2} bytes per entry: {} of arrays, {} of overflow buckets ({} for {} slots)",
        bytes_per_entry(&world),
        world.arrays.bytes(),
        world.buckets.bytes(),
        world.buckets.objects(),
        world.table.size(),
    );
    assert!(bytes_per_entry(&world) <= BUDGET);
    world.close();
}
