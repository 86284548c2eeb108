// SPDX-License-Identifier: GPL-2.0-only

//! `/proc/net/ip_vs_status`: how full the tables are (reference §9.1).

use crate::{
    conn::Connection,
    netns::Netns,
    packet::Address,
    sys::{
        cpu,
        flow_table::FlowTable,
        net::Net,
        procfs::{Contents, Text},
        rcu::{self, Held},
    },
};
use core::fmt::{self, Write};
use kernel::{c_str, prelude::*};

/// The contents of the file, in one step, for the administrator alone.
pub struct StatusFile;

/// How many buckets hold no entry, one, two and so on; the last counts all fuller ones too.
#[derive(Default)]
struct Lengths([u32; 8]);

impl Lengths {
    fn count(&mut self, len: usize) {
        let last = self.0.len().saturating_sub(1);
        if let Some(buckets) = self.0.get_mut(len.min(last)) {
            *buckets = buckets.saturating_add(1);
        }
    }

    /// Lines for empty buckets, and for those of each length that there are.
    fn show(&self, what: &str, text: &mut Text<'_>) -> fmt::Result {
        let [empty, used @ ..] = &self.0;
        let in_use: u64 = used.iter().copied().map(u64::from).sum();
        let all = in_use.saturating_add(u64::from(*empty));
        let percent = |part: u32, whole: u64| u64::from(part).saturating_mul(100) / whole.max(1);
        writeln!(
            text,
            "{what} buckets empty:\t{empty} ({}%)",
            percent(*empty, all)
        )?;
        for (buckets, len) in used.iter().zip(1u32..) {
            if *buckets != 0 {
                writeln!(
                    text,
                    "{what} buckets len-{len}:\t{buckets} ({}%)",
                    percent(*buckets, in_use)
                )?;
            }
        }
        Ok(())
    }
}

fn count_lengths<A: Address>(table: &FlowTable<Connection<A>>, lengths: &mut Lengths) {
    for bucket in 0..table.buckets() {
        let mut len = 0usize;
        let guard = rcu::read_lock();
        table.bucket_entries(bucket, |_| len = len.saturating_add(1), Held::from(&guard));
        drop(guard);
        lengths.count(len);
        if bucket & 0xff == 0xff {
            cpu::breathe();
        }
    }
}

impl Contents for StatusFile {
    const NAME: &'static CStr = c_str!("ip_vs_status");

    const MODE: u16 = 0o440;

    type Place = ();

    fn first(_net: Net<'_>) -> Option<()> {
        Some(())
    }

    fn after(_net: Net<'_>, _place: ()) -> Option<()> {
        None
    }

    fn show(net: Net<'_>, _place: (), text: &mut Text<'_>) -> fmt::Result {
        let visit = Netns::visit(net).ok();
        let netns = visit.as_deref();
        let services = netns.and_then(|netns| netns.read_config(|config| config.count()));
        match netns.and_then(Netns::balancer) {
            None => write!(text, "Conns:\t0\nConn buckets:\t0\n")?,
            Some(balancer) => {
                let (v4, v6) = (&balancer.connections4, &balancer.connections6);
                let count = balancer.connections();
                let buckets = v4.table().buckets().saturating_add(v6.table().buckets());
                write!(text, "Conns:\t{count}\nConn buckets:\t{buckets}\n")?;
                if count != 0 {
                    let mut lengths = Lengths::default();
                    count_lengths(v4.table(), &mut lengths);
                    count_lengths(v6.table(), &mut lengths);
                    lengths.show("Conn", text)?;
                }
            }
        }
        writeln!(text, "Services:\t{}", services.unwrap_or(0))?;
        let Some(defense) = netns.map(Netns::defense) else {
            return Ok(());
        };
        write!(
            text,
            "Defense drop_packet rate:\t{}\nDefense drop_entry ended:\t{}\n",
            defense.drop_rate(),
            defense.ended()
        )
    }
}
