// SPDX-License-Identifier: GPL-2.0-only

//! The pure rooms of the kernel module, compiled for the host from the very same files.
//!
//! Nothing of the module is written here. [`sys`] stands in for the kernel, [`oracle`] holds the textbook
//! versions that the rooms are compared with, [`fuzz`] the bodies of the fuzz targets; the tests are in
//! `tests/`. As in the kernel, the rooms get along with `core`.

#![no_std]

#[path = "../../../rvs/app/mod.rs"]
pub mod app;
#[path = "../../../rvs/packet/mod.rs"]
pub mod packet;
#[path = "../../../rvs/proto/mod.rs"]
pub mod proto;
#[path = "../../../rvs/sched/mod.rs"]
pub mod sched;
#[path = "../../../rvs/settings.rs"]
pub mod settings;
#[path = "../../../rvs/siphash.rs"]
pub mod siphash;

/// Defences against floods: of this room only what decides.
#[path = "../../../rvs/defense"]
pub mod defense {
    pub mod mode;
    pub mod victim;
}

/// The outside's view: of this room only what reads and writes bytes.
#[path = "../../../rvs/control"]
pub mod control {
    pub mod attr;
    pub mod line;
    pub mod policy;
    pub mod text;
    // Numbers under their UAPI names.
    #[allow(missing_docs)]
    pub mod uapi;
}

/// Events: of this room only what decides how often, and what of a packet is told.
#[path = "../../../rvs/events"]
pub mod events {
    pub mod bucket;
    pub mod sample;
}

/// Connections: of this room only the files that know nothing of the kernel.
#[path = "../../../rvs/conn"]
pub mod conn {
    pub mod filter;
    pub mod hash;
    pub mod wheel;
}

/// Services: of this room only what keys, tunnels and names are like.
#[path = "../../../rvs/service"]
pub mod service {
    // Keys as packets look for them are the table's.
    #[allow(dead_code)]
    pub mod key;
    pub mod naming;
    pub mod tunnel;
}

pub mod fuzz;
pub mod oracle;
pub mod sys;
