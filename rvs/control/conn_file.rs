// SPDX-License-Identifier: GPL-2.0-only

//! `/proc/net/ip_vs_conn`: the connections as `ipvsadm -Lc` reads them
//! (reference §9.1).

use super::text::{HexAddr, ProtocolName};
use crate::{
    conn::{Connection, Connections},
    netns::Netns,
    packet::{Address, Endpoint},
    service::Engine,
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
    str,
};
use kernel::{c_str, prelude::*};

/// The contents of the file: a line of headings, then a step for each bucket of the tables.
pub struct ConnFile;

/// Where a file of connections stands: its headings, or a bucket of one of the tables, which grow and
/// shrink meanwhile.
#[derive(Clone, Copy)]
pub enum Place {
    /// The line of headings.
    Headings,
    /// A bucket of the connections of IPv4.
    V4(u32),
    /// A bucket of those of IPv6.
    V6(u32),
}

impl Place {
    /// The place behind this one.
    pub fn after(self, net: Net<'_>) -> Option<Self> {
        let balancer = Netns::of(net).ok().and_then(Netns::balancer)?;
        let (v4, v6) = (&balancer.connections4, &balancer.connections6);
        let bucket4 = |bucket| (bucket < v4.table().buckets()).then_some(Self::V4(bucket));
        let bucket6 = |bucket| (bucket < v6.table().buckets()).then_some(Self::V6(bucket));
        match self {
            Self::Headings => bucket4(0).or_else(|| bucket6(0)),
            Self::V4(bucket) => bucket4(bucket.wrapping_add(1)).or_else(|| bucket6(0)),
            Self::V6(bucket) => bucket6(bucket.wrapping_add(1)),
        }
    }
}

/// What of a connection stands in a line.
pub struct Line<'a> {
    protocol: u8,
    client: Endpoint<IpAddr>,
    virt: Endpoint<IpAddr>,
    server: Endpoint<IpAddr>,
    /// The name of its state.
    pub state: &'static str,
    /// Seconds until it ends.
    pub seconds: u32,
    /// What a persistence engine goes by, if one does.
    engine: Option<(Engine, &'a str)>,
}

impl<'a> Line<'a> {
    fn new<A: Address>(connection: &'a Connection<A>, now: u32) -> Self {
        Self {
            protocol: connection.protocol,
            client: connection.client.ip(),
            virt: connection.virt.ip(),
            server: connection.server_endpoint(),
            state: connection.state_name(),
            seconds: connection.ticks_left(now) / time::HZ,
            engine: connection
                .call()
                .map(|call| (Engine::Sip, str::from_utf8(call).unwrap_or("ERR!"))),
        }
    }

    /// Protocol and the three ends of the connection, with which the line begins.
    pub fn ends(&self) -> Ends<'_> {
        Ends(self)
    }
}

/// Has `write` look at the connections of a place, until it fails.
pub fn for_each(
    net: Net<'_>,
    place: Place,
    mut write: impl FnMut(&Line<'_>) -> fmt::Result,
) -> fmt::Result {
    let Some(balancer) = Netns::of(net).ok().and_then(Netns::balancer) else {
        return Ok(());
    };
    match place {
        Place::Headings => Ok(()),
        Place::V4(bucket) => for_each_of(&balancer.connections4, bucket, &mut write),
        Place::V6(bucket) => for_each_of(&balancer.connections6, bucket, &mut write),
    }
}

fn for_each_of<A: Address>(
    connections: &Connections<A>,
    bucket: u32,
    write: &mut dyn FnMut(&Line<'_>) -> fmt::Result,
) -> fmt::Result {
    let now = time::jiffies();
    let guard = rcu::read_lock();
    let mut written = Ok(());
    connections.table().bucket_entries(
        bucket,
        |connection| {
            if !connection.status().is_dead() {
                written = written.and_then(|()| write(&Line::new(connection.get(), now)));
            }
        },
        Held::from(&guard),
    );
    written
}

struct HexEndpoint(Endpoint<IpAddr>);

impl fmt::Display for HexEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:04X}", HexAddr(self.0.addr), self.0.port)
    }
}

/// Protocol and the three ends of a connection.
pub struct Ends<'a>(&'a Line<'a>);

impl fmt::Display for Ends<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:<3} {} {} {}",
            ProtocolName(self.0.protocol),
            HexEndpoint(self.0.client),
            HexEndpoint(self.0.virt),
            HexEndpoint(self.0.server),
        )
    }
}

impl Contents for ConnFile {
    const NAME: &'static CStr = c_str!("ip_vs_conn");

    type Place = Place;

    fn first(_net: Net<'_>) -> Option<Place> {
        Some(Place::Headings)
    }

    fn after(net: Net<'_>, place: Place) -> Option<Place> {
        place.after(net)
    }

    fn show(net: Net<'_>, place: Place, text: &mut Text<'_>) -> fmt::Result {
        if let Place::Headings = place {
            return text.write_str(
                "Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData\n",
            );
        }
        for_each(net, place, |line| {
            let (ends, state, seconds) = (line.ends(), line.state, line.seconds);
            write!(text, "{ends} {state:<11} {seconds:7}")?;
            if let Some((engine, data)) = line.engine {
                write!(text, " {} {data}", engine.name())?;
            }
            text.write_char('\n')
        })
    }
}
