// SPDX-License-Identifier: GPL-2.0-only

//! Network namespaces, and a value that each of them owns while the module is
//! loaded.
//!
//! C header: `include/net/net_namespace.h`

use super::{
    bindings, cpu,
    ip::Stack,
    rcu::{self, Held},
    route::{Purpose, Route},
};
use core::{
    cell::UnsafeCell,
    iter,
    marker::PhantomData,
    mem::offset_of,
    net::IpAddr,
    ops::Deref,
    ptr::{self, NonNull},
    sync::atomic::{fence, AtomicBool, AtomicPtr, AtomicU32, Ordering},
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
/// 1. [`PerNet::quiesce`] for each value; [`of`] and [`visit`] give it to nobody from then on.
/// 2. A grace period: whoever was given it under RCU is gone.
/// 3. For each value the end of all visits, then [`PerNet::dismiss`].
/// 4. [`PerNet::settle`], unless no value had need of it.
/// 5. The values are dropped, which waits for nothing, and the namespaces go on without them.
///
/// The kernel carries them out in a single worker for all namespaces of the machine, while nobody can make one if somebody
/// wants to register operations such as these: callbacks of RCU, all of a batch wait for together.
pub trait PerNet: Send + Sync + 'static {
    /// What the values of all namespaces share.
    type Shared: Send + Sync;

    /// The static of this type.
    fn id() -> &'static NetId<Self::Shared>;

    /// Makes the value for a namespace, which outlives it. Sleeps.
    fn new(net: Net<'static>, shared: &Self::Shared) -> Result<Self>
    where
        Self: Sized;

    /// The namespace is about to go: no new packet may reach the value when this returns, and [`of`] and [`visit`] give
    /// it to nobody any more. Whoever visits it for long is to be stopped here, since the end of all visits is waited
    /// for, and a grace period passes, between this and [`PerNet::dismiss`]. Sleeps.
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

/// A value, and how many [`Visit`]s of it there are.
struct Kept<T> {
    visits: AtomicU32,
    value: T,
}

/// The memory that the kernel gives each namespace for us: a pointer to the boxed value, tagged
/// [`LEAVING`] once the namespace is about to go.
type Slot<T> = AtomicPtr<Kept<T>>;

/// Tag of a slot's pointer: the value is given to nobody any more.
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

/// The value of a namespace, for as long as the read side of RCU is held; `None` while the namespace is being set up or
/// taken down, or the module is.
///
/// A [`Net`] whose namespace has been taken down already does not reach this: packets, sockets and open files hold
/// theirs, and what a value owns has ended with it.
pub fn of<'a, T: PerNet>(net: Net<'a>, rcu: Held<'a>) -> Option<&'a T> {
    Some(&kept(net, rcu)?.value)
}

/// The value of a namespace, for whoever may sleep meanwhile; `None` as with [`of`]. Takes an atomic that all visitors
/// share: not for packets.
pub fn visit<T: PerNet>(net: Net<'_>) -> Option<Visit<'_, T>> {
    let reading = rcu::read_lock();
    let kept = kept(net, Held::from(&reading))?;
    kept.visits.fetch_add(1, Ordering::Relaxed);
    // INVARIANT: counted just now, and before the end of a read side that found the pointer untagged.
    Some(Visit {
        kept: NonNull::from(kept),
        _net: PhantomData,
    })
}

fn kept<'a, T: PerNet>(net: Net<'a>, _rcu: Held<'a>) -> Option<&'a Kept<T>> {
    if !T::id().is_registered.load(Ordering::Acquire) {
        return None;
    }
    // SAFETY: the index is assigned: it is given back only by the end of the registration, which waits for a grace period
    // after it made the above `false`. The kernel frees the slot after `exit_batch`, a grace period after it was tagged;
    // callers later than that there are none (see `of`).
    let kept = unsafe { (*slot::<T>(net.as_ptr())).load(Ordering::Acquire) };
    if kept.addr() & LEAVING != 0 {
        return None;
    }
    // SAFETY: null or the box, which nobody has alone before `exit_batch`; that comes a grace period after the pointer was
    // tagged, and the read side is held for `'a`.
    unsafe { kept.as_ref() }
}

/// A stay with the value of a namespace, which is neither dismissed nor dropped before this is dropped. The module's text
/// is held by other means: whoever takes back a command, a file or a job waits for all of it.
///
/// # Invariants
///
/// `kept` is the box of a namespace, and this one of its `visits`. It was counted under the read side of RCU that found
/// the slot's pointer untagged, so `exit_batch`, a grace period after the tag, waits for it.
pub struct Visit<'a, T: PerNet> {
    kept: NonNull<Kept<T>>,
    _net: PhantomData<(Net<'a>, &'a T)>,
}

impl<T: PerNet> Deref for Visit<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: by the type invariants the box lives, and nobody has it alone, as long as we do.
        unsafe { &(*self.kept.as_ptr()).value }
    }
}

