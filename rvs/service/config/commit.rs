// SPDX-License-Identifier: GPL-2.0-only

//! Making prepared plans true, which can't fail: packets see each service as
//! it was or as it is.

use super::{
    plan::{Origin, Plan, Prepared},
    record::{ServerRecord, ServiceRecord},
    Config, Detail,
};
use crate::{
    events::{self, Event, Group, Subject},
    sched::{Change, Cursor},
    service::{
        identity::Identity, places::Place, Draft, Service, ServiceKey, ServiceSettings, Snapshot,
    },
    stats::Totals,
    sys::{rcu::Spare, Arc},
};
use core::mem;
use kernel::{prelude::*, rbtree::RBTreeNodeReservation};

impl Config {
    /// Makes a prepared plan true. Whether the services with an engine may be others now. Sleeps.
    pub(super) fn carry_out(&mut self, key: ServiceKey, mut plan: Plan) -> bool {
        let (Some(settings), Some(prepared)) = (plan.settings, plan.prepared.take()) else {
            // Services that come and go within a transaction never were.
            let withdrawn = self.withdraw_service(key);
            if withdrawn.is_ok() {
                events::emit(self.net, Event::ServiceRemoved, Subject::ServiceKey(key));
            }
            return withdrawn.unwrap_or(false);
        };
        let Prepared {
            draft,
            spare,
            old,
            new,
            service,
        } = prepared;
        let is_new = service.is_some();
        if let Some((service, node)) = service {
            self.insert_record(key, settings, service, node);
        }
        let net = self.net;
        let Some(record) = self.services.get_mut(&key) else {
            return false;
        };
        for planned in plan.servers().filter(|planned| planned.is_edited) {
            let server = &planned.server;
            record.provide_tracking(planned.settings, net);
            if matches!(planned.origin, Origin::Kept(_)) {
                let before = Place::of(key, server.endpoint, server.settings());
                self.places.strike(before);
            }
            if planned.is_added {
                server.return_with(planned.settings);
            } else {
                server.change(planned.settings);
            }
        }
        for planned in plan.servers() {
            let (server, is_draining) = (&planned.server, planned.drain.is_some());
            if server.is_draining() != is_draining {
                server.set_draining(is_draining);
            }
        }
        let engine_before = record.settings.engine.filter(|_| !is_new);
        record.publish(draft, spare, plan.changes(&record.servers));
        record.settings = settings;
        record.fingerprint = plan.fingerprint;
        if let Some(identity) = plan.identity.take() {
            record.identity = identity;
        }
        if is_new {
            self.announce_service(Event::ServiceAdded, key);
        } else if plan.is_edited {
            self.announce_service(Event::ServiceChanged, key);
        }
        self.replace_servers(key, plan, old, new);
        engine_before != settings.engine
    }

    /// Takes a new service into the configuration, still without real servers.
    fn insert_record(
        &mut self,
        key: ServiceKey,
        settings: ServiceSettings,
        service: Arc<Service>,
        node: RBTreeNodeReservation<ServiceKey, ServiceRecord>,
    ) {
        let record = ServiceRecord {
            service,
            generation: self.next_generation,
            settings,
            identity: Identity::default(),
            fingerprint: 0,
            servers: KVVec::new(),
            tracking: None,
            retired: Totals::default(),
            base: Totals::default(),
        };
        self.next_generation = self.next_generation.wrapping_add(1);
        self.services.insert(node.into_node(key, record));
        let services = self.services_like(key);
        *services = services.saturating_add(1);
    }

    /// Gives a service its planned real servers; `old` and `new` have room for the present ones and for these.
    /// Sleeps.
    fn replace_servers(
        &mut self,
        key: ServiceKey,
        plan: Plan,
        mut old: KVVec<Option<ServerRecord>>,
        mut new: KVVec<ServerRecord>,
    ) {
        let net = self.net;
        let is_heard = Group::Config.is_heard(net);
        let Some(record) = self.services.get_mut(&key) else {
            return;
        };
        for server in mem::replace(&mut record.servers, KVVec::new()) {
            // There is room, here and below.
            let _ = old.push_within_capacity(Some(server));
        }
        for planned in plan.into_servers() {
            let mut server = match planned.origin {
                Origin::Kept(index) => old.get_mut(index).and_then(Option::take),
                Origin::Returning | Origin::New => None,
            }
            .unwrap_or_else(|| {
                let meter = self.trash.take_back(record, &planned.server);
                ServerRecord {
                    server: planned.server.clone(),
                    meter,
                    identity: Identity::default(),
                    drain: None,
                }
            });
            if let Some(identity) = planned.identity {
                server.identity = identity;
            }
            let was_draining = server.drain.is_some();
            server.drain = planned.drain;
            let drains = match (was_draining, server.drain.is_some()) {
                (false, true) => Some(Event::ServerDraining),
                (true, false) => Some(Event::ServerUndrained),
                _ => None,
            };
            if let Some(event) = drains {
                events::emit(net, event, Subject::Load(key, &server.server));
            }
            server.server.set_available(true);
            if planned.is_edited && is_heard {
                let event = match planned.is_added {
                    true => Event::ServerAdded,
                    false => Event::ServerChanged,
                };
                let view = server.view(Detail::Full);
                events::emit(net, event, Subject::Server(key, &view));
            }
            let _ = new.push_within_capacity(server);
        }
        record.servers = new;
        let generation = record.generation;
        for server in old.into_iter().flatten() {
            server.server.set_available(false);
            if let Some(record) = self.services.get_mut(&key) {
                record.retired = record.retired.plus(server.server.counters.totals());
            }
            self.places.strike(server.place(key));
            let subject = Subject::ServerKey(key, server.server.endpoint);
            self.trash.keep(key, generation, server);
            events::emit(net, Event::ServerRemoved, subject);
        }
    }
}

impl ServiceRecord {
    /// Publishes a draft; `changes` is what happens to the list of real servers.
    fn publish(&self, draft: Draft, spare: Spare<Snapshot>, changes: impl Iterator<Item = Change>) {
        let is_other_scheduler = self.settings.scheduler != draft.scheduler();
        let adapt = |cursor: Cursor, snapshot: &Snapshot| match snapshot.settings.scheduler {
            Some(scheduler) if is_other_scheduler => scheduler.start(snapshot.prepared),
            Some(scheduler) => scheduler.after_changes(cursor, changes, snapshot.prepared),
            None => cursor,
        };
        self.service.publish(draft.finish(), spare, adapt);
        if is_other_scheduler {
            self.service.localities.forget();
        }
    }
}
