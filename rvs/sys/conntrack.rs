// SPDX-License-Identifier: GPL-2.0-only

//! Connection tracking: the kernel's own memory of the flow that a packet
//! belongs to, which rules that look at the state of flows or translate their
//! addresses go by. Whoever translates a packet without such a rule says here
//! what the answers will look like.
//!
//! C headers: `include/net/netfilter/nf_conntrack.h`,
//! `include/net/netfilter/nf_conntrack_core.h`

use super::{
    bindings,
    ip::Stack,
    net::Net,
    netfilter::Context,
    skb::{Skb, CT_INFO},
};
use core::{
    marker::PhantomData,
    net::{IpAddr, SocketAddr},
    ptr::{self, NonNull},
};
use kernel::{error::to_result, prelude::*};

/// A flow in the direction in which it began.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Flow {
    /// IP protocol number.
    pub protocol: u8,
    /// Where its first packet came from.
    pub src: SocketAddr,
    /// Where its first packet went.
    pub dst: SocketAddr,
}

/// Connection tracking of a stack is on in a namespace while this exists, at the latest.
pub struct Tracking {
    net: Net<'static>,
    family: u8,
}

impl Tracking {
    /// Has the packets of a stack tracked, if they are not already. Sleeps.
    pub fn enable(net: Net<'static>, stack: Stack) -> Result<Self> {
        let family = family_of(stack);
        // SAFETY: the namespace is alive.
        to_result(unsafe { bindings::nf_ct_netns_get(net.as_ptr(), family) })?;
        Ok(Self { net, family })
    }
}

impl Drop for Tracking {
    fn drop(&mut self) {
        // SAFETY: the namespace is alive; takes back what `enable` asked for.
        unsafe { bindings::nf_ct_netns_put(self.net.as_ptr(), self.family) };
    }
}

fn family_of(stack: Stack) -> u8 {
    match stack {
        Stack::V4 => bindings::NFPROTO_IPV4 as u8,
        Stack::V6 => bindings::NFPROTO_IPV6 as u8,
    }
}

/// Has the kernel forget a flow of the default zone, in whichever direction it began. Any context but
/// hard interrupts; the namespace's connection tracking must not have ended yet.
pub fn forget(net: Net<'_>, flow: &Flow) {
    let tuple = tuple_of(flow);
    // SAFETY: the namespace is alive, and the other arguments are valid for the call. What is found
    // comes with a reference, which is given back.
    unsafe {
        let zone = &raw const bindings::nf_ct_zone_dflt;
        let found = bindings::nf_conntrack_find_get(net.as_ptr(), zone, &tuple);
        if !found.is_null() {
            let entry = bindings::rvs_ct_of_tuple(found);
            bindings::nf_ct_delete(entry, 0, 0);
            bindings::rvs_nf_conntrack_put(entry.addr());
        }
    }
}

fn inet_addr(addr: IpAddr) -> bindings::nf_inet_addr {
    let mut bytes = [0; 16];
    match addr {
        IpAddr::V4(addr) => {
            let [a, b, c, d] = addr.octets();
            [bytes[0], bytes[1], bytes[2], bytes[3]] = [a, b, c, d];
        }
        IpAddr::V6(addr) => bytes = addr.octets(),
    }
    bindings::nf_inet_addr {
        in6: bindings::in6_addr {
            in6_u: bindings::in6_addr__bindgen_ty_1 { u6_addr8: bytes },
        },
    }
}

fn tuple_of(flow: &Flow) -> bindings::nf_conntrack_tuple {
    let mut tuple = bindings::nf_conntrack_tuple::default();
    tuple.src.l3num = match flow.src {
        SocketAddr::V4(_) => bindings::NFPROTO_IPV4,
        SocketAddr::V6(_) => bindings::NFPROTO_IPV6,
    } as u16;
    tuple.src.u3 = inet_addr(flow.src.ip());
    tuple.src.u.all = flow.src.port().to_be();
    tuple.dst.u3 = inet_addr(flow.dst.ip());
    tuple.dst.u.all = flow.dst.port().to_be();
    tuple.dst.protonum = flow.protocol;
    tuple
}

