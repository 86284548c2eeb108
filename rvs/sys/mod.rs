// SPDX-License-Identifier: GPL-2.0-only

//! Safe wrappers over the kernel's C interfaces: the only folder with
//! `unsafe`. Nothing here knows of load balancing; what is balanced, and
//! where to, is decided above.

mod bindings;
pub mod conntrack;
pub mod cpu;
pub mod cpu_set;
pub mod flow_table;
pub mod genl;
pub mod ip;
pub mod lockdep;
pub mod memory;
pub mod net;
pub mod netdev;
pub mod netfilter;
pub mod parameters;
pub mod per_cpu;
pub mod procfs;
pub mod random;
pub mod rcu;
pub mod route;
pub mod skb;
pub mod slab;
pub mod sysctl;
pub mod task;
pub mod time;
pub mod worker;
pub mod xtables;

pub use kernel::sync::Arc;

/// Whether the present task may administer the network of the whole machine.
pub fn may_administer_networks() -> bool {
    // SAFETY: an FFI call without preconditions, in the context of a task.
    unsafe { bindings::capable(bindings::CAP_NET_ADMIN as i32) }
}

/// Puts a value behind an [`Arc`]; `None` when memory is out. Sleeps.
pub fn new_arc<T>(value: T) -> Option<Arc<T>> {
    Arc::new(value, kernel::alloc::flags::GFP_KERNEL_ACCOUNT).ok()
}
