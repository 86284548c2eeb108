// SPDX-License-Identifier: GPL-2.0-only

//! Matches of xtables: what a rule of iptables, or of nftables' compatibility
//! layer, asks of a packet. What is asked is decided above.
//!
//! C header: `include/linux/netfilter/x_tables.h`

use super::{bindings, ip::Stack, net::Net, rcu::Held, skb::Skb};
use core::{
    ffi::{c_int, CStr},
    marker::PhantomData,
    pin::Pin,
    slice,
};
use kernel::{error::to_result, prelude::*, types::Opaque};

/// A packet, and what a rule asks of it. The packet is only looked at.
pub struct Question<'a> {
    skb: Skb<'a>,
    options: &'a [u8],
    /// The packet's namespace.
    pub net: Net<'a>,
    /// Whose packet it is.
    pub stack: Stack,
    /// The rules are read under it.
    pub rcu: Held<'a>,
}

impl<'a> Question<'a> {
    /// The rule's options, as many bytes as [`Match::OPTIONS`], as the program that made the rule wrote them.
    pub fn options(&self) -> &'a [u8] {
        self.options
    }

    /// Whether a load balancer of this host has handled the packet.
    pub fn is_balanced(&self) -> bool {
        self.skb.is_balanced()
    }

    /// Whether connection tracking takes it for a packet to who began its flow; `None` if it does not follow it.
    pub fn is_tracked_answer(&self) -> Option<bool> {
        self.skb.is_tracked_answer()
    }

    /// The packet's first bytes from the network header on, copied: all that there are, and find room.
    pub fn head<'r>(&self, room: &'r mut [u8]) -> &'r [u8] {
        self.skb.copy_head(room)
    }
}

/// A kind of question.
pub trait Match: 'static {
    /// How rules name it.
    const NAME: &'static CStr;
    /// Length of its options, bytes.
    const OPTIONS: usize;

    /// The answer. Runs in any context in which packets are filtered, and must not sleep.
    fn answer(question: &Question<'_>) -> bool;
}

/// Rules may ask `M` while this exists; each that does keeps the module loaded.
///
/// # Invariants
///
/// `ops` is registered.
pub struct Registration<M: Match> {
    ops: Pin<KBox<Opaque<bindings::xt_match>>>,
    _match: PhantomData<fn(M)>,
}

// SAFETY: the operations are only touched by the kernel, under its own locks.
unsafe impl<M: Match> Send for Registration<M> {}
// SAFETY: as above.
unsafe impl<M: Match> Sync for Registration<M> {}

impl<M: Match> Registration<M> {
    /// Makes the match known, with revision 0. `EOPNOTSUPP` if the kernel has no xtables. Sleeps.
    pub fn new(module: &'static ThisModule) -> Result<Self> {
        let mut ops = bindings::xt_match {
            family: bindings::NFPROTO_UNSPEC as u16,
            match_: Some(answer::<M>),
            checkentry: Some(check),
            matchsize: M::OPTIONS as u32,
            me: module.as_ptr().cast(),
            ..Default::default()
        };
        for (to, from) in ops.name.iter_mut().zip(M::NAME.to_bytes()) {
            *to = *from;
        }
        let ops = KBox::pin(Opaque::new(ops), GFP_KERNEL)?;
        // SAFETY: complete operations with a name that ends with a zero; they stay where they are until
        // `drop` takes them back.
        to_result(unsafe { bindings::rvs_xt_register_match(ops.get()) })?;
        // INVARIANT: registered just now.
        Ok(Self {
            ops,
            _match: PhantomData,
        })
    }
}

impl<M: Match> Drop for Registration<M> {
    fn drop(&mut self) {
        // SAFETY: registered by the type invariants. No rule asks any more: it would keep the module.
        unsafe { bindings::rvs_xt_unregister_match(self.ops.get()) };
    }
}

/// Answers a rule.
///
/// # Safety
///
/// Xtables calls it for a packet in a hook of IPv4 or IPv6, with the options of a rule that [`check`] took.
unsafe extern "C" fn answer<M: Match>(
    skb: *const bindings::sk_buff,
    asked: *mut bindings::xt_action_param,
) -> bool {
    // SAFETY: the kernel passes a packet that the hook decides on after us, of which `answer` gets a shared reference, as part of
    // a `Question`, and no more; the hook's state, under RCU; and options as long as was registered.
    unsafe {
        let asked = &*asked;
        let state = &*asked.state;
        let question = Question {
            skb: Skb::from_ptr(skb.cast_mut()),
            options: slice::from_raw_parts(
                asked.__bindgen_anon_2.matchinfo.cast::<u8>(),
                M::OPTIONS,
            ),
            net: Net::from_ptr(state.net),
            stack: match u32::from(state.pf) {
                bindings::NFPROTO_IPV6 => Stack::V6,
                _ => Stack::V4,
            },
            rcu: Held::assume(),
        };
        M::answer(&question)
    }
}

/// Whether a rule may ask: those of IPv4 and IPv6 may.
///
/// # Safety
///
/// Xtables calls it for a new rule.
unsafe extern "C" fn check(rule: *const bindings::xt_mtchk_param) -> c_int {
    // SAFETY: the kernel passes a valid description.
    match u32::from(unsafe { (*rule).family }) {
        bindings::NFPROTO_IPV4 | bindings::NFPROTO_IPV6 => 0,
        _ => EINVAL.to_errno(),
    }
}
