// SPDX-License-Identifier: GPL-2.0-only

//! `/proc/net/ip_vs_conn`: the connections as `ipvsadm -Lc` reads them
//! (reference §9.1).

use super::text::HexAddr;
use crate::{
    conn::Connection,
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

/// The place behind another in a file whose first place has the headings and each further one a
/// bucket of the table.
pub fn next_bucket(net: Net<'_>, place: u32) -> Option<u32> {
    let balancer = Netns::of(net).ok().and_then(Netns::balancer)?;
    (place < balancer.connections.table().buckets()).then(|| place.saturating_add(1))
}

/// Has `write` look at the connections of a bucket, and tells it the tick, until it fails.
pub fn for_each(
    net: Net<'_>,
    bucket: u32,
    mut write: impl FnMut(&Connection, u32) -> fmt::Result,
) -> fmt::Result {
    let Some(balancer) = Netns::of(net).ok().and_then(Netns::balancer) else {
        return Ok(());
    };
    let now = time::jiffies();
    let guard = rcu::read_lock();
    let mut written = Ok(());
    balancer.connections.table().bucket_entries(
        bucket,
        |connection| written = written.and_then(|()| write(connection.get(), now)),
        Held::from(&guard),
    );
    written
}

struct HexEndpoint(Endpoint);

impl fmt::Display for HexEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:04X}", HexAddr(self.0.addr.into()), self.0.port)
    }
}

/// Protocol and the three ends of a connection, with which its line begins.
pub struct Ends<'a>(pub &'a Connection);

impl fmt::Display for Ends<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:<3} {} {} {}",
            self.0.protocol.name(),
            HexEndpoint(self.0.client),
            HexEndpoint(self.0.virt),
            HexEndpoint(self.0.server_endpoint),
        )
    }
}

impl Contents for ConnFile {
    const NAME: &'static CStr = c_str!("ip_vs_conn");

    type Place = u32;

    fn first(_net: Net<'_>) -> Option<u32> {
        Some(0)
    }

    fn after(net: Net<'_>, place: u32) -> Option<u32> {
        next_bucket(net, place)
    }

    fn show(net: Net<'_>, place: u32, text: &mut Text<'_>) -> fmt::Result {
        let Some(bucket) = place.checked_sub(1) else {
            return text.write_str(
                "Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData\n",
            );
        };
        for_each(net, bucket, |connection, now| {
            writeln!(
                text,
                "{} {:<11} {:7}",
                Ends(connection),
                connection.state_name(),
                connection.ticks_left(now) / time::HZ,
            )
        })
    }
}
