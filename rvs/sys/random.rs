// SPDX-License-Identifier: GPL-2.0-only

//! Random numbers that nobody can guess.
//!
//! C header: `include/linux/random.h`

use super::bindings;

/// Two words from the kernel's random number generator.
pub fn key() -> [u64; 2] {
    let mut key = [0u64; 2];
    // SAFETY: `key` is writable for the length given; any bytes are valid integers.
    unsafe { bindings::get_random_bytes((&raw mut key).cast(), size_of_val(&key)) };
    key
}

/// A word from the kernel's random number generator. From any context.
pub fn word() -> u64 {
    // SAFETY: an FFI call without preconditions.
    unsafe { bindings::get_random_u64() }
}
