// SPDX-License-Identifier: GPL-2.0-only

//! The settings of a namespace, as the files below `net/ipv4/vs` give and take
//! them (reference §9.2): defaults, ranges and meaning. Single words, read by
//! packets while they change. The files are not made here, nor is anything
//! done about a value.

use crate::sys::time;
use core::sync::atomic::{AtomicI32, AtomicU64, AtomicUsize, Ordering};

/// A value is outside its range.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OutOfRange;

/// A number between `MIN` and `MAX`, both included.
pub struct Number<const MIN: i32, const MAX: i32>(AtomicI32);

/// A number without limits.
pub type AnyNumber = Number<{ i32::MIN }, { i32::MAX }>;

/// A span in seconds, which as ticks must fit into an `int`.
pub type Seconds = Number<{ -MAX_SECONDS }, MAX_SECONDS>;

const MAX_SECONDS: i32 = i32::MAX / time::HZ as i32;

/// Mode of a defence (reference §7): off, automatic and inactive, automatic and active, always on.
pub type DefenseMode = Number<0, 3>;

/// How much longer or shorter a hash table is than its entries are many, as a power of two.
pub type LoadFactor = Number<-8, 8>;

impl<const MIN: i32, const MAX: i32> Number<MIN, MAX> {
    const fn new(value: i32) -> Self {
        assert!(MIN <= MAX);
        Self(AtomicI32::new(value))
    }

    /// The value.
    #[inline]
    pub fn get(&self) -> i32 {
        self.0.load(Ordering::Relaxed)
    }

    /// Whether it is not 0, which is how switches are read.
    #[inline]
    pub fn is_on(&self) -> bool {
        self.get() != 0
    }

    /// Changes the value.
    pub fn set(&self, value: i32) -> Result<(), OutOfRange> {
        if !(MIN..=MAX).contains(&value) {
            return Err(OutOfRange);
        }
        self.0.store(value, Ordering::Relaxed);
        Ok(())
    }
}

/// Two numbers that are read and changed together.
struct Two(AtomicU64);

impl Two {
    const fn new(values: [i32; 2]) -> Self {
        Self(AtomicU64::new(Self::pack(values)))
    }

    const fn pack([first, second]: [i32; 2]) -> u64 {
        ((first as u32 as u64) << 32) | (second as u32 as u64)
    }

    #[inline]
    fn get(&self) -> [i32; 2] {
        let both = self.0.load(Ordering::Relaxed);
        [(both >> 32) as i32, both as i32]
    }

    fn set(&self, values: [i32; 2]) {
        self.0.store(Self::pack(values), Ordering::Relaxed);
    }

    /// Changes both to what `change` makes of them.
    fn update<E>(&self, change: impl Fn([i32; 2]) -> Result<[i32; 2], E>) -> Result<(), E> {
        let mut values = self.get();
        loop {
            let changed = change(values)?;
            let swapped = self.0.compare_exchange(
                Self::pack(values),
                Self::pack(changed),
                Ordering::Relaxed,
                Ordering::Relaxed,
            );
            match swapped {
                Ok(_) => return Ok(()),
                Err(_) => values = self.get(),
            }
        }
    }
}

/// How many connections may exist, and how far those who own the namespace may raise that.
pub struct ConnMax(Two);

impl ConnMax {
    /// The most that anybody may allow: the counters of connections are 32 bits wide.
    pub const MAX: i32 = if usize::BITS > 32 { 1 << 30 } else { 1 << 24 };

    const fn new(both: i32) -> Self {
        Self(Two::new([both, both]))
    }

    /// A new connection is refused when there are as many.
    #[inline]
    pub fn get(&self) -> i32 {
        let [_, limit] = self.0.get();
        limit
    }

    /// Changes the limit. Whoever `is_privileged` on the machine sets with it how far others may go.
    pub fn set(&self, value: i32, is_privileged: bool) -> Result<(), OutOfRange> {
        self.0.update(|[bound, _]| {
            let bound = if is_privileged { Self::MAX } else { bound };
            if !(0..=bound).contains(&value) {
                return Err(OutOfRange);
            }
            Ok([if is_privileged { value } else { bound }, value])
        })
    }
}

/// After how many packets a connection is first synchronised, and after how many again.
pub struct SyncThreshold(Two);

impl SyncThreshold {
    /// Both numbers.
    pub fn get(&self) -> [i32; 2] {
        self.0.get()
    }

    /// Changes both. The first is below the second, unless that is 0.
    pub fn set(&self, values: [i32; 2]) -> Result<(), OutOfRange> {
        let [first, period] = values;
        if first < 0 || period < 0 || (period != 0 && first >= period) {
            return Err(OutOfRange);
        }
        self.0.set(values);
        Ok(())
    }
}

/// Synchronisation threads, a power of two.
pub struct SyncPorts(AnyNumber);

impl SyncPorts {
    /// The value.
    pub fn get(&self) -> i32 {
        self.0.get()
    }

    /// Changes the value.
    pub fn set(&self, value: i32) -> Result<(), OutOfRange> {
        if value < 1 || !value.unsigned_abs().is_power_of_two() {
            return Err(OutOfRange);
        }
        self.0.set(value)
    }
}

/// What defaults depend on.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings {
    /// Whether the namespace is the initial one.
    pub is_initial: bool,
    /// `conn_max` of the initial namespace, which others start with.
    pub conn_max: i32,
    /// Pages that are free for buffers.
    pub free_buffer_pages: usize,
}

