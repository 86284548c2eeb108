// SPDX-License-Identifier: GPL-2.0-only

//! The keyed hash by which a connection is found.
//!
//! Both directions of a flow hash alike, so one probe sequence serves both. Clients choose their addresses
//! and ports, so the hash is a pseudo-random function of a secret key: SipHash-1-3 (Aumasson, Bernstein,
//! 2012), here for exactly 16 bytes of input.

#![forbid(unsafe_code)]

use crate::packet::Endpoint;

/// A secret key, ready for use.
///
/// Holds SipHash's initial state with that part of the first round already done that does not
/// depend on the input.
#[derive(Clone, Copy)]
pub struct HashKey([u64; 4]);

impl HashKey {
    /// A hash key from two words of good randomness (SipHash's `k0`, `k1`).
    #[must_use]
    pub const fn new([k0, k1]: [u64; 2]) -> HashKey {
        let v0 = k0 ^ u64::from_be_bytes(*b"somepseu");
        let v1 = k1 ^ u64::from_be_bytes(*b"dorandom");
        let v2 = k0 ^ u64::from_be_bytes(*b"lygenera");
        let v3 = k1 ^ u64::from_be_bytes(*b"tedbytes");
        let (v0, v1) = mix_first(v0, v1);
        HashKey([v0, v1, v2, v3])
    }

    /// The hash of a flow between `a` and `b`, the same for either order of the two.
    ///
    /// It is the SipHash-1-3 of two little-endian words: the smaller endpoint, then the greater one with
    /// the protocol number in bits 48 to 55. An endpoint's word has the address, as it is on the wire, in its
    /// first four bytes and the port above.
    #[inline]
    #[must_use]
    pub fn hash_pair(&self, protocol: u8, a: Endpoint, b: Endpoint) -> u64 {
        let (a, b) = (word(a), word(b));
        let (low, high) = if a < b { (a, b) } else { (b, a) };
        let high = high | (u64::from(protocol) << 48);

        let HashKey([v0, v1, v2, v3]) = *self;
        // The first word, whose round has begun in `new`.
        let [v0, v1, v2, v3] = mix_rest([v0, v1, v2, v3 ^ low]);
        let [v0, v1, v2, v3] = round([v0 ^ low, v1, v2, v3 ^ high]);
        let [v0, v1, v2, v3] = round([v0 ^ high, v1, v2, v3 ^ LENGTH]);
        let [v0, v1, v2, v3] = round(round(round([v0 ^ LENGTH, v1, v2 ^ 0xff, v3])));
        v0 ^ v1 ^ v2 ^ v3
    }
}

/// The last word of SipHash's input: its length in bytes in the highest byte, over the bytes that do not
/// fill a word, of which there are none.
const LENGTH: u64 = 16 << 56;

#[inline]
fn word(endpoint: Endpoint) -> u64 {
    let addr = u32::from_le_bytes(endpoint.addr.octets());
    (u64::from(endpoint.port) << 32) | u64::from(addr)
}

#[inline]
fn round([v0, v1, v2, v3]: [u64; 4]) -> [u64; 4] {
    let (v0, v1) = mix_first(v0, v1);
    mix_rest([v0, v1, v2, v3])
}

/// The part of a round that `v2` and `v3` have no influence on.
#[inline]
const fn mix_first(v0: u64, v1: u64) -> (u64, u64) {
    let v0 = v0.wrapping_add(v1);
    (v0.rotate_left(32), v1.rotate_left(13) ^ v0)
}

#[inline]
fn mix_rest([v0, v1, v2, v3]: [u64; 4]) -> [u64; 4] {
    let v2 = v2.wrapping_add(v3);
    let v3 = v3.rotate_left(16) ^ v2;
    let v0 = v0.wrapping_add(v3);
    let v3 = v3.rotate_left(21) ^ v0;
    let v2 = v2.wrapping_add(v1);
    let v1 = v1.rotate_left(17) ^ v2;
    [v0, v1, v2.rotate_left(32), v3]
}
