// SPDX-License-Identifier: GPL-2.0-only

//! The files of a namespace, below `/proc/net` and `/proc/sys/net/ipv4/vs`.

use super::{
    app_file::AppFile,
    conn_file::ConnFile,
    conn_sync_file::ConnSyncFile,
    services_file::ServicesFile,
    stats_files::{PerCpuStatsFile, StatsFile},
    status_file::StatusFile,
    sysctl::{self, Tunables},
};
use crate::{
    defense::Guard,
    settings::Settings,
    sys::{net::Net, procfs::File, sysctl::Files as SysctlFiles, Arc},
};
use kernel::prelude::*;

/// The files of a namespace, which exist while this does.
pub struct Files {
    _settings: SysctlFiles<Tunables>,
    _services: File<ServicesFile>,
    _stats: File<StatsFile>,
    _stats_percpu: File<PerCpuStatsFile>,
    _app: File<AppFile>,
    _status: File<StatusFile>,
    _conn: File<ConnFile>,
    _conn_sync: File<ConnSyncFile>,
}

impl Files {
    /// Makes the files. Sleeps.
    pub fn create(net: Net<'static>, settings: Arc<Settings>, guard: Arc<Guard>) -> Result<Self> {
        Ok(Self {
            _settings: sysctl::register(net, settings, guard)?,
            _services: File::create(net)?,
            _stats: File::create(net)?,
            _stats_percpu: File::create(net)?,
            _app: File::create(net)?,
            _status: File::create(net)?,
            _conn: File::create(net)?,
            _conn_sync: File::create(net)?,
        })
    }
}
