// SPDX-License-Identifier: GPL-2.0-only

//! What the flow table asks of the kernel, over `std`: strict about what the kernel is strict about.
//!
//! Sleeping where that is forbidden, freeing twice, writing to freed memory and freeing under a
//! reader end a test. [`heap`] counts what is allocated and can refuse it.

extern crate std;

pub mod cpu;
pub mod heap;
pub mod lockdep;
pub mod memory;
pub mod rcu;
pub mod slab;
pub mod time;

// Docs and lints of the file itself are checked where it is at home.
#[path = "../../../../rvs/sys/flow_table/mod.rs"]
pub mod flow_table;

pub use std::sync::Arc;

/// Puts a value behind an [`Arc`]; `None` when memory is out. Sleeps.
pub fn new_arc<T>(value: T) -> Option<Arc<T>> {
    cpu::might_sleep();
    heap::is_granted().then(|| Arc::new(value))
}
