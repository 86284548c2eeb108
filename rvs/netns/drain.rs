// SPDX-License-Identifier: GPL-2.0-only

//! The job that looks after real servers that are being drained: it runs
//! whether or not the command that asked for it still does.

use super::Netns;
use crate::{
    conn::{OfServer, Part},
    director::{Balancer, Ending},
    packet::Endpoint,
    sched::Candidate,
    service::{
        config::{
            drain::{DrainPlan, Draining, Leftovers},
            Refusal,
        },
        ServiceKey,
    },
    sys::{net::Net, time, worker::Job},
};
use core::net::IpAddr;

/// Ticks between two looks at a real server that has active connections, of which it has a count.
const LOOK_TICKS: u32 = time::HZ / 4;
/// Ticks between two looks at all connections, which find those that are half closed.
const PASS_TICKS: u32 = time::HZ;

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
    fn run(&self) -> Option<u32> {
        let netns = Netns::of(self.net).ok()?;
        if netns.state.lock().is_quiesced {
            return None;
        }
        let balancer = netns.balancer()?;
        let Some(Ok(drains)) = netns.read_config(|config| config.drains()) else {
            // Memory is out: later.
            return Some(PASS_TICKS);
        };
        let mut next: Option<u32> = None;
        for mut draining in drains {
            let wait = netns.look_at(&mut draining, &balancer);
            // Whoever removed the server or its service meanwhile had reasons.
            let _ = netns.with_config(|config| config.note_drain(&draining));
            if draining.drain.is_done {
                netns.sweep_if_asked();
            } else {
                next = Some(next.map_or(wait, |next| next.min(wait)));
            }
        }
        next
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
        let server = self.with_config(|config| config.start_drain(key, endpoint, plan))?;
        if let Some(balancer) = self.balancer() {
            let movable = OfServer {
                server: &server,
                part: Part::Movable,
            };
            balancer.end_selected(self.net, &movable, Ending::Silent);
        }
        if let Some(active) = self.state.lock().active.as_ref() {
            active.drainer.hurry();
        }
        Ok(())
    }

    /// Has a real server get new flows again. Sleeps.
    pub fn undrain_server(
        &self,
        key: ServiceKey,
        endpoint: Endpoint<IpAddr>,
    ) -> Result<(), Refusal> {
        self.with_config(|config| config.stop_drain(key, endpoint))
    }

    /// Looks at a real server that is being drained, and ends what is left if it is time for that. After how
    /// many ticks to look again. Sleeps.
    fn look_at(&self, draining: &mut Draining, balancer: &Balancer) -> u32 {
        let Draining { server, drain, .. } = draining;
        let until_deadline = drain.ticks_left(time::jiffies()).unwrap_or(u32::MAX);
        drain.left = server.active();
        if drain.left > 0 && until_deadline > 0 {
            return LOOK_TICKS.min(until_deadline);
        }
        let unfinished = OfServer {
            server,
            part: Part::Unfinished,
        };
        let left = if until_deadline > 0 {
            balancer.count_selected(&unfinished)
        } else {
            let ending = match drain.plan.leftovers {
                Leftovers::Reset => Ending::Reset,
                Leftovers::Drop => Ending::Silent,
            };
            balancer.end_selected(self.net, &unfinished, ending);
            0
        };
        drain.left = u32::try_from(left).unwrap_or(u32::MAX);
        drain.is_done = left == 0;
        PASS_TICKS.min(until_deadline)
    }
}
