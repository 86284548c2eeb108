// SPDX-License-Identifier: GPL-2.0-only
//! The connection table, printed while it is read: its length is not bounded, memory is.

use std::fmt;
use std::io::{self, Write};

use super::table::{Align, Cells, Column, Style, Widths};
use crate::model::Connection;

const COLUMNS: [Column; 6] = [
    ("PROTO", Align::Left),
    ("CLIENT", Align::Left),
    ("VIRTUAL", Align::Left),
    ("SERVER", Align::Left),
    ("STATE", Align::Left),
    ("EXPIRES", Align::Right),
];

const TIMES: [Column; 2] = [("AGE", Align::Right), ("IDLE", Align::Right)];

/// Which columns there are besides the usual ones.
#[derive(Debug, Clone, Copy)]
pub struct Columns {
    /// How long ago a connection was made, and had its last packet.
    pub times: bool,
}

impl Columns {
    fn headings(self) -> Vec<Column> {
        let times: &[Column] = if self.times { &TIMES } else { &[] };
        [&COLUMNS, times].concat()
    }

    fn add(self, cells: &mut Cells, connection: &Connection) {
        cells.push(connection.protocol);
        cells.push(connection.client);
        match connection.fwmark() {
            Some(mark) => cells.push(format_args!("mark {mark}")),
            None => cells.push(connection.r#virtual),
        }
        cells.push(connection.server);
        match connection.is_template() {
            true => cells.push("TEMPLATE"),
            false => cells.push(&connection.state),
        }
        cells.push(expiry(connection.expires));
        if self.times {
            cells.push(elapsed(connection.age));
            cells.push(elapsed(connection.idle));
        }
    }
}

/// The first rows are kept until the widths of the columns are known from them.
const SAMPLE: usize = 1000;

/// Prints connections one after the other.
pub struct Printer<'a> {
    out: &'a mut dyn Write,
    style: Style,
    columns: Columns,
    widths: Widths,
    sample: Vec<Cells>,
    /// The row that is printed, once the sample is.
    row: Option<Cells>,
}

impl<'a> Printer<'a> {
    pub fn new(out: &'a mut dyn Write, style: Style, columns: Columns) -> Self {
        Self {
            out,
            style,
            columns,
            widths: Widths::new(&columns.headings()),
            sample: Vec::new(),
            row: None,
        }
    }

    pub fn print(&mut self, connection: &Connection) -> io::Result<()> {
        if let Some(row) = &mut self.row {
            row.clear();
            self.columns.add(row, connection);
            return self.widths.print(self.out, row);
        }
        let mut row = Cells::default();
        self.columns.add(&mut row, connection);
        self.widths.hold(&row);
        self.sample.push(row);
        if self.sample.len() == SAMPLE {
            self.print_sample()?;
        }
        Ok(())
    }

    fn print_sample(&mut self) -> io::Result<()> {
        self.widths.fit(self.style);
        self.widths.print_heading(self.out, self.style)?;
        for row in self.sample.drain(..) {
            self.widths.print(self.out, &row)?;
        }
        self.row = Some(Cells::default());
        Ok(())
    }

    /// Prints what is left. Returns whether there was any connection.
    pub fn end(mut self) -> io::Result<bool> {
        if !self.sample.is_empty() {
            self.print_sample()?;
        }
        Ok(self.row.is_some())
    }
}

/// Minutes and seconds that have passed.
fn elapsed(milliseconds: u64) -> Clock {
    Clock(milliseconds / 1000)
}

/// Minutes and seconds, rounded up: an entry that is there has not expired.
fn expiry(milliseconds: u32) -> Clock {
    Clock(milliseconds.div_ceil(1000).into())
}

/// Seconds, shown as minutes and seconds.
struct Clock(u64);

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{:02}", self.0 / 60, self.0 % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::samples::{connection, fits};

    const PLAIN: Style = Style::PLAIN;
    const USUAL: Columns = Columns { times: false };

    fn printed(connections: impl Iterator<Item = Connection>) -> String {
        printed_with(USUAL, connections)
    }

    fn printed_with(columns: Columns, connections: impl Iterator<Item = Connection>) -> String {
        let mut out = Vec::new();
        let mut printer = Printer::new(&mut out, PLAIN, columns);
        for connection in connections {
            printer.print(&connection).unwrap();
        }
        printer.end().unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_connection_is_a_line_with_its_endpoints_state_and_expiry() {
        let expected = "\
PROTO  CLIENT              VIRTUAL        SERVER         STATE        EXPIRES
tcp    198.51.100.7:51234  192.0.2.10:80  10.0.0.1:8080  ESTABLISHED    15:00
tcp    198.51.100.7:80     192.0.2.10:80  10.0.0.1:8080  ESTABLISHED    15:00
";
        let text = printed([connection(51234), connection(80)].into_iter());
        assert_eq!(text, expected);
        fits(80, &text);
    }

    #[test]
    fn times_stand_in_columns_of_their_own() {
        let expected = "\
PROTO  CLIENT              VIRTUAL        SERVER         STATE        EXPIRES   AGE  IDLE
tcp    198.51.100.7:51234  192.0.2.10:80  10.0.0.1:8080  ESTABLISHED    15:00  1:15  0:00
";
        let columns = Columns { times: true };
        let text = printed_with(columns, [connection(51234)].into_iter());
        assert_eq!(text, expected);
    }

    #[test]
    fn a_template_says_so_and_names_its_mark() {
        use crate::output::samples::template;
        let expected = "\
PROTO  CLIENT              VIRTUAL        SERVER         STATE        EXPIRES
tcp    198.51.100.7:51234  192.0.2.10:80  10.0.0.1:8080  ESTABLISHED    15:00
ip     198.51.100.0:any    mark 7         10.0.0.1:any   TEMPLATE        5:00
";
        assert_eq!(
            printed([connection(51234), template()].into_iter()),
            expected
        );
    }

    #[test]
    fn rows_after_the_sample_keep_to_its_columns() {
        let count = SAMPLE + 5;
        let text = printed((0..count).map(|_| connection(51234)));
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), count + 1);
        assert!(lines[2..].iter().all(|line| *line == lines[1]));
    }

    #[test]
    fn an_empty_table_prints_nothing_and_says_so() {
        let mut out = Vec::new();
        assert!(!Printer::new(&mut out, PLAIN, USUAL).end().unwrap());
        assert!(out.is_empty());
    }

    #[test]
    fn expiry_is_rounded_up_to_whole_seconds() {
        for (milliseconds, expected) in [
            (0, "0:00"),
            (1, "0:01"),
            (59_999, "1:00"),
            (899_250, "15:00"),
            (7_200_000, "120:00"),
        ] {
            assert_eq!(expiry(milliseconds).to_string(), expected);
        }
    }
}
