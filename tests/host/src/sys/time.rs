// SPDX-License-Identifier: GPL-2.0-only

//! Ticks of a kernel that counts as Debian's does.

/// Ticks per second.
pub const HZ: u32 = 250;
