// SPDX-License-Identifier: GPL-2.0-only

//! Headers in front of a packet that goes into a tunnel, from the inside out, and what the offloads
//! must know of them to cut the packet into segments and to complete its checksums later.
//!
//! C headers: `include/net/ip_tunnels.h`, `include/net/udp.h`

use super::Skb;
use crate::sys::{bindings, ip::Stack, net::Net, rcu::Held, route::Route};

/// Protocol number of IPv4 in IP.
const IPPROTO_IPIP: u8 = 4;
/// Protocol number of IPv6 in IP.
const IPPROTO_IPV6: u8 = 41;
/// `inner_ipproto` is valid.
const ENCAP_TYPE_IPPROTO: u8 = bindings::ENCAP_TYPE_IPPROTO as u8;
/// `inner_protocol` is valid.
const ENCAP_TYPE_ETHER: u8 = bindings::ENCAP_TYPE_ETHER as u8;

/// What stands between the two network headers of a tunnel, as offloads tell it apart.
#[derive(Clone, Copy)]
pub enum Between {
    /// Nothing.
    Nothing,
    /// UDP, and whatever follows it.
    Udp {
        /// There is a checksum.
        checksum: bool,
        /// The far end completes the checksum of the inner packet.
        remote_checksum: bool,
    },
    /// GRE.
    Gre {
        /// There is a checksum.
        checksum: bool,
    },
}

impl Between {
    /// The bits of `gso_type` by which segments are cut.
    fn gso_types(self, outer: Stack) -> i32 {
        let in_ip = match outer {
            Stack::V4 => bindings::SKB_GSO_IPXIP4,
            Stack::V6 => bindings::SKB_GSO_IPXIP6,
        };
        match self {
            Self::Nothing => in_ip,
            // Segments are cut by what is behind UDP, which is IP in IP then.
            Self::Udp {
                checksum,
                remote_checksum,
            } => {
                let udp = if checksum {
                    bindings::SKB_GSO_UDP_TUNNEL_CSUM
                } else {
                    bindings::SKB_GSO_UDP_TUNNEL
                };
                let remote = if remote_checksum {
                    bindings::SKB_GSO_TUNNEL_REMCSUM
                } else {
                    0
                };
                in_ip | udp | remote
            }
            Self::Gre { checksum: true } => bindings::SKB_GSO_GRE_CSUM,
            Self::Gre { checksum: false } => bindings::SKB_GSO_GRE,
        }
    }
}

/// A checksum that the sender left to its hardware, in bytes from the packet's beginning.
#[derive(Clone, Copy)]
pub struct Unfinished {
    /// Where the covered bytes begin.
    pub start: u16,
    /// Where the checksum is.
    pub field: u16,
}

/// What is known of the sum over a transport header and all that follows it.
#[derive(Clone, Copy)]
pub enum Covered {
    /// Nothing: the hardware adds it, or whoever cuts the packet into segments.
    Later,
    /// The folded sum, not complemented.
    Sum(u16),
}

/// A packet that gets headers in front.
///
/// # Invariants
///
/// The head of the packet is private to it, and has `room` bytes in front of it. The packet begins with
/// `transport_len` bytes that were put there.
pub struct Wrapping<'s, 'a> {
    skb: &'s mut Skb<'a>,
    room: usize,
    transport_len: usize,
    inner: Stack,
    outer: Stack,
}

impl<'a> Skb<'a> {
    /// Begins to put `room` bytes of headers in front of a packet of the stack `inner`, with which it
    /// leaves on `route`. `None` when memory is out.
    pub fn wrap(
        &mut self,
        route: &Route,
        room: usize,
        between: Between,
        inner: Stack,
        rcu: Held<'_>,
    ) -> Option<Wrapping<'_, 'a>> {
        let headroom = route
            .device_headroom(rcu)
            .checked_add(u32::try_from(room).ok()?)?;
        // SAFETY: the packet is ours. Both functions leave it valid, whatever they return.
        unsafe {
            if bindings::rvs_skb_cow_head(self.as_ptr(), headroom) != 0 {
                return None;
            }
            let gso_types = between.gso_types(route.stack());
            if bindings::iptunnel_handle_offloads(self.as_ptr(), gso_types) != 0 {
                return None;
            }
        }
        let headers = self.headers_mut();
        headers.transport_header = headers.network_header;
        headers.inner_mac_header = headers.inner_network_header;
        headers.set_inner_protocol_type(ENCAP_TYPE_IPPROTO);
        headers.__bindgen_anon_5.inner_ipproto = match inner {
            Stack::V4 => IPPROTO_IPIP,
            Stack::V6 => IPPROTO_IPV6,
        };
        // Sockets leave this to whoever sends the packet; whoever hashes its flow wants it.
        headers.protocol = inner.ethernet().to_be();
        // INVARIANT: `rvs_skb_cow_head` made this much room, and made the head private.
        Some(Wrapping {
            skb: self,
            room,
            transport_len: 0,
            inner,
            outer: route.stack(),
        })
    }
}

