// SPDX-License-Identifier: GPL-2.0-only

//! Changes of the configuration, one or many, as a whole: all of them or
//! none. Operations first change plans, one for each service they touch;
//! then everything that can fail is prepared; what remains can't fail and
//! makes the plans true, service by service, each in one step.

use super::{
    plan::{Origin, Plan, PlannedServer},
    Config, Refusal,
};
use crate::{
    packet::{Endpoint, Family},
    service::{
        identity::{Identity, Name, Naming},
        Method, RealServer, ServerSettings, ServiceKey, ServiceSettings,
    },
    sys::{cpu, Arc},
};
use core::net::IpAddr;
use kernel::{
    prelude::*,
    rbtree::{RBTree, RBTreeNode},
};

/// Why a transaction was refused, and which of its operations is at fault, counted from 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rejection {
    /// Why.
    pub refusal: Refusal,
    /// The operation; `u32::MAX` if it is none of them.
    pub operation: u32,
}

/// Where no operation is at fault.
impl From<Refusal> for Rejection {
    fn from(refusal: Refusal) -> Self {
        Self {
            refusal,
            operation: u32::MAX,
        }
    }
}

impl From<Rejection> for Refusal {
    fn from(rejection: Rejection) -> Self {
        rejection.refusal
    }
}

/// See the module's description.
pub struct Transaction<'c> {
    pub(super) config: &'c mut Config,
    plans: RBTree<ServiceKey, Plan>,
    /// The names that services get.
    names: RBTree<Name, ServiceKey>,
    /// The number of the operation that is being added.
    operation: u32,
    has_removals: bool,
    families: [bool; 2],
}

/// The settings that a new real server is given, and what it is called.
pub struct NewServer {
    /// Address and port.
    pub endpoint: Endpoint<IpAddr>,
    /// Settings.
    pub settings: ServerSettings,
    /// Name and labels.
    pub naming: Naming,
}

impl<'c> Transaction<'c> {
    /// One that changes nothing yet.
    pub fn new(config: &'c mut Config) -> Self {
        Self {
            config,
            plans: RBTree::new(),
            names: RBTree::new(),
            operation: 0,
            has_removals: false,
            families: [false; 2],
        }
    }

    /// Says which operation follows.
    pub fn begin_operation(&mut self, number: u32) {
        self.operation = number;
    }

