// SPDX-License-Identifier: GPL-2.0-only

//! Packets that are made up here, rather than met in a hook.
//!
//! C header: `include/linux/skbuff.h`

use super::Skb;
use crate::sys::{
    bindings,
    net::Net,
    rcu::{self, Held},
    route::Route,
};

/// Sends a packet, given from its network header on, along a route, as if a socket of this host had sent
/// it. No load balancer of this host handles it, nor does connection tracking. Nobody is told if it
/// does not arrive, or if it is no packet of the route's stack. Never sleeps.
pub fn send(net: Net<'_>, route: Route, bytes: &[u8]) {
    let stack = route.stack();
    // The stack believes the header: its lengths lie within the packet, and it fits the field that tells it.
    let (Some(header_len), Ok(len)) = (stack.header_of(bytes), u16::try_from(bytes.len())) else {
        return;
    };
    let guard = rcu::read_lock();
    let headroom = route.device_headroom(Held::from(&guard));
    // SAFETY: `bytes` is readable for its length, of which the header is a part.
    let skb = unsafe {
        bindings::rvs_skb_of_bytes(
            bytes.as_ptr().cast(),
            u32::from(len),
            header_len as u32,
            headroom,
            stack.ethernet(),
        )
    };
    if skb.is_null() {
        return;
    }
    // SAFETY: a fresh packet that nobody else has, with its network header in one piece at `data`. What follows needs no
    // more: no control block but an empty one, no socket, no hook. It is given to the stack at the end.
    let mut skb = unsafe { Skb::from_ptr(skb) };
    skb.mark_balanced();
    skb.untrack();
    skb.hand_route(route);
    // It is the stack's from here on, which is what its verdict says.
    let _ = skb.local_out(stack, net);
}

impl Skb<'_> {
    /// Cuts everything behind the first `len` bytes off; one that stood for several segments is a single one
    /// afterwards, and came in one piece. Whatever covers it has to be summed up again: its checksum is taken for
    /// complete. `false` if memory is out.
    #[must_use]
    pub fn cut_to_one_segment(&mut self, len: usize) -> bool {
        let Ok(len) = u32::try_from(len) else {
            return false;
        };
        // SAFETY: the packet is ours.
        if !unsafe { bindings::rvs_skb_cut(self.as_ptr(), len) } {
            return false;
        }
        self.headers_mut()
            .set_ip_summed(bindings::CHECKSUM_NONE as u8);
        true
    }
}
