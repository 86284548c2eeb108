// SPDX-License-Identifier: GPL-2.0-only

//! The command of the family `RVS` that drains real servers.

use super::{
    attr::{Attr, Attrs},
    family::{service_key, Outcome},
    parse::{self, Fault, Parsed},
    uapi::{drain, top},
};
use crate::{
    netns::Netns,
    service::config::drain::{DrainPlan, Leftovers},
    sys::{genl::Request, time},
};
use kernel::{c_str, prelude::*};

/// Begins or ends the draining of a real server. Sleeps.
pub fn run<'a>(netns: &Netns, request: &Request<'a>) -> Outcome<'a> {
    let attrs = parse::attributes(request.attributes)?;
    let key = service_key(attrs)?;
    let endpoint = parse::server_endpoint(parse::server(attrs)?, key)?;
    let how = match attrs.get(top::DRAIN) {
        Some(attr) => parse::nested(attr)?,
        None => Attrs::default(),
    };
    if how.get(drain::STOP).is_some() {
        netns.undrain_server(key, endpoint)?;
    } else {
        netns.drain_server(key, endpoint, plan(how)?)?;
    }
    Ok(())
}

/// The longest time until a deadline, ticks: what can be told apart from the past.
const LONGEST: u32 = i32::MAX as u32;

fn plan(how: Attrs<'_>) -> Parsed<'_, DrainPlan> {
    let timeout = parse::if_given(how, drain::TIMEOUT, Attr::u64)?;
    let timeout = timeout.map(time::milliseconds);
    if timeout.is_some_and(|timeout| timeout > LONGEST) {
        let message = c_str!("the time until the deadline is out of range; use less than 99 days");
        return Err(Fault::about(ERANGE, message, how.get(drain::TIMEOUT)));
    }
    let leftovers = match parse::if_given(how, drain::LEFTOVERS, Attr::u32)? {
        None => Leftovers::Reset,
        Some(number) if number == Leftovers::Reset as u32 => Leftovers::Reset,
        Some(number) if number == Leftovers::Drop as u32 => Leftovers::Drop,
        Some(_) => {
            let message =
                c_str!("what becomes of leftovers is not known; use 0 (reset) or 1 (drop)");
            return Err(Fault::about(EINVAL, message, how.get(drain::LEFTOVERS)));
        }
    };
    Ok(DrainPlan {
        timeout,
        leftovers,
        removes: how.get(drain::REMOVE).is_some(),
    })
}
