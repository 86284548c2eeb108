// SPDX-License-Identifier: GPL-2.0-only
//! JSON for programs. The field names are those of `model`.

use std::io::{self, Write};

use serde::{Serialize, Serializer};

/// Prints one value, indented, with a line end.
pub fn print(out: &mut dyn Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    writeln!(out)
}

/// Prints an array, indented, of values that are made as they are printed.
pub fn print_array(
    out: &mut dyn Write,
    values: impl Iterator<Item = impl Serialize>,
) -> io::Result<()> {
    serde_json::Serializer::pretty(&mut *out).collect_seq(values)?;
    writeln!(out)
}

/// Prints one value on a line.
pub fn print_line(out: &mut dyn Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    writeln!(out)
}

/// Prints an array entry by entry, one a line, so that a long one needs no memory.
pub struct Array<'a> {
    out: &'a mut dyn Write,
    separator: &'static str,
}

impl<'a> Array<'a> {
    pub fn begin(out: &'a mut dyn Write) -> Self {
        Self {
            out,
            separator: "[\n",
        }
    }

    pub fn entry(&mut self, value: &impl Serialize) -> io::Result<()> {
        self.out.write_all(self.separator.as_bytes())?;
        self.separator = ",\n";
        serde_json::to_writer(&mut *self.out, value)?;
        Ok(())
    }

    pub fn end(self) -> io::Result<()> {
        let closing = if self.separator == "[\n" {
            "[]\n"
        } else {
            "\n]\n"
        };
        self.out.write_all(closing.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_array_printed_entry_by_entry_is_json() {
        for entries in [0, 1, 3] {
            let mut out = Vec::new();
            let mut array = Array::begin(&mut out);
            for entry in 0..entries {
                array.entry(&entry).unwrap();
            }
            array.end().unwrap();
            let read: Vec<u32> = serde_json::from_slice(&out).unwrap();
            assert_eq!(read, (0..entries).collect::<Vec<_>>());
        }
    }
}
