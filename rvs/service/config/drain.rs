// SPDX-License-Identifier: GPL-2.0-only

//! Draining: real servers that get no new flows while those they have come to
//! an end. What is due is said here; who looks at connections is the
//! namespace's business.

use super::{Config, Refusal, ServerRecord, ServiceRecord};
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

impl ServiceRecord {
    fn server_mut(&mut self, endpoint: Endpoint<IpAddr>) -> Result<&mut ServerRecord, Refusal> {
        let position = self.position(endpoint).ok_or(Refusal::NoSuchServer)?;
        self.servers.get_mut(position).ok_or(Refusal::NoSuchServer)
    }

    /// Where packets find the real server that is configured at `index`.
    pub(super) fn published_index(&self, index: usize) -> usize {
        let before = self.servers.iter().take(index);
        let count_one = |count: usize, _| count.saturating_add(1);
        before
            .filter(|record| record.drain.is_none())
            .fold(0, count_one)
    }

    /// Has packets find the real servers that are not drained.
    fn republish(&self, change: Change) -> Result<(), Refusal> {
        let servers = self.snapshot_servers(None, None)?;
        self.publish(servers, change)
    }
}

impl Config {
    /// Has a real server get no new flows from now on; one that is drained already gets another plan. Sleeps.
    pub fn start_drain(
        &mut self,
        key: ServiceKey,
        endpoint: Endpoint<IpAddr>,
        plan: DrainPlan,
    ) -> Result<Arc<RealServer>, Refusal> {
        self.drains.reserve(1, GFP_KERNEL_ACCOUNT)?;
        let record = self.record_mut(key)?;
        let index = record.position(endpoint).ok_or(Refusal::NoSuchServer)?;
        let index = record.published_index(index);
        let entry = record.server_mut(endpoint)?;
        let server = entry.server.clone();
        let drain = Drain {
            plan,
            since: time::jiffies(),
            left: server.active(),
            is_done: false,
        };
        let before = entry.drain.replace(drain);
        server.set_draining(true);
        if before.is_none() {
            if let Err(refusal) = record.republish(Change::Removed { index }) {
                record.server_mut(endpoint)?.drain = None;
                server.set_draining(false);
                return Err(refusal);
            }
        }
        let is_it = |other: &(ServiceKey, Endpoint<IpAddr>)| *other == (key, endpoint);
        if !self.drains.iter().any(is_it) {
            // There is room.
            let _ = self.drains.push_within_capacity((key, endpoint));
        }
        if before.is_none() {
            events::emit(self.net, Event::ServerDraining, Subject::Load(key, &server));
        }
        Ok(server)
    }

    /// Has a real server get new flows again. Sleeps.
    pub fn stop_drain(
        &mut self,
        key: ServiceKey,
        endpoint: Endpoint<IpAddr>,
    ) -> Result<(), Refusal> {
        let record = self.record_mut(key)?;
        let entry = record.server_mut(endpoint)?;
        let server = entry.server.clone();
        let drain = entry.drain.take().ok_or(Refusal::NotDraining)?;
        server.set_draining(false);
        if let Err(refusal) = record.republish(Change::Edited) {
            record.server_mut(endpoint)?.drain = Some(drain);
            server.set_draining(true);
            return Err(refusal);
        }
        self.drains.retain(|other| *other != (key, endpoint));
        events::emit(
            self.net,
            Event::ServerUndrained,
            Subject::Load(key, &server),
        );
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

    /// Notes how far the draining of a real server has come, unless it was ended or begun anew meanwhile; and
    /// removes the server if nothing is left and that was asked for. Sleeps.
    pub fn note_drain(&mut self, draining: &Draining) -> Result<(), Refusal> {
        let Draining {
            service,
            server,
            drain,
        } = draining;
        let entry = self.record_mut(*service)?.server_mut(server.endpoint)?;
        let is_same = |now: &Drain| now.since == drain.since;
        if !Arc::ptr_eq(&entry.server, server) || !entry.drain.as_ref().is_some_and(is_same) {
            return Ok(());
        }
        entry.drain = Some(*drain);
        if drain.is_done {
            let subject = Subject::Load(*service, server);
            events::emit(self.net, Event::ServerDrained, subject);
        }
        if drain.is_done && drain.plan.removes {
            return self.remove_server(*service, server.endpoint);
        }
        Ok(())
    }
}
