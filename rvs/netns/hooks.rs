// SPDX-License-Identifier: GPL-2.0-only

//! The hooks of a namespace.

use crate::{
    director::Balancer,
    packet::Family,
    service::config::Config,
    sys::{
        ip::Reassembly6,
        net::Net,
        netfilter::{HookPoint, Hooks, PRIORITY_NAT_DST, PRIORITY_NAT_SRC},
        Arc,
    },
};
use core::net::{Ipv4Addr, Ipv6Addr};
use kernel::prelude::*;

/// Our hooks: IPVS's priorities (reference §1.1), of which one does for both directions, since a
/// packet's connection tells its direction.
const HOOKS: [(HookPoint, i32); 3] = [
    (HookPoint::LocalIn, PRIORITY_NAT_SRC - 1),
    (HookPoint::Forward, PRIORITY_NAT_SRC),
    (HookPoint::LocalOut, PRIORITY_NAT_DST + 2),
];

/// The hooks of a stack.
type StackHooks<A> = Hooks<A, Balancer, 3>;

/// The hooks of a namespace, each family's while something of it is configured.
pub(super) struct BothHooks {
    v4: Option<StackHooks<Ipv4Addr>>,
    v6: Option<(StackHooks<Ipv6Addr>, Reassembly6)>,
}

impl BothHooks {
    pub(super) const NONE: Self = Self { v4: None, v6: None };

    /// Registers the hooks of a family, if they are not there. Sleeps.
    pub(super) fn provide(
        &mut self,
        family: Family,
        balancer: &Arc<Balancer>,
        net: Net<'static>,
    ) -> Result {
        let balancer = balancer.clone();
        match family {
            Family::V4 if self.v4.is_none() => {
                self.v4 = Some(Hooks::register(balancer, net, HOOKS)?);
            }
            Family::V6 if self.v6.is_none() => {
                let reassembly = Reassembly6::enable(net)?;
                self.v6 = Some((Hooks::register(balancer, net, HOOKS)?, reassembly));
            }
            _ => {}
        }
        Ok(())
    }

    /// Hooks of a family exist only while there is a service of it, or a tunnel. Sleeps.
    pub(super) fn drop_idle(&mut self, config: &Config) {
        if config.is_idle(Family::V4) {
            self.v4 = None;
        }
        if config.is_idle(Family::V6) {
            self.v6 = None;
        }
    }
}
