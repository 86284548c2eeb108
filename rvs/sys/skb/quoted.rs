// SPDX-License-Identifier: GPL-2.0-only

//! Packets that a packet quotes: of an ICMP error, the one that it is about.
//!
//! C headers: `include/net/route.h`, `include/net/icmp.h`

use super::{Skb, Verdict};
use crate::sys::{
    bindings,
    ip::{Stack, Stacked},
    net::Net,
    route::Route,
};

impl<'a> Skb<'a> {
    /// Remembers for the route of a packet of this host, whose network header is quoted at `offset`, that
    /// packets of `mtu` bytes at most get to its destination.
    pub fn learn_path_mtu<A: Stacked>(&mut self, net: Net<'_>, offset: usize, mtu: u32) {
        if !self.has_header::<A>(offset) {
            return;
        }
        let (skb, offset) = (self.as_ptr(), offset as u32);
        // SAFETY: the packet is ours, and has the header in one piece; it is where the packet begins
        // while the function looks at it.
        unsafe {
            bindings::rvs_skb_pull(skb, offset);
            match A::STACK {
                Stack::V4 => bindings::ipv4_update_pmtu(skb, net.as_ptr(), mtu, 0, 0),
                Stack::V6 => bindings::rvs_ip6_update_pmtu(skb, net.as_ptr(), mtu),
            }
            bindings::rvs_skb_push(skb, offset);
        }
    }

    /// Ends the packet by sending the ICMP error `answer` (type, code, second word) to who sent the packet
    /// that is quoted at `offset`. If this is of the other stack than the packet, `route` is one for it.
    pub fn answer_quoted<A: Stacked>(
        mut self,
        net: Net<'_>,
        offset: usize,
        route: Option<Route>,
        answer: (u8, u8, u32),
    ) -> Verdict<'a> {
        if !self.has_header::<A>(offset) {
            return self.drop();
        }
        // SAFETY: the packet is ours, and has that many bytes in one piece.
        unsafe { bindings::rvs_skb_pull(self.as_ptr(), offset as u32) };
        let Some(start) = self.data_offset() else {
            return self.drop();
        };
        let headers = self.headers_mut();
        headers.network_header = start;
        headers.protocol = A::STACK.ethernet().to_be();
        // Options that were noted of the packet are not those of the quoted one.
        self.raw_mut().cb = [0; 48];
        if let Some(route) = route {
            self.hand_route(route);
        }
        let (kind, code, info) = answer;
        self.send_icmp_error::<A>(net, kind, code, info);
        self.drop()
    }

    /// Whether a network header without options can stand at `offset`, in one piece.
    fn has_header<A: Stacked>(&self, offset: usize) -> bool {
        offset.saturating_add(A::STACK.header_len()) <= self.linear().len()
    }
}
