// SPDX-License-Identifier: GPL-2.0-only

//! What is there once for all namespaces.

use crate::{
    conn::{Budget, Connection},
    service::{Assignment, Crowd, PlaceEntry, ServiceEntry},
    settings::{ConnMax, Settings, Surroundings},
    sys::{
        flow_table::{Entry, Memory},
        memory, slab, Arc,
    },
};
use core::net::{Ipv4Addr, Ipv6Addr};
use kernel::{c_str, prelude::*};

/// What all namespaces share: the caches that entries come from.
pub struct Shared {
    pub(super) connections4: Arc<Memory<Connection<Ipv4Addr>>>,
    pub(super) connections6: Arc<Memory<Connection<Ipv6Addr>>>,
    pub(super) services: Arc<Memory<ServiceEntry>>,
    pub(super) localities: Arc<Memory<Assignment>>,
    pub(super) places: Arc<Memory<PlaceEntry>>,
    pub(super) trusted_crowd: Arc<Crowd>,
    pub(super) other_crowd: Arc<Crowd>,
    pub(super) budget: Arc<Budget>,
    pub(super) initial_settings: Arc<Settings>,
    pub(super) owns_files: bool,
}

impl Shared {
    /// The caches, as `/proc/slabinfo` names them; `owns_files` if the files of IPVS are
    /// ours to make. Sleeps.
    pub fn new(owns_files: bool) -> Result<Self> {
        Ok(Self {
            connections4: memory_of(c_str!("rvs_conn"), c_str!("rvs_conn_bucket"))?,
            connections6: memory_of(c_str!("rvs_conn6"), c_str!("rvs_conn6_bucket"))?,
            services: memory_of(c_str!("rvs_service"), c_str!("rvs_service_bucket"))?,
            localities: memory_of(c_str!("rvs_locality"), c_str!("rvs_locality_bucket"))?,
            places: memory_of(c_str!("rvs_place"), c_str!("rvs_place_bucket"))?,
            trusted_crowd: Arc::new(Crowd::new(Crowd::UNLIMITED), GFP_KERNEL)?,
            other_crowd: Arc::new(Crowd::new(Crowd::LIMITED), GFP_KERNEL)?,
            budget: Arc::new(Budget::new(memory::total()), GFP_KERNEL)?,
            initial_settings: new_settings(true, ConnMax::MAX)?,
            owns_files,
        })
    }
}

/// The caches of one kind of entry and of its buckets, by their names.
fn memory_of<T: Entry>(nodes: &'static CStr, buckets: &'static CStr) -> Result<Arc<Memory<T>>> {
    let memory = Memory {
        nodes: slab::Cache::new(nodes)?,
        buckets: slab::Cache::new(buckets)?,
    };
    Ok(Arc::new(memory, GFP_KERNEL)?)
}

/// The defaults of a namespace.
pub(super) fn new_settings(is_initial: bool, conn_max: i32) -> Result<Arc<Settings>> {
    let settings = Settings::new(Surroundings {
        is_initial,
        conn_max,
        free_buffer_pages: memory::free_buffer_pages(),
    });
    Ok(Arc::new(settings, GFP_KERNEL_ACCOUNT)?)
}
