// SPDX-License-Identifier: GPL-2.0-only
//! Columns of text: as wide as their widest cell, two blanks apart, numbers to the right.

use std::io::{self, Write};

/// Between two columns.
const GAP: &str = "  ";

/// To which side the cells of a column go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    Left,
    Right,
}

/// A heading, and to which side it and what is under it go.
pub type Column = (&'static str, Align);

/// A table that is printed as it fills, or whole.
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Row>,
}

/// A line of a table.
enum Row {
    Cells(Vec<String>),
    /// A remark on the row above it, across the columns.
    Note(String),
}

impl Table {
    pub fn new(columns: &[Column]) -> Self {
        Self {
            columns: columns.to_vec(),
            rows: Vec::new(),
        }
    }

    /// Adds a row. Cells that are left out at its end are empty.
    pub fn row(&mut self, cells: Vec<String>) {
        self.rows.push(Row::Cells(cells));
    }

    /// Adds a remark on the row before.
    pub fn note(&mut self, text: String) {
        self.rows.push(Row::Note(text));
    }

    /// Prints the rows so far under their heading. The widths that came out are returned, for rows
    /// that follow.
    pub fn print(&self, out: &mut dyn Write, style: Style) -> io::Result<Widths> {
        let headings: Vec<_> = self
            .columns
            .iter()
            .map(|(name, _)| name.to_string())
            .collect();
        let mut columns: Vec<_> = self
            .columns
            .iter()
            .map(|(name, align)| (name.len(), *align))
            .collect();
        for row in &self.rows {
            let Row::Cells(cells) = row else { continue };
            for ((width, _), cell) in columns.iter_mut().zip(cells) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let mut widths = Widths {
            columns,
            breaks: false,
        };
        if let Some(columns) = style.columns {
            widths.fit(columns);
        }
        writeln!(out, "{}", style.heading(&widths.line(&headings)))?;
        for row in &self.rows {
            match row {
                Row::Cells(cells) => writeln!(out, "{}", widths.line(cells))?,
                Row::Note(text) => writeln!(out, "{}", style.aside(text))?,
            }
        }
        Ok(widths)
    }
}

/// How wide the columns of a table are.
pub struct Widths {
    columns: Vec<(usize, Align)>,
    /// What follows a first cell that is wider than its column stands on a line of its own.
    breaks: bool,
}

/// The first column has at least so much room.
const NARROWEST: usize = 16;

impl Widths {
    /// Gives the first column what the others leave of so many, if all do not fit.
    fn fit(&mut self, columns: usize) {
        let whole: usize = self
            .columns
            .iter()
            .map(|(width, _)| width + GAP.len())
            .sum();
        let excess = whole.saturating_sub(columns + GAP.len());
        if let (Some((first, _)), 1..) = (self.columns.first_mut(), excess) {
            self.breaks = true;
            *first = first.saturating_sub(excess).max(NARROWEST);
        }
    }

    /// A row without blanks at its end. A cell wider than its column moves those after it.
    pub fn line(&self, cells: &[String]) -> String {
        let mut line = String::new();
        if let (true, [first, rest @ ..], [(width, _), ..]) =
            (self.breaks, cells, &self.columns[..])
        {
            if first.chars().count() > *width && !rest.is_empty() {
                let blank = std::iter::once(String::new());
                let rest: Vec<_> = blank.chain(rest.iter().cloned()).collect();
                return format!("{first}\n{}", self.line(&rest));
            }
        }
        for (column, ((width, align), cell)) in self.columns.iter().zip(cells).enumerate() {
            if column > 0 {
                line.push_str(GAP);
            }
            match align {
                Align::Left => line.push_str(&format!("{cell:<width$}")),
                Align::Right => line.push_str(&format!("{cell:>width$}")),
            }
        }
        line.truncate(line.trim_end().len());
        line
    }
}

/// How things look where they are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Whether text is highlighted.
    pub color: bool,
    /// Columns of the terminal, if it is one.
    pub columns: Option<usize>,
}

