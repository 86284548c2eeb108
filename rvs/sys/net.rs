// SPDX-License-Identifier: GPL-2.0-only

//! Network namespaces, and a value that each of them owns while the module is
//! loaded.
//!
//! C header: `include/net/net_namespace.h`

use super::{
    bindings, cpu,
    ip::Stack,
    route::{Purpose, Route},
};
use core::{
    cell::UnsafeCell,
    iter,
    marker::PhantomData,
    mem::offset_of,
    net::IpAddr,
    ptr::{self, NonNull},
    sync::atomic::{AtomicBool, AtomicPtr, Ordering},
};
use kernel::{
    error::{from_result, to_result},
    prelude::*,
    types::Opaque,
};

/// A network namespace that stays alive for `'a`.
///
/// # Invariants
///
/// The pointer is valid for `'a`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Net<'a> {
    ptr: NonNull<bindings::net>,
    _alive: PhantomData<&'a ()>,
}

// SAFETY: a namespace is shared by all CPUs; what this type does with it is safe from any of them.
unsafe impl Send for Net<'_> {}
// SAFETY: as above.
unsafe impl Sync for Net<'_> {}

impl<'a> Net<'a> {
    /// # Safety
    ///
    /// `ptr` is non-null and valid for `'a`.
    #[inline]
    pub(super) unsafe fn from_ptr(ptr: *mut bindings::net) -> Self {
        // INVARIANT: by the safety requirement.
        Self {
            // SAFETY: by the safety requirement.
            ptr: unsafe { NonNull::new_unchecked(ptr) },
            _alive: PhantomData,
        }
    }

    #[inline]
    pub(super) fn as_ptr(self) -> *mut bindings::net {
        self.ptr.as_ptr()
    }

    /// Whether it is the one that the machine starts with.
    pub fn is_initial(self) -> bool {
        self.as_ptr() == &raw mut bindings::init_net
    }

    /// Whether it belongs to the initial user namespace, rather than to one that anybody may have
    /// made.
    pub fn is_of_initial_users(self) -> bool {
        // SAFETY: the namespace is alive.
        unsafe { bindings::rvs_net_is_of_initial_users(self.as_ptr()) }
    }

    /// Whether routes of this namespace depend on more than the destination: there are policy rules
    /// besides those of the start, or IPsec policies for packets that leave.
    #[inline]
    pub fn routes_by_source(self, stack: Stack) -> bool {
        // SAFETY: the namespace is alive.
        unsafe { bindings::rvs_routes_by_source(self.as_ptr(), matches!(stack, Stack::V6)) }
    }

    /// The first port that programs without privilege can take.
    pub fn first_unprivileged_port(self) -> u16 {
        // SAFETY: the namespace is alive.
        unsafe { bindings::rvs_first_unprivileged_port(self.as_ptr()) }
    }

    /// Whether an address is that of one other host.
    pub fn is_remote_address(self, addr: IpAddr) -> bool {
        match addr {
            IpAddr::V4(addr) => {
                let addr = u32::from_ne_bytes(addr.octets());
                // SAFETY: the namespace is alive.
                let kind = unsafe { bindings::inet_addr_type(self.as_ptr(), addr) };
                kind == RTN_UNICAST
            }
            IpAddr::V6(addr) => !addr.is_multicast() && !addr.is_unspecified(),
        }
    }

    /// Whether an address is one that a host can have: a local one by routing, or a unicast one that has
    /// no need of an interface to mean something.
    pub fn is_host_address(self, addr: IpAddr) -> bool {
        let addr = match addr {
            IpAddr::V4(addr) => addr,
            IpAddr::V6(addr) => {
                let is_host = !addr.is_multicast() && !addr.is_unspecified();
                let is_local = || {
                    let route = Route::lookup(self, addr.into(), Purpose::ToDestination);
                    route.is_ok_and(|route| route.is_local())
                };
                return is_host && (!addr.is_unicast_link_local() || is_local());
            }
        };
        let addr = u32::from_ne_bytes(addr.octets());
        // SAFETY: the namespace is alive.
        let kind = unsafe { bindings::inet_addr_type(self.as_ptr(), addr) };
        kind == RTN_LOCAL || kind == RTN_UNICAST
    }
}

const RTN_UNICAST: u32 = bindings::RTN_UNICAST;
const RTN_LOCAL: u32 = bindings::RTN_LOCAL;

/// Where the kernel and the module keep what all values of a [`PerNet`] have in common: one `static`
/// for each type.
pub struct NetId<S: 'static> {
    index: UnsafeCell<u32>,
    shared: AtomicPtr<S>,
    is_registered: AtomicBool,
}

// SAFETY: the kernel writes the index while it registers the operations, before any namespace has a
// value, and everybody else only reads it after that. What is shared is `Sync`.
unsafe impl<S: Send + Sync> Sync for NetId<S> {}

