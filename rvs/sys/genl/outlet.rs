// SPDX-License-Identifier: GPL-2.0-only

//! What a family tells without being asked, to whoever listens: its multicast
//! messages, from any context.

use super::{fill, Message};
use crate::sys::{
    bindings,
    net::Net,
    rcu::{self, GracePeriod},
};
use core::{
    ptr,
    sync::atomic::{AtomicPtr, Ordering},
};
use kernel::prelude::*;

/// Where the multicast messages of a family go out, while it is registered: a `static` for each
/// family that has groups.
///
/// # Invariants
///
/// The pointer is null or that of a registered family, which is unregistered only a grace period
/// after the pointer was taken away.
pub struct Outlet {
    family: AtomicPtr<bindings::genl_family>,
}

impl Outlet {
    /// The outlet of a family that is not registered yet.
    pub const fn new() -> Self {
        Self {
            family: AtomicPtr::new(ptr::null_mut()),
        }
    }

    pub(super) fn open(&self, family: *mut bindings::genl_family) {
        self.family.store(family, Ordering::Release);
    }

    /// Sleeps.
    pub(super) fn close(&self) {
        self.family.store(ptr::null_mut(), Ordering::Release);
        GracePeriod::start().wait();
    }

    /// Whether anybody listens to a group, by its place in [`Answers::GROUPS`], in some namespace.
    pub fn is_heard(&self, net: Net<'_>, group: u32) -> bool {
        let _reading = rcu::read_lock();
        let family = self.family.load(Ordering::Acquire);
        if family.is_null() {
            return false;
        }
        // SAFETY: the family stays registered while we hold the read side; it has all of its groups.
        unsafe { bindings::rvs_genl_has_listeners(family, net.as_ptr(), group) }
    }

    /// Sends one message, which `write` fills, to those who listen to a group in a namespace, from any
    /// context. Those who have no room for it, or all of them if memory is out (`ENOMEM`) or the
    /// message is too long (`EMSGSIZE`), find `ENOBUFS` when they read next.
    pub fn send(
        &self,
        net: Net<'_>,
        group: u32,
        command: u8,
        write: impl FnOnce(&mut Message<'_>) -> Result,
    ) -> Result {
        let _reading = rcu::read_lock();
        let family = self.family.load(Ordering::Acquire);
        if family.is_null() {
            return Ok(());
        }
        let sent = Self::write(family, command, write).map(|skb| {
            // SAFETY: the family stays registered while we hold the read side; the message is complete,
            // and ours to give away.
            unsafe { bindings::rvs_genlmsg_multicast(family, net.as_ptr(), skb, group) }
        });
        sent.inspect_err(|_| {
            let error = -(bindings::ENOBUFS as i32);
            // SAFETY: as above.
            unsafe { bindings::rvs_genl_set_err(family, net.as_ptr(), group, error) }
        })
    }

    /// A complete message of a registered family, as nobody's answer.
    fn write(
        family: *const bindings::genl_family,
        command: u8,
        write: impl FnOnce(&mut Message<'_>) -> Result,
    ) -> Result<*mut bindings::sk_buff> {
        // SAFETY: an FFI call without preconditions.
        let skb = unsafe { bindings::rvs_genlmsg_new_atomic() };
        if skb.is_null() {
            return Err(ENOMEM);
        }
        // SAFETY: a new buffer, and a registered family.
        unsafe { fill(skb, family, [0, 0], command, write)? };
        Ok(skb)
    }
}
