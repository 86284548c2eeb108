// SPDX-License-Identifier: GPL-2.0-only

//! The numbers of the netlink families `IPVS` (`include/uapi/linux/ip_vs.h`)
//! and `RVS` (`docs/netlink/rvs.yaml`), under their UAPI names. Plain
//! constants and nothing else: the module and the command `rvsctl` are
//! compiled from this very file, and a test compares it with the
//! specification.

#![forbid(unsafe_code)]

/// Commands. Those of `RVS` alone come after [`cmd::FLUSH`].
pub mod cmd {
    pub const NEW_SERVICE: u8 = 1;
    pub const SET_SERVICE: u8 = 2;
    pub const DEL_SERVICE: u8 = 3;
    pub const GET_SERVICE: u8 = 4;
    pub const NEW_DEST: u8 = 5;
    pub const SET_DEST: u8 = 6;
    pub const DEL_DEST: u8 = 7;
    pub const GET_DEST: u8 = 8;
    pub const NEW_DAEMON: u8 = 9;
    pub const DEL_DAEMON: u8 = 10;
    pub const GET_DAEMON: u8 = 11;
    pub const SET_CONFIG: u8 = 12;
    pub const GET_CONFIG: u8 = 13;
    pub const SET_INFO: u8 = 14;
    pub const GET_INFO: u8 = 15;
    pub const ZERO: u8 = 16;
    pub const FLUSH: u8 = 17;
    pub const GET_CONNECTION: u8 = 18;
    pub const NEW_CONNECTION: u8 = 19;
    pub const GET_TOTALS: u8 = 20;
    pub const NEW_TOTALS: u8 = 21;
    pub const APPLY: u8 = 22;
    pub const COUNT_CONNECTIONS: u8 = 26;
    pub const NEW_COUNT: u8 = 27;
    pub const KILL_CONNECTIONS: u8 = 28;
    pub const DRAIN_DEST: u8 = 29;
    pub const GET_EXPLANATION: u8 = 30;
    pub const NEW_EXPLANATION: u8 = 31;
    pub const EVENT: u8 = 32;
}

/// Attributes at the top of a message.
pub mod top {
    pub const SERVICE: u16 = 1;
    pub const DEST: u16 = 2;
    pub const DAEMON: u16 = 3;
    pub const TIMEOUT_TCP: u16 = 4;
    pub const TIMEOUT_TCP_FIN: u16 = 5;
    pub const TIMEOUT_UDP: u16 = 6;
    pub const CONNECTION: u16 = 7;
    pub const TOTALS: u16 = 8;
    pub const OPERATION: u16 = 9;
    pub const GENERATION: u16 = 10;
    pub const BRIEF: u16 = 11;
    pub const FILTER: u16 = 13;
    pub const COUNT: u16 = 14;
    pub const DRAIN: u16 = 15;
    pub const FLOW: u16 = 16;
    pub const EXPLANATION: u16 = 17;
    pub const SILENT: u16 = 18;
    pub const EVENT: u16 = 19;
    pub const EVENTS_LOST: u16 = 20;
    pub const CURSOR: u16 = 21;
}

/// Attributes of the answer to [`cmd::GET_INFO`].
pub mod info {
    pub const VERSION: u16 = 1;
    pub const CONN_TAB_SIZE: u16 = 2;
    pub const GENERATION: u16 = 3;
}

/// Attributes of an operation of a transaction; service and real server are those of [`top`].
pub mod operation {
    pub const SERVICE: u16 = 1;
    pub const DEST: u16 = 2;
    pub const COMMAND: u16 = 3;
}

/// Attributes of a service.
pub mod svc {
    pub const AF: u16 = 1;
    pub const PROTOCOL: u16 = 2;
    pub const ADDR: u16 = 3;
    pub const PORT: u16 = 4;
    pub const FWMARK: u16 = 5;
    pub const SCHED_NAME: u16 = 6;
    pub const FLAGS: u16 = 7;
    pub const TIMEOUT: u16 = 8;
    pub const NETMASK: u16 = 9;
    pub const STATS: u16 = 10;
    pub const PE_NAME: u16 = 11;
    pub const STATS64: u16 = 12;
    pub const NAME: u16 = 32;
    pub const LABEL: u16 = 33;
    pub const FINGERPRINT: u16 = 34;
}

