// SPDX-License-Identifier: GPL-2.0-only
//! Reading the names of schedulers and of their options, with completion for both.

use std::ffi::OsStr;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Arg, Command};

use crate::model::{SchedulerOption, OPTIONS, SCHEDULERS};
use crate::parse;

/// Completes the schedulers of rvs, and takes any name of the right form: the kernel decides.
#[derive(Clone)]
pub struct SchedulerName;

impl TypedValueParser for SchedulerName {
    type Value = String;

    fn parse_ref(
        &self,
        command: &Command,
        argument: Option<&Arg>,
        value: &OsStr,
    ) -> Result<String, clap::Error> {
        parse::scheduler.parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let values = SCHEDULERS
            .iter()
            .map(|(name, meaning)| PossibleValue::new(name).help(meaning));
        Some(Box::new(values))
    }
}

/// Takes the name of an option.
pub fn option() -> impl TypedValueParser<Value = &'static SchedulerOption> {
    let names = OPTIONS
        .iter()
        .map(|option| PossibleValue::new(option.name).help(option.meaning));
    PossibleValuesParser::new(names)
        .try_map(|name| SchedulerOption::named(&name).ok_or("it is no option of a scheduler"))
}