/// What the kernel knows of the flow that a packet belongs to.
///
/// # Invariants
///
/// The entry is live as long as the packet, which holds a reference to it, is borrowed for `'s`.
struct Tracked<'s> {
    entry: NonNull<bindings::nf_conn>,
    is_answer: bool,
    _packet: PhantomData<&'s ()>,
}

const CONFIRMED: u64 = bindings::ip_conntrack_status_IPS_CONFIRMED as u64;
const DYING: u64 = bindings::ip_conntrack_status_IPS_DYING as u64;
const TEMPLATE: u64 = bindings::ip_conntrack_status_IPS_TEMPLATE as u64;

const ORIGINAL: usize = bindings::ip_conntrack_dir_IP_CT_DIR_ORIGINAL as usize;
const REPLY: usize = bindings::ip_conntrack_dir_IP_CT_DIR_REPLY as usize;

impl Tracked<'_> {
    fn status(&self) -> u64 {
        // SAFETY: live by the type invariants; the kernel changes single bits of the word at any time.
        unsafe { ptr::read_volatile(&raw const (*self.entry.as_ptr()).status) as u64 }
    }

    /// Whether the kernel finds this entry for further packets.
    fn is_confirmed(&self) -> bool {
        self.status() & CONFIRMED != 0
    }

    /// Whether this packet began the flow and no other belongs to it: what the entry says can still be
    /// changed.
    fn is_fresh(&self) -> bool {
        !self.is_answer && self.status() & (CONFIRMED | DYING | TEMPLATE) == 0
    }

    fn tuple(&self, direction: usize) -> *mut bindings::nf_conntrack_tuple {
        // SAFETY: live by the type invariants; there are two of them, and only the two constants above
        // are used as direction.
        unsafe {
            let both: *mut bindings::nf_conntrack_tuple_hash =
                (&raw mut (*self.entry.as_ptr()).tuplehash).cast();
            &raw mut (*both.add(direction)).tuple
        }
    }

    /// Whether the flow has ports: that of an ICMP query has an identifier instead, one of ESP nothing.
    fn has_ports(&self) -> bool {
        // SAFETY: live by the type invariants; the protocol never changes.
        let protocol = unsafe { (*self.tuple(ORIGINAL)).dst.protonum };
        [IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP].contains(&protocol)
    }

    /// Whether the flow began just as `flow` says, in the zone that packets are in if no rule says
    /// otherwise.
    fn is_of(&self, flow: &Flow) -> bool {
        let wanted = tuple_of(flow);
        // SAFETY: live by the type invariants. The tuple in the original direction never changes; the
        // unions hold plain integers.
        unsafe {
            let own = &*self.tuple(ORIGINAL);
            bindings::rvs_ct_is_in_default_zone(self.entry.as_ptr())
                && own.src.l3num == wanted.src.l3num
                && own.src.u3.all == wanted.src.u3.all
                && own.src.u.all == wanted.src.u.all
                && own.dst.u3.all == wanted.dst.u3.all
                && own.dst.u.all == wanted.dst.u.all
                && own.dst.protonum == wanted.dst.protonum
        }
    }

    #[cfg(CONFIG_NF_CONNTRACK_MARK)]
    fn mark(&self) -> u32 {
        // SAFETY: live by the type invariants; rules write the word at any time.
        unsafe { ptr::read_volatile(&raw const (*self.entry.as_ptr()).mark) }
    }

    #[cfg(CONFIG_NF_CONNTRACK_MARK)]
    fn set_mark(&self, mark: u32) {
        // SAFETY: as in `mark`.
        unsafe { ptr::write_volatile(&raw mut (*self.entry.as_ptr()).mark, mark) };
    }

    #[cfg(not(CONFIG_NF_CONNTRACK_MARK))]
    fn mark(&self) -> u32 {
        0
    }

    #[cfg(not(CONFIG_NF_CONNTRACK_MARK))]
    fn set_mark(&self, _mark: u32) {}
}

