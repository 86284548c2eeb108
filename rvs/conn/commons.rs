// SPDX-License-Identifier: GPL-2.0-only

//! What the connections of a family have in common in a namespace.

use crate::sys::{
    conntrack::{self, Flow},
    net::Net,
};

/// What a connection needs of its surroundings when it ends.
pub struct Commons {
    net: Net<'static>,
}

impl Commons {
    /// Those of a namespace without connections.
    pub const fn new(net: Net<'static>) -> Self {
        Self { net }
    }

    /// Has connection tracking forget a flow that has ended.
    pub fn forget(&self, flow: &Flow) {
        conntrack::forget(self.net, flow);
    }
}