impl Wrapping<'_, '_> {
    /// The length of what is wrapped so far, bytes.
    pub fn len(&self) -> usize {
        self.skb.len()
    }

    /// A UDP source port that is the same for all packets of a flow and different for most flows, out of
    /// the range that the namespace gives to sockets.
    pub fn flow_port(&mut self, net: Net<'_>) -> u16 {
        // SAFETY: the namespace and the packet are valid.
        unsafe { bindings::rvs_flow_port(net.as_ptr(), self.skb.as_ptr()) }
    }

    /// The checksum that the sender left to its hardware, if there is one.
    pub fn unfinished_checksum(&self) -> Option<Unfinished> {
        let (start, offset) = self.skb.partial_checksum()?;
        let start = start.checked_sub(self.skb.data_offset()?)?;
        Some(Unfinished {
            start,
            field: start.checked_add(offset)?,
        })
    }

    /// Leaves the inner packet's checksum to the far end, which is told where it is. Segments of a larger
    /// packet are treated so when they are cut.
    pub fn leave_checksum_unfinished(&mut self) {
        if !self.skb.is_gso() {
            let headers = self.skb.headers_mut();
            headers.set_ip_summed(bindings::CHECKSUM_NONE as u8);
            headers.set_encapsulation(0);
        }
    }

    /// Says by its Ethernet protocol what follows the transport header, by which segments of GRE are cut.
    pub fn name_inner_ethernet(&mut self) {
        let protocol = self.inner.ethernet();
        let headers = self.skb.headers_mut();
        headers.set_inner_protocol_type(ENCAP_TYPE_ETHER);
        headers.__bindgen_anon_5.inner_protocol = protocol.to_be();
    }

    /// Puts a header in front. `None` if there is no such room.
    fn push<const LEN: usize>(&mut self, header: &[u8; LEN]) -> Option<u16> {
        self.room = self.room.checked_sub(LEN)?;
        // SAFETY: by the type invariants the bytes are there, and private to the packet.
        unsafe {
            bindings::rvs_skb_push(self.skb.as_ptr(), LEN as u32)
                .cast::<[u8; LEN]>()
                .write(*header);
        }
        self.skb.data_offset()
    }

    /// Puts a transport header in front. `None` if there is no such room.
    pub fn push_transport<const LEN: usize>(&mut self, header: &[u8; LEN]) -> Option<()> {
        let at = self.push(header)?;
        self.skb.headers_mut().transport_header = at;
        // INVARIANT: just put there.
        self.transport_len = LEN;
        Some(())
    }

    /// Puts a network header in front, which becomes the packet's, and forgets what was noted of the
    /// packet inside. `None` if there is no such room.
    pub fn push_network<const LEN: usize>(mut self, header: &[u8; LEN]) -> Option<()> {
        let at = self.push(header)?;
        let headers = self.skb.headers_mut();
        headers.network_header = at;
        headers.protocol = self.outer.ethernet().to_be();
        // Whatever the control block said of the inner packet is not true of the outer one.
        self.skb.raw_mut().cb = [0; 48];
        Some(())
    }

    /// The checksum at `field` of the transport header in front, and what is known of the bytes that it
    /// covers; what else it covers has to be written to it, with them if they are known. `None` if there
    /// is no such field.
    pub fn checksum(&mut self, field: u16) -> Option<(Covered, &mut [u8; 2])> {
        let at = usize::from(field);
        if at.checked_add(2)? > self.transport_len {
            return None;
        }
        let covered = match self.skb.partial_checksum() {
            _ if self.skb.is_gso() => Covered::Later,
            Some(_) => Covered::Sum(self.sum_with_unfinished()?),
            None => {
                let headers = self.skb.headers_mut();
                let start = headers.transport_header;
                headers.set_ip_summed(bindings::CHECKSUM_PARTIAL as u8);
                headers.__bindgen_anon_1.__bindgen_anon_1.csum_start = start;
                headers.__bindgen_anon_1.__bindgen_anon_1.csum_offset = field;
                Covered::Later
            }
        };
        // SAFETY: the header has these bytes, and they are private, by the type invariants.
        let field = unsafe { self.skb.raw().data.add(at).cast::<[u8; 2]>().as_mut()? };
        Some((covered, field))
    }

    /// The sum over a packet whose inner checksum is left to the hardware: whatever that covers will add
    /// up to the complement of what the field holds now.
    fn sum_with_unfinished(&self) -> Option<u16> {
        let (start, offset) = self.skb.partial_checksum()?;
        let end = u32::from(start)
            .checked_add(u32::from(offset))?
            .checked_add(2)?;
        if start < self.skb.headers().transport_header || end > self.skb.raw().tail {
            return None;
        }
        // SAFETY: the bytes from the transport header up to the inner checksum are linear, which was
        // just checked.
        Some(!unsafe { bindings::rvs_lco_checksum(self.skb.as_ptr()) })
    }
}
