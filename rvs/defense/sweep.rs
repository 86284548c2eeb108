// SPDX-License-Identifier: GPL-2.0-only

//! Going through the tables of connections, a part of them each time, and
//! ending the victims of `drop_entry`.

use super::victim::{Candidate, Turns};
use crate::{
    conn::{Connection, Connections},
    director::{Balanced, Balancer},
    sys::{
        cpu,
        rcu::{self, Held},
        time, Arc,
    },
};
use core::net::{Ipv4Addr, Ipv6Addr};

/// Runs that it takes to see a whole table.
const RUNS_PER_LAP: u32 = 32;

/// Connections of a bucket that one run ends at most.
const VICTIMS: usize = 32;

/// Where in the tables the next run begins, and whose turn it is.
pub struct Sweep {
    balancer: Arc<Balancer>,
    next4: u32,
    next6: u32,
    turns: Turns,
}

impl Sweep {
    /// From the start of the tables.
    pub fn new(balancer: Arc<Balancer>) -> Self {
        Self {
            balancer,
            next4: 0,
            next6: 0,
            turns: Turns::default(),
        }
    }

    /// Ends the victims in the next part of each table; how many they were. Sleeps.
    pub fn run(&mut self) -> u64 {
        let balancer = &self.balancer;
        let ended4 = sweep::<Ipv4Addr>(balancer, &mut self.next4, &mut self.turns);
        let ended6 = sweep::<Ipv6Addr>(balancer, &mut self.next6, &mut self.turns);
        ended4.saturating_add(ended6)
    }
}

fn sweep<A: Balanced>(balancer: &Balancer, next: &mut u32, turns: &mut Turns) -> u64 {
    let connections = A::connections(balancer);
    let mut ended = 0u64;
    for _ in 0..connections.table().buckets().div_ceil(RUNS_PER_LAP) {
        if *next >= connections.table().buckets() {
            *next = 0;
        }
        ended = ended.saturating_add(sweep_bucket(connections, *next, turns));
        *next = next.wrapping_add(1);
        if *next & 0xff == 0 {
            cpu::breathe();
        }
    }
    ended
}

fn sweep_bucket<A: Balanced>(connections: &Connections<A>, bucket: u32, turns: &mut Turns) -> u64 {
    let guard = rcu::read_lock();
    let rcu = Held::from(&guard);
    let now = time::jiffies();
    // Nothing can be ended while the bucket is locked.
    let mut victims = [const { None }; VICTIMS];
    let mut room = victims.iter_mut();
    connections.table().bucket_entries(
        bucket,
        |connection| {
            let candidate = candidate(&connection, connection.is_pinned(), now);
            if room.len() > 0 && turns.take(&candidate) {
                if let Some(slot) = room.next() {
                    *slot = Some(connection);
                }
            }
        },
        rcu,
    );
    let mut ended = 0u64;
    for victim in victims.into_iter().flatten() {
        connections.end(victim, rcu);
        ended = ended.saturating_add(1);
    }
    ended
}

fn candidate<A: Balanced>(
    connection: &Connection<A>,
    controls_others: bool,
    now: u32,
) -> Candidate {
    let status = connection.status();
    Candidate {
        protocol: connection.protocol,
        state: status.state(),
        is_template: status.is_template(),
        controls_others,
        idle: connection.idle_ticks(now) / time::HZ,
        packets: connection.packets(),
    }
}