/// Attributes of a real server.
pub mod dest {
    pub const ADDR: u16 = 1;
    pub const PORT: u16 = 2;
    pub const FWD_METHOD: u16 = 3;
    pub const WEIGHT: u16 = 4;
    pub const U_THRESH: u16 = 5;
    pub const L_THRESH: u16 = 6;
    pub const ACTIVE_CONNS: u16 = 7;
    pub const INACT_CONNS: u16 = 8;
    pub const PERSIST_CONNS: u16 = 9;
    pub const STATS: u16 = 10;
    pub const ADDR_FAMILY: u16 = 11;
    pub const STATS64: u16 = 12;
    pub const TUN_TYPE: u16 = 13;
    pub const TUN_PORT: u16 = 14;
    pub const TUN_FLAGS: u16 = 15;
    pub const NAME: u16 = 32;
    pub const LABEL: u16 = 33;
    pub const DRAIN: u16 = 36;
    pub const OVERLOADED: u16 = 37;
}

/// Attributes of the draining of a real server.
pub mod drain {
    pub const STOP: u16 = 1;
    pub const TIMEOUT: u16 = 2;
    pub const LEFTOVERS: u16 = 3;
    pub const REMOVE: u16 = 4;
    pub const LEFT: u16 = 5;
    pub const DONE: u16 = 6;
}

/// Attributes of a synchronisation daemon.
pub mod daemon {
    pub const STATE: u16 = 1;
    pub const MCAST_IFN: u16 = 2;
    pub const SYNC_ID: u16 = 3;
    pub const SYNC_MAXLEN: u16 = 4;
    pub const MCAST_GROUP: u16 = 5;
    pub const MCAST_GROUP6: u16 = 6;
    pub const MCAST_PORT: u16 = 7;
    pub const MCAST_TTL: u16 = 8;
}

/// Attributes of counters and rates; the rates follow the counters in the same order.
pub mod stats {
    pub const CONNS: u16 = 1;
    pub const INPKTS: u16 = 2;
    pub const OUTPKTS: u16 = 3;
    pub const INBYTES: u16 = 4;
    pub const OUTBYTES: u16 = 5;
    pub const CPS: u16 = 6;
    pub const INPPS: u16 = 7;
    pub const OUTPPS: u16 = 8;
    pub const INBPS: u16 = 9;
    pub const OUTBPS: u16 = 10;
    pub const TIME: u16 = 12;
}

/// Attributes of a connection.
pub mod conn {
    pub const AF: u16 = 1;
    pub const PROTOCOL: u16 = 2;
    pub const CLIENT_ADDR: u16 = 3;
    pub const CLIENT_PORT: u16 = 4;
    pub const VIRTUAL_ADDR: u16 = 5;
    pub const VIRTUAL_PORT: u16 = 6;
    pub const SERVER_ADDR: u16 = 7;
    pub const SERVER_PORT: u16 = 8;
    pub const FWD_METHOD: u16 = 9;
    pub const STATE: u16 = 10;
    pub const EXPIRES: u16 = 11;
    pub const FLAGS: u16 = 12;
    pub const SERVER_AF: u16 = 13;
    pub const AGE: u16 = 14;
    pub const IDLE: u16 = 15;
}

/// Attributes of a filter of connections.
pub mod filter {
    pub const SERVICE: u16 = 1;
    pub const PROTOCOL: u16 = 2;
    pub const AF: u16 = 3;
    pub const CLIENT_ADDR: u16 = 4;
    pub const CLIENT_PREFIX: u16 = 5;
    pub const CLIENT_PORT: u16 = 6;
    pub const SERVER_AF: u16 = 7;
    pub const SERVER_ADDR: u16 = 8;
    pub const SERVER_PORT: u16 = 9;
    pub const FWD_METHOD: u16 = 10;
    pub const STATE: u16 = 11;
    pub const MIN_AGE: u16 = 12;
    pub const MAX_AGE: u16 = 13;
    pub const MIN_IDLE: u16 = 14;
    pub const MAX_IDLE: u16 = 15;
    pub const LIMIT: u16 = 16;
    pub const ALL: u16 = 17;
}

/// Attributes of a flow that a question is about.
pub mod flow {
    pub const AF: u16 = 1;
    pub const PROTOCOL: u16 = 2;
    pub const SRC_ADDR: u16 = 3;
    pub const SRC_PORT: u16 = 4;
    pub const DST_ADDR: u16 = 5;
    pub const DST_PORT: u16 = 6;
    pub const MARK: u16 = 7;
}

