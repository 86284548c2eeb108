// SPDX-License-Identifier: GPL-2.0-only

//! The Internet checksum (RFC 1071) and its incremental update (RFC 1624).
//!
//! **Byte order.** Ones' complement addition does not care which byte of a word comes first as long as
//! all words agree, so nothing here swaps bytes: every 16- or 32-bit value, argument or result, is
//! a *wire-order value*, i.e. the packet's bytes loaded unchanged (`from_ne_bytes`) and to be stored
//! unchanged (`to_ne_bytes`). A port in host order becomes one with `to_be()`, an address with
//! `u32::from_ne_bytes(addr.octets())`, or as `u128` if it is one of IPv6.

/// Folds a ones' complement sum to 16 bits. Only a sum of 0 gives 0.
#[inline]
fn fold(sum: u64) -> u16 {
    // The upper half of x + rotate(x) is upper + lower + carry, since 2^n = 1 modulo 2^n - 1.
    let sum = (sum.wrapping_add(sum.rotate_left(32)) >> 32) as u32;
    (sum.wrapping_add(sum.rotate_left(16)) >> 16) as u16
}

/// Folded ones' complement sum of `bytes`, **not** complemented; an odd last byte is padded with 0.
///
/// A header or message whose checksum field is correct sums up to `0xffff`. The checksum to store is
/// `!sum(bytes)` taken while the field is zero.
#[inline]
#[must_use]
pub fn sum(mut bytes: &[u8]) -> u16 {
    let mut total = 0u64;
    let mut add = |word: [u8; 8]| {
        let (sum, carry) = total.overflowing_add(u64::from_ne_bytes(word));
        total = sum.wrapping_add(u64::from(carry));
    };
    while let Some((word, rest)) = bytes.split_first_chunk() {
        add(*word);
        bytes = rest;
    }
    let mut last = [0; 8];
    for (to, from) in last.iter_mut().zip(bytes) {
        *to = *from;
    }
    add(last);
    fold(total)
}

/// Ones' complement sum of the words of a 128-bit value, less than 2^34.
#[inline]
fn words(value: u128) -> u64 {
    let word = |shift: u32| u64::from((value >> shift) as u32);
    word(0)
        .wrapping_add(word(32))
        .wrapping_add(word(64))
        .wrapping_add(word(96))
}

/// Folded sum, **not** complemented, of the pseudo-header that a transport checksum over IPv4 covers
/// (RFC 9293 §3.1). Addresses are wire-order values; the length of transport header and payload is in
/// bytes, host order; that of a packet that is cut into segments later can exceed 16 bits.
#[inline]
#[must_use]
pub fn pseudo_header_v4(src: u32, dst: u32, protocol: u8, len: u32) -> u16 {
    let sum = u64::from(src)
        .wrapping_add(u64::from(dst))
        .wrapping_add(u64::from(u16::from(protocol).to_be()))
        .wrapping_add(u64::from(len.to_be()));
    fold(sum)
}

/// Folded sum, **not** complemented, of the pseudo-header that a transport or ICMPv6 checksum over IPv6
/// covers (RFC 8200 §8.1). Addresses are wire-order values; the length of transport header and payload
/// is in bytes, host order.
#[inline]
#[must_use]
pub fn pseudo_header_v6(src: u128, dst: u128, protocol: u8, len: u32) -> u16 {
    let sum = words(src)
        .wrapping_add(words(dst))
        .wrapping_add(u64::from(u32::from(protocol).to_be()))
        .wrapping_add(u64::from(len.to_be()));
    fold(sum)
}

/// What replacing some words does to the checksums that cover them.
///
/// Collected once, then applied to each checksum: `Delta::of32(from, to).and16(from, to)`.
#[derive(Clone, Copy, Debug)]
pub struct Delta(u64);

impl Delta {
    /// Nothing changes.
    pub const NONE: Delta = Delta(0);

    /// Words with this folded sum, not complemented, are covered too.
    #[inline]
    #[must_use]
    pub fn sum(sum: u16) -> Delta {
        Delta(u64::from(sum))
    }

    /// Both changes.
    #[inline]
    #[must_use]
    pub fn plus(self, other: Delta) -> Delta {
        Delta(self.0.wrapping_add(other.0))
    }

    /// One 16-bit word, in wire order, changes.
    #[inline]
    #[must_use]
    pub fn of16(from: u16, to: u16) -> Delta {
        Delta(u64::from(!from).wrapping_add(u64::from(to)))
    }

    /// One 32-bit word, in wire order and 16-bit aligned in the covered data, changes.
    #[inline]
    #[must_use]
    pub fn of32(from: u32, to: u32) -> Delta {
        Delta(u64::from(!from).wrapping_add(u64::from(to)))
    }

    /// One 128-bit value, in wire order and 16-bit aligned in the covered data, changes.
    #[inline]
    #[must_use]
    pub fn of128(from: u128, to: u128) -> Delta {
        Delta(words(!from).wrapping_add(words(to)))
    }

    /// One more 16-bit word, in wire order, changes.
    #[inline]
    #[must_use]
    pub fn and16(self, from: u16, to: u16) -> Delta {
        Delta(self.0.wrapping_add(Delta::of16(from, to).0))
    }

    /// The checksum field `check`, which holds the complemented sum, after the change (RFC 1624,
    /// equation 3: `HC' = ~(~HC + ~m + m')`).
    #[inline]
    #[must_use]
    pub fn adjust(self, check: u16) -> u16 {
        !fold(u64::from(!check).wrapping_add(self.0))
    }

    /// The checksum field `check` of a packet whose checksum is left to the hardware, after the change.
    /// Such a field holds the folded, *uncomplemented* sum of the pseudo-header.
    #[inline]
    #[must_use]
    pub fn adjust_pseudo(self, check: u16) -> u16 {
        fold(u64::from(check).wrapping_add(self.0))
    }
}

/// The checksum field `check` after one 16-bit word changed. All values in wire order.
#[inline]
#[must_use]
pub fn adjust16(check: u16, from: u16, to: u16) -> u16 {
    Delta::of16(from, to).adjust(check)
}
