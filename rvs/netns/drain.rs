// SPDX-License-Identifier: GPL-2.0-only

//! The job that looks after real servers that are being drained: it runs
//! whether or not the command that asked for it still does. However many they
//! are, it passes over the connections once for each thing that is to be done.

use super::Netns;
use crate::{
    conn::{Connection, Part, Selects},
    director::{Balancer, Ending, Progress},
    packet::{Address, Endpoint, Family},
    service::{
        config::{
            drain::{DrainPlan, Draining, Drains, Due, Leftovers},
            Refusal,
        },
        ServiceKey,
    },
    sys::{
        cpu,
        flow_table::Lent,
        net::Net,
        time,
        worker::{job_class, Job, JobClass},
    },
};
use core::net::IpAddr;

/// Ticks between two looks at a real server that has active connections, of which it has a count.
const LOOK_TICKS: u32 = time::HZ / 4;
/// Ticks between two looks at all connections, which find those that are half closed.
const PASS_TICKS: u32 = time::HZ;
/// The shortest pause between two runs: deadlines that follow each other closely are met together.
const PAUSE_TICKS: u32 = time::HZ / 10;

/// The job of a namespace.
pub struct Drainer {
    net: Net<'static>,
}

impl Drainer {
    /// That of `net`, whose [`Netns`] stops it before it goes.
    pub const fn new(net: Net<'static>) -> Self {
        Self { net }
    }
}

impl Job for Drainer {
    fn class() -> JobClass {
        job_class!("rvs_drainer")
    }

    fn run(&self) -> Option<u32> {
        let netns = Netns::visit(self.net).ok()?;
        let balancer = netns.balancer()?;
        let began = time::jiffies();
        let Some(Ok(mut drains)) = netns.read_config(|config| config.drains(began)) else {
            // Memory is out: later.
            return Some(PASS_TICKS);
        };
        let next = netns.look_after(&mut drains, &balancer);
        if netns.is_quiesced() {
            return None;
        }
        let noted = netns.change(|transaction| transaction.note_drains(&drains));
        let next = match noted {
            Ok(()) => next?,
            Err(_) => next.map_or(PASS_TICKS, |next| next.min(PASS_TICKS)),
        };
        // A table that takes long to pass over keeps nobody busy for more than half of the time.
        let took = time::jiffies().wrapping_sub(began);
        Some(next.max(took).max(PAUSE_TICKS))
    }
}

/// Entries of those real servers that are drained for which `wants` says so.
struct OfDrained<'a, W> {
    netns: &'a Netns,
    drains: &'a Drains,
    part: Part,
    wants: W,
}

impl<W: Fn(&Draining) -> bool> Selects for OfDrained<'_, W> {
    fn excludes(&self, family: Family) -> bool {
        let mut servers = self.drains.iter().map(|draining| &draining.server);
        !servers.any(|server| server.service.family() == family)
    }

    fn includes<A: Address>(&self, entry: Lent<'_, Connection<A>>, now: u32) -> bool {
        let server = entry.server.as_deref().filter(|own| own.is_draining());
        let draining = server.and_then(|server| self.drains.of(server));
        draining.is_some_and(&self.wants) && self.part.includes(entry.get(), now)
    }

    fn goes_on(&self) -> bool {
        cpu::breathe();
        !self.netns.is_quiesced()
    }
}

impl Netns {
    /// Has a real server get no new flows: its clients are no longer kept there, their flows of UDP go elsewhere, and
    /// connections of TCP may finish until the deadline. Sleeps.
    pub fn drain_server(
        &self,
        key: ServiceKey,
        endpoint: Endpoint<IpAddr>,
        plan: DrainPlan,
    ) -> Result<(), Refusal> {
        self.change(|transaction| transaction.start_drain(key, endpoint, plan))?;
        if let Some(jobs) = self.jobs.as_ref() {
            jobs.drainer.hurry();
        }
        Ok(())
    }

    /// Has a real server get new flows again. Sleeps.
    pub fn undrain_server(
        &self,
        key: ServiceKey,
        endpoint: Endpoint<IpAddr>,
    ) -> Result<(), Refusal> {
        self.change(|transaction| transaction.stop_drain(key, endpoint))
    }

    /// Does what is due for the real servers that are being drained. After how many ticks to look again; `None` if
    /// nothing is left to be done. Sleeps.
    fn look_after(&self, drains: &mut Drains, balancer: &Balancer) -> Option<u32> {
        self.end(drains, balancer, Part::Movable, Ending::Silent, |it| {
            !it.drain.has_moved
        });
        self.count(drains, balancer);
        for (leftovers, ending) in [
            (Leftovers::Reset, Ending::Reset),
            (Leftovers::Drop, Ending::Silent),
        ] {
            self.end(drains, balancer, Part::Unfinished, ending, |it| {
                it.due == Due::End(leftovers)
            });
        }
        let mut next: Option<u32> = None;
        for draining in drains.iter_mut() {
            draining.conclude();
            let pause = match draining.due {
                _ if draining.drain.is_done => continue,
                Due::Nothing => LOOK_TICKS,
                Due::Count | Due::End(_) => PASS_TICKS,
            };
            let until_deadline = draining.drain.ticks_left(time::jiffies());
            let wait = pause.min(until_deadline.unwrap_or(u32::MAX));
            next = Some(next.map_or(wait, |next| next.min(wait)));
        }
        next
    }

    /// Ends a part of the connections of the real servers for which `wants` says so. Sleeps.
    fn end(
        &self,
        drains: &Drains,
        balancer: &Balancer,
        part: Part,
        ending: Ending,
        wants: impl Fn(&Draining) -> bool,
    ) {
        if drains.iter().any(&wants) {
            let meant = OfDrained {
                netns: self,
                drains,
                part,
                wants,
            };
            balancer.end_selected(self.net, &meant, ending, Progress::default());
        }
    }

    /// Counts the unfinished connections where that is due. Sleeps.
    fn count(&self, drains: &Drains, balancer: &Balancer) {
        let wants = |draining: &Draining| draining.due == Due::Count;
        if drains.iter().any(wants) {
            let meant = OfDrained {
                netns: self,
                drains,
                part: Part::Unfinished,
                wants,
            };
            balancer.tally(&meant, Progress::default(), |server| {
                if let Some(draining) = server.and_then(|server| drains.of(server)) {
                    draining.count_one();
                }
            });
        }
    }
}
