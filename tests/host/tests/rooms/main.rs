// SPDX-License-Identifier: GPL-2.0-only

//! Tests of the pure rooms, one file per subject, in one binary because linking takes longer than running.

mod attributes;
mod checksum;
mod defense;
mod events;
mod extension;
mod filter;
mod flow_hash;
mod ftp;
mod fuzz;
mod icmp;
mod icmpv6;
mod ipv4;
mod ipv6;
mod naming;
mod netlink_numbers;
mod network;
mod policy;
mod proc_text;
mod proto;
mod quote;
mod reset;
mod rewrite;
mod sched_fo;
mod sched_hash;
mod sched_lblc;
mod sched_lc;
mod sched_mh;
mod sched_rr;
mod sched_sed;
mod sched_twos;
mod sched_wlc;
mod sched_wrr;
mod sctp;
mod server;
mod service_key;
mod settings;
mod sip;
mod siphash;
mod strategies;
mod tcp_states;
mod tunnels;
mod wheel;
