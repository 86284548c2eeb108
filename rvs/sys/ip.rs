// SPDX-License-Identifier: GPL-2.0-only

//! Which of the kernel's two IP stacks a packet belongs to. They do the same
//! by functions of different names.

use super::{bindings, net::Net};
use core::net::{Ipv4Addr, Ipv6Addr};
use kernel::{error::to_result, prelude::*};

/// An IP stack.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stack {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// The addresses of a stack, which name it as a type.
pub trait Stacked: 'static {
    /// The stack that has these addresses.
    const STACK: Stack;
}

impl Stacked for Ipv4Addr {
    const STACK: Stack = Stack::V4;
}

impl Stacked for Ipv6Addr {
    const STACK: Stack = Stack::V6;
}

/// Whether this host has an IPv6 stack at all: it can be left out when the kernel is booted.
pub fn has_ipv6() -> bool {
    // SAFETY: reads a word that was decided at boot.
    unsafe { bindings::rvs_ipv6_is_enabled() }
}

/// IPv6 packets of a namespace are reassembled before anybody but the device sees them, while this
/// exists.
pub struct Reassembly6(Net<'static>);

impl Reassembly6 {
    /// Asks for it. Sleeps.
    pub fn enable(net: Net<'static>) -> Result<Self> {
        // SAFETY: the namespace is alive.
        to_result(unsafe { bindings::nf_defrag_ipv6_enable(net.as_ptr()) })?;
        Ok(Self(net))
    }
}

impl Drop for Reassembly6 {
    fn drop(&mut self) {
        // SAFETY: the namespace is alive; takes back what `enable` asked for.
        unsafe { bindings::nf_defrag_ipv6_disable(self.0.as_ptr()) };
    }
}
