// SPDX-License-Identifier: GPL-2.0-only

//! RCU as the packet path needs it: a zero-sized proof that the read side is
//! held, and a cell whose value is replaced as a whole and read without
//! waiting.
//!
//! C header: `include/linux/rcupdate.h`

use super::bindings;
use core::{
    marker::PhantomData,
    mem::{self, MaybeUninit},
    ptr::{self, NonNull},
    sync::atomic::{AtomicPtr, Ordering},
};
use kernel::{prelude::*, sync::rcu};

/// Proof that the RCU read side is held for `'a`.
///
/// It costs nothing to pass along. Netfilter holds the read side around every hook, so a hook gets
/// one from its caller; others borrow it from a guard with [`Held::from`].
///
/// # Invariants
///
/// The RCU read side is held by the running context for as long as `'a` lasts. The type is neither
/// `Send` nor `Sync`: the read side belongs to one context.
#[derive(Clone, Copy)]
pub struct Held<'a>(PhantomData<(&'a (), *mut ())>);

impl<'a> Held<'a> {
    /// States that the caller holds the read side.
    ///
    /// # Safety
    ///
    /// The RCU read side must be held by the running context during the whole of `'a`.
    #[inline]
    pub(super) unsafe fn assume() -> Self {
        #[cfg(CONFIG_PROVE_RCU)]
        // SAFETY: an FFI call without preconditions.
        unsafe {
            bindings::rvs_assert_rcu_read_side();
        }
        // INVARIANT: by the safety requirement.
        Self(PhantomData)
    }

    /// Borrows the proof from a guard.
    #[inline]
    pub fn from(_guard: &'a rcu::Guard) -> Self {
        // INVARIANT: the guard holds the read side until it is dropped, which the borrow of `'a`
        // prevents.
        Self(PhantomData)
    }
}

#[repr(C)]
struct Boxed<T> {
    head: bindings::callback_head,
    value: T,
}

/// Takes the read side, for contexts that nobody took it for.
pub use rcu::read_lock;

/// A value that readers see whole: the old one or the new one.
///
/// A replaced value is dropped after every reader that might see it has finished, from the RCU
/// callback (softirq), so dropping `T` must neither sleep nor replace other values. Replacing does not wait. Writers that must
/// not overtake each other hold a lock of their own. The last value is dropped with the cell, whose
/// readers borrow it: they have finished by then.
///
/// # Invariants
///
/// The pointer is null or comes from `KBox::into_raw` of a [`Boxed`], published with release order,
/// and is given back only after another pointer took its place: to [`defer_drop`], or at once by
/// whoever has the cell alone.
pub struct Cell<T: Send + Sync + 'static> {
    ptr: AtomicPtr<Boxed<T>>,
}

// SAFETY: values move between threads (`T: Send`) and are shared by readers (`T: Sync`).
unsafe impl<T: Send + Sync + 'static> Sync for Cell<T> {}

