// SPDX-License-Identifier: GPL-2.0-only

//! Real servers made up for the schedulers' tests.

use proptest::prelude::*;
use rvs_host_tests::sched::{
    fold, Candidate, Change, Cursor, Flow, Options, Pick, Pool, Prepared, Scheduler, Slot, Walk,
    NOBODY,
};

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Server {
    pub(crate) name: char,
    pub(crate) weight: u32,
    pub(crate) last_weight: u32,
    pub(crate) active: u32,
    pub(crate) inactive: u32,
    pub(crate) overloaded: bool,
    pub(crate) removed: bool,
    pub(crate) address: u32,
    pub(crate) port: u16,
}

impl Server {
    pub(crate) fn new(name: char, weight: u32) -> Server {
        Server {
            name,
            weight,
            last_weight: weight,
            address: 0x0a01_0000 | u32::from(name),
            port: 80,
            ..Server::default()
        }
    }

    pub(crate) fn overloaded(self) -> Server {
        Server {
            overloaded: true,
            ..self
        }
    }

    pub(crate) fn removed(self) -> Server {
        Server {
            removed: true,
            ..self
        }
    }

    /// Taken out for a while by weight 0.
    pub(crate) fn quiesced(self) -> Server {
        Server { weight: 0, ..self }
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

    fn last_weight(&self) -> u32 {
        self.last_weight
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

    fn is_configured(&self) -> bool {
        !self.removed
    }

    fn address(&self) -> u32 {
        self.address
    }

    fn port(&self) -> u16 {
        self.port
    }
}

/// What a scheduler prepared for a list of servers.
pub(crate) struct Preparation {
    pub(crate) scheduler: Scheduler,
    pub(crate) prepared: Prepared,
    pub(crate) table: Vec<Slot>,
    pub(crate) options: Options,
}

impl Preparation {
    pub(crate) fn new(scheduler: Scheduler, servers: &[Server]) -> Preparation {
        let mut table = vec![NOBODY; scheduler.table_len(servers.len())];
        let mut walks = vec![Walk::default(); scheduler.walks_len(servers.len())];
        let prepared = scheduler.prepare(servers, &mut table, &mut walks);
        Preparation {
            scheduler,
            prepared,
            table,
            options: Options::default(),
        }
    }

    pub(crate) fn with(self, options: Options) -> Preparation {
        Preparation { options, ..self }
    }

    pub(crate) fn pick_with(
        &self,
        servers: &[Server],
        cursor: Cursor,
        flow: &Flow,
        random: impl FnMut() -> u64,
    ) -> Option<Pick> {
        let pool = Pool {
            servers,
            prepared: self.prepared,
            table: &self.table,
            options: self.options,
        };
        self.scheduler.pick(&pool, cursor, flow, random)
    }

    pub(crate) fn pick(&self, servers: &[Server], cursor: Cursor) -> Option<Pick> {
        self.pick_with(servers, cursor, &Flow::default(), || 0)
    }

    /// The cursor to go on with after a pick from `cursor`.
    pub(crate) fn after(&self, pick: Option<Pick>, cursor: Cursor) -> Cursor {
        match pick {
            Some(pick) => pick.cursor,
            None => self.scheduler.after_nobody(self.prepared, cursor),
        }
    }

    /// The name of the server for a flow; `-` is none.
    pub(crate) fn name(&self, servers: &[Server], flow: &Flow) -> char {
        self.pick_with(servers, Cursor::default(), flow, || 0)
            .map_or('-', |pick| servers[pick.index].name)
    }

    /// How many entries of the table each server owns, in list order.
    pub(crate) fn shares(&self, servers: &[Server]) -> Vec<usize> {
        let mut shares = vec![0; servers.len()];
        for owner in self.table.iter().filter(|owner| **owner != NOBODY) {
            shares[usize::from(*owner)] += 1;
        }
        shares
    }
}

/// `count` picks from where the cursor stands, by the servers' names; `-` is no server.
pub(crate) fn picks(
    scheduler: Scheduler,
    servers: &[Server],
    cursor: &mut Cursor,
    count: usize,
) -> String {
    let preparation = Preparation::new(scheduler, servers);
    (0..count)
        .map(|_| {
            let pick = preparation.pick(servers, *cursor);
            *cursor = preparation.after(pick, *cursor);
            pick.map_or('-', |pick| servers[pick.index].name)
        })
        .collect()
}

/// The next pick of a scheduler that remembers nothing.
pub(crate) fn pick(scheduler: Scheduler, servers: &[Server]) -> String {
    picks(scheduler, servers, &mut Cursor::default(), 1)
}

/// A flow from an address in the usual notation.
pub(crate) fn from(client: &str, client_port: u16) -> Flow {
    let client: std::net::Ipv4Addr = client.parse().expect("an address");
    Flow {
        client: client.to_bits(),
        client_port,
        destination: 0,
    }
}

/// Lists of up to nine servers, some of weight 0, some overloaded.
pub(crate) fn servers(weights: impl Strategy<Value = u32>) -> impl Strategy<Value = Vec<Server>> {
    let server = (weights, 0u32..1000, 0u32..1000, prop::bool::weighted(0.2));
    prop::collection::vec(server, 0..9).prop_map(|servers| {
        ('A'..)
            .zip(servers)
            .map(|(name, (weight, active, inactive, overloaded))| Server {
                active,
                inactive,
                overloaded,
                ..Server::new(name, weight)
            })
            .collect()
    })
}

#[test]
fn schedulers_are_found_by_the_names_of_ipvs_and_no_others() {
    let names = Scheduler::ALL.map(Scheduler::name);
    assert_eq!(
        names,
        [
            "rr", "wrr", "lc", "wlc", "fo", "ovf", "lblc", "lblcr", "dh", "sh", "mh", "sed", "nq",
            "twos"
        ]
    );
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

#[test]
fn addresses_are_folded_word_by_word() {
    let fold = |address: &str| fold(address.parse().expect("an address"));
    assert_eq!(fold("192.0.2.1"), 0xc000_0201);
    assert_eq!(fold("2001:db8::1"), 0x2001_0db8 ^ 1);
    assert_eq!(
        fold("1:2:3:4:5:6:7:8"),
        0x0001_0002 ^ 0x0003_0004 ^ 0x0005_0006 ^ 0x0007_0008
    );
}

/// Those that have a server for every flow as long as one is available.
const NEVER_EMPTY_HANDED: [Scheduler; 10] = [
    Scheduler::RoundRobin,
    Scheduler::WeightedRoundRobin,
    Scheduler::LeastConnection,
    Scheduler::WeightedLeastConnection,
    Scheduler::Failover,
    Scheduler::Locality,
    Scheduler::LocalityWithReplication,
    Scheduler::ShortestExpectedDelay,
    Scheduler::NeverQueue,
    Scheduler::TwoChoices,
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn an_unavailable_server_is_never_picked_and_an_available_one_always_found(
        servers in servers(prop_oneof![Just(0), 1u32..5, any::<u32>()]),
        prepared_for in servers(0u32..9),
        bits: u64,
        client: u32,
        random: u64,
    ) {
        let flow = Flow { client, client_port: 1, destination: client };
        for scheduler in Scheduler::ALL {
            for prepared_for in [&servers, &prepared_for] {
                let preparation = Preparation::new(scheduler, prepared_for);
                let mut cursor = Cursor::from_bits(bits);
                for _ in 0..10 {
                    let pick = preparation.pick_with(&servers, cursor, &flow, || random);
                    cursor = preparation.after(pick, cursor);
                    match pick {
                        Some(pick) => prop_assert!(servers[pick.index].is_available()),
                        // `wrr` prepared while every weight was 0 waits for its new preparation.
                        None => prop_assert!(
                            !servers.iter().any(Server::is_available)
                                || preparation.prepared == Prepared::default()
                                    && scheduler == Scheduler::WeightedRoundRobin
                                || !NEVER_EMPTY_HANDED.contains(&scheduler)
                        ),
                    }
                }
            }
        }
    }

    #[test]
    fn only_those_that_take_turns_touch_the_cursor(
        servers in servers(0u32..9), bits: u64, random: u64,
    ) {
        let cursor = Cursor::from_bits(bits);
        for scheduler in Scheduler::ALL {
            if [Scheduler::RoundRobin, Scheduler::WeightedRoundRobin].contains(&scheduler) {
                continue;
            }
            let preparation = Preparation::new(scheduler, &servers);
            let pick = preparation.pick_with(&servers, cursor, &Flow::default(), || random);
            prop_assert_eq!(preparation.after(pick, cursor), cursor);
            prop_assert_eq!(scheduler.after_changes(cursor, [Change::Added], preparation.prepared), cursor);
        }
    }
}
