// SPDX-License-Identifier: GPL-2.0-only
//! A file in pieces: what stands before the first service, then a piece for each service. A piece
//! is a document of its own, and can be told from its fingerprint without being read.

use std::hash::{DefaultHasher, Hasher};

use super::place::Place;

/// Part of every fingerprint, changed whenever the same text comes to mean something else.
const VERSION: &[u8] = b"rvs 1\0";

/// A piece of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Section<'a> {
    pub text: &'a str,
    /// The line of the file that it begins with, from 1.
    pub line: usize,
    /// Whether it begins with the heading of a service, and is only about that.
    is_service: bool,
}

impl Section<'_> {
    /// Where it begins.
    pub fn place(&self) -> Place {
        Place {
            line: self.line,
            column: 1,
        }
    }

    /// What tells its text from all others, if it is about one service. Never 0.
    pub fn fingerprint(&self) -> Option<u64> {
        self.is_service.then(|| {
            let mut hasher = DefaultHasher::new();
            hasher.write(VERSION);
            hasher.write(self.text.trim_end().as_bytes());
            hasher.finish().max(1)
        })
    }
}

/// Divides a file. Where texts go over several lines, a heading may be part of one: then it is not
/// divided.
pub fn split(text: &str) -> Vec<Section<'_>> {
    let mut sections = Vec::new();
    let mut current = Section {
        text,
        line: 1,
        is_service: false,
    };
    if text.contains("\"\"\"") || text.contains("'''") {
        return vec![current];
    }
    let (mut start, mut at) = (0, 0);
    for (number, line) in (1..).zip(text.split_inclusive('\n')) {
        if is_heading(line) {
            current.text = &text[start..at];
            sections.push(current);
            start = at;
            current = Section {
                text,
                line: number,
                is_service: true,
            };
        }
        at += line.len();
    }
    current.text = &text[start..];
    sections.push(current);
    sections
}

/// Whether a line is `[[service]]`.
fn is_heading(line: &str) -> bool {
    // Most lines are not, which their first byte tells.
    line.starts_with(['[', ' ', '\t'])
        && line
            .trim_start()
            .strip_prefix("[[service]]")
            .is_some_and(|rest| {
                let rest = rest.trim_start();
                rest.is_empty() || rest.starts_with('#')
            })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<(&str, usize)> {
        split(text).iter().map(|it| (it.text, it.line)).collect()
    }

    #[test]
    fn each_service_is_a_section_with_the_lines_up_to_the_next() {
        let text = "# head\n[[service]]\na=1\n[[service.servers]]\n  [[service]] # two\nb=2";
        let expected = [
            ("# head\n", 1),
            ("[[service]]\na=1\n[[service.servers]]\n", 2),
            ("  [[service]] # two\nb=2", 5),
        ];
        assert_eq!(texts(text), expected);
        assert_eq!(texts(""), [("", 1)]);
    }

    #[test]
    fn a_file_with_texts_over_several_lines_is_one_section() {
        for quotes in ["\"\"\"", "'''"] {
            let text = format!("a={quotes}\n[[service]]\n{quotes}");
            assert_eq!(texts(&text), [(&text[..], 1)]);
            assert_eq!(split(&text)[0].fingerprint(), None);
        }
    }

    #[test]
    fn a_fingerprint_is_of_the_text_without_what_stands_behind_it() {
        let fingerprint = |text| split(text).pop().unwrap().fingerprint().unwrap();
        let plain = fingerprint("[[service]]\na=1");
        assert_eq!(fingerprint("# head\n\n[[service]]\na=1\n\n"), plain);
        assert_ne!(fingerprint("[[service]]\na=2"), plain);
    }
}
