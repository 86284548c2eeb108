// SPDX-License-Identifier: GPL-2.0-only

//! Changes of the configuration as requests ask for them: one, or in a
//! transaction many. What a request means is worked out here; whether it can
//! be done, the configuration says.

use super::{
    attr::Attrs,
    parse::{self, Fault, Parsed, ServiceChange},
    uapi::{cmd, dest, svc, top},
};
use crate::{
    netns::Netns,
    packet::Endpoint,
    service::{
        config::{NewServer, Refusal, Rejection, Transaction},
        identity::Naming,
        ServiceKey,
    },
    sys::cpu,
};
use core::net::IpAddr;
use kernel::{c_str, prelude::*};

/// One change.
pub struct Operation {
    key: ServiceKey,
    action: Action,
    fingerprint: Option<u64>,
}

enum Action {
    AddService(ServiceChange, Naming),
    ChangeService(ServiceChange, Naming),
    RemoveService,
    AddServer(NewServer),
    ChangeServer(NewServer),
    RemoveServer(Endpoint<IpAddr>),
}

impl Operation {
    /// What a command with these attributes asks for, checked in the order of IPVS: whether there is the service, which
    /// `is_known` tells, before what is said of it. `is_native` says whether the family knows of names, labels and
    /// fingerprints. Sleeps.
    pub fn parse(
        command: u8,
        attrs: Attrs<'_>,
        is_native: bool,
        is_known: impl FnOnce(ServiceKey) -> bool,
    ) -> Parsed<'_, Self> {
        let service = parse::service(attrs)?;
        let key = parse::service_key(service)?;
        let action = match command {
            cmd::NEW_SERVICE => {
                let said = parse::said(service)?;
                if is_known(key) {
                    return Err(Refusal::ServiceExists.into());
                }
                Action::AddService(said.settings(key)?, service_naming(service, is_native)?)
            }
            cmd::SET_SERVICE => {
                let said = parse::said(service)?;
                refuse_unknown(is_known(key))?;
                Action::ChangeService(said.settings(key)?, service_naming(service, is_native)?)
            }
            cmd::DEL_SERVICE => Action::RemoveService,
            cmd::NEW_DEST | cmd::SET_DEST => {
                refuse_unknown(is_known(key))?;
                let server = new_server(attrs, key, is_native)?;
                match command {
                    cmd::NEW_DEST => Action::AddServer(server),
                    _ => Action::ChangeServer(server),
                }
            }
            cmd::DEL_DEST => {
                refuse_unknown(is_known(key))?;
                Action::RemoveServer(parse::server_endpoint(parse::server(attrs)?, key)?)
            }
            _ => {
                let message =
                    c_str!("the operation is none of new, set or del of service or server");
                return Err(Fault::new(EINVAL, message));
            }
        };
        let fingerprint = match is_native {
            true => parse::number(service, svc::FINGERPRINT)?,
            false => None,
        };
        Ok(Self {
            key,
            action,
            fingerprint,
        })
    }

    /// Adds the change to a transaction. Sleeps.
    fn add_to(self, transaction: &mut Transaction<'_>) -> Result<(), Refusal> {
        let key = self.key;
        match self.action {
            Action::AddService(change, naming) => {
                transaction.add_service(key, change.apply(0), naming)?;
            }
            Action::ChangeService(change, naming) => {
                transaction.change_service(key, |flags| change.apply(flags), naming)?;
            }
            Action::RemoveService => transaction.remove_service(key)?,
            Action::AddServer(server) => transaction.add_server(key, server)?,
            Action::ChangeServer(server) => transaction.change_server(key, server)?,
            Action::RemoveServer(endpoint) => transaction.remove_server(key, endpoint)?,
        }
        match self.fingerprint {
            Some(fingerprint) => transaction.mark(key, fingerprint),
            None => Ok(()),
        }
    }

    /// Carries out the change by itself. Sleeps.
    pub fn run(self, netns: &Netns) -> Result<(), Refusal> {
        match self.action {
            Action::AddService(..) => netns.transact(None, |transaction| self.add_to(transaction)),
            _ => netns.change(|transaction| self.add_to(transaction)),
        }
    }
}

fn refuse_unknown(is_known: bool) -> Result<(), Refusal> {
    match is_known {
        true => Ok(()),
        false => Err(Refusal::NoSuchService),
    }
}

fn service_naming(service: Attrs<'_>, is_native: bool) -> Parsed<'_, Naming> {
    match is_native {
        true => parse::naming(service, [svc::NAME, svc::LABEL]),
        false => Ok(Naming::default()),
    }
}

/// A real server as a request describes it.
fn new_server(attrs: Attrs<'_>, key: ServiceKey, is_native: bool) -> Parsed<'_, NewServer> {
    let server = parse::server(attrs)?;
    let endpoint = parse::server_endpoint(server, key)?;
    parse::check_families(server, key, endpoint)?;
    Ok(NewServer {
        endpoint,
        settings: parse::server_settings(server)?,
        naming: match is_native {
            true => parse::naming(server, [dest::NAME, dest::LABEL])?,
            false => Naming::default(),
        },
    })
}

/// Why a transaction failed: the request is wrong, or what it asks for can't be done.
enum Failure<'a> {
    Request(Fault<'a>),
    Configuration(Rejection),
}

impl From<Rejection> for Failure<'_> {
    fn from(rejection: Rejection) -> Self {
        Self::Configuration(rejection)
    }
}

/// Carries out all operations of a request, or none. An error points at the operation, or at what is wrong in it.
/// Sleeps.
pub fn apply<'a>(netns: &Netns, attrs: Attrs<'a>) -> Parsed<'a, ()> {
    let expected = parse::number(attrs, top::GENERATION)?;
    let operations = || attrs.iter().filter(|attr| attr.kind == top::OPERATION);
    let applied = netns.transact(expected, |transaction| {
        for (number, attr) in (0..).zip(operations()) {
            transaction.begin_operation(number);
            let parsed = parse::nested(attr).and_then(|attrs| {
                let command = parse::operation_command(attrs)?;
                Operation::parse(command, attrs, true, |key| transaction.has_service(key))
            });
            let operation = parsed.map_err(|fault| {
                Failure::Request(Fault {
                    attribute: fault.attribute.or(Some(attr.whole)),
                    ..fault
                })
            })?;
            let added = operation.add_to(transaction);
            added.map_err(|refusal| Rejection {
                refusal,
                operation: number,
            })?;
            if !cpu::breathe() {
                let killed = c_str!("the process is being killed");
                return Err(Failure::Request(Fault::new(EINTR, killed)));
            }
        }
        Ok(())
    });
    applied.map_err(|failure| match failure {
        Failure::Request(fault) => fault,
        Failure::Configuration(Rejection { refusal, operation }) => {
            let attr = operations().nth(operation as usize);
            Fault {
                attribute: attr.map(|attr| attr.whole),
                ..Fault::from(refusal)
            }
        }
    })
}
