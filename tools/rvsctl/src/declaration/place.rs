// SPDX-License-Identifier: GPL-2.0-only
//! Where something stands in a file, and what is wrong there.

use std::ops::Range;

/// A place in a file: line and column, both from 1, the column in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub line: usize,
    pub column: usize,
}

/// What is wrong with a file.
#[derive(Debug, PartialEq, Eq)]
pub struct Mistake {
    pub at: Place,
    pub message: String,
    /// What would be right.
    pub tip: Option<String>,
}

impl Mistake {
    pub fn new(at: Place, message: impl Into<String>) -> Self {
        Self {
            at,
            message: message.into(),
            tip: None,
        }
    }

    pub fn tip(mut self, tip: impl Into<String>) -> Self {
        self.tip = Some(tip.into());
        self
    }
}

/// Finds the place of a byte in a text that begins at some line of its file.
pub struct Lines<'a> {
    text: &'a str,
    /// Byte at which each line begins.
    starts: Vec<usize>,
    first: usize,
}

impl<'a> Lines<'a> {
    pub fn new(text: &'a str, first: usize) -> Self {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let starts = std::iter::once(0).chain(ends.map(|(at, _)| at + 1));
        Self {
            text,
            starts: starts.collect(),
            first,
        }
    }

    /// The place at which a span begins.
    pub fn place(&self, span: &Range<usize>) -> Place {
        let at = span.start.min(self.text.len());
        let line = self.starts.partition_point(|start| *start <= at) - 1;
        let before = self.text.get(self.starts[line]..at).unwrap_or_default();
        Place {
            line: self.first + line,
            column: before.chars().count() + 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_from_1_in_characters() {
        let lines = Lines::new("ä=1\n\nb", 7);
        for (at, line, column) in [(0, 7, 1), (2, 7, 2), (5, 8, 1), (6, 9, 1), (99, 9, 2)] {
            assert_eq!(lines.place(&(at..at)), Place { line, column }, "{at}");
        }
    }
}
