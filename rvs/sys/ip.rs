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

impl Stack {
    /// The number of its packets in Ethernet frames.
    pub(super) const fn ethernet(self) -> u16 {
        match self {
            Self::V4 => bindings::ETH_P_IP as u16,
            Self::V6 => bindings::ETH_P_IPV6 as u16,
        }
    }

    /// The length of its network header without options or extensions, bytes.
    pub(super) const fn header_len(self) -> usize {
        match self {
            Self::V4 => size_of::<bindings::iphdr>(),
            Self::V6 => size_of::<bindings::ipv6hdr>(),
        }
    }

    /// The length of the network header, with options but without extensions, that a packet of the stack begins with;
    /// `None` if `bytes` are no such packet, or end before.
    pub(super) fn header_of(self, bytes: &[u8]) -> Option<usize> {
        let first = *bytes.first()?;
        let (version, len) = match self {
            Self::V4 => (4, usize::from(first & 0xf) << 2),
            Self::V6 => (6, self.header_len()),
        };
        let is_whole = self.header_len() <= len && len <= bytes.len();
        (first >> 4 == version && is_whole).then_some(len)
    }
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
