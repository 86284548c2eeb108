// SPDX-License-Identifier: GPL-2.0-only
//! Reading the names of schedulers and of their options, with completion for both.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

use super::completed::Completed;
use crate::model::{SchedulerOption, OPTIONS, SCHEDULERS};
use crate::parse;

/// Takes any name of the right form, since the kernel decides, and completes the schedulers of rvs.
pub fn scheduler() -> impl TypedValueParser<Value = String> {
    let known = SCHEDULERS.iter();
    let known = known.map(|(name, meaning)| PossibleValue::new(name).help(meaning));
    Completed::new(parse::scheduler, known.collect())
}

/// Takes the name of an option.
pub fn option() -> impl TypedValueParser<Value = &'static SchedulerOption> {
    let names = OPTIONS
        .iter()
        .map(|option| PossibleValue::new(option.name).help(option.meaning));
    PossibleValuesParser::new(names)
        .try_map(|name| SchedulerOption::named(&name).ok_or("it is no option of a scheduler"))
}
