// SPDX-License-Identifier: GPL-2.0-only

//! The chain of extension headers between an IPv6 header and what it carries (RFC 8200 §4): walked over
//! in bounded steps to find the transport header and to learn of fragmentation. What the headers ask
//! of routers and hosts is none of the balancer's business.

use super::{ipv6::HEADER_LEN, IPPROTO_AH};

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const DESTINATION_OPTIONS: u8 = 60;

/// How many extension headers a packet may have, as Linux limits them.
pub const MAX_HEADERS: usize = 12;

/// Length of a fragment header, bytes.
const FRAGMENT_LEN: usize = 8;

/// The header that says that a packet is a part of a larger one (RFC 8200 §4.5). A packet may have one
/// and still be whole (RFC 6946).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fragment {
    /// Where this fragment's payload belongs in the original payload, bytes.
    pub offset: u16,
    /// More fragments of the same packet follow.
    pub more: bool,
}

impl Fragment {
    /// Reads the third and fourth byte of a fragment header.
    #[inline]
    fn parse(offset_flags: [u8; 2]) -> Fragment {
        let word = u16::from_be_bytes(offset_flags);
        Fragment {
            offset: word & !7,
            more: word & 1 != 0,
        }
    }

    /// Does the payload begin here, with the transport header?
    #[inline]
    #[must_use]
    pub fn is_first(self) -> bool {
        self.offset == 0
    }
}

/// What an IPv6 packet carries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Upper {
    /// Protocol number of the payload; 59 if there is none.
    pub protocol: u8,
    /// Where the payload begins, bytes from the beginning of the IPv6 header.
    pub offset: usize,
    /// The fragment header, if there is one. Only behind a first fragment's is there a transport header.
    pub fragment: Option<Fragment>,
}

/// How far the chain could be followed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Walk {
    /// To its end.
    Complete(Upper),
    /// The bytes end before the chain does. It takes this many bytes behind the IPv6 header, more than there
    /// were, to get further; a packet that is shorter than that cannot be parsed.
    Needs(usize),
    /// Too many headers, or a fragment that begins within the chain: a packet of an unknown protocol.
    Unparsable,
}

/// Follows the chain. `next_header` is that of the IPv6 header, `behind` are the bytes behind it, as many
/// as are at hand.
///
/// An authentication header is one of the chain, as it is for IPVS: unlike over IPv4, what it protects is
/// balanced by its own protocol.
#[inline]
#[must_use]
pub fn walk(next_header: u8, behind: &[u8]) -> Walk {
    if is_extension(next_header) {
        follow(next_header, behind)
    } else {
        Walk::Complete(Upper {
            protocol: next_header,
            offset: HEADER_LEN,
            fragment: None,
        })
    }
}

#[inline]
fn is_extension(protocol: u8) -> bool {
    matches!(
        protocol,
        HOP_BY_HOP | ROUTING | FRAGMENT | DESTINATION_OPTIONS | IPPROTO_AH
    )
}

/// Length of an extension header, bytes, from its own length field (RFC 8200 §4.3, RFC 4302 §2.2).
#[inline]
fn length(protocol: u8, field: u8) -> usize {
    let field = usize::from(field);
    match protocol {
        FRAGMENT => FRAGMENT_LEN,
        IPPROTO_AH => field.wrapping_add(2) << 2,
        _ => field.wrapping_add(1) << 3,
    }
}

#[cold]
fn follow(next_header: u8, behind: &[u8]) -> Walk {
    let mut protocol = next_header;
    let mut offset = 0usize;
    let mut fragment = None;
    for _ in 0..MAX_HEADERS {
        if !is_extension(protocol) {
            break;
        }
        // Every extension header is a multiple of 4 bytes and at least 8 long.
        let Some(&[next, field, offset0, offset1]) =
            behind.get(offset..).and_then(<[u8]>::first_chunk)
        else {
            return Walk::Needs(offset.wrapping_add(FRAGMENT_LEN));
        };
        let end = offset.wrapping_add(length(protocol, field));
        if end > behind.len() {
            return Walk::Needs(end);
        }
        if protocol == FRAGMENT {
            fragment = Some(Fragment::parse([offset0, offset1]));
        }
        (protocol, offset) = (next, end);
        if fragment.is_some_and(|fragment| !fragment.is_first()) {
            break;
        }
    }
    if is_extension(protocol) {
        return Walk::Unparsable;
    }
    Walk::Complete(Upper {
        protocol,
        offset: HEADER_LEN.wrapping_add(offset),
        fragment,
    })
}
