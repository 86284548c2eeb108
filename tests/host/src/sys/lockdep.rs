// SPDX-License-Identifier: GPL-2.0-only

//! The kernel's lock checker, which is not here.

/// What a lock checker would know of a held lock.
pub struct HeldChain;

impl HeldChain {
    /// Nobody is told.
    pub fn new(_nesting: u32) -> Self {
        Self
    }
}
