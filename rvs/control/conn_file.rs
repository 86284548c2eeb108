// SPDX-License-Identifier: GPL-2.0-only

//! `/proc/net/ip_vs_conn`: the connections as `ipvsadm -Lc` reads them; and
//! what other files of connections share with it (reference §9.1).

use super::line::Line;
use crate::{
    conn::{Connection, Connections},
    netns::Netns,
    packet::Address,
    service::Engine,
    sys::{
        flow_table::Lent,
        net::Net,
        procfs::{Contents, Text},
        rcu::{self, Held},
        time,
    },
};
use core::{fmt, marker::PhantomData, str};
use kernel::{c_str, prelude::*};

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
        let netns = Netns::visit(net).ok()?;
        let balancer = netns.balancer()?;
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

/// A file of connections: what stands in its lines behind protocol and ends.
pub trait Columns: 'static {
    /// The file's name.
    const NAME: &'static CStr;

    /// Its first line.
    const HEADINGS: &'static str;

    /// Adds the columns of a connection, at the tick `now`.
    fn add_to<A: Address>(line: &mut Line, connection: &Connection<A>, now: u32);
}

/// The contents of such a file: a line of headings, then a step for each bucket of the tables.
pub struct Listed<C>(PhantomData<C>);

impl<C: Columns> Contents for Listed<C> {
    const NAME: &'static CStr = C::NAME;

    type Place = Place;

    fn first(_net: Net<'_>) -> Option<Place> {
        Some(Place::Headings)
    }

    fn after(net: Net<'_>, place: Place) -> Option<Place> {
        place.after(net)
    }

    fn show(net: Net<'_>, place: Place, text: &mut Text<'_>) -> fmt::Result {
        let Ok(netns) = Netns::visit(net) else {
            return Ok(());
        };
        match place {
            Place::Headings => text.write_bytes(C::HEADINGS.as_bytes()),
            Place::V4(bucket) => {
                if let Some(balancer) = netns.balancer() {
                    show_bucket::<C, _>(&balancer.connections4, bucket, text);
                }
            }
            Place::V6(bucket) => {
                if let Some(balancer) = netns.balancer() {
                    show_bucket::<C, _>(&balancer.connections6, bucket, text);
                }
            }
        }
        Ok(())
    }
}

fn show_bucket<C: Columns, A: Address>(
    connections: &Connections<A>,
    bucket: u32,
    text: &mut Text<'_>,
) {
    let now = time::jiffies();
    let mut line = Line::new();
    let guard = rcu::read_lock();
    let show = |connection: Lent<'_, Connection<A>>| {
        if connection.status().is_dead() {
            return;
        }
        line.clear();
        line.protocol(connection.protocol);
        for end in [
            connection.client.ip(),
            connection.virt.ip(),
            connection.server_endpoint(),
        ] {
            line.byte(b' ');
            line.place(end.addr, end.port);
        }
        C::add_to(&mut line, connection.get(), now);
        line.byte(b'\n');
        text.write_bytes(line.bytes());
    };
    let table = connections.table();
    table.bucket_entries(bucket, show, Held::from(&guard));
}

/// Adds the name of a connection's state.
pub fn add_state<A: Address>(line: &mut Line, connection: &Connection<A>) {
    line.byte(b' ');
    line.text(connection.state_name(), 11);
    line.byte(b' ');
}

/// Adds the seconds until a connection ends.
pub fn add_seconds<A: Address>(line: &mut Line, connection: &Connection<A>, now: u32) {
    line.decimal(connection.ticks_left(now) / time::HZ, 7);
}

/// What `ip_vs_conn` shows.
pub struct Connected;

/// The contents of the file.
pub type ConnFile = Listed<Connected>;

impl Columns for Connected {
    const NAME: &'static CStr = c_str!("ip_vs_conn");
    const HEADINGS: &'static str =
        "Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData\n";

    fn add_to<A: Address>(line: &mut Line, connection: &Connection<A>, now: u32) {
        add_state(line, connection);
        add_seconds(line, connection, now);
        if let Some(call) = connection.call() {
            line.byte(b' ');
            line.text(Engine::Sip.name(), 0);
            line.byte(b' ');
            line.text(str::from_utf8(call).unwrap_or("ERR!"), 0);
        }
    }
}
