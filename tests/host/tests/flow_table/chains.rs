// SPDX-License-Identifier: GPL-2.0-only

//! Slots and overflow chains, one case at a time. Hashes are given as they are: the top byte is the
//! fingerprint, the low bits choose the bucket.

use std::cell::Cell;

use rvs_host_tests::sys::{
    flow_table::Link,
    rcu::{read_lock, Held},
};

use crate::world::{even, hash_of, World};

/// A key that chooses its hash.
fn key(fingerprint: u64, bucket: u64, serial: u64) -> u64 {
    (fingerprint << 48) | (serial << 32) | bucket
}

/// The hash that a key has chosen.
fn literal(number: u64) -> u64 {
    let key = number / 2;
    ((key >> 48) << 56) | (key & 0xffff_ffff)
}

/// Slots of a bucket, of which the last becomes the link to the next bucket.
const SLOTS: u64 = 7;

#[test]
fn a_freed_slot_is_not_looked_at() {
    for fingerprint in 0..=255 {
        let mut world = World::new(literal);
        world.add(key(fingerprint, 0, 0), None);
        // Stands right behind it, under the fingerprint that differs in one bit.
        world.add(key(fingerprint ^ 1, 0, 1), None);
        world.end(key(fingerprint ^ 1, 0, 1));
        world.settle();
        assert_eq!(world.census.alive(), 1, "the second one is freed by now");

        assert!(!world.has(key(fingerprint, 0, 2), Link::Forward));
        world.close();
    }
}

#[test]
fn a_miss_in_a_chain_ends_whatever_the_fingerprint() {
    for fingerprint in 0..=255 {
        let world = World::new(literal);
        for serial in 0..SLOTS + 1 {
            world.add(key(fingerprint, 0, serial), None);
        }
        let looks = Cell::new(0);
        let guard = read_lock();
        let missing = hash_of(key(fingerprint, 0, SLOTS + 1), Link::Forward, literal);
        let found = world.table.lookup(
            missing,
            |_, _| {
                looks.set(looks.get() + 1);
                assert!(looks.get() < 100, "fingerprint {fingerprint}: goes round");
                None::<()>
            },
            Held::from(&guard),
        );
        assert!(found.is_none());
        drop(guard);
        world.close();
    }
}

#[test]
fn every_entry_of_a_long_chain_is_found_while_it_is_taken_apart() {
    let mut world = World::new(literal);
    let keys: Vec<u64> = (0..6 * SLOTS)
        .map(|serial| key(serial % 5, 3, serial))
        .collect();
    for &key in &keys {
        assert!(world.add(key, None));
        assert!(!world.add(key, None), "a second one of the same key");
    }
    assert_eq!(
        world.buckets.objects(),
        6,
        "6 + 6 + 6 + 6 + 6 + 6 + 6 slots"
    );

    // From the middle outwards, so that buckets in the middle become empty first.
    let mut left = keys;
    while !left.is_empty() {
        let gone = left.remove(left.len() / 2);
        assert!(world.end(gone));
        assert!(!world.has(gone, Link::Forward));
        assert!(left.iter().all(|&key| world.has(key, Link::Forward)));
        world.collect();
    }
    world.settle();
    assert_eq!(world.buckets.objects(), 0, "no bucket is left of the chain");
    world.close();
}

#[test]
fn an_entry_whose_keys_share_a_bucket_stands_there_twice() {
    let mut world = World::new(|_| 0x7700_0000_0000_0001);
    for number in 0..20 {
        world.add(number, Some(number));
    }
    for number in 0..20 {
        assert!(world.has(number, Link::Forward) && world.has(number, Link::Reverse));
    }
    world.end(7);
    assert!(!world.has(7, Link::Forward) && !world.has(7, Link::Reverse));
    world.settle();
    assert_eq!(world.census.alive(), 19);
    world.close();
}

#[test]
fn of_entries_with_the_same_reverse_key_the_newest_is_found_and_then_one_before_it() {
    let mut world = World::new(|_| 0x7700_0000_0000_0001);
    // Among others of the chain, of which some leave slots free in front.
    for number in 0..30 {
        world.add(number, Some(number));
    }
    for gone in [2, 3, 17] {
        world.end(gone);
    }
    world.settle();
    let found = |world: &World| {
        let (view, guard) = (world.view(), read_lock());
        view.find(100, Link::Reverse, Held::from(&guard))
            .map(|flow| flow.forward)
    };
    for number in 100..110 {
        world.add(number, Some(100));
        assert_eq!(found(&world), Some(number));
    }
    for number in (101..110).rev() {
        world.end(number);
        assert!(found(&world).is_some_and(|other| (100..number).contains(&other)));
    }
    world.end(100);
    assert_eq!(found(&world), None);
    world.close();
}

#[test]
fn in_a_table_of_the_right_size_hardly_an_insertion_calls_for_growth() {
    let mut world = World::new(even);
    let mut calls = 0u32;
    // All sizes between two powers of two: in the middle the load is the most uneven.
    for number in 0..6000 {
        let view = world.view();
        let guard = read_lock();
        let Ok(inserted) = view.insert(number, Some(number), Held::from(&guard)) else {
            panic!("memory is ample and the number new");
        };
        calls += u32::from(inserted.is_crowded);
        world.table.post(inserted.custody);
        drop(guard);
        world.collect();
        world.keeper.resize(u32::MAX);
    }
    assert!(calls < 30, "{calls} of 6000");
    world.close();
}
