// SPDX-License-Identifier: GPL-2.0-only

//! A service as a transaction will leave it, and what that takes: all that
//! can be refused is asked for here, before anything changes.

use super::{drain::Drain, Config, Identity, Refusal, ServerRecord, ServiceRecord, Snapshot};
use crate::{
    packet::Endpoint,
    sched::Change,
    service::{
        places::Place, Draft, RealServer, ServerSettings, Service, ServiceKey, ServiceSettings,
    },
    sys::{rcu::Spare, Arc},
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
    pub(super) fn place(&self, service: ServiceKey) -> Option<Place> {
        Place::of(service, self.server.endpoint, self.settings)
    }
}

/// A service as it will be.
pub(super) struct Plan {
    /// `None` if it will not be.
    pub(super) settings: Option<ServiceSettings>,
    /// They, or its name or labels, are given anew.
    pub(super) is_edited: bool,
    /// Newest first.
    pub(super) servers: KVVec<PlannedServer>,
    /// What happens to the list, in order.
    pub(super) changes: KVVec<Change>,
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
        let mut servers = KVVec::new();
        let present = record.map_or(&[][..], |record| &record.servers);
        servers.reserve(present.len().saturating_add(1), GFP_KERNEL_ACCOUNT)?;
        for (index, record) in (0..present.len()).zip(present) {
            let ServerRecord { server, drain, .. } = record;
            let planned = PlannedServer {
                server: server.clone(),
                settings: server.settings(),
                origin: Origin::Kept(index),
                is_added: false,
                is_edited: false,
                drain: *drain,
                identity: None,
                is_entered: false,
            };
            servers.push(planned, GFP_KERNEL_ACCOUNT)?;
        }
        Ok(Self {
            settings: record.map(|record| record.settings),
            is_edited: false,
            servers,
            changes: KVVec::new(),
            identity: None,
            fingerprint: 0,
            operation: 0,
            prepared: None,
        })
    }

    pub(super) fn position(&self, endpoint: Endpoint<IpAddr>) -> Option<usize> {
        self.servers
            .iter()
            .position(|planned| planned.server.endpoint == endpoint)
    }

    /// Where packets would find the real server at `index`.
    pub(super) fn published_index(&self, index: usize) -> usize {
        let before = self.servers.iter().take(index);
        let count_one = |count: usize, _| count.saturating_add(1);
        before
            .filter(|planned| planned.drain.is_none())
            .fold(0, count_one)
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
        let mut servers = KVVec::with_capacity(self.servers.len(), GFP_KERNEL_ACCOUNT)?;
        for planned in self.servers.iter_mut() {
            if planned.drain.is_none() {
                servers.push(planned.server.clone(), GFP_KERNEL_ACCOUNT)?;
            }
            if planned.is_edited {
                config.places.enter(planned.place(key))?;
                planned.is_entered = true;
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
        }
        self.prepared = Some(prepared);
        Ok(())
    }

    /// Takes back what [`Plan::prepare`] did, as far as it got. Sleeps.
    pub(super) fn give_back(&mut self, key: ServiceKey, config: &mut Config) {
        for planned in self.servers.iter().filter(|planned| planned.is_entered) {
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
        if !self.servers.iter().any(is_named) {
            return Ok(());
        }
        let mut names: RBTree<&[u8], ()> = RBTree::new();
        for planned in self.servers.iter() {
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
        }
        Ok(())
    }
}
