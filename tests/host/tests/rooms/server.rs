// SPDX-License-Identifier: GPL-2.0-only

//! Real servers made up for the schedulers' tests.

use proptest::prelude::*;
use rvs_host_tests::sched::{Candidate, Cursor, Scheduler};

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Server {
    pub(crate) name: char,
    pub(crate) weight: u32,
    pub(crate) active: u32,
    pub(crate) inactive: u32,
    pub(crate) overloaded: bool,
}

impl Server {
    pub(crate) fn new(name: char, weight: u32) -> Server {
        Server {
            name,
            weight,
            ..Server::default()
        }
    }

    pub(crate) fn overloaded(self) -> Server {
        Server {
            overloaded: true,
            ..self
        }
    }

    pub(crate) fn loaded(self, active: u32, inactive: u32) -> Server {
        Server {
            active,
            inactive,
            ..self
        }
    }

    pub(crate) fn is_available(&self) -> bool {
        self.weight > 0 && !self.overloaded
    }
}

impl Candidate for Server {
    fn weight(&self) -> u32 {
        self.weight
    }

    fn active(&self) -> u32 {
        self.active
    }

    fn total(&self) -> u32 {
        self.active + self.inactive
    }

    fn is_overloaded(&self) -> bool {
        self.overloaded
    }
}

/// `count` picks from where the cursor stands, by the servers' names; `-` is no server.
pub(crate) fn picks(
    scheduler: Scheduler,
    servers: &[Server],
    cursor: &mut Cursor,
    count: usize,
) -> String {
    let prepared = scheduler.prepare(servers);
    (0..count)
        .map(|_| match scheduler.pick(servers, prepared, *cursor) {
            Some(pick) => {
                *cursor = pick.cursor;
                servers[pick.index].name
            }
            None => '-',
        })
        .collect()
}

/// Lists of up to nine servers, some of weight 0, some overloaded.
pub(crate) fn servers(weights: impl Strategy<Value = u32>) -> impl Strategy<Value = Vec<Server>> {
    let server = (weights, 0u32..1000, 0u32..1000, prop::bool::weighted(0.2));
    prop::collection::vec(server, 0..9).prop_map(|servers| {
        ('A'..)
            .zip(servers)
            .map(|(name, (weight, active, inactive, overloaded))| Server {
                name,
                weight,
                active,
                inactive,
                overloaded,
            })
            .collect()
    })
}

#[test]
fn schedulers_are_found_by_the_names_of_ipvs_and_no_others() {
    let names = Scheduler::ALL.map(Scheduler::name);
    assert_eq!(names, ["rr", "wrr", "wlc"]);
    for scheduler in Scheduler::ALL {
        assert_eq!(
            Scheduler::from_name(scheduler.name().as_bytes()),
            Some(scheduler)
        );
    }
    for name in ["", "r", "rrr", "RR", "none", "wlc\0"] {
        assert_eq!(Scheduler::from_name(name.as_bytes()), None, "{name:?}");
    }
}

#[test]
fn cursors_survive_as_integers_and_begin_at_zero() {
    assert_eq!(Cursor::default().to_bits(), 0);
    for bits in [0, 1, 0xffff_ffff, 1 << 32, u64::MAX, 0x0123_4567_89ab_cdef] {
        assert_eq!(Cursor::from_bits(bits).to_bits(), bits);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn an_unavailable_server_is_never_picked_and_an_available_one_always_found(
        servers in servers(prop_oneof![Just(0), 1u32..5, any::<u32>()]),
        prepared_for in servers(0u32..9),
        bits: u64,
    ) {
        for scheduler in Scheduler::ALL {
            for prepared in [scheduler.prepare(&servers), scheduler.prepare(&prepared_for)] {
                let mut cursor = Cursor::from_bits(bits);
                for _ in 0..10 {
                    match scheduler.pick(&servers, prepared, cursor) {
                        Some(pick) => {
                            prop_assert!(servers[pick.index].is_available());
                            cursor = pick.cursor;
                        }
                        // `wrr` prepared while every weight was 0 waits for its new preparation.
                        None => prop_assert!(
                            !servers.iter().any(Server::is_available)
                                || prepared == Default::default()
                        ),
                    }
                }
            }
        }
    }
}