impl Style {
    /// Neither colours nor a terminal.
    #[cfg(test)]
    pub const PLAIN: Self = Self {
        color: false,
        columns: None,
    };

    /// Bold.
    pub fn heading(self, text: &str) -> String {
        self.paint("1", text)
    }

    /// Bold red.
    pub fn alarm(self, text: &str) -> String {
        self.paint("1;31", text)
    }

    /// Dim.
    pub fn aside(self, text: &str) -> String {
        self.paint("2", text)
    }

    /// Green, for what comes.
    pub fn added(self, text: &str) -> String {
        self.paint("32", text)
    }

    /// Yellow, for what becomes otherwise.
    pub fn changed(self, text: &str) -> String {
        self.paint("33", text)
    }

    /// Red, for what goes.
    pub fn removed(self, text: &str) -> String {
        self.paint("31", text)
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.color {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_string()
        }
    }
}

/// Breaks a text into lines of at most `width` characters, between words.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        let needed = line.chars().count() + 1 + word.chars().count();
        if !line.is_empty() && needed > width {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Style = Style::PLAIN;

    fn printed(table: &Table, style: Style) -> String {
        let mut out = Vec::new();
        table.print(&mut out, style).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn sample() -> Table {
        let mut table = Table::new(&[("NAME", Align::Left), ("N", Align::Right)]);
        table.row(vec!["a".into(), "1000".into()]);
        table.row(vec!["longer".into(), "2".into()]);
        table.row(vec!["bare".into()]);
        table
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell_and_numbers_go_right() {
        let expected = "\
NAME       N
a       1000
longer     2
bare
";
        assert_eq!(printed(&sample(), PLAIN), expected);
    }

    #[test]
    fn only_the_heading_is_highlighted() {
        let text = printed(
            &sample(),
            Style {
                color: true,
                ..Style::PLAIN
            },
        );
        assert!(
            text.starts_with("\x1b[1mNAME       N\x1b[0m\na"),
            "{text:?}"
        );
    }

    #[test]
    fn a_note_goes_across_the_columns_and_is_dim() {
        let mut table = sample();
        table.note("  (a remark that is wider than the table)".into());
        assert!(
            printed(&table, PLAIN).ends_with("bare\n  (a remark that is wider than the table)\n")
        );
        assert!(printed(&table, PLAIN).starts_with("NAME       N\n"));
        let text = printed(
            &table,
            Style {
                color: true,
                ..Style::PLAIN
            },
        );
        assert!(text.ends_with("\x1b[2m  (a remark that is wider than the table)\x1b[0m\n"));
    }

    #[test]
    fn a_later_row_keeps_to_the_columns_and_a_wider_cell_moves_the_rest() {
        let widths = sample().print(&mut Vec::new(), PLAIN).unwrap();
        assert_eq!(widths.line(&["b".into(), "3".into()]), "b          3");
        assert_eq!(
            widths.line(&["much longer".into(), "3".into()]),
            "much longer     3"
        );
    }

    #[test]
    fn in_a_terminal_that_is_too_narrow_long_names_stand_on_lines_of_their_own() {
        let mut table = Table::new(&[("NAME", Align::Left), ("N", Align::Right)]);
        table.row(vec!["a".into(), "1000".into()]);
        table.row(vec!["a name of 25 characters..".into(), "2".into()]);
        let of = |columns| {
            let columns = Some(columns);
            printed(&table, Style { columns, ..PLAIN })
        };
        let narrow = "\
NAME                      N
a                      1000
a name of 25 characters..
                          2
";
        assert_eq!(of(27), narrow);
        assert_eq!(of(31), printed(&table, PLAIN));
    }

    #[test]
    fn text_is_wrapped_between_words() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("", 7), [""]);
        assert_eq!(wrap("unbreakable", 3), ["unbreakable"]);
    }
}
