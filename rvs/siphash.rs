// SPDX-License-Identifier: GPL-2.0-only

//! SipHash-1-3 (Aumasson, Bernstein, 2012) of inputs of fixed length: a hash that nobody can steer who does not
//! know its key, and that everybody computes alike who does. What is hashed, and under which key, is not
//! decided here.

#![forbid(unsafe_code)]

/// A key, ready for use: SipHash's state before any input.
#[derive(Clone, Copy)]
pub struct Key([u64; 4]);

impl Key {
    /// The key of two words (SipHash's `k0`, `k1`).
    #[must_use]
    pub const fn new([k0, k1]: [u64; 2]) -> Key {
        Key([
            k0 ^ u64::from_be_bytes(*b"somepseu"),
            k1 ^ u64::from_be_bytes(*b"dorandom"),
            k0 ^ u64::from_be_bytes(*b"lygenera"),
            k1 ^ u64::from_be_bytes(*b"tedbytes"),
        ])
    }

    /// The hash of the four bytes of a little-endian word.
    #[inline]
    #[must_use]
    pub const fn of_u32(&self, word: u32) -> u64 {
        // The last word of the input is its length in bytes over the bytes that don't fill a word.
        finish(absorb(self.0, (4 << 56) | word as u64))
    }

    /// The hash of the sixteen bytes of two little-endian words.
    #[inline]
    #[must_use]
    pub const fn of_words(&self, [first, second]: [u64; 2]) -> u64 {
        let state = absorb(absorb(self.0, first), second);
        finish(absorb(state, 16 << 56))
    }
}

#[inline]
const fn absorb([v0, v1, v2, v3]: [u64; 4], word: u64) -> [u64; 4] {
    let [v0, v1, v2, v3] = round([v0, v1, v2, v3 ^ word]);
    [v0 ^ word, v1, v2, v3]
}

#[inline]
const fn finish([v0, v1, v2, v3]: [u64; 4]) -> u64 {
    let [v0, v1, v2, v3] = round(round(round([v0, v1, v2 ^ 0xff, v3])));
    v0 ^ v1 ^ v2 ^ v3
}

#[inline]
const fn round([v0, v1, v2, v3]: [u64; 4]) -> [u64; 4] {
    let v0 = v0.wrapping_add(v1);
    let v1 = v1.rotate_left(13) ^ v0;
    let v0 = v0.rotate_left(32);
    let v2 = v2.wrapping_add(v3);
    let v3 = v3.rotate_left(16) ^ v2;
    let v0 = v0.wrapping_add(v3);
    let v3 = v3.rotate_left(21) ^ v0;
    let v2 = v2.wrapping_add(v1);
    let v1 = v1.rotate_left(17) ^ v2;
    [v0, v1, v2.rotate_left(32), v3]
}