impl Skb<'_> {
    /// Whether it goes to who began its flow; `None` if the flow is not followed.
    pub fn is_tracked_answer(&self) -> Option<bool> {
        Some(self.tracked()?.is_answer)
    }

    fn tracked(&self) -> Option<Tracked<'_>> {
        let word = self.tracking_word();
        let entry = NonNull::new((word & !CT_INFO) as *mut bindings::nf_conn)?;
        // INVARIANT: the packet holds a reference to its entry.
        Some(Tracked {
            entry,
            is_answer: word & CT_INFO >= bindings::ip_conntrack_info_IP_CT_IS_REPLY as usize,
            _packet: PhantomData,
        })
    }

    /// Whether the packet belongs to a flow that the kernel has seen packets of before.
    pub fn is_of_known_flow(&self) -> bool {
        self.tracked().is_some_and(|tracked| tracked.is_confirmed())
    }

    /// If this packet begins a flow: its answers will come from another place than it goes to.
    pub fn expect_answers_from(&mut self, place: SocketAddr) {
        let Some(tracked) = self.tracked().filter(Tracked::is_fresh) else {
            return;
        };
        // SAFETY: live by the type invariants. Until it is confirmed, an entry is only reached from the
        // packet that began the flow, which is ours alone.
        unsafe {
            let answers = tracked.tuple(REPLY);
            (*answers).src.u3 = inet_addr(place.ip());
            if tracked.has_ports() {
                (*answers).src.u.all = place.port().to_be();
            }
        }
    }

    /// If this packet begins a flow: its answers will go to another place than it comes from.
    pub fn expect_answers_at(&mut self, place: SocketAddr) {
        let Some(tracked) = self.tracked().filter(Tracked::is_fresh) else {
            return;
        };
        // SAFETY: as in `expect_answers_from`.
        unsafe {
            let answers = tracked.tuple(REPLY);
            (*answers).dst.u3 = inet_addr(place.ip());
            if tracked.has_ports() {
                (*answers).dst.u.all = place.port().to_be();
            }
        }
    }

    /// If this packet begins a flow: lets words in it be replaced later by others of another length, and
    /// further flows be announced by it.
    pub fn foresee_changes(&mut self) {
        if let Some(tracked) = self.tracked().filter(Tracked::is_fresh) {
            let entry = tracked.entry.as_ptr();
            // SAFETY: live by the type invariants, and reached from this packet alone. What is not
            // provided is missed when it is needed.
            unsafe {
                bindings::rvs_ct_provide_seqadj(entry);
                bindings::rvs_ct_provide_help(entry);
            }
        }
    }

    /// Replaces a text that a segment of TCP carries, from `offset` on behind its header, which stands at
    /// `header`. Sequence numbers of the flow are adjusted from here on, when its packets leave the host.
    /// `false` if the segment has no such text, the flow is not tracked well enough, or memory is out.
    pub fn replace_text(&mut self, header: usize, offset: usize, len: usize, by: &[u8]) -> bool {
        let whole = self.len();
        if !self.pull(whole) {
            return false;
        }
        let Some(carried) = self.linear().get(header..).and_then(tcp_payload_len) else {
            return false;
        };
        let fits = offset.checked_add(len).is_some_and(|end| end <= carried);
        let Some(tracked) = self.tracked().filter(|_| fits) else {
            return false;
        };
        let entry = tracked.entry.as_ptr();
        // SAFETY: live by the type invariants; the packet is ours, has the text in one piece, and the
        // kernel makes room for a longer one.
        unsafe {
            if by.len() != len && !bindings::rvs_ct_has_seqadj(entry) {
                return false;
            }
            bindings::__nf_nat_mangle_tcp_packet(
                self.as_ptr(),
                entry,
                (self.tracking_word() & CT_INFO) as u32,
                header as u32,
                offset as u32,
                len as u32,
                by.as_ptr().cast(),
                by.len() as u32,
                true,
            )
        }
    }

    /// Has the kernel expect a flow that the packet's own flow announces, for so many ticks: from an
    /// address, and a port unless that is 0, to a place. Rules see it as related. A flow that is not
    /// announced is tracked all the same.
    pub fn announce(&mut self, flow: &Flow, ticks: u32) {
        let Some(tracked) = self.tracked() else {
            return;
        };
        let tuple = tuple_of(flow);
        // SAFETY: the entry is live by the type invariants; an expectation is ours until it is given
        // back, and lives on in the kernel's table if it came there, to end with its entry at the latest.
        // The unions hold plain integers.
        unsafe {
            let expected = bindings::nf_ct_expect_alloc(tracked.entry.as_ptr());
            if expected.is_null() {
                return;
            }
            let any_port = ptr::null();
            let from_port = &raw const tuple.src.u.all;
            bindings::nf_ct_expect_init(
                expected,
                bindings::NF_CT_EXPECT_CLASS_DEFAULT,
                tuple.src.l3num as u8,
                &raw const tuple.src.u3,
                &raw const tuple.dst.u3,
                flow.protocol,
                if flow.src.port() == 0 {
                    any_port
                } else {
                    from_port
                },
                &raw const tuple.dst.u.all,
            );
            // A helper of the kernel's own would add the time that it allows.
            if (*expected).helper.is_null() {
                (*expected).timeout = (*expected).timeout.wrapping_add(ticks);
            }
            bindings::nf_ct_expect_related_report(expected, 0, 0, 0);
            bindings::nf_ct_expect_put(expected);
        }
    }

    /// Has the kernel remember the packet's flow, as it does with packets that leave the host. `false`
    /// if it won't, and the packet must be dropped.
    pub fn confirm_tracking(&mut self) -> bool {
        // SAFETY: the packet is ours.
        unsafe { bindings::rvs_ct_confirm(self.as_ptr()) == bindings::NF_ACCEPT }
    }

    /// Makes the packet, which is as it came, the first one of a new flow: what the kernel knows of an
    /// older flow with the same ends, which is `flow`, is forgotten. `false` if it stays with the older
    /// one, because that was translated by a rule, or is in a zone of its own, or memory is out.
    pub fn track_anew(&mut self, flow: &Flow, stack: Stack, context: Context<'_>) -> bool {
        let Some(older) = self.tracked() else {
            return true;
        };
        if !older.is_confirmed() {
            return true;
        }
        if older.is_answer || !older.is_of(flow) {
            return false;
        }
        let mark = older.mark();
        // SAFETY: live, since the packet holds a reference.
        unsafe { bindings::nf_ct_delete(older.entry.as_ptr(), 0, 0) };
        self.forget_tracking();
        let state = bindings::nf_hook_state {
            hook: context.point as u8,
            pf: family_of(stack),
            net: context.net.as_ptr(),
            ..Default::default()
        };
        // SAFETY: the packet is ours, with its network header at `data` as in every hook; netfilter
        // holds the read side of RCU.
        if unsafe { bindings::nf_conntrack_in(self.as_ptr(), &state) } != bindings::NF_ACCEPT {
            return false;
        }
        let Some(new) = self.tracked() else {
            return true;
        };
        // It can still be the old one, if another CPU is about to delete it.
        let is_fresh = new.is_fresh();
        if is_fresh {
            new.set_mark(mark);
        }
        is_fresh
    }
}

/// How many bytes a segment of TCP carries; `None` if its header is broken.
fn tcp_payload_len(segment: &[u8]) -> Option<usize> {
    let words = segment.get(12)? >> 4;
    let header = usize::from(words).wrapping_mul(4);
    segment.len().checked_sub(header)
}

const IPPROTO_TCP: u8 = 6;
const IPPROTO_UDP: u8 = 17;
const IPPROTO_SCTP: u8 = 132;
