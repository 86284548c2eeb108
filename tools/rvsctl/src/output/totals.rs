// SPDX-License-Identifier: GPL-2.0-only
//! The figures of the whole network namespace: traffic, table, and why packets were dropped. Also
//! the few lines of `timeout show` and `info`.

use std::io::{self, Write};

use super::table::{wrap, Align, Style, Table};
use crate::model::{DropReason, Info, Timeouts, Totals};

/// Width that the sentences about drop reasons are wrapped to.
const WIDTH: usize = 80;

/// Prints the totals; drop reasons that never occurred only if `all`.
pub fn print(out: &mut dyn Write, totals: &Totals, all: bool, style: Style) -> io::Result<()> {
    let mut table = Table::new(&[
        ("TRAFFIC", Align::Left),
        ("TOTAL", Align::Right),
        ("PER SECOND", Align::Right),
    ]);
    let (sum, rate) = (&totals.statistics.counters, &totals.statistics.rates);
    for (name, sum, rate) in [
        ("New connections", sum.connections, rate.connections),
        ("Packets in", sum.packets_in, rate.packets_in),
        ("Packets out", sum.packets_out, rate.packets_out),
        ("Bytes in", sum.bytes_in, rate.bytes_in),
        ("Bytes out", sum.bytes_out, rate.bytes_out),
    ] {
        table.row(vec![name.to_string(), sum.to_string(), rate.to_string()]);
    }
    table.print(out, style)?;
    writeln!(out)?;
    writeln!(
        out,
        "Entries in the connection table: {}",
        totals.connections
    )?;
    writeln!(out)?;
    print_drops(out, &totals.drops, all, style)
}

/// Prints drop reasons; those that never occurred only if `all`.
pub fn print_drops(
    out: &mut dyn Write,
    drops: &[DropReason],
    all: bool,
    style: Style,
) -> io::Result<()> {
    let shown: Vec<_> = drops.iter().filter(|drop| all || drop.count > 0).collect();
    if shown.is_empty() {
        return writeln!(out, "No packet was dropped.");
    }
    let widest = |text: fn(&DropReason) -> String, heading: &str| {
        let cells = shown.iter().map(|drop| text(drop).chars().count());
        cells.max().unwrap_or(0).max(heading.len())
    };
    let count = widest(|drop| drop.count.to_string(), "DROPPED");
    let reason = widest(|drop| drop.reason.clone(), "REASON");
    let indent = count + reason + 4;
    let mut table = Table::new(&[
        ("DROPPED", Align::Right),
        ("REASON", Align::Left),
        ("MEANING", Align::Left),
    ]);
    for drop in shown {
        let mut lines = wrap(&drop.meaning, WIDTH - indent.min(WIDTH / 2)).into_iter();
        table.row(vec![
            drop.count.to_string(),
            drop.reason.clone(),
            lines.next().unwrap_or_default(),
        ]);
        for line in lines {
            table.row(vec![String::new(), String::new(), line]);
        }
    }
    table.print(out, style)?;
    Ok(())
}

/// Prints the timeouts of connections.
pub fn print_timeouts(out: &mut dyn Write, timeouts: &Timeouts, style: Style) -> io::Result<()> {
    let mut table = Table::new(&[("CONNECTIONS", Align::Left), ("TIMEOUT", Align::Right)]);
    for (name, seconds) in [
        ("TCP, established", timeouts.tcp),
        ("TCP, after FIN", timeouts.tcp_fin),
        ("UDP", timeouts.udp),
    ] {
        table.row(vec![name.to_string(), format!("{seconds} s")]);
    }
    table.print(out, style)?;
    Ok(())
}

/// Prints what is loaded.
pub fn print_info(out: &mut dyn Write, info: &Info) -> io::Result<()> {
    writeln!(out, "Version: {}", info.version)?;
    writeln!(
        out,
        "Connection table: {} slots",
        info.connection_table_slots
    )?;
    match info.generation {
        Some(generation) => writeln!(out, "Configuration: generation {generation}"),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Version;
    use crate::output::samples::{fits, totals};

    const PLAIN: Style = Style::PLAIN;

    fn printed(totals: &Totals, all: bool) -> String {
        let mut out = Vec::new();
        print(&mut out, totals, all, PLAIN).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn totals_are_shown_with_the_reasons_that_occurred() {
        let expected = "\
TRAFFIC                  TOTAL     PER SECOND
New connections  1099511627776  1099511627781
Packets in       1099511627777  1099511627782
Packets out      1099511627778  1099511627783
Bytes in         1099511627779  1099511627784
Bytes out        1099511627780  1099511627785

Entries in the connection table: 12

DROPPED  REASON     MEANING
      3  no-memory  Memory ran out.
";
        assert_eq!(printed(&totals(), false), expected);
    }

    #[test]
    fn all_reasons_are_shown_on_request() {
        let text = printed(&totals(), true);
        assert!(
            text.ends_with("      0  no-server  No server was available.\n"),
            "{text}"
        );
    }

    #[test]
    fn without_drops_it_says_so() {
        let mut totals = totals();
        totals.drops[0].count = 0;
        assert!(printed(&totals, false).ends_with("\nNo packet was dropped.\n"));
    }

    #[test]
    fn a_long_meaning_is_wrapped_under_its_heading() {
        let mut totals = totals();
        totals.drops[0].meaning = "word ".repeat(30);
        let text = printed(&totals, false);
        fits(80, &text);
        let last = text.lines().last().unwrap();
        assert!(last.starts_with(&format!("{:20}word", "")), "{last:?}");
    }

    #[test]
    fn timeouts_are_shown_in_seconds() {
        let mut out = Vec::new();
        let timeouts = Timeouts {
            tcp: 900,
            tcp_fin: 120,
            udp: 300,
        };
        print_timeouts(&mut out, &timeouts, PLAIN).unwrap();
        let expected = "\
CONNECTIONS       TIMEOUT
TCP, established    900 s
TCP, after FIN      120 s
UDP                 300 s
";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn the_loaded_module_is_shown_with_its_table() {
        let mut out = Vec::new();
        let info = Info {
            version: Version(0x0001_0201),
            connection_table_slots: 4096,
            generation: Some(7),
        };
        print_info(&mut out, &info).unwrap();
        assert_eq!(
            out,
            b"Version: 1.2.1\nConnection table: 4096 slots\nConfiguration: generation 7\n"
        );
    }
}
