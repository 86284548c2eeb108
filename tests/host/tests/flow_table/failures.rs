// SPDX-License-Identifier: GPL-2.0-only

//! Memory runs out, at each place where some is asked for.

use std::ops::Range;

use rvs_host_tests::sys::{
    flow_table::{Link, NotInserted},
    heap::Shortage,
    rcu::{read_lock, Held},
};

use crate::world::{crowded, even, hash_of, World};

/// Runs `attempt` with the first allocation failing, then with the second one, and so on until
/// none is left to fail. How many there were.
fn at_each_allocation(mut attempt: impl FnMut(u64) -> Shortage) -> u64 {
    for granted in 0.. {
        let shortage = attempt(granted);
        if !shortage.has_struck() {
            return granted;
        }
    }
    unreachable!()
}

#[test]
fn a_table_is_made_whole_or_not_at_all() {
    let allocations = at_each_allocation(|granted| {
        let shortage = Shortage::after(granted);
        let world = World::try_new(even);
        assert_eq!(world.is_none(), shortage.has_struck());
        if let Some(world) = world {
            world.close();
        }
        shortage
    });
    assert!(
        allocations >= 4,
        "{allocations}: lists, desks, directory, segment"
    );
}

#[test]
fn an_insertion_without_memory_leaves_the_others_in_place() {
    const COUNT: u64 = 40;
    let allocations = at_each_allocation(|granted| {
        let mut world = World::new(crowded);
        let shortage = Shortage::after(granted);
        let mut failed = Vec::new();
        for key in 0..COUNT {
            let view = world.view();
            let guard = read_lock();
            match view.insert(key, Some(key), Held::from(&guard)) {
                Ok(inserted) => {
                    if !inserted.is_complete {
                        failed.push(key);
                        view.end_flow(inserted.entry, Held::from(&guard));
                    }
                    world.table.post(inserted.custody);
                }
                Err(NotInserted::NoMemory) => failed.push(key),
                Err(NotInserted::Exists(_)) => panic!("{key} is new"),
            }
        }
        assert_eq!(failed.len(), usize::from(shortage.has_struck()));
        for key in 0..COUNT {
            let is_there = !failed.contains(&key);
            assert_eq!(world.has(key, Link::Forward), is_there, "{key}");
            assert_eq!(world.has(key, Link::Reverse), is_there, "{key}");
        }
        world.settle();
        assert_eq!(world.census.alive(), COUNT as usize - failed.len());
        world.close();
        shortage
    });
    assert!(allocations > COUNT, "{allocations}: overflow buckets too");
}

/// Slots of a table that has not grown.
const SMALLEST: u32 = 256 * 7;

/// So many keys that share a bucket until there are more than 256; half of them share one then.
fn neighbours(count: usize) -> impl Iterator<Item = u64> {
    let is_first = |key: &u64| hash_of(*key, Link::Forward, even) & 0xff == 0;
    (0..).filter(is_first).take(count)
}

const OTHERS: Range<u64> = 1_000_000..1_000_700;

/// A table that is about to have more than 256 buckets.
fn about_to_grow() -> World {
    let mut world = World::new(even);
    for key in neighbours(60) {
        world.add(key, None);
    }
    for key in OTHERS {
        world.add(key, Some(key));
    }
    world.collect();
    world
}

fn check_all(world: &World) {
    assert!(neighbours(60).all(|key| world.has(key, Link::Forward)));
    for link in [Link::Forward, Link::Reverse] {
        assert!({ OTHERS }.all(|key| world.has(key, link)));
    }
}

#[test]
fn a_table_that_can_not_grow_stays_as_it_is_and_grows_later() {
    let allocations = at_each_allocation(|granted| {
        let mut world = about_to_grow();
        let shortage = Shortage::after(granted);
        world.keeper.resize(u32::MAX);
        check_all(&world);
        world.settle();
        check_all(&world);
        assert!(world.table.size() > SMALLEST, "it has not grown");
        world.close();
        shortage
    });
    assert!(
        allocations > 4,
        "{allocations}: a segment and overflow buckets"
    );
}

#[test]
fn a_table_that_can_not_shrink_stays_as_it_is_and_shrinks_later() {
    let allocations = at_each_allocation(|granted| {
        let mut world = about_to_grow();
        world.settle();
        assert!(world.table.size() > SMALLEST);
        for key in neighbours(120).skip(60) {
            world.add(key, None);
        }
        for key in OTHERS {
            world.end(key);
        }
        world.collect();
        let shortage = Shortage::after(granted);
        world.keeper.resize(u32::MAX);
        assert!(neighbours(120).all(|key| world.has(key, Link::Forward)));
        world.settle();
        assert!(neighbours(120).all(|key| world.has(key, Link::Forward)));
        assert_eq!(world.table.size(), SMALLEST, "it has not shrunk");
        assert_eq!(world.census.alive(), 120);
        // What was moved in vain must not have stayed.
        assert!(neighbours(120).all(|key| world.end(key)));
        assert!(!neighbours(120).any(|key| world.has(key, Link::Forward)));
        world.settle();
        assert_eq!(world.buckets.objects(), 0);
        world.close();
        shortage
    });
    assert!(
        allocations > 2,
        "{allocations}: overflow buckets where two chains become one"
    );
}
