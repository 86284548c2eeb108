// SPDX-License-Identifier: GPL-2.0-only

//! A packet that a hook decides on. Whoever has the [`Skb`] has the packet; a
//! [`Verdict`] exists only once it was given up, so a packet can neither be
//! forgotten nor touched after it left.
//!
//! C header: `include/linux/skbuff.h`

mod made;
mod quoted;
mod wrapping;

pub use made::send;
pub use wrapping::{Between, Covered, Wrapping};

use super::{
    bindings,
    cpu::BottomHalvesOff,
    ip::{Stack, Stacked},
    net::Net,
    route::Route,
};
use core::{
    marker::PhantomData,
    ptr::{self, NonNull},
    slice,
};

/// What becomes of a packet.
#[must_use]
pub struct Verdict<'a>(u32, PhantomData<&'a ()>);

impl Verdict<'_> {
    #[inline]
    pub(super) fn into_raw(self) -> u32 {
        self.0
    }
}

/// How much of the transport checksum is in the packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ChecksumState {
    /// All of it.
    Complete,
    /// The pseudo-header's part: the device adds the rest.
    Partial,
}

/// A packet, in the hands of one function at a time: one on its way through a hook, or one that was made up here.
///
/// # Invariants
///
/// `ptr` is a valid `sk_buff` with its network header at `data`, in one piece, which during `'a` nobody else changes or gives
/// away; and which whoever owns this may, unless it was lent out by shared reference only.
pub struct Skb<'a> {
    ptr: NonNull<bindings::sk_buff>,
    _hook: PhantomData<&'a mut bindings::sk_buff>,
}

impl<'a> Skb<'a> {
    /// # Safety
    ///
    /// `ptr` is a valid packet whose network header is at `data`, in one piece, with a control block that is the IP layer's or
    /// zeroed, and during `'a` it is the caller's alone. It is one of these:
    ///
    /// - A packet that a hook was called with and has not given a verdict on. `'a` ends before the hook returns, with
    ///   what the verdict says.
    /// - A packet that somebody else decides on, who waits for us until `'a` ends. The caller gives out shared references
    ///   to the value only, by which a packet is neither changed nor given away.
    /// - A packet that the caller has made. Nobody acts on a verdict: it is given away by one of the functions that do so
    ///   themselves ([`Skb::discard`], [`Skb::local_out`], [`Skb::output`]), or never freed.
    #[inline]
    pub(super) unsafe fn from_ptr(ptr: *mut bindings::sk_buff) -> Self {
        // INVARIANT: by the safety requirement.
        Self {
            // SAFETY: a packet is never null.
            ptr: unsafe { NonNull::new_unchecked(ptr) },
            _hook: PhantomData,
        }
    }

    #[inline]
    fn raw(&self) -> &bindings::sk_buff {
        // SAFETY: valid by the type invariants, and borrowed from us.
        unsafe { self.ptr.as_ref() }
    }

    #[inline]
    fn raw_mut(&mut self) -> &mut bindings::sk_buff {
        // SAFETY: valid by the type invariants, and we have it alone.
        unsafe { self.ptr.as_mut() }
    }

    #[inline]
    pub(super) fn as_ptr(&self) -> *mut bindings::sk_buff {
        self.ptr.as_ptr()
    }

