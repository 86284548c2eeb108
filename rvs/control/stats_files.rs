// SPDX-License-Identifier: GPL-2.0-only

//! `/proc/net/ip_vs_stats` and `ip_vs_stats_percpu`: the sums over all
//! services of a namespace (reference §9.1).

use super::text::Row;
use crate::{
    netns::Netns,
    stats::{Shown, Totals},
    sys::{
        cpu::{self, Cpu},
        net::Net,
        procfs::{Contents, Text},
    },
};
use core::fmt::{self, Write};
use kernel::{c_str, prelude::*};

fn row(totals: Totals) -> Row {
    let Totals {
        conns,
        in_pkts,
        out_pkts,
        in_bytes,
        out_bytes,
    } = totals;
    Row([conns, in_pkts, out_pkts, in_bytes, out_bytes])
}

fn sums(net: Net<'_>) -> Shown {
    let netns = Netns::visit(net).ok();
    netns
        .and_then(|netns| netns.read_config(|config| config.stats()))
        .unwrap_or_default()
}

fn counted_on(net: Net<'_>, cpu: Cpu) -> Totals {
    let netns = Netns::visit(net).ok();
    netns
        .and_then(|netns| netns.read_config(|config| config.counted_on(cpu)))
        .unwrap_or_default()
}

/// The contents of `ip_vs_stats`, in one step.
pub struct StatsFile;

impl Contents for StatsFile {
    const NAME: &'static CStr = c_str!("ip_vs_stats");

    type Place = ();

    fn first(_net: Net<'_>) -> Option<()> {
        Some(())
    }

    fn after(_net: Net<'_>, _place: ()) -> Option<()> {
        None
    }

    fn show(net: Net<'_>, _place: (), text: &mut Text<'_>) -> fmt::Result {
        let shown = sums(net);
        let (totals, rates) = (row(shown.totals), row(shown.rates));
        write!(
            text,
            "   Total Incoming Outgoing         Incoming         Outgoing\n   \
             Conns  Packets  Packets            Bytes            Bytes\n\
             {totals}\n \
             Conns/s   Pkts/s   Pkts/s          Bytes/s          Bytes/s\n\
             {rates}"
        )
    }
}

/// The contents of `ip_vs_stats_percpu`: a step for each line of counters.
pub struct PerCpuStatsFile;

/// A step.
#[derive(Clone, Copy)]
pub enum Place {
    /// The headings.
    Head,
    /// What a CPU counted.
    Cpu(Cpu),
    /// Sums and rates.
    Sums,
}

impl Contents for PerCpuStatsFile {
    const NAME: &'static CStr = c_str!("ip_vs_stats_percpu");

    type Place = Place;

    fn first(_net: Net<'_>) -> Option<Place> {
        Some(Place::Head)
    }

    fn after(_net: Net<'_>, place: Place) -> Option<Place> {
        let next_cpu = match place {
            Place::Head => cpu::possible().next(),
            Place::Cpu(cpu) => cpu.next(),
            Place::Sums => return None,
        };
        Some(next_cpu.map_or(Place::Sums, Place::Cpu))
    }

    fn show(net: Net<'_>, place: Place, text: &mut Text<'_>) -> fmt::Result {
        match place {
            Place::Head => text.write_str(
                "       Total Incoming Outgoing         Incoming         Outgoing\n\
                 CPU    Conns  Packets  Packets            Bytes            Bytes\n",
            ),
            Place::Cpu(cpu) => {
                write!(text, "{:3X} {}", cpu.number(), row(counted_on(net, cpu)))
            }
            Place::Sums => {
                let shown = sums(net);
                let (totals, rates) = (row(shown.totals), row(shown.rates));
                write!(
                    text,
                    "  ~ {totals}\n     \
                     Conns/s   Pkts/s   Pkts/s          Bytes/s          Bytes/s\n    \
                     {rates}"
                )
            }
        }
    }
}
