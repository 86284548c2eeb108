// SPDX-License-Identifier: GPL-2.0-only

//! `/proc/net/ip_vs_conn`: the connections as `ipvsadm -Lc` reads them
//! (reference §9.1).

use crate::{
    conn::Connections,
    netns::Netns,
    packet::{Address, Endpoint},
    proto::Protocol,
    sys::{
        net::Net,
        procfs::{Contents, Text},
        rcu::{self, Held},
        time,
    },
};
use core::{
    fmt::{self, Write},
    net::IpAddr,
};
use kernel::{c_str, prelude::*};

/// The contents of the file: a line of headings, then a step for each bucket of the tables.
pub struct ConnFile;

/// An address as this file has it: 8 digits for IPv4, all 32 of IPv6.
struct Hex(IpAddr);

impl fmt::Display for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(addr) => write!(f, "{:08X}", addr.to_bits()),
            IpAddr::V6(addr) => {
                let [a, b, c, d, e, g, h, i] = addr.segments();
                write!(
                    f,
                    "{a:04x}:{b:04x}:{c:04x}:{d:04x}:{e:04x}:{g:04x}:{h:04x}:{i:04x}"
                )
            }
        }
    }
}

struct HexEndpoint(Endpoint<IpAddr>);

impl fmt::Display for HexEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:04X}", Hex(self.0.addr), self.0.port)
    }
}

/// A protocol as this file has it; that of a template for all is IP's.
fn protocol_name(protocol: u8) -> &'static str {
    Protocol::from_u8(protocol).map_or("IP", Protocol::name)
}

fn show_bucket<A: Address>(
    connections: &Connections<A>,
    bucket: u64,
    text: &mut Text<'_>,
) -> fmt::Result {
    let now = time::jiffies();
    let guard = rcu::read_lock();
    let mut written = Ok(());
    let Ok(bucket) = u32::try_from(bucket) else {
        return Ok(());
    };
    connections.table().bucket_entries(
        bucket,
        |connection| {
            written = written.and_then(|()| {
                writeln!(
                    text,
                    "{:<3} {} {} {} {:<11} {:7}",
                    protocol_name(connection.protocol),
                    HexEndpoint(connection.client.ip()),
                    HexEndpoint(connection.virt.ip()),
                    HexEndpoint(connection.server_endpoint()),
                    connection.state_name(),
                    connection.ticks_left(now) / time::HZ,
                )
            });
        },
        Held::from(&guard),
    );
    written
}

impl Contents for ConnFile {
    const NAME: &'static CStr = c_str!("ip_vs_conn");

    fn steps(net: Net<'_>) -> u64 {
        let balancer = Netns::of(net).ok().and_then(Netns::balancer);
        let buckets = balancer.map_or(0, |balancer| {
            let (v4, v6) = (&balancer.connections4, &balancer.connections6);
            u64::from(v4.table().buckets()).saturating_add(u64::from(v6.table().buckets()))
        });
        buckets.saturating_add(1)
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
        let buckets4 = u64::from(balancer.connections4.table().buckets());
        match bucket.checked_sub(buckets4) {
            None => show_bucket(&balancer.connections4, bucket, text),
            Some(bucket) => show_bucket(&balancer.connections6, bucket, text),
        }
    }
}