impl<T: PerNet> Drop for Visit<'_, T> {
    fn drop(&mut self) {
        // SAFETY: by the type invariants the box lives until we are counted out. The counter is an atomic, which may go
        // during the call that lets it go.
        let visits = unsafe { &raw const (*self.kept.as_ptr()).visits };
        // SAFETY: as above.
        if unsafe { (*visits).fetch_sub(1, Ordering::Release) } != 1 {
            return;
        }
        // The count is seen before we look for who waits for it.
        fence(Ordering::SeqCst);
        // SAFETY: the address only tells waiters apart, it is not read: who sleeps on what is there by now wakes in vain.
        unsafe { bindings::rvs_wake_up_visited(visits.cast_mut().cast()) };
    }
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
        let kept = Kept {
            visits: AtomicU32::new(0),
            value,
        };
        let kept = KBox::into_raw(KBox::new(kept, GFP_KERNEL_ACCOUNT)?);
        // SAFETY: registered, or we would not be called; the slot is ours to write.
        unsafe { (*slot::<T>(net)).store(kept, Ordering::Release) };
        Ok(0)
    })
}

/// Quiesces the value of a namespace.
///
/// # Safety
///
/// As for [`init`], once, before [`exit_batch`].
unsafe extern "C" fn pre_exit<T: PerNet>(net: *mut bindings::net) {
    // SAFETY: the kernel passes a valid namespace whose `init` has run; the slot is null
    // or holds its box.
    let slot = unsafe { &*slot::<T>(net) };
    let kept = slot.load(Ordering::Acquire);
    // SAFETY: as above.
    if let Some(kept) = unsafe { kept.as_ref() } {
        kept.value.quiesce();
    }
    if !kept.is_null() {
        slot.store(kept.map_addr(|addr| addr | LEAVING), Ordering::Release);
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
        // SAFETY: the namespace is valid and its slot null or a box, tagged. Visits that began before a grace period ago are
        // counted, none has begun since; when they have ended, nobody else refers to the value.
        let value = unsafe {
            let kept = (*slot::<T>(net)).load(Ordering::Acquire);
            end_of_visits(kept.map_addr(|addr| addr & !LEAVING))
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
            let kept = (*slot::<T>(net)).swap(ptr::null_mut(), Ordering::AcqRel);
            let kept = kept.map_addr(|addr| addr & !LEAVING);
            if !kept.is_null() {
                drop(KBox::from_raw(kept));
            }
        }
    }
}

/// Waits for the end of all visits: the value is the caller's alone then. Sleeps.
///
/// # Safety
///
/// `kept` is null or valid for `'a`. No visit begins any more, and nobody but visitors refers to it.
unsafe fn end_of_visits<'a, T: PerNet>(kept: *mut Kept<T>) -> Option<&'a mut T> {
    // SAFETY: by the safety requirement.
    let visits = unsafe { &kept.as_ref()?.visits };
    // SAFETY: the counter lives throughout the call, and is read like an atomic; the caller may sleep.
    unsafe { bindings::rvs_wait_until_unvisited(visits.as_ptr()) };
    // What visitors did is over before what comes now.
    fence(Ordering::Acquire);
    // SAFETY: nobody else is left to refer to it.
    Some(unsafe { &mut (*kept).value })
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
