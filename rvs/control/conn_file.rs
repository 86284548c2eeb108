// SPDX-License-Identifier: GPL-2.0-only

//! `/proc/net/ip_vs_conn`: the connections as `ipvsadm -Lc` reads them
//! (reference §9.1).

use crate::{
    netns::Netns,
    packet::Endpoint,
    sys::{
        net::Net,
        procfs::{Contents, Text},
        rcu::{self, Held},
        time,
    },
};
use core::fmt::{self, Write};
use kernel::{c_str, prelude::*};

/// The contents of the file: a line of headings, then a step for each bucket of the table.
pub struct ConnFile;

struct HexEndpoint(Endpoint);

impl fmt::Display for HexEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08X} {:04X}", self.0.addr.to_bits(), self.0.port)
    }
}

impl Contents for ConnFile {
    const NAME: &'static CStr = c_str!("ip_vs_conn");

    fn steps(net: Net<'_>) -> u64 {
        let balancer = Netns::of(net).ok().and_then(Netns::balancer);
        let buckets = balancer.map_or(0, |balancer| balancer.connections.table().buckets());
        u64::from(buckets).saturating_add(1)
    }

    fn show(net: Net<'_>, step: u64, text: &mut Text<'_>) -> fmt::Result {
        let Some(bucket) = step.checked_sub(1) else {
            return text.write_str(
                "Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData\n",
            );
        };
        let Some(balancer) = Netns::of(net).ok().and_then(Netns::balancer) else {
            return Ok(());
        };
        let now = time::jiffies();
        let guard = rcu::read_lock();
        let mut written = Ok(());
        balancer.connections.table().bucket_entries(
            bucket as u32,
            |connection| {
                written = written.and_then(|()| {
                    writeln!(
                        text,
                        "{:<3} {} {} {} {:<11} {:7}",
                        connection.protocol.name(),
                        HexEndpoint(connection.client),
                        HexEndpoint(connection.virt),
                        HexEndpoint(connection.server_endpoint),
                        connection.state_name(),
                        connection.ticks_left(now) / time::HZ,
                    )
                });
            },
            Held::from(&guard),
        );
        written
    }
}
