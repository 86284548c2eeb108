// SPDX-License-Identifier: GPL-2.0-only

//! News of network devices that go down or away: whoever holds something
//! that holds a device lets go of it then, or the device never goes.
//!
//! C header: `include/linux/netdevice.h`

use super::{bindings, net::Net};
use core::{ffi::c_void, marker::PhantomData, pin::Pin};
use kernel::{error::to_result, prelude::*, types::Opaque};

/// Who wants to know.
pub trait Watcher: 'static {
    /// A device of the namespace goes down, or away. The kernel's lock of network devices is held.
    /// Sleeps.
    fn lost_device(net: Net<'_>);
}

/// A watcher hears of devices while this exists.
///
/// # Invariants
///
/// `block` is registered.
pub struct Watch<W: Watcher> {
    block: Pin<KBox<Opaque<bindings::notifier_block>>>,
    _watcher: PhantomData<W>,
}

// SAFETY: the block is only touched by the kernel, under its own locks.
unsafe impl<W: Watcher> Send for Watch<W> {}
// SAFETY: as above.
unsafe impl<W: Watcher> Sync for Watch<W> {}

impl<W: Watcher> Watch<W> {
    /// Begins to watch, in all namespaces. Sleeps.
    pub fn begin() -> Result<Self> {
        let block = KBox::pin(
            Opaque::new(bindings::notifier_block {
                notifier_call: Some(notified::<W>),
                ..Default::default()
            }),
            GFP_KERNEL,
        )?;
        // SAFETY: the block stays where it is until `drop` unregisters it.
        to_result(unsafe { bindings::register_netdevice_notifier(block.get()) })?;
        // INVARIANT: registered just now.
        Ok(Self {
            block,
            _watcher: PhantomData,
        })
    }
}

impl<W: Watcher> Drop for Watch<W> {
    /// No call of the watcher runs any more when this returns. Sleeps.
    fn drop(&mut self) {
        // SAFETY: registered by the type invariants.
        unsafe { bindings::unregister_netdevice_notifier(self.block.get()) };
    }
}

/// Tells the watcher.
///
/// # Safety
///
/// The kernel calls it with an event of a device and what goes with it.
unsafe extern "C" fn notified<W: Watcher>(
    _block: *mut bindings::notifier_block,
    event: usize,
    info: *mut c_void,
) -> c_int {
    let is_loss = event == bindings::netdev_cmd_NETDEV_DOWN as usize
        || event == bindings::netdev_cmd_NETDEV_UNREGISTER as usize;
    if is_loss {
        // SAFETY: by the safety requirement; a device's namespace lives as long as it does.
        W::lost_device(unsafe { Net::from_ptr(bindings::rvs_notified_net(info)) });
    }
    bindings::NOTIFY_DONE as c_int
}
