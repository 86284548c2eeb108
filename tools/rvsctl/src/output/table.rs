// SPDX-License-Identifier: GPL-2.0-only
//! Columns of text: as wide as their widest cell, two blanks apart, numbers to the right.

use std::fmt::{self, Write as _};
use std::io::{self, Write};

/// Blanks between two columns.
const GAP: usize = 2;

/// To which side the cells of a column go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    Left,
    Right,
}

/// A heading, and to which side it and what is under it go.
pub type Column = (&'static str, Align);

/// The cells of a row, one after the other in one text, which serves the next row, too.
#[derive(Debug, Clone, Default)]
pub struct Cells {
    text: String,
    /// Where each cell ends in the text, and how many characters it has.
    cells: Vec<(usize, usize)>,
}

impl Cells {
    /// Makes it a row without cells.
    pub fn clear(&mut self) {
        self.text.clear();
        self.cells.clear();
    }

    /// Adds a cell.
    pub fn push(&mut self, cell: impl fmt::Display) {
        let start = self.text.len();
        // Writing into a string does not fail.
        let _ = write!(self.text, "{cell}");
        let characters = self.text[start..].chars().count();
        self.cells.push((self.text.len(), characters));
    }

    /// The cells with how many characters each has.
    fn iter(&self) -> impl Iterator<Item = (&str, usize)> {
        let mut start = 0;
        self.cells.iter().map(move |(end, characters)| {
            let cell = &self.text[start..*end];
            start = *end;
            (cell, *characters)
        })
    }
}

impl<T: fmt::Display> FromIterator<T> for Cells {
    fn from_iter<I: IntoIterator<Item = T>>(cells: I) -> Self {
        let mut row = Self::default();
        for cell in cells {
            row.push(cell);
        }
        row
    }
}

/// A short table, which is printed whole.
pub struct Table {
    widths: Widths,
    rows: Vec<Cells>,
}

impl Table {
    pub fn new(columns: &[Column]) -> Self {
        Self {
            widths: Widths::new(columns),
            rows: Vec::new(),
        }
    }

    /// Adds a row. Cells that are left out at its end are empty.
    pub fn row(&mut self, cells: impl IntoIterator<Item = impl fmt::Display>) {
        let cells = Cells::from_iter(cells);
        self.widths.hold(&cells);
        self.rows.push(cells);
    }

    /// Prints the rows under their heading.
    pub fn print(mut self, out: &mut dyn Write, style: Style) -> io::Result<()> {
        self.widths.fit(style);
        self.widths.print_heading(out, style)?;
        for row in &self.rows {
            self.widths.print(out, row)?;
        }
        Ok(())
    }
}

/// The columns of a table with how wide they are.
#[derive(Debug, Clone)]
pub struct Widths {
    columns: Vec<(Column, usize)>,
    /// What follows a first cell that is wider than its column stands on a line of its own.
    breaks: bool,
}

/// The first column has at least so much room.
const NARROWEST: usize = 16;

impl Widths {
    /// Columns as wide as their headings.
    pub fn new(columns: &[Column]) -> Self {
        let columns = columns.iter();
        Self {
            columns: columns
                .map(|column| (*column, column.0.chars().count()))
                .collect(),
            breaks: false,
        }
    }

    /// Makes the columns as wide as it takes to hold a row.
    pub fn hold(&mut self, cells: &Cells) {
        for ((_, width), (_, characters)) in self.columns.iter_mut().zip(cells.iter()) {
            *width = characters.max(*width);
        }
    }

    /// Leaves out the last column.
    pub fn drop_last(&mut self) {
        self.columns.pop();
    }

    /// Gives the first column what the others leave of the terminal, if all do not fit.
    pub fn fit(&mut self, style: Style) {
        let Some(columns) = style.columns else { return };
        let whole: usize = self.columns.iter().map(|(_, width)| width + GAP).sum();
        let excess = whole.saturating_sub(columns + GAP);
        if let (Some((_, first)), 1..) = (self.columns.first_mut(), excess) {
            self.breaks = true;
            *first = first.saturating_sub(excess).max(NARROWEST);
        }
    }

    /// Prints the headings.
    pub fn print_heading(&self, out: &mut dyn Write, style: Style) -> io::Result<()> {
        let headings = self.columns.iter().map(|((heading, _), _)| heading);
        let mut line = Vec::new();
        self.print_cells(&mut line, &Cells::from_iter(headings))?;
        writeln!(out, "{}", style.heading(&String::from_utf8_lossy(&line)))
    }

    /// Prints a row. A cell wider than its column moves those after it.
    pub fn print(&self, out: &mut dyn Write, cells: &Cells) -> io::Result<()> {
        self.print_cells(out, cells)?;
        out.write_all(b"\n")
    }

    /// Prints a row without blanks at its end.
    fn print_cells(&self, out: &mut dyn Write, cells: &Cells) -> io::Result<()> {
        let mut blanks = 0;
        let breaks = self.breaks && cells.cells.len() > 1;
        let columns = self.columns.iter().zip(cells.iter()).enumerate();
        for (column, (((_, align), width), (cell, characters))) in columns {
            let room = width.saturating_sub(characters);
            if *align == Align::Right {
                blanks += room;
            }
            if !cell.is_empty() {
                print_blanks(out, blanks)?;
                out.write_all(cell.as_bytes())?;
                blanks = 0;
            }
            if *align == Align::Left {
                blanks += room;
            }
            if breaks && column == 0 && characters > *width {
                out.write_all(b"\n")?;
                blanks = *width;
            }
            blanks += GAP;
        }
        Ok(())
    }
}

fn print_blanks(out: &mut dyn Write, count: usize) -> io::Result<()> {
    const BLANKS: &[u8] = &[b' '; 64];
    let mut left = count;
    while left > 0 {
        let now = left.min(BLANKS.len());
        out.write_all(&BLANKS[..now])?;
        left -= now;
    }
    Ok(())
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

    const COLUMNS: [Column; 2] = [("NAME", Align::Left), ("N", Align::Right)];

    fn printed(rows: &[&[&str]], style: Style) -> String {
        let mut table = Table::new(&COLUMNS);
        for row in rows {
            table.row(*row);
        }
        let mut out = Vec::new();
        table.print(&mut out, style).unwrap();
        String::from_utf8(out).unwrap()
    }

    const SAMPLE: [&[&str]; 3] = [&["a", "1000"], &["longer", "2"], &["bare"]];

    #[test]
    fn columns_are_as_wide_as_their_widest_cell_and_numbers_go_right() {
        let expected = "\
NAME       N
a       1000
longer     2
bare
";
        assert_eq!(printed(&SAMPLE, PLAIN), expected);
    }

    #[test]
    fn the_width_of_a_cell_is_that_of_its_characters() {
        let expected = "\
NAME  N
für   1
for   2
";
        assert_eq!(printed(&[&["für", "1"], &["for", "2"]], PLAIN), expected);
    }

    #[test]
    fn only_the_heading_is_highlighted() {
        let text = printed(
            &SAMPLE,
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
    fn a_row_that_the_columns_do_not_hold_moves_what_follows_its_wider_cell() {
        let mut widths = Widths::new(&COLUMNS);
        widths.hold(&Cells::from_iter(["longer", "1000"]));
        let line = |cells: [&str; 2]| {
            let mut out = Vec::new();
            widths.print(&mut out, &Cells::from_iter(cells)).unwrap();
            String::from_utf8(out).unwrap()
        };
        assert_eq!(line(["b", "3"]), "b          3\n");
        assert_eq!(line(["much longer", "3"]), "much longer     3\n");
        assert_eq!(line(["empty", ""]), "empty\n");
    }

    #[test]
    fn in_a_terminal_that_is_too_narrow_long_names_stand_on_lines_of_their_own() {
        let rows: [&[&str]; 3] = [
            &["a", "1000"],
            &["a name of 25 characters..", "2"],
            &["another of 25 characters."],
        ];
        let of = |columns| {
            let columns = Some(columns);
            printed(&rows, Style { columns, ..PLAIN })
        };
        let narrow = "\
NAME                      N
a                      1000
a name of 25 characters..
                          2
another of 25 characters.
";
        assert_eq!(of(27), narrow);
        assert_eq!(of(31), printed(&rows, PLAIN));
    }

    #[test]
    fn any_number_of_blanks_is_printed() {
        for count in [0, 1, 63, 64, 65, 200] {
            let mut out = Vec::new();
            print_blanks(&mut out, count).unwrap();
            assert_eq!(out, vec![b' '; count]);
        }
    }

    #[test]
    fn text_is_wrapped_between_words() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("", 7), [""]);
        assert_eq!(wrap("unbreakable", 3), ["unbreakable"]);
    }
}
