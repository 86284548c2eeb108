// SPDX-License-Identifier: GPL-2.0-only

//! A service as a transaction will leave it, and what that takes: all that
//! can be refused is asked for here, before anything changes.

use super::{
    drain::Drain,
    record::{ServerRecord, ServiceRecord},
    Config, Refusal,
};
use crate::{
    packet::Endpoint,
    sched::Change,
    service::{
        identity::Identity, places::Place, Draft, RealServer, ServerSettings, Service, ServiceKey,
        ServiceSettings, Snapshot,
    },
    sys::{cpu, rcu::Spare, Arc},
};
use core::net::IpAddr;
use kernel::{
    prelude::*,
    rbtree::{RBTree, RBTreeNodeReservation},
};

/// Where a planned real server comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// The service has it, at this index.
    Kept(usize),
    /// It was removed earlier and connections are bound to it.
    Returning,
    /// Nobody knows it.
    New,
}

/// A real server as it will be.
pub(super) struct PlannedServer {
    pub(super) server: Arc<RealServer>,
    pub(super) settings: ServerSettings,
    pub(super) origin: Origin,
    /// Its settings are given anew.
    pub(super) is_edited: bool,
    /// It is added, maybe after it was removed; then these settings are its first.
    pub(super) is_added: bool,
    /// How far it is drained, if it is: then packets don't find it.
    pub(super) drain: Option<Drain>,
    /// Name and labels, if they change.
    pub(super) identity: Option<Identity>,
    /// Its new place is in the book.
    pub(super) is_entered: bool,
}

impl PlannedServer {
    fn place(&self, service: ServiceKey) -> Option<Place> {
        Place::of(service, self.server.endpoint, self.settings)
    }

    /// The index in its record of a real server that the service has and keeps without a break.
    fn stays(&self) -> Option<usize> {
        match self.origin {
            Origin::Kept(index) if !self.is_added => Some(index),
            _ => None,
        }
    }
}

/// How often real servers are looked for one by one. To index them takes a few times as long as this, since each wants memory
/// and a place among the others, and most transactions change one or two of a service.
const USES_WITHOUT_INDEX: u32 = 16;

/// Where a plan finds what it knows of an address and port.
struct Whereabouts {
    /// The index of the real server that the service has there.
    present: Option<usize>,
    /// The index of the planned one that is or was there last.
    planned: Option<usize>,
}

/// A service as it will be.
pub(super) struct Plan {
    /// `None` if it will not be.
    pub(super) settings: Option<ServiceSettings>,
    /// They, or its name or labels, are given anew.
    pub(super) is_edited: bool,
    /// Oldest first, with gaps where some were taken out.
    servers: KVVec<Option<PlannedServer>>,
    /// Where they are, once so much is asked of the plan that it pays.
    index: Option<RBTree<Endpoint<IpAddr>, Whereabouts>>,
    /// How often something was asked of it.
    uses: u32,
    /// Name and labels, if they change.
    pub(super) identity: Option<Identity>,
    pub(super) fingerprint: u64,
    /// The number of the last operation on it.
    pub(super) operation: u32,
    pub(super) prepared: Option<Prepared>,
}

/// What a plan needs to become true, all of which might have been refused.
pub(super) struct Prepared {
    pub(super) draft: Draft,
    pub(super) spare: Spare<Snapshot>,
    /// Room for the present real servers, and for those that will be.
    pub(super) old: KVVec<Option<ServerRecord>>,
    pub(super) new: KVVec<ServerRecord>,
    /// A new service, which packets don't see yet, and the memory for its record.
    pub(super) service: Option<(
        Arc<Service>,
        RBTreeNodeReservation<ServiceKey, ServiceRecord>,
    )>,
}

impl Plan {
    /// The present state of a service, as a plan. Sleeps.
    pub(super) fn of(record: Option<&ServiceRecord>) -> Result<Self, Refusal> {
        let present = record.map_or(&[][..], |record| &record.servers);
        let mut plan = Self {
            settings: record.map(|record| record.settings),
            is_edited: false,
            servers: KVVec::new(),
            index: None,
            uses: 0,
            identity: None,
            fingerprint: 0,
            operation: 0,
            prepared: None,
        };
        let room = present.len().saturating_add(1);
        plan.servers.reserve(room, GFP_KERNEL_ACCOUNT)?;
        for (index, record) in (0..present.len()).zip(present).rev() {
            let ServerRecord { server, drain, .. } = record;
            plan.add(PlannedServer {
                server: server.clone(),
                settings: server.settings(),
                origin: Origin::Kept(index),
                is_added: false,
                is_edited: false,
                drain: *drain,
                identity: None,
                is_entered: false,
            })?;
            if !cpu::breathe() {
                return Err(EINTR.into());
            }
        }
        Ok(plan)
    }

    /// Notes that something is asked of the plan, for a service whose present state is `record`. `EINTR` if the process is
    /// being killed. Sleeps.
    pub(super) fn note_use(&mut self, record: Option<&ServiceRecord>) -> Result<(), Refusal> {
        self.uses = self.uses.saturating_add(1);
        if self.uses > USES_WITHOUT_INDEX && self.index.is_none() {
            self.index = Some(self.index_of(record)?);
        }
        Ok(())
    }