    /// Whether it removes something.
    pub fn has_removals(&self) -> bool {
        self.has_removals
    }

    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.plans.is_empty()
    }

    /// Whether packets of a family may concern what it adds.
    pub fn needs_hooks(&self, family: Family) -> bool {
        let [v4, v6] = self.families;
        match family {
            Family::V4 => v4,
            Family::V6 => v6,
        }
    }

    fn need_hooks(&mut self, family: Family) {
        let [v4, v6] = &mut self.families;
        match family {
            Family::V4 => *v4 = true,
            Family::V6 => *v6 = true,
        }
    }

    /// The plan of a service. Sleeps.
    pub(super) fn plan(&mut self, key: ServiceKey) -> Result<&mut Plan, Refusal> {
        let record = self.config.services.get(&key);
        if self.plans.get(&key).is_none() {
            let plan = Plan::of(record)?;
            self.plans
                .try_create_and_insert(key, plan, GFP_KERNEL_ACCOUNT)?;
        }
        let plan = self.plans.get_mut(&key).ok_or(ENOMEM)?;
        plan.operation = self.operation;
        plan.note_use(record)?;
        Ok(plan)
    }

    /// Whether there will be a service of this key.
    pub fn has_service(&self, key: ServiceKey) -> bool {
        match self.plans.get(&key) {
            Some(plan) => plan.settings.is_some(),
            None => self.config.has_service(key),
        }
    }

    /// Notes the fingerprint of what a service was made from: it is kept until the service or one of its real
    /// servers changes again.
    pub fn mark(&mut self, key: ServiceKey, fingerprint: u64) -> Result<(), Refusal> {
        self.plan(key)?.fingerprint = fingerprint;
        Ok(())
    }

    /// Adds a service without real servers. Sleeps.
    pub fn add_service(
        &mut self,
        key: ServiceKey,
        settings: ServiceSettings,
        naming: Naming,
    ) -> Result<(), Refusal> {
        let plan = self.plan(key)?;
        if plan.settings.is_some() {
            return Err(Refusal::ServiceExists);
        }
        plan.settings = Some(settings);
        plan.is_edited = true;
        plan.identity = Some(naming.apply(&Identity::default())?);
        self.need_hooks(key.family());
        Ok(())
    }

    /// Changes the settings of a service, which `edit` makes from its present flags. Sleeps.
    pub fn change_service(
        &mut self,
        key: ServiceKey,
        edit: impl FnOnce(u32) -> ServiceSettings,
        naming: Naming,
    ) -> Result<(), Refusal> {
        let plan = self.plan(key)?;
        let settings = plan.settings.as_mut().ok_or(Refusal::NoSuchService)?;
        *settings = edit(settings.flags);
        plan.is_edited = true;
        if naming.is_silent() {
            return Ok(());
        }
        let identity = match plan.identity.take() {
            Some(identity) => naming.apply(&identity)?,
            None => {
                let record = self.config.record(key)?;
                naming.apply(&record.identity)?
            }
        };
        self.plan(key)?.identity = Some(identity);
        Ok(())
    }

    /// Removes a service and its real servers; their connections stay. Sleeps.
    pub fn remove_service(&mut self, key: ServiceKey) -> Result<(), Refusal> {
        let plan = self.plan(key)?;
        plan.settings.take().ok_or(Refusal::NoSuchService)?;
        plan.clear();
        plan.identity = None;
        self.has_removals = true;
        Ok(())
    }

    /// Adds a real server to a service; one that was removed comes back with its connections. Sleeps.
    pub fn add_server(&mut self, key: ServiceKey, new: NewServer) -> Result<(), Refusal> {
        let NewServer {
            endpoint,
            settings,
            naming,
        } = new;
        let plan = self.plan(key)?;
        if plan.settings.is_none() {
            return Err(Refusal::NoSuchService);
        }
        if plan.has_server(endpoint) {
            return Err(Refusal::ServerExists);
        }
        let (server, origin) = self.find_server(key, endpoint, settings)?;
        let planned = PlannedServer {
            server,
            settings,
            origin,
            is_added: true,
            is_edited: true,
            drain: None,
            identity: Some(naming.apply(&Identity::default())?),
            is_entered: false,
        };
        self.plan(key)?.add(planned)?;
        if settings.method == Method::Tunneling {
            self.need_hooks(Family::of(endpoint.addr));
        }
        Ok(())
    }

    /// The real server that is to be added at an address: the one that the service has there; one that was removed; or
    /// a new one. Sleeps.
    fn find_server(
        &self,
        key: ServiceKey,
        endpoint: Endpoint<IpAddr>,
        settings: ServerSettings,
    ) -> Result<(Arc<RealServer>, Origin), Refusal> {
        let config = &*self.config;
        let record = config.services.get(&key);
        let plan = self.plans.get(&key);
        if let Some(index) = plan.and_then(|plan| plan.present(endpoint, record)) {
            let servers = &record.ok_or(ENOMEM)?.servers;
            let present = servers.get(index).ok_or(ENOMEM)?;
            return Ok((present.server.clone(), Origin::Kept(index)));
        }
        if let Some(removed) = config.trash.find(key, endpoint) {
            return Ok((removed.clone(), Origin::Returning));
        }
        if !config.net.is_host_address(endpoint.addr) {
            return Err(Refusal::NotAHostAddress);
        }
        Ok((
            RealServer::new(config.net, key, endpoint, settings)?,
            Origin::New,
        ))
    }

    /// Changes a real server. Sleeps.
    pub fn change_server(&mut self, key: ServiceKey, changed: NewServer) -> Result<(), Refusal> {
        let NewServer {
            endpoint,
            settings,
            naming,
        } = changed;
        let plan = self.plan(key)?;
        if plan.settings.is_none() {
            return Err(Refusal::NoSuchService);
        }
        let planned = plan.server_mut(endpoint)?;
        planned.settings = settings;
        planned.is_edited = true;
        if !naming.is_silent() {
            let (origin, identity) = (planned.origin, planned.identity.take());
            let present = match (&identity, origin) {
                (Some(identity), _) => identity,
                (None, Origin::Kept(index)) => {
                    let record = self.config.record(key)?.servers.get(index).ok_or(ENOMEM)?;
                    &record.identity
                }
                (None, _) => &Identity::default(),
            };
            let identity = naming.apply(present)?;
            self.plan(key)?.server_mut(endpoint)?.identity = Some(identity);
        }
        if settings.method == Method::Tunneling {
            self.need_hooks(Family::of(endpoint.addr));
        }
        Ok(())
    }

    /// Removes a real server; its connections stay, but pass no packets. Sleeps.
    pub fn remove_server(
        &mut self,
        key: ServiceKey,
        endpoint: Endpoint<IpAddr>,
    ) -> Result<(), Refusal> {
        let plan = self.plan(key)?;
        if plan.settings.is_none() {
            return Err(Refusal::NoSuchService);
        }
        plan.remove(endpoint)?;
        self.has_removals = true;
        Ok(())
    }

    /// Carries out everything, or nothing. Sleeps.
    pub fn commit(mut self) -> Result<(), Rejection> {
        if let Err(rejection) = self.prepare() {
            // The keeper takes back only what it has taken in.
            self.config.tidy();
            for (key, plan) in self.plans.iter_mut() {
                plan.give_back(*key, self.config);
            }
            self.config.tidy();
            return Err(rejection);
        }
        self.rename();
        let mut engines_change = false;
        while let Some(first) = self.plans.cursor_front_mut() {
            let (_, node) = first.remove_current();
            let (key, plan) = node.to_key_value();
            engines_change |= self.config.carry_out(key, plan);
            cpu::breathe();
        }
        self.config.tidy();
        self.config.publish_engines(engines_change);
        Ok(())
    }

    /// Everything that can fail. Sleeps.
    fn prepare(&mut self) -> Result<(), Rejection> {
        self.plan_names()?;
        for (key, plan) in self.plans.iter_mut() {
            let operation = plan.operation;
            plan.prepare(*key, self.config)
                .map_err(|refusal| Rejection { refusal, operation })?;
            if !cpu::breathe() {
                return Err(Refusal::from(EINTR).into());
            }
        }
        Ok(())
    }

    /// Finds out whether the names that services get are free then. Sleeps.
    fn plan_names(&mut self) -> Result<(), Rejection> {
        for (key, plan) in self.plans.iter() {
            let planned = plan.identity.as_ref().filter(|_| plan.settings.is_some());
            let Some(name) = planned.and_then(|identity| identity.name.as_ref()) else {
                continue;
            };
            let rejection = |refusal| Rejection {
                refusal,
                operation: plan.operation,
            };
            let is_free = self.config.names.get(name).is_none_or(|owner| {
                let plan = self.plans.get(owner);
                let record = self.config.services.get(owner);
                let gives_up = plan.zip(record).map(|(plan, it)| plan.gives_up_name(it));
                owner == key || gives_up.unwrap_or(false)
            });
            if !is_free || self.names.get(name).is_some() {
                return Err(rejection(Refusal::NameTaken));
            }
            let name = name.try_clone().map_err(|error| rejection(error.into()))?;
            let node = RBTreeNode::new(name, *key, GFP_KERNEL_ACCOUNT)
                .map_err(|error| rejection(error.into()))?;
            self.names.insert(node);
        }
        Ok(())
    }

    /// Takes the names that services give up, then gives those that they get.
    fn rename(&mut self) {
        for (key, plan) in self.plans.iter() {
            let Some(record) = self.config.services.get_mut(key) else {
                continue;
            };
            if plan.gives_up_name(record) {
                if let Some(name) = record.identity.name.take() {
                    self.config.names.remove(&name);
                }
            }
        }
        while let Some(first) = self.names.cursor_front_mut() {
            let (_, node) = first.remove_current();
            self.config.names.insert(node);
        }
    }
}
