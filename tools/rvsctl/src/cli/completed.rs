// SPDX-License-Identifier: GPL-2.0-only
//! Values of which shells complete some, while any that can be read is taken.

use std::ffi::OsStr;

use clap::builder::{PossibleValue, TypedValueParser};
use clap::{Arg, Command};

/// Reads values as another parser does, and offers some to those who type.
#[derive(Clone)]
pub struct Completed<P> {
    parser: P,
    offered: Vec<PossibleValue>,
}

impl<P> Completed<P> {
    pub fn new(parser: P, offered: Vec<PossibleValue>) -> Self {
        Self { parser, offered }
    }
}

impl<P: TypedValueParser> TypedValueParser for Completed<P> {
    type Value = P::Value;

    fn parse_ref(
        &self,
        command: &Command,
        argument: Option<&Arg>,
        value: &OsStr,
    ) -> Result<P::Value, clap::Error> {
        self.parser.parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(self.offered.iter().cloned()))
    }
}
