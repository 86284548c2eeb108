// SPDX-License-Identifier: GPL-2.0-only

//! The files below `/proc/sys/net/ipv4/vs` (reference §9.2): which setting of
//! the namespace each of them gives and takes. What values mean is said in
//! [`settings`](crate::settings).

use crate::{
    defense::Guard,
    settings::{OutOfRange, Settings},
    sys::{
        self,
        cpu_set::CpuSet,
        net::Net,
        sysctl::{
            Access::{self, Int, Pair, Word},
            File, Files, ForOtherUsers, Text,
        },
        Arc,
    },
};
use core::{
    fmt::{self, Write},
    sync::atomic::Ordering,
};
use kernel::{c_str, new_mutex, prelude::*, sync::Mutex};

/// What the files of a namespace give and take.
pub struct Tunables {
    settings: Arc<Settings>,
    guard: Arc<Guard>,
    /// Where threads that measure rates may run; `None` for where all threads do.
    est_cpulist: Pin<KBox<Mutex<Option<CpuSet>>>>,
}

impl From<OutOfRange> for Error {
    fn from(_: OutOfRange) -> Self {
        EINVAL
    }
}

/// Makes the files of a namespace. Sleeps.
pub fn register(
    net: Net<'static>,
    settings: Arc<Settings>,
    guard: Arc<Guard>,
) -> Result<Files<Tunables>> {
    let tunables = Tunables {
        settings,
        guard,
        est_cpulist: KBox::pin_init(new_mutex!(None), GFP_KERNEL_ACCOUNT)?,
    };
    let tunables = Arc::new(tunables, GFP_KERNEL_ACCOUNT)?;
    Files::register(net, c_str!("net/ipv4/vs"), FILES, tunables)
}

impl Tunables {
    fn read_est_cpulist(&self, text: &mut Text<'_>) -> fmt::Result {
        match &*self.est_cpulist.lock() {
            Some(cpus) => writeln!(text, "{cpus}"),
            None => {
                let cpus = CpuSet::of_kernel_threads().map_err(|_| fmt::Error)?;
                writeln!(text, "{cpus}")
            }
        }
    }

    fn write_est_cpulist(&self, list: &[u8]) -> Result {
        let mut cpus = CpuSet::parse(list)?;
        cpus.keep_only(&CpuSet::of_current_task()?);
        *self.est_cpulist.lock() = Some(cpus);
        Ok(())
    }
}

/// A file of this name and access, the same for everybody.
const fn file(name: &'static CStr, access: Access<Tunables>) -> File<Tunables> {
    File {
        name,
        access,
        for_other_users: ForOtherUsers::Same,
    }
}

/// The file of a setting that is a number, under its name.
macro_rules! number {
    ($name:ident) => {
        number!($name, Same)
    };
    ($name:ident, $for_other_users:ident) => {
        File {
            name: c_str!(stringify!($name)),
            access: Int {
                read: |tunables: &Tunables| tunables.settings.$name.get(),
                write: |tunables, value| Ok(tunables.settings.$name.set(value)?),
            },
            for_other_users: ForOtherUsers::$for_other_users,
        }
    };
}

/// The file of a defence's mode, which takes effect at once.
macro_rules! mode {
    ($name:ident) => {
        file(
            c_str!(stringify!($name)),
            Int {
                read: |tunables| tunables.settings.$name.get(),
                write: |tunables, value| {
                    Ok(tunables.guard.set_mode(|settings| &settings.$name, value)?)
                },
            },
        )
    };
}

const CONN_MAX: Access<Tunables> = Int {
    read: |tunables| tunables.settings.conn_max.get(),
    write: |tunables, value| {
        let is_privileged = sys::may_administer_networks();
        Ok(tunables.settings.conn_max.set(value, is_privileged)?)
    },
};

const SYNC_THRESHOLD: Access<Tunables> = Pair {
    read: |tunables| tunables.settings.sync_threshold.get(),
    write: |tunables, values| Ok(tunables.settings.sync_threshold.set(values)?),
};

const SYNC_QLEN_MAX: Access<Tunables> = Word {
    read: |tunables| tunables.settings.sync_qlen_max.load(Ordering::Relaxed),
    write: |tunables, value| {
        let sync_qlen_max = &tunables.settings.sync_qlen_max;
        sync_qlen_max.store(value, Ordering::Relaxed);
        Ok(())
    },
};

const EST_CPULIST: Access<Tunables> = Access::Text {
    read: Tunables::read_est_cpulist,
    write: Tunables::write_est_cpulist,
};

static FILES: &[File<Tunables>] = &[
    number!(amemthresh),
    number!(am_droprate),
    file(c_str!("conn_max"), CONN_MAX),
    mode!(drop_entry),
    mode!(drop_packet),
    mode!(secure_tcp),
    number!(conntrack),
    number!(snat_reroute),
    number!(sync_version),
    number!(sync_ports),
    number!(sync_persist_mode),
    File {
        name: c_str!("sync_qlen_max"),
        access: SYNC_QLEN_MAX,
        for_other_users: ForOtherUsers::ReadOnly,
    },
    number!(sync_sock_size, ReadOnly),
    number!(cache_bypass),
    number!(expire_nodest_conn),
    number!(sloppy_tcp),
    number!(sloppy_sctp),
    number!(expire_quiescent_template),
    file(c_str!("sync_threshold"), SYNC_THRESHOLD),
    number!(sync_refresh_period),
    number!(sync_retries),
    number!(nat_icmp_send),
    number!(pmtu_disc),
    number!(backup_only),
    number!(conn_reuse_mode),
    number!(schedule_icmp),
    number!(ignore_tunneled),
    number!(run_estimation, ReadOnly),
    File {
        name: c_str!("est_cpulist"),
        access: EST_CPULIST,
        for_other_users: ForOtherUsers::ReadOnly,
    },
    number!(est_nice, ReadOnly),
    number!(conn_lfactor, ReadOnly),
    number!(svc_lfactor, ReadOnly),
    number!(lblc_expiration, Absent),
    number!(lblcr_expiration, Absent),
];