    #[inline]
    fn give(self, verdict: u32) -> Verdict<'a> {
        Verdict(verdict, PhantomData)
    }

    /// Lets the packet go on through the stack.
    #[inline]
    pub fn accept(self) -> Verdict<'a> {
        self.give(bindings::NF_ACCEPT)
    }

    /// Has the packet freed.
    #[inline]
    pub fn drop(self) -> Verdict<'a> {
        self.give(bindings::NF_DROP)
    }

    /// Frees the packet. Unlike after [`Skb::drop`], whoever sent it from this host is not told.
    pub fn discard(self) -> Verdict<'a> {
        // SAFETY: the packet is ours, and ours no more afterwards.
        unsafe { bindings::rvs_kfree_skb(self.as_ptr()) };
        self.give(bindings::NF_STOLEN)
    }

    /// Bytes from the network header on.
    #[inline]
    pub fn len(&self) -> usize {
        self.raw().len as usize
    }

    /// The bytes from the network header on that lie in one piece.
    #[inline]
    pub fn linear(&self) -> &[u8] {
        let raw = self.raw();
        let len = raw.len.wrapping_sub(raw.data_len) as usize;
        // SAFETY: `data` has `len - data_len` bytes, initialised by whoever received the packet, and
        // nobody changes them while `self` is borrowed.
        unsafe { slice::from_raw_parts(raw.data, len) }
    }

    /// Brings the first `len` bytes into one piece; `false` if the packet is shorter or memory is
    /// out.
    #[inline]
    pub fn pull(&mut self, len: usize) -> bool {
        let raw = self.raw();
        let linear = raw.len.wrapping_sub(raw.data_len) as usize;
        if len <= linear {
            return true;
        }
        if len > raw.len as usize {
            return false;
        }
        // SAFETY: the packet is ours; the missing bytes exist behind the linear part.
        unsafe { !bindings::__pskb_pull_tail(self.as_ptr(), (len - linear) as i32).is_null() }
    }

    /// A copy of the `N` bytes at `offset`, wherever they lie; `None` if the packet is shorter. Unlike
    /// [`Self::pull`] it moves nothing, which a packet that is cut into segments along its parts needs.
    #[inline]
    pub fn copy<const N: usize>(&self, offset: usize) -> Option<[u8; N]> {
        let mut bytes = [0; N];
        let (from, to) = (i32::try_from(offset).ok()?, bytes.as_mut_ptr().cast());
        // SAFETY: the packet is valid; at most `N` bytes are written, to an array of as many. An offset
        // beyond the packet is refused.
        let missing = unsafe { bindings::skb_copy_bits(self.as_ptr(), from, to, N as i32) };
        (missing == 0).then_some(bytes)
    }

    /// A copy of the first bytes, wherever they lie: all that there are, and find room.
    pub fn copy_head<'r>(&self, room: &'r mut [u8]) -> &'r [u8] {
        let len = self.len().min(room.len());
        let Some(room) = room.get_mut(..len) else {
            return &[];
        };
        let to = room.as_mut_ptr().cast();
        // SAFETY: the packet is valid and has so many bytes, for which there is room.
        let missing = unsafe { bindings::skb_copy_bits(self.as_ptr(), 0, to, len as i32) };
        match missing {
            0 => room,
            _ => &[],
        }
    }

    /// The first `len` bytes to write to, which nobody else sees: copied if they were shared.
    /// `None` if the packet is shorter or memory is out.
    #[inline]
    pub fn writable(&mut self, len: usize) -> Option<&mut [u8]> {
        if !self.pull(len) {
            return None;
        }
        if self.raw().cloned() != 0 {
            // SAFETY: the packet is ours; the length was checked.
            if unsafe { bindings::skb_ensure_writable(self.as_ptr(), len as u32) } != 0 {
                return None;
            }
        }
        // SAFETY: the first `len` bytes are linear, and private to this packet: it is not cloned,
        // or its head was just copied or found writable. `self` stays borrowed meanwhile.
        Some(unsafe { slice::from_raw_parts_mut(self.raw().data, len) })
    }

    #[inline]
    fn headers(&self) -> &Headers {
        // SAFETY: the group is one of two views of the same fields; both are plain integers.
        unsafe { self.raw().__bindgen_anon_4.headers.as_ref() }
    }

    #[inline]
    fn headers_mut(&mut self) -> &mut Headers {
        // SAFETY: as in `headers`, and the packet is ours alone.
        unsafe { self.raw_mut().__bindgen_anon_4.headers.as_mut() }
    }

    /// Whether this packet was already handled by a load balancer of this host.
    #[inline]
    pub fn is_balanced(&self) -> bool {
        self.headers().ipvs_property() != 0
    }

    /// Marks the packet as handled.
    #[inline]
    pub fn mark_balanced(&mut self) {
        self.headers_mut().set_ipvs_property(1);
    }

    /// Whether it was sent to this host, as opposed to broadcast, or seen in passing.
    #[inline]
    pub fn is_for_host(&self) -> bool {
        u32::from(self.headers().pkt_type()) == bindings::PACKET_HOST
    }

    /// How much of the transport checksum is in the packet.
    #[inline]
    pub fn checksum_state(&self) -> ChecksumState {
        if u32::from(self.headers().ip_summed()) == bindings::CHECKSUM_PARTIAL {
            ChecksumState::Partial
        } else {
            ChecksumState::Complete
        }
    }

    /// Where the bytes begin that a checksum covers which is left to the device, from the buffer's begin
    /// on, and how far behind that its field is; `None` if none is left.
    fn partial_checksum(&self) -> Option<(u16, u16)> {
        if self.checksum_state() != ChecksumState::Partial {
            return None;
        }
        // SAFETY: the union's members are plain integers, and this one is valid now.
        let place = unsafe { self.headers().__bindgen_anon_1.__bindgen_anon_1 };
        Some((place.csum_start, place.csum_offset))
    }

    /// Where the packet begins, bytes from the buffer's begin.
    fn data_offset(&self) -> Option<u16> {
        let raw = self.raw();
        // SAFETY: both pointers are of the same buffer.
        u16::try_from(unsafe { raw.data.offset_from(raw.head) }).ok()
    }

    /// Forgets a sum over the packet that the device computed, before headers change.
    #[inline]
    pub fn forget_device_checksum(&mut self) {
        if u32::from(self.headers().ip_summed()) == bindings::CHECKSUM_COMPLETE {
            self.headers_mut()
                .set_ip_summed(bindings::CHECKSUM_NONE as u8);
        }
    }

    /// Whether it has no whole packet's room on a path of this MTU: longer, and not going to be
    /// cut into segments that fit.
    #[inline]
    pub fn exceeds(&self, mtu: u32) -> bool {
        if self.raw().len <= mtu {
            return false;
        }
        // SAFETY: the packet is valid; the function only reads it.
        !(self.is_gso() && unsafe { bindings::skb_gso_validate_network_len(self.as_ptr(), mtu) })
    }

    /// Whether it stands for several segments that are cut later.
    #[inline]
    pub fn is_gso(&self) -> bool {
        let raw = self.raw();
        // SAFETY: the shared information lies behind the buffer of every packet.
        unsafe {
            let info = raw
                .head
                .add(raw.end as usize)
                .cast::<bindings::skb_shared_info>();
            (*info).gso_size != 0
        }
    }

    /// The mark that rules of netfilter gave the packet; 0 for none.
    #[inline]
    pub fn mark(&self) -> u32 {
        // SAFETY: the union's members are plain integers.
        unsafe { self.headers().__bindgen_anon_4.mark }
    }

    /// The route attached to the packet, as a pointer; null if there is none.
    #[inline]
    fn attached_route(&self) -> *mut bindings::dst_entry {
        // SAFETY: packets in hooks use this member of the union for the route.
        let refdst = unsafe { self.raw().__bindgen_anon_3.__bindgen_anon_1._skb_refdst };
        (refdst & !NOREF) as *mut bindings::dst_entry
    }

    /// Whether a route is attached.
    #[inline]
    pub fn is_routed(&self) -> bool {
        !self.attached_route().is_null()
    }

    /// Whether the attached route leads to this host.
    #[inline]
    pub fn is_routed_locally<A: Stacked>(&self) -> bool {
        let dst = self.attached_route();
        if dst.is_null() {
            return false;
        }
        // SAFETY: the attached route lives as long as the packet has it; an IPv4 packet has an
        // `rtable`, which begins with its `dst_entry`.
        unsafe {
            match A::STACK {
                Stack::V4 => (*dst.cast::<bindings::rtable>()).rt_flags & bindings::RTCF_LOCAL != 0,
                Stack::V6 => bindings::rvs_dst_is_loopback(dst),
            }
        }
    }

    /// Replaces the attached route by one that stays alive at least until the read side of RCU,
    /// which every hook holds, is released: the kernel itself frees routes only a grace period after the last reference.
    #[inline]
    pub fn attach_route(&mut self, route: &Route) {
        // SAFETY: packets in hooks use this member of the union for the route.
        let refdst = unsafe { self.raw().__bindgen_anon_3.__bindgen_anon_1._skb_refdst };
        if refdst != 0 && refdst & NOREF == 0 {
            // SAFETY: the packet is ours.
            unsafe { bindings::rvs_skb_dst_drop(self.as_ptr()) };
        }
        self.raw_mut().__bindgen_anon_3.__bindgen_anon_1._skb_refdst =
            route.as_dst().addr() | NOREF;
        self.headers_mut().set_slow_gro(1);
    }

    /// Replaces the attached route by one that lives as long as the packet has it.
    pub fn hand_route(&mut self, route: Route) {
        // SAFETY: the packet is ours, and gets the reference that the route held.
        unsafe {
            bindings::rvs_skb_dst_drop(self.as_ptr());
            bindings::rvs_skb_dst_set(self.as_ptr(), route.into_dst());
        }
    }

    /// The entry of connection tracking that the packet refers to, and in [`CT_INFO`] how it belongs to
    /// it.
    #[inline]
    pub(super) fn tracking_word(&self) -> usize {
        self.raw()._nfct
    }

    /// Takes connection tracking off the packet: rules see it as untracked from here on.
    #[inline]
    pub fn untrack(&mut self) {
        let tracked = self.raw()._nfct;
        if tracked & !CT_INFO != 0 {
            // SAFETY: the packet holds this reference, which is replaced below.
            unsafe { bindings::rvs_nf_conntrack_put(tracked) };
        }
        self.raw_mut()._nfct = CT_UNTRACKED;
    }

    /// Takes connection tracking off the packet: it gets an entry of its own if it meets tracking again.
    pub fn forget_tracking(&mut self) {
        self.untrack();
        self.raw_mut()._nfct = 0;
    }

    /// Forgets when the packet came in: on the way out the field says when it shall leave.
    #[inline]
    pub fn clear_receive_time(&mut self) {
        if self.headers().tstamp_type() == 0 {
            self.raw_mut().__bindgen_anon_2.tstamp = 0;
        }
    }

    /// Whether the socket that sent it wants its fragments left alone.
    pub fn wants_no_defragmentation(&self) -> bool {
        // SAFETY: the packet is valid.
        unsafe { bindings::rvs_skb_wants_no_defrag(self.as_ptr()) }
    }

    /// Detaches a local socket, before the packet leaves the host.
    #[inline]
    pub fn orphan(&mut self) {
        if !self.raw().sk.is_null() {
            // SAFETY: the packet is ours.
            unsafe { bindings::rvs_skb_orphan(self.as_ptr()) };
        }
    }

    /// Leaves the decision about the packet's length to what was decided here: a later
    /// fragmentation does not look at DF.
    #[inline]
    pub fn ignore_df(&mut self) {
        self.headers_mut().set_ignore_df(1);
    }

    /// Answers the packet with an ICMP error. Only for packets with a route.
    pub fn send_icmp_error<A: Stacked>(&mut self, net: Net<'_>, kind: u8, code: u8, info: u32) {
        if self.is_routed() {
            // SAFETY: the packet is valid, with a route, and its control block is the IP layer's,
            // since hooks run within it.
            unsafe {
                match A::STACK {
                    Stack::V4 => {
                        bindings::rvs_icmp_send(self.as_ptr(), kind, code, info.to_be());
                    }
                    Stack::V6 => {
                        bindings::rvs_skb_ensure_dev(self.as_ptr(), net.as_ptr());
                        bindings::rvs_icmp6_send(self.as_ptr(), kind, code, info);
                    }
                }
            }
        }
    }

    /// Lets the route by which a socket of this host sends the packet know that packets of `mtu` bytes at
    /// most get through, if it thinks of more.
    pub fn lower_sender_mtu(&mut self, mtu: u32) {
        let dst = self.attached_route();
        // SAFETY: the packet is valid; its route lives as long as it is attached. The socket is asked for
        // what an inet socket has only if it is one, of the route's family or of IPv6 over IPv4.
        unsafe {
            if !dst.is_null()
                && bindings::rvs_skb_is_routed_for_socket(self.as_ptr(), dst)
                && bindings::rvs_dst_mtu(dst) > mtu
            {
                bindings::rvs_dst_update_pmtu(dst, self.raw().sk, mtu);
            }
        }
    }

    /// Notes a hash of the packet's flow for those who spread flows over paths and queues, if there is none.
    #[inline]
    pub fn set_flow_hash(&mut self, hash: u32) {
        // SAFETY: the packet is ours.
        unsafe { bindings::rvs_skb_set_flow_hash(self.as_ptr(), hash) };
    }

    /// Tells whoever routed this packet that its next hop can't be reached.
    pub fn report_link_failure(&mut self) {
        // SAFETY: the packet is valid.
        unsafe { bindings::rvs_dst_link_failure(self.as_ptr()) };
    }

    /// Collects fragments: the whole packet once the last fragment is there, else the verdict on
    /// a fragment that is kept.
    pub fn defragment(self, net: Net<'_>, user: DefragmentFor) -> Result<Self, Verdict<'a>> {
        let _bh = BottomHalvesOff::new();
        // SAFETY: the packet is ours, and ours no more if the result is not 0.
        match unsafe { bindings::ip_defrag(net.as_ptr(), self.as_ptr(), user as u32) } {
            0 => Ok(self),
            _ => Err(self.give(bindings::NF_STOLEN)),
        }
    }

    /// Finds the attached route anew for a packet whose source address changed, as if this host
    /// sent it. `false` if there is none.
    pub fn reroute<A: Stacked>(&mut self, net: Net<'_>) -> bool {
        let sk = self.raw().sk;
        // SAFETY: the packet and the namespace are valid; `sk` is the packet's own.
        let errno = unsafe {
            match A::STACK {
                Stack::V4 => {
                    bindings::ip_route_me_harder(net.as_ptr(), sk, self.as_ptr(), RTN_LOCAL)
                }
                Stack::V6 => bindings::ip6_route_me_harder(net.as_ptr(), sk, self.as_ptr()),
            }
        };
        errno == 0
    }

    /// The longest of the fragments that an IPv6 packet came in, bytes; 0 if it came whole.
    pub fn largest_fragment(&self) -> u32 {
        // SAFETY: the packet is valid, and its control block is the IP layer's.
        unsafe { bindings::rvs_largest_fragment6(self.as_ptr()) }
    }

    /// Writes a fresh identification into the packet's IPv4 header, which must be private, and the
    /// checksum with it, which was right before.
    pub fn select_ident(&mut self, net: Net<'_>) {
        // SAFETY: hooks of IPv4 get packets with a linear IPv4 header at `data`.
        unsafe { bindings::rvs_ip_select_ident(net.as_ptr(), self.as_ptr()) };
    }

    /// Writes the checksum of the IPv4 header of a packet that was reassembled.
    pub fn refresh_header_checksum(&mut self) {
        // SAFETY: the header is linear at `data`, as in `select_ident`, and reassembly made it private.
        unsafe { bindings::ip_send_check(self.raw().data.cast()) };
    }

    /// The Internet checksum over the packet from `offset` on: 0xffff or 0 if it includes a right
    /// checksum. `None` if the packet is shorter.
    pub fn checksum_from(&self, offset: usize) -> Option<u16> {
        let len = self.len().checked_sub(offset)?;
        // SAFETY: the range lies within the packet.
        Some(unsafe { bindings::rvs_skb_checksum(self.as_ptr(), offset as i32, len as i32) })
    }

    /// Writes the transport checksum that is left to the device. `None` if memory is out.
    pub fn complete_checksum(&mut self) -> Option<()> {
        // SAFETY: the packet is ours; no feature of a device is promised.
        (unsafe { bindings::skb_csum_hwoffload_help(self.as_ptr(), 0) } == 0).then_some(())
    }

    /// Writes the checksum of an SCTP header at `offset`, in the part that is linear and private. `None`
    /// if the packet ends before.
    pub fn write_sctp_checksum(&mut self, offset: usize) -> Option<()> {
        let end = offset.checked_add(SCTP_HEADER)?;
        if !self.pull(end) {
            return None;
        }
        // SAFETY: the packet is ours, and has the header in one piece.
        unsafe { bindings::rvs_write_sctp_checksum(self.as_ptr(), offset as u32) };
        Some(())
    }

    /// Sends the packet along its attached route, through the hooks for packets of this host. The
    /// network header gets its length, and its checksum if there is one, there.
    #[inline]
    pub fn local_out(self, stack: Stack, net: Net<'_>) -> Verdict<'a> {
        let (net, sk) = (net.as_ptr(), ptr::null_mut());
        // SAFETY: the packet is ours and has a route; ours no more afterwards.
        unsafe {
            match stack {
                Stack::V4 => bindings::ip_local_out(net, sk, self.as_ptr()),
                Stack::V6 => bindings::ip6_local_out(net, sk, self.as_ptr()),
            }
        };
        self.give(bindings::NF_STOLEN)
    }

    /// Sends the packet along its attached route, past the hooks for packets of this host.
    #[inline]
    pub fn output(self, stack: Stack, net: Net<'_>) -> Verdict<'a> {
        if self.is_bound_for_slave() {
            return self.local_out(stack, net);
        }
        // SAFETY: as in `local_out`.
        unsafe { bindings::rvs_dst_output(net.as_ptr(), self.as_ptr()) };
        self.give(bindings::NF_STOLEN)
    }

    /// Whether it goes out by a device of an L3 master, which handles it where local packets leave.
    fn is_bound_for_slave(&self) -> bool {
        // SAFETY: the packet is valid, with a route.
        unsafe { bindings::rvs_is_bound_for_slave(self.as_ptr()) }
    }
}

type Headers = bindings::sk_buff__bindgen_ty_4__bindgen_ty_2;

/// Bit of the route pointer: the packet holds no reference.
const NOREF: usize = 1;
/// Bits of the connection tracking word below the pointer.
pub(super) const CT_INFO: usize = 7;
/// The word of a packet that is not tracked.
const CT_UNTRACKED: usize = 7;
const RTN_LOCAL: u32 = bindings::RTN_LOCAL;
const SCTP_HEADER: usize = 12;

/// On whose behalf fragments are collected: those of different places never mix.
#[derive(Clone, Copy)]
#[repr(u32)]
pub enum DefragmentFor {
    /// Packets for this host.
    LocalIn = bindings::ip_defrag_users_IP_DEFRAG_VS_IN,
    /// Routed packets.
    Forward = bindings::ip_defrag_users_IP_DEFRAG_VS_FWD,
    /// Packets of this host.
    LocalOut = bindings::ip_defrag_users_IP_DEFRAG_VS_OUT,
}
