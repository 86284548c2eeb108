// SPDX-License-Identifier: GPL-2.0-only
//! The draining of real servers as netlink attributes.

use super::attribute::{Attribute, Attributes, DecodeError};
use super::numbers::{drain, rvs, server};
use crate::model::{DrainPlan, Draining, Leftovers};

/// The container that says how a server is drained.
pub fn encode_plan(plan: DrainPlan) -> Attribute {
    let mut attributes = vec![Attribute::u32(drain::LEFTOVERS, plan.leftovers.number())];
    let timeout = plan.timeout;
    attributes.extend(timeout.map(|milliseconds| Attribute::u64(drain::TIMEOUT, milliseconds)));
    attributes.extend(plan.remove.then(|| Attribute::flag(drain::REMOVE)));
    Attribute::nest(rvs::DRAIN, attributes)
}

/// The container that says that a server is drained no longer.
pub fn encode_stop() -> Attribute {
    Attribute::nest(rvs::DRAIN, vec![Attribute::flag(drain::STOP)])
}

/// How far a server is drained, if it is.
pub fn decode_draining(of_server: &Attributes<'_>) -> Result<Option<Draining>, DecodeError> {
    let Some(attributes) = of_server.nest(server::DRAIN)? else {
        return Ok(None);
    };
    Ok(Some(Draining {
        left: attributes.require_u32(drain::LEFT)?,
        deadline_milliseconds: attributes.u64(drain::TIMEOUT)?,
        leftovers: Leftovers::from_number(attributes.require_u32(drain::LEFTOVERS)?),
        remove: attributes.flag(drain::REMOVE),
        done: attributes.flag(drain::DONE),
    }))
}

#[cfg(test)]
pub mod tests {
    use super::super::attribute::encode;
    use super::*;

    /// What the kernel says of a server whose draining has come so far.
    pub fn draining_attribute(left: u32, done: bool) -> Attribute {
        let mut attributes = vec![
            Attribute::u64(drain::TIMEOUT, 25_000),
            Attribute::u32(drain::LEFTOVERS, 1),
            Attribute::u32(drain::LEFT, left),
            Attribute::flag(drain::REMOVE),
        ];
        attributes.extend(done.then(|| Attribute::flag(drain::DONE)));
        Attribute::nest(server::DRAIN, attributes)
    }

    #[test]
    fn how_far_a_server_is_drained_is_read_from_the_kernel() {
        let bytes = encode(&[draining_attribute(12, false)]);
        let attributes = Attributes::parse(&server::SET, &bytes).unwrap();
        let draining = decode_draining(&attributes).unwrap().unwrap();
        assert_eq!(
            draining,
            Draining {
                left: 12,
                deadline_milliseconds: Some(25_000),
                leftovers: Leftovers::Drop,
                remove: true,
                done: false,
            }
        );
        let attributes = Attributes::parse(&server::SET, &[]).unwrap();
        assert_eq!(decode_draining(&attributes), Ok(None));
    }
}