/// Attributes of what would become of a packet.
pub mod explanation {
    pub const OUTCOME: u16 = 1;
    pub const DROP: u16 = 2;
    pub const CHOSEN_BY: u16 = 3;
    pub const WAY: u16 = 4;
    pub const IS_REPLACED: u16 = 5;
    pub const TEMPLATE: u16 = 6;
    pub const IS_UNUSABLE: u16 = 7;
    pub const SERVER: u16 = 8;
    pub const TARGET_PORT: u16 = 9;
    pub const FWD_METHOD: u16 = 10;
    pub const IS_LOCAL: u16 = 11;
    pub const MTU: u16 = 12;
    pub const IS_FULL: u16 = 13;
    pub const IS_OF_CHANCE: u16 = 14;
}

/// Attributes of a namespace's totals.
pub mod totals {
    pub const STATS64: u16 = 1;
    pub const CONNECTIONS: u16 = 2;
    pub const DROP: u16 = 3;
}

/// Attributes of a drop reason.
pub mod drop {
    pub const REASON: u16 = 1;
    pub const COUNT: u16 = 2;
    pub const MEANING: u16 = 3;
}

/// Attributes of an event.
pub mod event {
    pub const TYPE: u16 = 1;
    pub const TIME: u16 = 2;
    pub const PID: u16 = 3;
    pub const PROGRAM: u16 = 4;
    pub const LEFT_OUT: u16 = 5;
    pub const STRATEGY: u16 = 6;
    pub const FAMILY: u16 = 7;
    pub const SLOTS_BEFORE: u16 = 8;
    pub const SLOTS: u16 = 9;
    pub const ENTRIES: u16 = 10;
    pub const REASON: u16 = 11;
    pub const PACKET: u16 = 12;
}

/// What happened, in [`event::TYPE`].
pub mod event_type {
    pub const SERVICE_ADDED: u32 = 1;
    pub const SERVICE_CHANGED: u32 = 2;
    pub const SERVICE_REMOVED: u32 = 3;
    pub const SERVER_ADDED: u32 = 4;
    pub const SERVER_CHANGED: u32 = 5;
    pub const SERVER_REMOVED: u32 = 6;
    pub const FLUSHED: u32 = 7;
    pub const ZEROED: u32 = 8;
    pub const TIMEOUTS_CHANGED: u32 = 9;
    pub const SERVER_OVERLOADED: u32 = 16;
    pub const SERVER_RECOVERED: u32 = 17;
    pub const SERVER_DRAINING: u32 = 18;
    pub const SERVER_DRAINED: u32 = 19;
    pub const SERVER_UNDRAINED: u32 = 20;
    pub const DEFENCE_ON: u32 = 32;
    pub const DEFENCE_OFF: u32 = 33;
    pub const TABLE_RESIZED: u32 = 48;
    pub const PACKET_DROPPED: u32 = 64;
}

/// Attributes of a dropped packet.
pub mod packet {
    pub const AF: u16 = 1;
    pub const PROTOCOL: u16 = 2;
    pub const SRC_ADDR: u16 = 3;
    pub const SRC_PORT: u16 = 4;
    pub const DST_ADDR: u16 = 5;
    pub const DST_PORT: u16 = 6;
    pub const LENGTH: u16 = 7;
}

/// Version of both families, in the header of every message.
pub const FAMILY_VERSION: u8 = 1;
/// The version of IPVS that clients expect: 1.2.1.
pub const IPVS_VERSION: u32 = 0x01_02_01;
/// The version of this module: 0.1.0.
pub const RVS_VERSION: u32 = 0x00_01_00;
pub const AF_INET: u16 = 2;
pub const AF_INET6: u16 = 10;
/// `IP_VS_SVC_F_HASHED`: set in every answer, as clients check.
pub const SVC_F_HASHED: u32 = 0x2;
/// Longest scheduler name.
pub const SCHED_NAME_MAX: usize = 15;
/// Longest name of a network device.
pub const IFNAME_MAX: usize = 15;
/// `IP_VS_STATE_MASTER` and `IP_VS_STATE_BACKUP`: what a synchronisation daemon is.
pub const DAEMON_STATES: [u32; 2] = [1, 2];
/// Longest name of a persistence engine.
pub const PE_NAME_MAX: usize = 16;
