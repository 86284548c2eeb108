// SPDX-License-Identifier: GPL-2.0-only

//! Tests of the pure rooms, one file per subject, in one binary because linking takes longer than running.

mod attributes;
mod checksum;
mod flow_hash;
mod fuzz;
mod icmp;
mod ipv4;
mod proc_text;
mod proto;
mod rewrite;
mod sched_rr;
mod sched_wlc;
mod sched_wrr;
mod server;
mod settings;
mod strategies;
mod tcp_states;
mod wheel;
