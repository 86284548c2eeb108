// SPDX-License-Identifier: GPL-2.0-only
//! The tables of a file: values by key, of the type that is expected, or a mistake that says where
//! and what would be right.

use std::ops::RangeInclusive;

use toml::de::{DeTable, DeValue};
use toml::Spanned;

use super::place::{Lines, Mistake, Place};
use crate::error::similar;
use crate::model::Labels;
use crate::parse;

/// A value and where it stands.
pub type At<T> = (T, Place);

/// A table whose keys are all known ones.
pub struct Fields<'a> {
    table: &'a DeTable<'a>,
    lines: &'a Lines<'a>,
    /// What the table is about, as in "a service".
    what: &'static str,
    pub at: Place,
}

impl<'a> Fields<'a> {
    /// The table, if it has no keys but these.
    pub fn new(
        table: &'a DeTable<'a>,
        at: Place,
        what: &'static str,
        known: &[&str],
        lines: &'a Lines<'a>,
    ) -> Result<Self, Mistake> {
        let unknown = table
            .keys()
            .filter(|key| !known.contains(&&**key.get_ref()));
        if let Some(key) = unknown.min_by_key(|key| key.span().start) {
            let place = lines.place(&key.span());
            let name = key.get_ref();
            let mistake = Mistake::new(place, format!("{what} has no '{name}'"));
            return Err(match similar(name, known) {
                Some(similar) => mistake.tip(format!("a similar key exists: '{similar}'")),
                None => mistake.tip(format!("{what} has: {}", known.join(", "))),
            });
        }
        Ok(Self {
            table,
            lines,
            what,
            at,
        })
    }

    fn get(&self, key: &str) -> Option<(&'a DeValue<'a>, Place)> {
        let value: &Spanned<DeValue<'_>> = self.table.get(key)?;
        Some((value.get_ref(), self.lines.place(&value.span())))
    }

    /// Where the value of a key stands, or else the table.
    pub fn place(&self, key: &str) -> Place {
        self.get(key).map_or(self.at, |(_, place)| place)
    }

    pub fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// That a key is missing, which would be something like `example`.
    pub fn missing(&self, key: &str, example: &str) -> Mistake {
        Mistake::new(self.at, format!("{} needs '{key}'", self.what))
            .tip(format!("such as: {key} = {example}"))
    }

    fn wrong_type(key: &str, value: &DeValue<'_>, place: Place, expected: &str) -> Mistake {
        let found = match value {
            DeValue::String(_) => "a text",
            DeValue::Integer(_) => "a number",
            DeValue::Float(_) => "a fraction",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        Mistake::new(place, format!("'{key}' is {found}")).tip(format!("{expected} is expected"))
    }

    /// A text.
    pub fn text(&self, key: &str) -> Result<Option<At<&'a str>>, Mistake> {
        match self.get(key) {
            None => Ok(None),
            Some((DeValue::String(text), place)) => Ok(Some((text, place))),
            Some((other, place)) => Err(Self::wrong_type(key, other, place, "a text in quotes")),
        }
    }

