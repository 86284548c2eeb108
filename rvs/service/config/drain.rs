// SPDX-License-Identifier: GPL-2.0-only

//! Draining: real servers that get no new flows while those they have come to
//! an end. What is due is said here; who looks at connections is the
//! namespace's business.

use super::{Config, Refusal, Transaction};
use crate::{
    events::{self, Event, Subject},
    packet::Endpoint,
    sched::Candidate,
    service::{RealServer, ServiceKey},
    sys::{time, Arc},
};
use core::{cell::Cell, net::IpAddr, ptr};
use kernel::{prelude::*, rbtree::RBTree};

/// What becomes of connections that are left at the deadline. The numbers are those of the native
/// family.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum Leftovers {
    /// Those of TCP are reset at both ends.
    Reset = 0,
    /// They end without a word.
    Drop = 1,
}

/// How a real server is drained.
#[derive(Clone, Copy, Debug)]
pub struct DrainPlan {
    /// Ticks after which what is left is ended; without, it may take as long as it likes.
    pub timeout: Option<u32>,
    /// How it is ended.
    pub leftovers: Leftovers,
    /// Whether the real server is removed when nothing is left.
    pub removes: bool,
}

/// How far the draining of a real server has come.
#[derive(Clone, Copy, Debug)]
pub struct Drain {
    /// What was asked for.
    pub plan: DrainPlan,
    /// The tick at which it began.
    since: u32,
    /// Which of all that were begun in the namespace it is: several may begin in one tick.
    number: u64,
    /// Whether what can go to other real servers at any time has gone.
    pub has_moved: bool,
    /// Connections that were not over when they were last looked at.
    pub left: u32,
    /// Whether nothing is left to be done.
    pub is_done: bool,
}

impl Drain {
    /// Ticks until the deadline; `None` if there is none.
    pub fn ticks_left(&self, now: u32) -> Option<u32> {
        let elapsed = now.wrapping_sub(self.since);
        self.plan
            .timeout
            .map(|timeout| timeout.saturating_sub(elapsed))
    }
}

/// What is due for the unfinished connections of a real server that is being drained.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Due {
    /// Nothing: some are active, of which there is a count; or nothing is left.
    Nothing,
    /// They are counted.
    Count,
    /// They are ended.
    End(Leftovers),
}

/// A real server that is being drained.
pub struct Draining {
    /// The server.
    pub server: Arc<RealServer>,
    /// How far it has come.
    pub drain: Drain,
    /// What is due.
    pub due: Due,
    counted: Cell<u32>,
}

impl Draining {
    fn new(server: Arc<RealServer>, mut drain: Drain, now: u32) -> Self {
        drain.left = match drain.is_done {
            true => 0,
            false => server.active(),
        };
        let due = match drain.ticks_left(now) {
            _ if drain.is_done => Due::Nothing,
            Some(0) => Due::End(drain.plan.leftovers),
            _ if drain.left > 0 => Due::Nothing,
            _ => Due::Count,
        };
        Self {
            server,
            drain,
            due,
            counted: Cell::new(0),
        }
    }

    /// Counts a connection that is not over.
    pub fn count_one(&self) {
        self.counted.set(self.counted.get().saturating_add(1));
    }

    /// Notes that everything due is done.
    pub fn conclude(&mut self) {
        self.drain.has_moved = true;
        match self.due {
            Due::Nothing => return,
            Due::Count => self.drain.left = self.counted.get(),
            Due::End(_) => self.drain.left = 0,
        }
        self.drain.is_done = self.drain.left == 0;
    }
}

/// Real servers that are being drained, found by themselves.
pub struct Drains(RBTree<usize, Draining>);

impl Drains {
    fn key(server: &RealServer) -> usize {
        ptr::from_ref(server).addr()
    }

    /// What is known of a real server, if it is one of them.
    pub fn of(&self, server: &RealServer) -> Option<&Draining> {
        self.0.get(&Self::key(server))
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Draining> {
        self.0.values()
    }

    /// As [`Drains::iter`].
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Draining> {
        self.0.values_mut()
    }
}

impl Transaction<'_> {
    /// Has a real server get no new flows from now on; one that is drained already gets another plan. Sleeps.
    pub fn start_drain(
        &mut self,
        key: ServiceKey,
        endpoint: Endpoint<IpAddr>,
        plan: DrainPlan,
    ) -> Result<(), Refusal> {
        self.config.drains_begun = self.config.drains_begun.wrapping_add(1);
        let mut drain = Drain {
            plan,
            since: time::jiffies(),
            number: self.config.drains_begun,
            has_moved: false,
            left: 0,
            is_done: false,
        };
        let planned = self.plan(key)?.server_mut(endpoint)?;
        drain.left = planned.server.active();
        planned.drain = Some(drain);
        self.config
            .drained
            .try_create_and_insert(key, (), GFP_KERNEL_ACCOUNT)?;
        Ok(())
    }

    /// Has a real server get new flows again. Sleeps.
    pub fn stop_drain(
        &mut self,
        key: ServiceKey,
        endpoint: Endpoint<IpAddr>,
    ) -> Result<(), Refusal> {
        let planned = self.plan(key)?.server_mut(endpoint)?;
        planned.drain.take().ok_or(Refusal::NotDraining)?;
        Ok(())
    }

    /// Notes how far draining has come, where it was not ended or begun anew meanwhile; and removes the real servers
    /// that have nothing left, if that was asked for. Sleeps.
    pub fn note_drains(&mut self, drains: &Drains) -> Result<(), Refusal> {
        let mut done = KVVec::new();
        let net = self.config.net;
        for key in self.config.drained.keys() {
            let Some(record) = self.config.services.get_mut(key) else {
                continue;
            };
            for record in record.servers.iter_mut() {
                let Some(now) = &mut record.drain else {
                    continue;
                };
                let Some(Draining { server, drain, .. }) = drains.of(&record.server) else {
                    continue;
                };
                if now.number != drain.number {
                    continue;
                }
                if drain.is_done && !now.is_done {
                    events::emit(net, Event::ServerDrained, Subject::Load(*key, server));
                }
                *now = *drain;
                if drain.is_done && drain.plan.removes {
                    done.push((*key, server.endpoint), GFP_KERNEL_ACCOUNT)?;
                }
            }
        }
        for (key, endpoint) in done {
            self.remove_server(key, endpoint)?;
        }
        Ok(())
    }
}

impl Config {
    /// The real servers that are being drained and with which something is still to be done, at the tick `now`. Sleeps.
    pub fn drains(&mut self, now: u32) -> Result<Drains, Refusal> {
        let mut found = RBTree::new();
        let mut cursor = self.drained.cursor_front_mut();
        while let Some(at) = cursor {
            let (key, ()) = at.current();
            let mut is_idle = true;
            let record = self.services.get(key);
            for record in record.iter().flat_map(|record| record.servers.iter()) {
                let is_due = |drain: &Drain| !drain.is_done || drain.plan.removes;
                if let Some(drain) = record.drain.filter(is_due) {
                    let server = record.server.clone();
                    let place = Drains::key(&server);
                    let draining = Draining::new(server, drain, now);
                    found.try_create_and_insert(place, draining, GFP_KERNEL_ACCOUNT)?;
                    is_idle = false;
                }
            }
            cursor = match is_idle {
                true => at.remove_current().0,
                false => at.move_next(),
            };
        }
        Ok(Drains(found))
    }
}
