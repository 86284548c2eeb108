// SPDX-License-Identifier: GPL-2.0-only
//! Turning differences into one transaction, and what its failure means.

use std::io;

use rustix::io::Errno;

use crate::declaration::{Comparison, Declaration, DeclaredServer, DeclaredService};
use crate::declaration::{Kind, ServiceChange};
use crate::error::{Attempt, ExitStatus, Failure};
use crate::model::{Endpoint, ServiceKey};
use crate::netlink::{Client, Error, Naming, Rejection, ServerSettings, ServiceSettings};
use crate::netlink::{Transaction, Transport};

/// An operation of the transaction, for the words about its failure.
#[derive(Clone, Copy)]
struct Step<'a> {
    kind: Kind,
    key: &'a ServiceKey,
    scheduler: &'a str,
    server: Option<Endpoint>,
}

impl<'a> Step<'a> {
    fn attempt(&self) -> Attempt<'a> {
        let key = self.key;
        match (self.kind, self.server) {
            (Kind::Added, None) => Attempt::AddService(key, self.scheduler),
            (Kind::Removed, None) => Attempt::DeleteService(key),
            (_, None) => Attempt::SetService(key, self.scheduler),
            (Kind::Added, Some(server)) => Attempt::AddServer(key, server),
            (Kind::Removed, Some(server)) => Attempt::DeleteServer(key, server),
            (_, Some(server)) => Attempt::SetServer(key, server),
        }
    }
}

/// A transaction and what its operations are.
pub struct Plan<'a> {
    transaction: Transaction,
    steps: Vec<Step<'a>>,
}

impl<'a> Plan<'a> {
    /// What makes the differences go away: first what is removed, then the rest as the file has it.
    pub fn new(generation: u64, declaration: &'a Declaration, comparison: &'a Comparison) -> Self {
        let mut plan = Self {
            transaction: Transaction::new(generation),
            steps: Vec::new(),
        };
        for change in &comparison.services {
            if change.kind == Kind::Removed {
                plan.transaction.delete_service(&change.key);
                plan.note(change, "", change.kind, None);
            }
        }
        for change in &comparison.services {
            let declared = change.declared;
            if let Some(declared) = declared.and_then(|index| declaration.services.get(index)) {
                plan.service(change, declared);
                plan.servers(change, declared);
            }
        }
        plan
    }

    fn note(
        &mut self,
        change: &'a ServiceChange,
        scheduler: &'a str,
        kind: Kind,
        server: Option<Endpoint>,
    ) {
        self.steps.push(Step {
            kind,
            key: &change.key,
            scheduler,
            server,
        });
    }

    /// A service of which only servers change is sent too, for its fingerprint.
    fn service(&mut self, change: &'a ServiceChange, declared: &'a DeclaredService) {
        let settings = ServiceSettings {
            naming: Naming::of(&declared.identity),
            fingerprint: declared.fingerprint,
            ..declared.settings.clone()
        };
        let settings = ServiceSettings {
            flags_mask: u32::MAX,
            ..settings
        };
        if change.kind == Kind::Added {
            self.transaction.add_service(&change.key, &settings);
        } else {
            self.transaction.set_service(&change.key, &settings);
        }
        self.note(change, &declared.settings.scheduler, change.kind, None);
    }

    fn servers(&mut self, change: &'a ServiceChange, declared: &'a DeclaredService) {
        for server in &change.servers {
            let (key, endpoint) = (&change.key, server.endpoint);
            let wanted = server
                .declared
                .and_then(|index| declared.servers.get(index));
            match wanted.map(settings_of) {
                None => self.transaction.delete_server(key, endpoint),
                Some(settings) if server.kind == Kind::Added => {
                    self.transaction.add_server(key, endpoint, &settings);
                }
                Some(settings) => self.transaction.set_server(key, endpoint, &settings),
            }
            self.note(change, "", server.kind, Some(endpoint));
        }
    }

    /// Has the kernel do all of it, or says why it did nothing.
    pub fn carry_out<T: Transport>(self, client: &mut Client<T>) -> Result<(), Failure> {
        let Self { transaction, steps } = self;
        match client.apply(transaction) {
            Ok(None) => {}
            Ok(Some(remark)) => eprintln!("note: {remark}"),
            Err(rejection) => return Err(failure(rejection, &steps)),
        }
        Ok(())
    }
}

fn settings_of(declared: &DeclaredServer) -> ServerSettings {
    ServerSettings {
        naming: Naming::of(&declared.identity),
        ..declared.settings.clone()
    }
}

fn failure(Rejection { error, operation }: Rejection, steps: &[Step<'_>]) -> Failure {
    match &error {
        Error::Refused { errno, .. } if *errno == Errno::STALE => {
            let message = "the configuration was changed by somebody else meanwhile";
            return Failure::new(ExitStatus::Conflict, message)
                .tip("nothing was changed; run the command again to see the difference now");
        }
        Error::Socket(error) if is_too_long(error) => {
            let message = "the changes are too many for the send buffer of a socket";
            return Failure::new(ExitStatus::Refused, message).tip(
                "nothing was changed; `sysctl net.core.wmem_max` limits those without \
                 CAP_NET_ADMIN in the initial user namespace",
            );
        }
        _ => {}
    }
    let step = operation.and_then(|operation| steps.get(operation));
    let attempt = step.map_or(Attempt::Apply, Step::attempt);
    let mut failure = Failure::explain(error, attempt);
    failure.message.push_str("; nothing was changed");
    failure
}

fn is_too_long(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::MSGSIZE.raw_os_error())
}
