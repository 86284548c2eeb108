// SPDX-License-Identifier: GPL-2.0-only

//! The outside's view: netlink families and files. What a request means is
//! worked out here; what it changes is done by the namespace.

mod app_file;
pub mod attr;
mod configuration;
mod conn_file;
mod conn_sync_file;
mod connections;
mod drain;
mod explain;
mod family;
mod files;
mod filter;
mod line;
mod notice;
mod operation;
mod parse;
pub mod policy;
mod services_file;
mod stats_files;
mod status_file;
mod sysctl;
pub mod text;
// The command rvsctl is compiled from it too, and uses the rest.
#[allow(dead_code)]
pub mod uapi;
mod write;

pub use files::Files;
pub use notice::notify;

use crate::sys::genl;
use kernel::prelude::*;

/// The family `RVS`.
pub type NativeFamily = genl::Family<family::Dispatcher<family::Rvs>>;
/// The family `IPVS`.
pub type CompatibleFamily = genl::Family<family::Dispatcher<family::Ipvs>>;

/// Registers the family `IPVS` unless another module has it, `ip_vs` that is: then both run side
/// by side, and the tools of LVS speak to the other one.
pub fn register_compatible(module: &'static ThisModule) -> Result<Option<CompatibleFamily>> {
    match CompatibleFamily::register(module) {
        Ok(family) => Ok(Some(family)),
        Err(error) if error == EEXIST => {
            pr_info!(
                "the netlink family IPVS and its files belong to another module; use rvsctl\n"
            );
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
