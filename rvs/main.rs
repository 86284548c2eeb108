// SPDX-License-Identifier: GPL-2.0-only

//! rvs: the Linux Virtual Server. What the module registers with the kernel,
//! in which order, and how that is undone.

#![deny(unsafe_code)]
// The pure rooms are also part of the host tests, where `pub` reaches further.
#![allow(unreachable_pub)]

mod app;
mod conn;
mod control;
mod defense;
mod director;
mod events;
mod icmp;
mod netns;
mod packet;
mod proto;
mod rules;
mod sched;
mod service;
mod settings;
mod siphash;
mod stats;
#[allow(unsafe_code)]
mod sys;
mod timeouts;
mod xmit;

use control::{CompatibleFamily, NativeFamily};
use kernel::prelude::*;
use netns::{Netns, Shared};
use rules::IpvsMatch;
use service::FtpPort;
use sys::{net::PerNetRegistration, netdev::Watch, rcu, xtables};

module! {
    type: Rvs,
    name: "rvs",
    authors: ["The rvs developers"],
    description: "Linux Virtual Server: a load balancer at layer 4",
    license: "GPL",
    alias: [
        "net-pf-16-proto-16-family-IPVS",
        "net-pf-16-proto-16-family-RVS",
        "ipt_ipvs",
        "ip6t_ipvs",
    ],
    params: {
        conn_tab_bits: i32 {
            default: 12,
            description: "Taken as ip_vs takes it, without effect: tables grow and shrink with their entries",
        },
    },
}

/// What is registered while the module is loaded.
struct Rvs {
    // In the order of their drops: no command runs when the namespaces' balancers go, and no
    // value waits for its grace period when the module's text goes.
    _rules: Option<xtables::Registration<IpvsMatch>>,
    _native: NativeFamily,
    _compatible: Option<CompatibleFamily>,
    _devices: Watch<Netns>,
    _namespaces: PerNetRegistration<Netns>,
    _callbacks: Callbacks,
}

/// Waits for what RCU will still call when it is dropped, after everything else is gone.
struct Callbacks;

impl Drop for Callbacks {
    fn drop(&mut self) {
        rcu::wait_for_callbacks();
    }
}

/// Registers the match `ipvs` if the names of IPVS are ours, and the kernel has xtables.
fn register_rules(
    owns_names: bool,
    module: &'static ThisModule,
) -> Result<Option<xtables::Registration<IpvsMatch>>> {
    if !owns_names {
        return Ok(None);
    }
    match xtables::Registration::new(module) {
        Ok(rules) => Ok(Some(rules)),
        Err(error) if error == EOPNOTSUPP => Ok(None),
        Err(error) => Err(error),
    }
}

impl kernel::Module for Rvs {
    fn init(module: &'static ThisModule) -> Result<Self> {
        FtpPort::check()?;
        let callbacks = Callbacks;
        let compatible = control::register_compatible(module)?;
        let shared = Shared::new(compatible.is_some())?;
        let namespaces = PerNetRegistration::new(shared)?;
        // What goes wrong from here on ends first what refers to the namespaces.
        let registered =
            Watch::begin().and_then(|devices| Ok((NativeFamily::register(module)?, devices)));
        let registered = registered.and_then(|(native, devices)| {
            Ok((
                register_rules(compatible.is_some(), module)?,
                native,
                devices,
            ))
        });
        let (rules, native, devices) = match registered {
            Ok(registered) => registered,
            Err(error) => {
                drop(compatible);
                return Err(error);
            }
        };
        Ok(Self {
            _rules: rules,
            _native: native,
            _compatible: compatible,
            _devices: devices,
            _namespaces: namespaces,
            _callbacks: callbacks,
        })
    }
}