/// All settings, each under the name of its file. Switches are on unless 0.
pub struct Settings {
    /// Pages below which available memory is low; what is negative counts as 0.
    pub amemthresh: AnyNumber,
    /// One of how many packets `drop_packet` drops in mode 3.
    pub am_droprate: AnyNumber,
    /// How many connections may exist.
    pub conn_max: ConnMax,
    /// Ending half-open and idle connections.
    pub drop_entry: DefenseMode,
    /// Dropping some of the packets that would create a connection.
    pub drop_packet: DefenseMode,
    /// The wary state table of TCP.
    pub secure_tcp: DefenseMode,
    /// Whether connection tracking follows balanced flows.
    pub conntrack: AnyNumber,
    /// Whether masqueraded answers are routed anew.
    pub snat_reroute: AnyNumber,
    /// Version of the messages that the master sends.
    pub sync_version: Number<0, 1>,
    /// Threads and ports of synchronisation.
    pub sync_ports: SyncPorts,
    /// Whether only templates are synchronised of persistent connections.
    pub sync_persist_mode: AnyNumber,
    /// Messages that may wait to be sent.
    pub sync_qlen_max: AtomicUsize,
    /// Bytes of a socket's buffer, 0 for the system's default.
    pub sync_sock_size: AnyNumber,
    /// Whether a service without real servers lets packets go where routing says.
    pub cache_bypass: AnyNumber,
    /// Whether connections to a removed real server end at once.
    pub expire_nodest_conn: AnyNumber,
    /// Whether templates of a real server of weight 0 are no longer used.
    pub expire_quiescent_template: AnyNumber,
    /// Whether any segment but a reset may open a connection of TCP.
    pub sloppy_tcp: AnyNumber,
    /// Whether any chunk but an abort may open a connection of SCTP.
    pub sloppy_sctp: AnyNumber,
    /// After how many packets connections are synchronised.
    pub sync_threshold: SyncThreshold,
    /// Seconds after which an unchanged connection is synchronised again.
    pub sync_refresh_period: Seconds,
    /// How often a connection is synchronised anew within the eighth of a refresh period.
    pub sync_retries: Number<0, 3>,
    /// Whether errors are sent to real servers of masqueraded flows.
    pub nat_icmp_send: AnyNumber,
    /// Whether path MTU discovery is honoured by tunnels and direct routing.
    pub pmtu_disc: AnyNumber,
    /// Whether a director that runs a backup daemon leaves packets alone.
    pub backup_only: AnyNumber,
    /// When a packet that opens a connection replaces one that exists (reference §2.6).
    pub conn_reuse_mode: AnyNumber,
    /// Whether an ICMP error about an unknown flow is scheduled.
    pub schedule_icmp: AnyNumber,
    /// Whether packets that come out of a tunnel are left alone.
    pub ignore_tunneled: AnyNumber,
    /// Whether rates are measured.
    pub run_estimation: AnyNumber,
    /// Priority of the threads that measure rates.
    pub est_nice: Number<-20, 19>,
    /// Load factor of the table of connections.
    pub conn_lfactor: LoadFactor,
    /// Load factor of the table of services.
    pub svc_lfactor: LoadFactor,
    /// Seconds after which the scheduler `lblc` forgets an unused address.
    pub lblc_expiration: Seconds,
    /// The same for `lblcr`.
    pub lblcr_expiration: Seconds,
}

const DAY: i32 = 24 * 60 * 60;

impl Settings {
    /// The defaults of a namespace.
    pub const fn new(surroundings: Surroundings) -> Self {
        let (conn_lfactor, svc_lfactor) = match surroundings.is_initial {
            true => (-4, -3),
            false => (-2, -2),
        };
        Self {
            amemthresh: Number::new(1024),
            am_droprate: Number::new(10),
            conn_max: ConnMax::new(surroundings.conn_max),
            drop_entry: Number::new(0),
            drop_packet: Number::new(0),
            secure_tcp: Number::new(0),
            conntrack: Number::new(0),
            snat_reroute: Number::new(1),
            sync_version: Number::new(1),
            sync_ports: SyncPorts(Number::new(1)),
            sync_persist_mode: Number::new(0),
            sync_qlen_max: AtomicUsize::new(surroundings.free_buffer_pages / 32),
            sync_sock_size: Number::new(0),
            cache_bypass: Number::new(0),
            expire_nodest_conn: Number::new(0),
            expire_quiescent_template: Number::new(0),
            sloppy_tcp: Number::new(0),
            sloppy_sctp: Number::new(0),
            sync_threshold: SyncThreshold(Two::new([3, 50])),
            sync_refresh_period: Number::new(0),
            sync_retries: Number::new(0),
            nat_icmp_send: Number::new(0),
            pmtu_disc: Number::new(1),
            backup_only: Number::new(0),
            conn_reuse_mode: Number::new(1),
            schedule_icmp: Number::new(0),
            ignore_tunneled: Number::new(0),
            run_estimation: Number::new(1),
            est_nice: Number::new(0),
            conn_lfactor: Number::new(conn_lfactor),
            svc_lfactor: Number::new(svc_lfactor),
            lblc_expiration: Number::new(DAY),
            lblcr_expiration: Number::new(DAY),
        }
    }
}
