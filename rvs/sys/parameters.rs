// SPDX-License-Identifier: GPL-2.0-only

//! The module's parameters that are lists, which Rust has no words for.
//!
//! C header: `include/linux/moduleparam.h`

use super::bindings;
use core::slice;

/// How many ports [`ftp_ports`] has at most.
pub const MAX_FTP_PORTS: usize = bindings::RVS_MAX_FTP_PORTS as usize;

/// The parameter `ftp_ports`, as it was given: ports of control connections of FTP, of which 0 means nothing.
#[inline]
pub fn ftp_ports() -> &'static [u16] {
    let mut count = 0;
    // SAFETY: it only writes to `count`.
    let ports = unsafe { bindings::rvs_ftp_ports(&mut count) };
    // SAFETY: the array is as long as the module lives, and the kernel has filled in `count` of its elements, no more than
    // it has, before the module's initialisation; from then on nobody can write them (the file is read-only).
    unsafe { slice::from_raw_parts(ports, count as usize) }
}
