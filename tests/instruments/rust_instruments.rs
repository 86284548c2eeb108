// SPDX-License-Identifier: GPL-2.0-only

//! What KASAN must notice in Rust code: loading this module reads a value that
//! is freed already, on purpose. See `instruments.c`.

use core::ptr;
use kernel::prelude::*;

module! {
    type: RustInstruments,
    name: "rust_instruments",
    authors: ["The rvs developers"],
    description: "A mistake in Rust for a debug kernel to notice",
    license: "GPL",
}

struct RustInstruments;

impl kernel::Module for RustInstruments {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        let freed = ptr::from_ref(&*KBox::new(1u64, GFP_KERNEL)?);
        // SAFETY: none, which is the point.
        pr_info!("read {}\n", unsafe { ptr::read_volatile(freed) });
        Ok(Self)
    }
}
