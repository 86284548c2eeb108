// SPDX-License-Identifier: GPL-2.0-only

//! The keyed hash by which a connection is found.
//!
//! Both directions of a flow hash alike, so one probe sequence serves both. Clients choose their addresses
//! and ports, so the hash is a pseudo-random function of a secret key: SipHash-1-3 (Aumasson, Bernstein,
//! 2012), here for two or five words of input.

#![forbid(unsafe_code)]

use crate::packet::{Address, Endpoint, Family};

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
    /// For IPv4 it is the SipHash-1-3 of two little-endian words: the smaller endpoint, then the greater
    /// one with the protocol number in bits 48 to 55. An endpoint's word has the address, as it is on
    /// the wire, in its first four bytes and the port above. For IPv6 the words are those of the smaller
    /// endpoint's address, those of the greater one's, then the two ports in the same order, 16 bits each,
    /// with the protocol number above.
    #[inline]
    #[must_use]
    pub fn hash_pair<A: Address>(&self, protocol: u8, a: Endpoint<A>, b: Endpoint<A>) -> u64 {
        let protocol = u64::from(protocol) << 48;
        let ([a0, a1], [b0, b1]) = (a.addr.words(), b.addr.words());
        let (a_port, b_port) = (u64::from(a.port), u64::from(b.port));
        match A::FAMILY {
            Family::V4 => {
                let (a, b) = (a0 | (a_port << 32), b0 | (b_port << 32));
                let (low, high) = if a < b { (a, b) } else { (b, a) };
                self.hash([low, high | protocol])
            }
            Family::V6 => {
                let (a, b) = ([a0, a1, a_port], [b0, b1, b_port]);
                let ([low0, low1, low_port], [high0, high1, high_port]) =
                    if a < b { (a, b) } else { (b, a) };
                let ports = low_port | (high_port << 16);
                self.hash([low0, low1, high0, high1, ports | protocol])
            }
        }
    }

    /// SipHash-1-3 of some words.
    #[inline]
    #[must_use]
    pub fn hash<const N: usize>(&self, words: [u64; N]) -> u64 {
        let HashKey(mut v) = *self;
        let mut has_begun = true;
        for word in words {
            v[3] ^= word;
            // The first word's round has begun in `new`.
            v = if has_begun { mix_rest(v) } else { round(v) };
            has_begun = false;
            v[0] ^= word;
        }
        // The input's length in bytes, in the highest byte, over the bytes that do not fill a word,
        // of which there are none.
        let length = (N as u64) << 59;
        v[3] ^= length;
        v = round(v);
        v[0] ^= length;
        v[2] ^= 0xff;
        let [v0, v1, v2, v3] = round(round(round(v)));
        v0 ^ v1 ^ v2 ^ v3
    }
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
