// SPDX-License-Identifier: GPL-2.0-only

//! Walks that go on while the table changes.

use std::collections::{HashMap, HashSet};

use proptest::prelude::*;
use rvs_host_tests::sys::{
    flow_table::{Place, Walked},
    rcu::{read_lock, Held},
};

use crate::world::{crowded, even, Spread, World};

/// Keys that stay in the table during a walk.
const RESIDENTS: u64 = 3000;
/// Keys from which others come and go.
const GUESTS: u64 = 1 << 32;

/// Goes on with a walk for as long as the reader takes entries, at most `entries` of them.
fn go_on(world: &World, place: Place, mut entries: usize, met: &mut Vec<u64>) -> Option<Place> {
    let mut place = place;
    loop {
        let guard = read_lock();
        let walked = world.table.walk(
            place,
            |flow| {
                let takes = entries > 0;
                if takes {
                    flow.check();
                    met.push(flow.forward);
                    entries -= 1;
                }
                takes
            },
            Held::from(&guard),
        );
        match walked {
            Walked::On(next) => place = next,
            Walked::Stopped(next) => return Some(Place::from_words(next.to_words())),
            Walked::Through => return None,
        }
    }
}

/// What happens between two parts of a walk.
#[derive(Clone, Copy, Debug)]
enum Meanwhile {
    /// So many others come, and the table gets buckets for them.
    Grow(u64),
    /// All others go, and buckets with them.
    Shrink,
    /// As many steps of a change of size as this.
    Resize(u32),
}

fn meanwhile() -> impl Strategy<Value = Meanwhile> {
    prop_oneof![
        (1..4000u64).prop_map(Meanwhile::Grow),
        Just(Meanwhile::Shrink),
        (1..300u32).prop_map(Meanwhile::Resize),
    ]
}

struct Guests {
    present: Vec<u64>,
    next: u64,
}

impl Guests {
    fn apply(&mut self, world: &mut World, meanwhile: Meanwhile) {
        match meanwhile {
            Meanwhile::Grow(count) => {
                for _ in 0..count {
                    world.add(GUESTS + self.next, None);
                    self.present.push(GUESTS + self.next);
                    self.next += 1;
                }
                world.collect();
            }
            Meanwhile::Shrink => {
                for guest in self.present.drain(..) {
                    assert!(world.end(guest));
                }
                world.collect();
            }
            Meanwhile::Resize(steps) => {
                world.keeper.resize(steps);
            }
        }
    }
}

fn walk_while(spread: Spread, parts: &[(usize, Meanwhile)]) -> HashMap<u64, usize> {
    let mut world = World::new(spread);
    for key in 0..RESIDENTS {
        assert!(world.add(key, Some(key)));
    }
    world.collect();
    let mut guests = Guests {
        present: Vec::new(),
        next: 0,
    };
    let mut met = Vec::new();
    let mut place = Some(Place::default());
    for (entries, meanwhile) in parts {
        let Some(from) = place else { break };
        place = go_on(&world, from, *entries, &mut met);
        guests.apply(&mut world, *meanwhile);
    }
    while let Some(from) = place {
        place = go_on(&world, from, usize::MAX, &mut met);
    }
    world.close();
    let mut times = HashMap::new();
    for key in met {
        *times.entry(key).or_insert(0) += 1;
    }
    times
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn a_walk_meets_every_entry_that_stays_once_however_the_table_changes_its_size(
        parts in proptest::collection::vec((1..400usize, meanwhile()), 1..24)
    ) {
        let times = walk_while(even, &parts);
        for key in 0..RESIDENTS {
            prop_assert_eq!(times.get(&key), Some(&1), "key {}", key);
        }
        prop_assert!(times.values().all(|times| *times == 1));
    }
}

#[test]
fn a_walk_meets_entries_with_the_same_hash_once_each_wherever_it_pauses() {
    for pause in [1, 2, 3, 7, 50] {
        let world = World::new(crowded);
        let keys: HashSet<u64> = (0..200).collect();
        for key in &keys {
            assert!(world.add(*key, None));
        }
        let mut met = Vec::new();
        let mut place = Some(Place::default());
        while let Some(from) = place {
            place = go_on(&world, from, pause, &mut met);
        }
        assert_eq!(met.len(), keys.len());
        assert_eq!(met.iter().copied().collect::<HashSet<_>>(), keys);
        world.close();
    }
}

#[test]
fn any_two_words_are_a_place_from_which_a_walk_ends() {
    let world = World::new(even);
    for key in 0..1000 {
        assert!(world.add(key, None));
    }
    for words in [
        [u64::MAX, 0],
        [u64::MAX, u64::MAX],
        [1 << 63, 5],
        [1, u64::MAX],
    ] {
        let mut met = Vec::new();
        assert_eq!(
            go_on(&world, Place::from_words(words), usize::MAX, &mut met),
            None
        );
        assert!(met.len() <= 1000);
    }
    world.close();
}