    fn index_of(
        &self,
        record: Option<&ServiceRecord>,
    ) -> Result<RBTree<Endpoint<IpAddr>, Whereabouts>, Refusal> {
        let mut index = RBTree::new();
        let present = record.map_or(&[][..], |record| &record.servers);
        for (at, record) in (0..present.len()).zip(present) {
            let known = Whereabouts {
                present: Some(at),
                planned: None,
            };
            index.try_create_and_insert(record.server.endpoint, known, GFP_KERNEL_ACCOUNT)?;
            if !cpu::breathe() {
                return Err(EINTR.into());
            }
        }
        for (at, planned) in (0..self.servers.len()).zip(self.servers.iter()) {
            if let Some(planned) = planned {
                note_planned(&mut index, planned, at)?;
            }
            if !cpu::breathe() {
                return Err(EINTR.into());
            }
        }
        Ok(index)
    }

    /// Adds a real server that is newer than all others. Sleeps.
    pub(super) fn add(&mut self, planned: PlannedServer) -> Result<(), Refusal> {
        self.servers.reserve(1, GFP_KERNEL_ACCOUNT)?;
        if let Some(index) = &mut self.index {
            note_planned(index, &planned, self.servers.len())?;
        }
        Ok(self.servers.push(Some(planned), GFP_KERNEL_ACCOUNT)?)
    }

    fn position(&self, endpoint: Endpoint<IpAddr>) -> Option<usize> {
        let is_it = |planned: &PlannedServer| planned.server.endpoint == endpoint;
        if let Some(index) = &self.index {
            let position = index.get(&endpoint)?.planned?;
            let planned = self.servers.get(position)?.as_ref()?;
            return is_it(planned).then_some(position);
        }
        let mut newest_first = (0..self.servers.len()).zip(self.servers.iter()).rev();
        let found = newest_first.find(|(_, planned)| planned.as_ref().is_some_and(is_it));
        found.map(|(position, _)| position)
    }

    /// Whether there will be a real server at this address and port.
    pub(super) fn has_server(&self, endpoint: Endpoint<IpAddr>) -> bool {
        self.position(endpoint).is_some()
    }

    /// The real server that will be at this address and port.
    pub(super) fn server_mut(
        &mut self,
        endpoint: Endpoint<IpAddr>,
    ) -> Result<&mut PlannedServer, Refusal> {
        let position = self.position(endpoint).ok_or(Refusal::NoSuchServer)?;
        let planned = self.servers.get_mut(position).and_then(Option::as_mut);
        planned.ok_or(Refusal::NoSuchServer)
    }

    /// Takes out the real server at this address and port.
    pub(super) fn remove(&mut self, endpoint: Endpoint<IpAddr>) -> Result<(), Refusal> {
        let position = self.position(endpoint).ok_or(Refusal::NoSuchServer)?;
        let planned = self.servers.get_mut(position).and_then(Option::take);
        planned.map(drop).ok_or(Refusal::NoSuchServer)
    }

    /// Takes out all real servers.
    pub(super) fn clear(&mut self) {
        self.servers.clear();
    }

    /// The index of the real server that the service, whose present state is `record`, has at this address and port.
    pub(super) fn present(
        &self,
        endpoint: Endpoint<IpAddr>,
        record: Option<&ServiceRecord>,
    ) -> Option<usize> {
        if let Some(index) = &self.index {
            return index.get(&endpoint)?.present;
        }
        let servers = &record?.servers;
        let mut all = (0..servers.len()).zip(servers.iter());
        let found = all.find(|(_, record)| record.server.endpoint == endpoint);
        found.map(|(position, _)| position)
    }

    /// The real servers that will be, newest first.
    pub(super) fn servers(&self) -> impl Iterator<Item = &PlannedServer> {
        self.servers.iter().rev().flatten()
    }

    /// As [`Plan::servers`], for good.
    pub(super) fn into_servers(mut self) -> impl Iterator<Item = PlannedServer> {
        core::iter::from_fn(move || self.servers.pop()).flatten()
    }