impl<S> NetId<S> {
    /// Nothing is registered yet.
    pub const fn new() -> Self {
        Self {
            index: UnsafeCell::new(0),
            shared: AtomicPtr::new(ptr::null_mut()),
            is_registered: AtomicBool::new(false),
        }
    }
}

/// What each namespace owns.
///
/// Namespaces go in batches, each of which lives through these steps, one after the other for the whole batch:
///
/// 1. [`PerNet::quiesce`] for each value; [`of`] gives it to nobody from then on.
/// 2. A grace period: packets that were given it earlier are gone.
/// 3. [`PerNet::dismiss`] for each value.
/// 4. [`PerNet::settle`], unless no value had need of it.
/// 5. The values are dropped, which waits for nothing, and the namespaces go on without them.
///
/// The kernel carries them out in a single worker for all namespaces of the machine, while nobody can make one if somebody
/// wants to register operations such as these: what has to be waited for, all of a batch wait for together.
pub trait PerNet: Send + Sync + 'static {
    /// What the values of all namespaces share.
    type Shared: Send + Sync;

    /// The static of this type.
    fn id() -> &'static NetId<Self::Shared>;

    /// Makes the value for a namespace, which outlives it. Sleeps.
    fn new(net: Net<'static>, shared: &Self::Shared) -> Result<KBox<Self>>;

    /// The namespace is about to go: no new packet may reach the value when this returns, and [`of`] gives it to
    /// nobody any more. A grace period passes between this and [`PerNet::dismiss`]. Sleeps.
    fn quiesce(&self);

    /// Lets go of everything that depends on the namespace, or leaves it to callbacks of RCU; the value stays where it
    /// is. Whether there are such callbacks. To wait for them is left to [`PerNet::settle`]. Sleeps.
    #[must_use]
    fn dismiss(&mut self) -> bool;

    /// Waits for what the values that were dismissed have left to callbacks of RCU: afterwards nothing of theirs depends on
    /// a namespace. Sleeps.
    fn settle();
}

/// Keeps a `T` for each network namespace until it is dropped.
///
/// # Invariants
///
/// `ops` is registered, and the static of `T` points to `shared`.
pub struct PerNetRegistration<T: PerNet> {
    ops: Pin<KBox<Opaque<bindings::pernet_operations>>>,
    _shared: KBox<T::Shared>,
}

// SAFETY: the operations are only touched by the kernel, under its own locks.
unsafe impl<T: PerNet> Send for PerNetRegistration<T> {}
// SAFETY: as above.
unsafe impl<T: PerNet> Sync for PerNetRegistration<T> {}

/// The memory that the kernel gives each namespace for us: a pointer to the boxed value, tagged
/// [`LEAVING`] once the namespace is about to go.
type Slot<T> = AtomicPtr<T>;

/// Tag of a slot's pointer: [`of`] gives the value to nobody any more.
const LEAVING: usize = 1;

impl<T: PerNet> PerNetRegistration<T> {
    /// Makes the values of all namespaces that exist, and of those to come. Fails with `EBUSY` if
    /// there is a registration already. Sleeps.
    pub fn new(shared: T::Shared) -> Result<Self> {
        let shared = KBox::new(shared, GFP_KERNEL)?;
        let id = T::id();
        let ops = KBox::pin(
            Opaque::new(bindings::pernet_operations {
                init: Some(init::<T>),
                pre_exit: Some(pre_exit::<T>),
                exit_batch: Some(exit_batch::<T>),
                id: id.index.get(),
                size: size_of::<Slot<T>>(),
                ..Default::default()
            }),
            GFP_KERNEL,
        )?;
        let claimed = id.shared.compare_exchange(
            ptr::null_mut(),
            ptr::from_ref(&*shared).cast_mut(),
            Ordering::Release,
            Ordering::Relaxed,
        );
        if claimed.is_err() {
            return Err(EBUSY);
        }
        // SAFETY: complete operations that stay where they are until `drop` unregisters them.
        if let Err(error) = to_result(unsafe { bindings::register_pernet_subsys(ops.get()) }) {
            id.shared.store(ptr::null_mut(), Ordering::Release);
            return Err(error);
        }
        id.is_registered.store(true, Ordering::Release);
        // INVARIANT: registered just now.
        Ok(Self {
            ops,
            _shared: shared,
        })
    }
}

impl<T: PerNet> Drop for PerNetRegistration<T> {
    fn drop(&mut self) {
        T::id().is_registered.store(false, Ordering::Release);
        // SAFETY: registered by the type invariants.
        unsafe { bindings::unregister_pernet_subsys(self.ops.get()) };
        T::id().shared.store(ptr::null_mut(), Ordering::Release);
    }
}

