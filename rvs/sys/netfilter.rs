// SPDX-License-Identifier: GPL-2.0-only

//! Hooks of netfilter.
//!
//! C header: `include/linux/netfilter.h`

use super::{
    bindings,
    ip::{Stack, Stacked},
    net::Net,
    rcu::{GracePeriod, Held},
    skb::{Skb, Verdict},
    Arc,
};
use core::{ffi::c_void, marker::PhantomData, pin::Pin, ptr};
use kernel::{error::to_result, prelude::*, types::Opaque};

/// Where in an IP stack a hook stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum HookPoint {
    /// Packets for this host, after routing.
    LocalIn = bindings::nf_inet_hooks_NF_INET_LOCAL_IN,
    /// Packets that are routed through this host.
    Forward = bindings::nf_inet_hooks_NF_INET_FORWARD,
    /// Packets that this host sends.
    LocalOut = bindings::nf_inet_hooks_NF_INET_LOCAL_OUT,
}

/// Priority of source NAT; smaller numbers come first.
pub const PRIORITY_NAT_SRC: i32 = bindings::nf_ip_hook_priorities_NF_IP_PRI_NAT_SRC;
/// Priority of destination NAT.
pub const PRIORITY_NAT_DST: i32 = bindings::nf_ip_hook_priorities_NF_IP_PRI_NAT_DST;

/// What a hook knows besides the packet.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// Where it is called.
    pub point: HookPoint,
    /// The namespace of the packet.
    pub net: Net<'a>,
    /// Netfilter holds the read side around every hook.
    pub rcu: Held<'a>,
}

/// What handles the packets of a hook of the stack that `A` names.
pub trait Handler<A: Stacked>: Send + Sync + 'static {
    /// Decides on one packet. Runs in softirq or process context and must not sleep.
    fn handle<'a>(&'a self, skb: Skb<'a>, context: Context<'a>) -> Verdict<'a>;
}

/// Hooks of one namespace that are registered while this exists.
///
/// # Invariants
///
/// `ops` is registered in `net`, and each `priv` points to the value of `_handler`.
pub struct Hooks<A: Stacked, T: Handler<A>, const N: usize> {
    ops: Pin<KBox<Opaque<[bindings::nf_hook_ops; N]>>>,
    net: Net<'static>,
    _handler: Arc<T>,
    _stack: PhantomData<fn(A)>,
}

// SAFETY: the operations are only touched by the kernel, the handler is `Sync`.
unsafe impl<A: Stacked, T: Handler<A>, const N: usize> Send for Hooks<A, T, N> {}
// SAFETY: as above.
unsafe impl<A: Stacked, T: Handler<A>, const N: usize> Sync for Hooks<A, T, N> {}

impl<A: Stacked, T: Handler<A>, const N: usize> Hooks<A, T, N> {
    /// Registers hooks of a stack, each with its priority. Sleeps.
    pub fn register(
        handler: Arc<T>,
        net: Net<'static>,
        points: [(HookPoint, i32); N],
    ) -> Result<Self> {
        let ops = points.map(|(point, priority)| bindings::nf_hook_ops {
            hook: Some(trampoline::<A, T>),
            priv_: ptr::from_ref(&*handler).cast_mut().cast(),
            pf: match A::STACK {
                Stack::V4 => bindings::NFPROTO_IPV4,
                Stack::V6 => bindings::NFPROTO_IPV6,
            } as u8,
            hooknum: point as u32,
            priority,
            ..Default::default()
        });
        let ops = KBox::pin(Opaque::new(ops), GFP_KERNEL_ACCOUNT)?;
        // SAFETY: the operations stay where they are until `drop` unregisters them.
        let registered = to_result(unsafe {
            bindings::nf_register_net_hooks(net.as_ptr(), ops.get().cast(), N as u32)
        });
        if let Err(error) = registered {
            // Some of the hooks may have been there for a moment, with packets in them.
            GracePeriod::start().wait();
            return Err(error);
        }
        // INVARIANT: registered just now; we hold the handler.
        Ok(Self {
            ops,
            net,
            _handler: handler,
            _stack: PhantomData,
        })
    }
}

impl<A: Stacked, T: Handler<A>, const N: usize> Drop for Hooks<A, T, N> {
    /// Unregisters the hooks and waits for the packets in them. Sleeps.
    fn drop(&mut self) {
        // SAFETY: registered by the type invariants.
        unsafe {
            bindings::nf_unregister_net_hooks(self.net.as_ptr(), self.ops.get().cast(), N as u32);
        }
        // After this the handler and the operations may go.
        GracePeriod::start().wait();
    }
}

/// Hands a packet to its handler.
///
/// # Safety
///
/// Netfilter calls it for a packet, with what [`Hooks::register`] gave as `priv`.
unsafe extern "C" fn trampoline<A: Stacked, T: Handler<A>>(
    handler: *mut c_void,
    skb: *mut bindings::sk_buff,
    state: *const bindings::nf_hook_state,
) -> u32 {
    // SAFETY: the kernel passes the `priv` of the registration, a live `T` by the invariants of
    // `Hooks`; a packet that is ours to decide on, with its network header pulled to `data`; and the state of this call, with
    // RCU held.
    unsafe {
        let state = &*state;
        let point = match u32::from(state.hook) {
            bindings::nf_inet_hooks_NF_INET_LOCAL_IN => HookPoint::LocalIn,
            bindings::nf_inet_hooks_NF_INET_FORWARD => HookPoint::Forward,
            _ => HookPoint::LocalOut,
        };
        let context = Context {
            point,
            net: Net::from_ptr(state.net),
            rcu: Held::assume(),
        };
        (*handler.cast::<T>())
            .handle(Skb::from_ptr(skb), context)
            .into_raw()
    }
}

/// Whether the only hook at a point of a stack is the one of `handler`.
#[inline]
pub fn is_only_hook<T>(
    handler: &T,
    stack: Stack,
    net: Net<'_>,
    point: HookPoint,
    _rcu: Held<'_>,
) -> bool {
    // SAFETY: the namespace is alive; the entries are RCU-protected and the read side is held. The
    // index is one of the enum's, which all lie in the array; the first element is there when the
    // number of elements is one.
    unsafe {
        let hooks: *const *const bindings::nf_hook_entries = match stack {
            Stack::V4 => (&raw const (*net.as_ptr()).nf.hooks_ipv4).cast(),
            Stack::V6 => (&raw const (*net.as_ptr()).nf.hooks_ipv6).cast(),
        };
        let entries = ptr::read_volatile(hooks.add(point as usize));
        !entries.is_null()
            && (*entries).num_hook_entries == 1
            && ptr::eq(
                (*(*entries).hooks.as_ptr()).priv_.cast::<T>(),
                ptr::from_ref(handler),
            )
    }
}