impl<T: Send + Sync + 'static> Cell<T> {
    /// A cell without a value.
    pub const fn empty() -> Self {
        Self {
            ptr: AtomicPtr::new(ptr::null_mut()),
        }
    }

    /// The present value, valid while the read side stays held.
    #[inline]
    pub fn read<'a>(&'a self, _rcu: Held<'a>) -> Option<&'a T> {
        let ptr = self.ptr.load(Ordering::Acquire);
        // SAFETY: by the type invariants the pointer is null or was published by `replace_with`; it is
        // freed only a grace period after its replacement (or when the cell is dropped, which the
        // borrow of `self` excludes), and the read side is held for `'a`.
        unsafe { ptr.as_ref() }.map(|boxed| &boxed.value)
    }

    /// Publishes `value`; the old one is dropped after a grace period.
    ///
    /// Fails with `ENOMEM` and leaves the old value in place.
    pub fn replace(&self, value: T, flags: kernel::alloc::Flags) -> Result {
        self.replace_with(value, Spare::new(flags)?);
        Ok(())
    }

    /// Publishes `value` in memory that was provided for it; the old one is dropped after a grace period.
    pub fn replace_with(&self, value: T, Spare(spare): Spare<T>) {
        let boxed = spare.write(Boxed {
            head: bindings::callback_head::default(),
            value,
        });
        // INVARIANT: a fresh allocation, published with release order.
        let old = self.ptr.swap(KBox::into_raw(boxed), Ordering::AcqRel);
        // SAFETY: `old` came out of the cell just now, so nobody else gives it back.
        unsafe { defer_drop(old) };
    }

    /// Takes the value away at once: whoever has the cell alone has outlived its readers, who borrow it.
    pub fn take(&mut self) -> Option<T> {
        let old = NonNull::new(mem::replace(self.ptr.get_mut(), ptr::null_mut()))?;
        // SAFETY: by the type invariants it came from `KBox::into_raw`, and out of the cell it is ours alone.
        let boxed = unsafe { KBox::from_raw(old.as_ptr()) };
        Some(KBox::into_inner(boxed).value)
    }

    /// Takes the value away; it is dropped after a grace period.
    pub fn clear(&self) {
        if self.ptr.load(Ordering::Relaxed).is_null() {
            return;
        }
        let old = self.ptr.swap(ptr::null_mut(), Ordering::AcqRel);
        // SAFETY: as in `replace_with`.
        unsafe { defer_drop(old) };
    }
}

/// Memory for a value that a [`Cell`] will hold.
pub struct Spare<T>(KBox<MaybeUninit<Boxed<T>>>);

impl<T> Spare<T> {
    /// Provides it. May sleep.
    pub fn new(flags: kernel::alloc::Flags) -> Result<Self> {
        Ok(Self(KBox::new_uninit(flags)?))
    }
}

impl<T: Send + Sync + 'static> Drop for Cell<T> {
    fn drop(&mut self) {
        drop(self.take());
    }
}

/// Drops a boxed value after a grace period.
///
/// # Safety
///
/// `ptr` is null or came from `KBox::into_raw`, is no longer reachable for new readers, and is
/// given back only once.
unsafe fn defer_drop<T: Send + 'static>(ptr: *mut Boxed<T>) {
    if ptr.is_null() {
        return;
    }
    // SAFETY: the box is ours alone to free; its head is not queued yet; `drop_boxed::<T>` gets the
    // very same head back, and the module waits with `wait_for_callbacks` before its text goes.
    unsafe { bindings::call_rcu(&raw mut (*ptr).head, Some(drop_boxed::<T>)) };
}

/// Drops a value whose last reader is gone.
///
/// # Safety
///
/// RCU calls it with a head that [`defer_drop`] queued for a `Boxed<T>`.
unsafe extern "C" fn drop_boxed<T>(head: *mut bindings::callback_head) {
    // SAFETY: `head` is the first field of a `Boxed<T>` that `defer_drop` queued after it came out
    // of `KBox::into_raw`; the grace period is over, so nobody else refers to it.
    drop(unsafe { KBox::from_raw(head.cast::<Boxed<T>>()) });
}

/// Waits until all values that were replaced or cleared so far have been dropped, with those of the cells that they
/// owned. Sleeps.
pub fn wait_for_callbacks() {
    rcu::rcu_barrier();
}

/// A moment after which everything unlinked before it can be freed.
#[derive(Clone, Copy)]
pub struct GracePeriod(usize);

impl GracePeriod {
    /// Starts a grace period, or joins one that has yet to start.
    pub fn start() -> Self {
        // SAFETY: an FFI call without preconditions.
        Self(unsafe { bindings::start_poll_synchronize_rcu() })
    }

    /// Whether all readers from before [`GracePeriod::start`] have finished.
    pub fn is_over(self) -> bool {
        // SAFETY: an FFI call without preconditions on a cookie from `start_poll_…`.
        unsafe { bindings::poll_state_synchronize_rcu(self.0) }
    }

    /// Waits until they have. Sleeps; process context only.
    pub fn wait(self) {
        // SAFETY: as above; the caller may sleep.
        unsafe { bindings::cond_synchronize_rcu_expedited(self.0) }
    }
}