/// # Safety
///
/// `net` is valid and the operations of `T` are registered.
unsafe fn slot<T: PerNet>(net: *mut bindings::net) -> *mut Slot<T> {
    // SAFETY: by the safety requirement the index is assigned.
    unsafe { bindings::rvs_net_generic(net, *T::id().index.get()).cast() }
}

/// The value of a namespace, `None` while it is being set up or taken down, or the module is.
///
/// To be called only under RCU, for `'a`, with the module held; or from what is over by [`PerNet::dismiss`]: jobs and files
/// below `/proc/net` that the value takes back in [`PerNet::quiesce`], netlink commands, whose sockets hold their namespace, and
/// which the module takes back before it ends the registration.
pub fn of<'a, T: PerNet>(net: Net<'a>) -> Option<&'a T> {
    if !T::id().is_registered.load(Ordering::Acquire) {
        return None;
    }
    // SAFETY: the index is assigned.
    let value = unsafe { (*slot::<T>(net.as_ptr())).load(Ordering::Acquire) };
    if value.addr() & LEAVING != 0 {
        return None;
    }
    // SAFETY: null or the box, which nobody has alone before `exit_batch`; that comes after the end of our caller: a grace
    // period after the pointer was tagged, at the earliest.
    unsafe { value.as_ref() }
}

/// Makes the value of a namespace.
///
/// # Safety
///
/// The kernel calls it for a namespace, with the operations of `T` registered.
unsafe extern "C" fn init<T: PerNet>(net: *mut bindings::net) -> c_int {
    from_result(|| {
        // SAFETY: null, or the box of the registration, which lives until no namespace has a value.
        let shared = unsafe { T::id().shared.load(Ordering::Acquire).as_ref() }.ok_or(EINVAL)?;
        // SAFETY: the kernel passes a valid namespace, which outlives the value by `PerNet`.
        let value = T::new(unsafe { Net::from_ptr(net) }, shared)?;
        // SAFETY: registered, or we would not be called; the slot is ours to write.
        unsafe { (*slot::<T>(net)).store(KBox::into_raw(value), Ordering::Release) };
        Ok(0)
    })
}

/// Quiesces the value of a namespace.
///
/// # Safety
///
/// As for [`init`], once, before [`exit_batch`].
unsafe extern "C" fn pre_exit<T: PerNet>(net: *mut bindings::net) {
    // SAFETY: the kernel passes a valid namespace whose `init` has run or failed; the slot is null
    // or holds its box.
    let slot = unsafe { &*slot::<T>(net) };
    let value = slot.load(Ordering::Acquire);
    // SAFETY: as above.
    if let Some(value) = unsafe { value.as_ref() } {
        value.quiesce();
    }
    if !value.is_null() {
        slot.store(value.map_addr(|addr| addr | LEAVING), Ordering::Release);
    }
}

/// Dismisses the values of a batch of namespaces, has them settle, and drops them.
///
/// # Safety
///
/// The kernel calls it once for namespaces whose `init` has run, a grace period after [`pre_exit`] of each, with a list
/// that links them by `exit_list`.
unsafe extern "C" fn exit_batch<T: PerNet>(list: *mut bindings::list_head) {
    let mut wants_to_settle = false;
    // SAFETY: by the safety requirement.
    for net in unsafe { batch(list) } {
        // SAFETY: the namespace is valid and its slot null or a box, tagged. A grace period has passed since it was, so
        // nobody whom `of` gave it refers to it any more.
        let value = unsafe {
            let value = (*slot::<T>(net)).load(Ordering::Acquire);
            value.map_addr(|addr| addr & !LEAVING).as_mut()
        };
        if let Some(value) = value {
            wants_to_settle |= value.dismiss();
        }
        cpu::breathe();
    }
    if wants_to_settle {
        T::settle();
    }
    // SAFETY: by the safety requirement.
    for net in unsafe { batch(list) } {
        // SAFETY: as above; the box is taken only once.
        unsafe {
            let value = (*slot::<T>(net)).swap(ptr::null_mut(), Ordering::AcqRel);
            let value = value.map_addr(|addr| addr & !LEAVING);
            if !value.is_null() {
                drop(KBox::from_raw(value));
            }
        }
    }
}

/// The namespaces of a batch.
///
/// # Safety
///
/// `list` is the head of a list that links valid namespaces by `exit_list`, and stays as it is during the iteration.
unsafe fn batch(list: *mut bindings::list_head) -> impl Iterator<Item = *mut bindings::net> {
    // SAFETY: by the safety requirement.
    let mut at = unsafe { (*list).next };
    iter::from_fn(move || {
        if at == list {
            return None;
        }
        // SAFETY: another link than the head is the `exit_list` of a namespace.
        let net = unsafe { at.byte_sub(offset_of!(bindings::net, exit_list)) };
        // SAFETY: it is linked.
        at = unsafe { (*at).next };
        Some(net.cast())
    })
}