    /// A text, read further.
    pub fn read<T>(
        &self,
        key: &str,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<Option<T>, Mistake> {
        let Some((text, place)) = self.text(key)? else {
            return Ok(None);
        };
        let value = read(text);
        value
            .map(Some)
            .map_err(|reason| Mistake::new(place, format!("'{key}': {reason}")))
    }

    /// One of some words.
    pub fn choice<T: Copy>(&self, key: &str, words: &[(&str, T)]) -> Result<Option<T>, Mistake> {
        let Some((text, place)) = self.text(key)? else {
            return Ok(None);
        };
        if let Some((_, meaning)) = words.iter().find(|(word, _)| *word == text) {
            return Ok(Some(*meaning));
        }
        let known: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        let mistake = Mistake::new(place, format!("'{key}' cannot be '{text}'"));
        Err(match similar(text, &known) {
            Some(similar) => mistake.tip(format!("a similar value exists: '{similar}'")),
            None => mistake.tip(format!("it is one of: {}", known.join(", "))),
        })
    }

    /// A whole number.
    pub fn number(&self, key: &str, range: RangeInclusive<u32>) -> Result<Option<u32>, Mistake> {
        let expected = format!("a number from {} to {}", range.start(), range.end());
        let (integer, place) = match self.get(key) {
            None => return Ok(None),
            Some((DeValue::Integer(integer), place)) => (integer, place),
            Some((other, place)) => return Err(Self::wrong_type(key, other, place, &expected)),
        };
        let number = u32::from_str_radix(integer.as_str(), integer.radix()).ok();
        match number.filter(|number| range.contains(number)) {
            Some(number) => Ok(Some(number)),
            None => {
                let message = format!("'{key}' cannot be {}", integer.as_str());
                Err(Mistake::new(place, message).tip(format!("{expected} is expected")))
            }
        }
    }

    /// True or false; false where there is nothing.
    pub fn truth(&self, key: &str) -> Result<bool, Mistake> {
        match self.get(key) {
            None => Ok(false),
            Some((DeValue::Boolean(value), _)) => Ok(*value),
            Some((other, place)) => Err(Self::wrong_type(key, other, place, "true or false")),
        }
    }

    /// The entries of a list; none where there is no list.
    fn entries(
        &self,
        key: &str,
        expected: &'static str,
    ) -> Result<impl Iterator<Item = At<&'a DeValue<'a>>> + 'a, Mistake> {
        let lines = self.lines;
        let array = match self.get(key) {
            None => None,
            Some((DeValue::Array(array), _)) => Some(array),
            Some((other, place)) => return Err(Self::wrong_type(key, other, place, expected)),
        };
        let entries = array.into_iter().flat_map(|array| array.iter());
        Ok(entries.map(|entry| (entry.get_ref(), lines.place(&entry.span()))))
    }

    /// A list of texts.
    pub fn texts(&self, key: &str) -> Result<Vec<At<&'a str>>, Mistake> {
        const EXPECTED: &str = "a list of texts, [\"...\", \"...\"],";
        self.entries(key, EXPECTED)?
            .map(|(entry, place)| match entry {
                DeValue::String(text) => Ok((&**text, place)),
                other => Err(Self::wrong_type(key, other, place, "a text in quotes")),
            })
            .collect()
    }

    /// A list of tables.
    pub fn tables(
        &self,
        key: &str,
        what: &'static str,
        known: &[&str],
    ) -> Result<Vec<Fields<'a>>, Mistake> {
        const EXPECTED: &str = "a list of tables, [{ ... }, { ... }],";
        self.entries(key, EXPECTED)?
            .map(|(entry, place)| match entry {
                DeValue::Table(table) => Fields::new(table, place, what, known, self.lines),
                other => Err(Self::wrong_type(key, other, place, "a table, { ... },")),
            })
            .collect()
    }

    /// A table.
    pub fn table(
        &self,
        key: &str,
        what: &'static str,
        known: &[&str],
    ) -> Result<Option<Fields<'a>>, Mistake> {
        match self.get(key) {
            None => Ok(None),
            Some((DeValue::Table(table), place)) => {
                Fields::new(table, place, what, known, self.lines).map(Some)
            }
            Some((other, place)) => Err(Self::wrong_type(key, other, place, "a table, { ... },")),
        }
    }

    /// Labels: a table of texts with keys of the user's choice.
    pub fn labels(&self, key: &str) -> Result<Labels, Mistake> {
        let table = match self.get(key) {
            None => return Ok(Labels::new()),
            Some((DeValue::Table(table), _)) => table,
            Some((other, place)) => {
                return Err(Self::wrong_type(key, other, place, "a table, { ... },"))
            }
        };
        let mut labels = Labels::new();
        for (name, value) in table.iter() {
            let place = self.lines.place(&name.span());
            let DeValue::String(text) = value.get_ref() else {
                let place = self.lines.place(&value.span());
                let name = name.get_ref();
                return Err(Self::wrong_type(
                    name,
                    value.get_ref(),
                    place,
                    "a text in quotes",
                ));
            };
            let label = format!("{}={text}", name.get_ref());
            let (name, value) =
                parse::label(&label).map_err(|reason| Mistake::new(place, reason))?;
            labels.insert(name, value);
        }
        parse::label_count(&labels).map_err(|reason| Mistake::new(self.place(key), reason))?;
        Ok(labels)
    }
}
