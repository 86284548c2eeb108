// SPDX-License-Identifier: GPL-2.0-only

//! Draining: real servers that get no new flows while those they have come to
//! an end. What is due is said here; who looks at connections is the
//! namespace's business.

use super::{Config, Refusal, Transaction};
use crate::{
    events::{self, Event, Subject},
    packet::Endpoint,
    sched::{Candidate, Change},
    service::{RealServer, ServiceKey},
    sys::{time, Arc},
};
use core::net::IpAddr;
use kernel::prelude::*;

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

/// A real server that is being drained, and where it is configured.
#[derive(Clone)]
pub struct Draining {
    /// Its service.
    pub service: ServiceKey,
    /// The server.
    pub server: Arc<RealServer>,
    /// How far it has come.
    pub drain: Drain,
}

impl Transaction<'_> {
    /// Has a real server get no new flows from now on; one that is drained already gets another plan. Sleeps.
    pub fn start_drain(
        &mut self,
        key: ServiceKey,
        endpoint: Endpoint<IpAddr>,
        plan: DrainPlan,
    ) -> Result<Arc<RealServer>, Refusal> {
        let mut drain = Drain {
            plan,
            since: time::jiffies(),
            left: 0,
            is_done: false,
        };
        let plan = self.plan(key)?;
        let index = plan.position(endpoint).ok_or(Refusal::NoSuchServer)?;
        let change = Change::Removed {
            index: plan.published_index(index),
        };
        let planned = plan.servers.get_mut(index).ok_or(ENOMEM)?;
        let server = planned.server.clone();
        drain.left = server.active();
        if planned.drain.replace(drain).is_none() {
            plan.changes.push(change, GFP_KERNEL_ACCOUNT)?;
        }
        self.config.remember_drain(key, endpoint)?;
        Ok(server)
    }

    /// Has a real server get new flows again. Sleeps.
    pub fn stop_drain(
        &mut self,
        key: ServiceKey,
        endpoint: Endpoint<IpAddr>,
    ) -> Result<(), Refusal> {
        let plan = self.plan(key)?;
        let index = plan.position(endpoint).ok_or(Refusal::NoSuchServer)?;
        let planned = plan.servers.get_mut(index).ok_or(ENOMEM)?;
        planned.drain.take().ok_or(Refusal::NotDraining)?;
        plan.changes.push(Change::Edited, GFP_KERNEL_ACCOUNT)?;
        Ok(())
    }

    /// Notes how far the draining of a real server has come, unless it was ended or begun anew meanwhile; and
    /// removes the server if nothing is left and that was asked for. Sleeps.
    pub fn note_drain(&mut self, draining: &Draining) -> Result<(), Refusal> {
        let Draining {
            service,
            server,
            drain,
        } = draining;
        let record = self.config.record_mut(*service)?;
        let position = record.position(server.endpoint);
        let entry = position.and_then(|position| record.servers.get_mut(position));
        let entry = entry.ok_or(Refusal::NoSuchServer)?;
        let is_same = |now: &Drain| now.since == drain.since;
        if !Arc::ptr_eq(&entry.server, server) || !entry.drain.as_ref().is_some_and(is_same) {
            return Ok(());
        }
        entry.drain = Some(*drain);
        if drain.is_done {
            let subject = Subject::Load(*service, server);
            events::emit(self.config.net, Event::ServerDrained, subject);
        }
        if drain.is_done && drain.plan.removes {
            return self.remove_server(*service, server.endpoint);
        }
        Ok(())
    }
}

impl Config {
    /// Notes where a real server is drained. Sleeps.
    fn remember_drain(
        &mut self,
        key: ServiceKey,
        endpoint: Endpoint<IpAddr>,
    ) -> Result<(), Refusal> {
        let is_it = |other: &(ServiceKey, Endpoint<IpAddr>)| *other == (key, endpoint);
        if !self.drains.iter().any(is_it) {
            self.drains.push((key, endpoint), GFP_KERNEL_ACCOUNT)?;
        }
        Ok(())
    }

    /// The real servers whose draining is not done.
    pub fn drains(&mut self) -> Result<KVVec<Draining>, Refusal> {
        let services = &self.services;
        let find = |key: &ServiceKey, endpoint| {
            let record = services.get(key)?.server(endpoint).ok()?;
            let drain = record.drain.filter(|drain| !drain.is_done)?;
            Some(Draining {
                service: *key,
                server: record.server.clone(),
                drain,
            })
        };
        self.drains
            .retain(|(key, endpoint)| find(key, *endpoint).is_some());
        let mut found = KVVec::with_capacity(self.drains.len(), GFP_KERNEL_ACCOUNT)?;
        for (key, endpoint) in self.drains.iter() {
            if let Some(draining) = find(key, *endpoint) {
                found.push(draining, GFP_KERNEL_ACCOUNT)?;
            }
        }
        Ok(found)
    }
}