    /// What happens to the list of real servers that packets are given, which is that of `present` now: who goes,
    /// from the end of the list on, so that the indices of the others stay; then who comes.
    pub(super) fn changes<'p>(
        &'p self,
        present: &'p [ServerRecord],
    ) -> impl Iterator<Item = Change> + 'p {
        let is_listed = |record: &&ServerRecord| record.drain.is_none();
        let count_one = |count: usize, _| count.saturating_add(1);
        let mut index = present.iter().filter(is_listed).fold(0, count_one);
        let oldest_first = self.servers.iter().flatten();
        let mut staying = oldest_first
            .clone()
            .filter(|planned| planned.stays().is_some())
            .peekable();
        let gone = present.iter().rev().filter_map(move |record| {
            let is_it = |planned: &&PlannedServer| Arc::ptr_eq(&planned.server, &record.server);
            let stays = staying.next_if(is_it);
            if record.drain.is_some() {
                return None;
            }
            index = index.saturating_sub(1);
            let is_gone = stays.is_none_or(|planned| planned.drain.is_some());
            is_gone.then_some(Change::Removed { index })
        });
        let come = oldest_first.filter_map(|planned| match planned.stays() {
            _ if planned.drain.is_some() => None,
            None => Some(Change::Added),
            Some(index) => {
                let was_drained = present.get(index).is_some_and(|it| it.drain.is_some());
                (planned.is_edited || was_drained).then_some(Change::Edited)
            }
        });
        Iterator::chain(gone, come)
    }

    /// Whether the service gives up the name that it has.
    pub(super) fn gives_up_name(&self, record: &ServiceRecord) -> bool {
        let keeps = match (&self.identity, &record.identity.name) {
            (Some(identity), present) => identity.name == *present,
            (None, _) => true,
        };
        self.settings.is_none() || !keeps
    }

    /// Provides what becoming true takes. Sleeps.
    pub(super) fn prepare(&mut self, key: ServiceKey, config: &mut Config) -> Result<(), Refusal> {
        let Some(settings) = self.settings else {
            return Ok(());
        };
        self.check_names(config.services.get(&key))?;
        self.servers.retain(|planned| planned.is_some());
        let mut servers = KVVec::with_capacity(self.servers.len(), GFP_KERNEL_ACCOUNT)?;
        for planned in self.servers.iter_mut().rev().flatten() {
            if planned.drain.is_none() {
                servers.push(planned.server.clone(), GFP_KERNEL_ACCOUNT)?;
            }
            if planned.is_edited {
                config.places.enter(planned.place(key))?;
                planned.is_entered = true;
            }
            if !cpu::breathe() {
                return Err(EINTR.into());
            }
        }
        let draft = Draft::new(settings, servers)?;
        let present = config.services.get(&key);
        let old = present.map_or(0, |record| record.servers.len());
        let service = match present {
            Some(record) => {
                config.provide_locality(&record.service, settings)?;
                None
            }
            None => {
                let service = Arc::new(Service::hidden(key), GFP_KERNEL_ACCOUNT)?;
                config.provide_locality(&service, settings)?;
                let node = RBTreeNodeReservation::new(GFP_KERNEL_ACCOUNT)?;
                Some((service, node))
            }
        };
        let prepared = Prepared {
            draft,
            spare: Spare::new(GFP_KERNEL_ACCOUNT)?,
            old: KVVec::with_capacity(old, GFP_KERNEL_ACCOUNT)?,
            new: KVVec::with_capacity(self.servers.len(), GFP_KERNEL_ACCOUNT)?,
            service,
        };
        if let Some((service, _)) = &prepared.service {
            config.published.publish(service.clone())?;
            config.take_in();
        }
        self.prepared = Some(prepared);
        Ok(())
    }

    /// Takes back what [`Plan::prepare`] did, as far as it got. Sleeps.
    pub(super) fn give_back(&mut self, key: ServiceKey, config: &mut Config) {
        for planned in self.servers().filter(|planned| planned.is_entered) {
            config.places.strike(planned.place(key));
        }
        let prepared = self.prepared.take();
        if prepared.is_some_and(|prepared| prepared.service.is_some()) {
            config.published.withdraw(key, &mut config.keeper);
        }
    }

    /// No two real servers of a service have the same name.
    fn check_names(&self, record: Option<&ServiceRecord>) -> Result<(), Refusal> {
        let is_named = |planned: &PlannedServer| {
            let identity = planned.identity.as_ref();
            identity.is_some_and(|identity| identity.name.is_some())
        };
        if !self.servers().any(is_named) {
            return Ok(());
        }
        let mut names: RBTree<&[u8], ()> = RBTree::new();
        for planned in self.servers() {
            let present = match planned.origin {
                Origin::Kept(index) => record.and_then(|record| record.servers.get(index)),
                Origin::Returning | Origin::New => None,
            };
            let identity = planned.identity.as_ref();
            let identity = identity.or(present.map(|record| &record.identity));
            if let Some(name) = identity.and_then(|identity| identity.name.as_ref()) {
                let known = names.try_create_and_insert(name.text(), (), GFP_KERNEL)?;
                if known.is_some() {
                    return Err(Refusal::ServerNameTaken);
                }
            }
            if !cpu::breathe() {
                return Err(EINTR.into());
            }
        }
        Ok(())
    }
}

/// Notes the place of a planned real server.
fn note_planned(
    index: &mut RBTree<Endpoint<IpAddr>, Whereabouts>,
    planned: &PlannedServer,
    at: usize,
) -> Result<(), Refusal> {
    let endpoint = planned.server.endpoint;
    match index.get_mut(&endpoint) {
        Some(known) => known.planned = Some(at),
        None => {
            let known = Whereabouts {
                present: None,
                planned: Some(at),
            };
            index.try_create_and_insert(endpoint, known, GFP_KERNEL_ACCOUNT)?;
        }
    }
    Ok(())
}
