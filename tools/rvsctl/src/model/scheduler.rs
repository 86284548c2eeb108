// SPDX-License-Identifier: GPL-2.0-only
//! The schedulers of the module by name, and the options that two of them have.

/// Schedulers of the module and what each does. The kernel may have more: it decides.
pub const SCHEDULERS: [(&str, &str); 14] = [
    ("rr", "round robin: one server after the other"),
    ("wrr", "weighted round robin: in proportion to the weights"),
    ("lc", "least connections, whatever the weights"),
    (
        "wlc",
        "weighted least connections: fewest connections per weight",
    ),
    ("fo", "failover: the heaviest server that is available"),
    (
        "ovf",
        "overflow: the heaviest with no more connections than its weight",
    ),
    (
        "lblc",
        "locality: one server for each destination, until it is congested",
    ),
    (
        "lblcr",
        "locality with replication: a set of servers for each destination",
    ),
    (
        "dh",
        "destination hashing: by the address that is asked for",
    ),
    ("sh", "source hashing: by the client's address"),
    (
        "mh",
        "Maglev hashing: by the client's address, few move on a change",
    ),
    (
        "sed",
        "shortest expected delay: fewest connections per weight with the new one",
    ),
    ("nq", "never queue: an idle server, else as sed"),
    ("twos", "the less busy of two servers drawn by weight"),
];

/// What a scheduler can be told about one service; on the wire a flag of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SchedulerOption {
    /// As LVS writes it, with the scheduler's name first.
    pub name: &'static str,
    pub scheduler: &'static str,
    pub flag: u32,
    pub meaning: &'static str,
}

/// Every option. Schedulers share the flags: each gives them its own meaning.
pub const OPTIONS: [SchedulerOption; 4] = [
    SchedulerOption {
        name: "sh-fallback",
        scheduler: "sh",
        flag: 0x08,
        meaning: "where a client's server is not available, another takes over",
    },
    SchedulerOption {
        name: "sh-port",
        scheduler: "sh",
        flag: 0x10,
        meaning: "the client's port counts too, not only its address",
    },
    SchedulerOption {
        name: "mh-fallback",
        scheduler: "mh",
        flag: 0x08,
        meaning: "where a client's server is not available, another takes over",
    },
    SchedulerOption {
        name: "mh-port",
        scheduler: "mh",
        flag: 0x10,
        meaning: "the client's port counts too, not only its address",
    },
];

impl SchedulerOption {
    /// The options of this scheduler.
    pub fn of(scheduler: &str) -> impl Iterator<Item = &'static Self> + '_ {
        OPTIONS
            .iter()
            .filter(move |option| option.scheduler == scheduler)
    }

    /// The option of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        OPTIONS.iter().find(|option| option.name == name)
    }
}
