// SPDX-License-Identifier: GPL-2.0-only
//! Counters, rates and drop reasons as netlink attributes. The kernel only sends these.

use std::time::Duration;

use super::attribute::{Attributes, DecodeError};
use super::numbers::{drop, rvs, stats64, totals, AttributeId};
use crate::model::{DropReason, Statistics, Totals, Traffic};

/// Reads a `stats64` container; all ten figures are required, and the time is where the module is rvs.
pub fn decode_statistics(attributes: &Attributes<'_>) -> Result<Statistics, DecodeError> {
    Ok(Statistics {
        counters: Traffic {
            connections: attributes.require_u64(stats64::CONNS)?,
            packets_in: attributes.require_u64(stats64::INPKTS)?,
            packets_out: attributes.require_u64(stats64::OUTPKTS)?,
            bytes_in: attributes.require_u64(stats64::INBYTES)?,
            bytes_out: attributes.require_u64(stats64::OUTBYTES)?,
        },
        rates: Traffic {
            connections: attributes.require_u64(stats64::CPS)?,
            packets_in: attributes.require_u64(stats64::INPPS)?,
            packets_out: attributes.require_u64(stats64::OUTPPS)?,
            bytes_in: attributes.require_u64(stats64::INBPS)?,
            bytes_out: attributes.require_u64(stats64::OUTBPS)?,
        },
        time: attributes.u64(stats64::TIME)?.map(Duration::from_nanos),
    })
}

/// The counters that a container holds; all 0 where a brief listing leaves it out.
pub fn statistics_if_any(
    attributes: &Attributes<'_>,
    id: AttributeId,
) -> Result<Statistics, DecodeError> {
    match attributes.nest(id)? {
        Some(attributes) => decode_statistics(&attributes),
        None => Ok(Statistics::default()),
    }
}

fn decode_drop(attributes: &Attributes<'_>) -> Result<DropReason, DecodeError> {
    Ok(DropReason {
        reason: attributes.require_string(drop::REASON)?,
        count: attributes.require_u64(drop::COUNT)?,
        meaning: attributes.require_string(drop::MEANING)?,
    })
}

/// Reads the body of a `GET_TOTALS` reply.
pub fn decode_totals(body: &[u8]) -> Result<Totals, DecodeError> {
    let top = Attributes::parse(&rvs::SET, body)?;
    let attributes = top.require_nest(rvs::TOTALS)?;
    Ok(Totals {
        connections: attributes.require_u64(totals::CONNECTIONS)?,
        statistics: decode_statistics(&attributes.require_nest(totals::STATS64)?)?,
        drops: attributes
            .nests(totals::DROP)?
            .iter()
            .map(decode_drop)
            .collect::<Result<_, _>>()?,
    })
}

#[cfg(test)]
pub mod tests {
    use super::super::attribute::{encode, Attribute};
    use super::*;

    /// A `stats64` container whose ten figures, and the time, count up from `first`.
    pub fn statistics_counting_from(id: AttributeId, first: u64) -> Attribute {
        let ids = stats64::SET.attributes.iter();
        Attribute::nest(
            id,
            ids.zip(first..)
                .map(|(id, value)| Attribute::u64(*id, value))
                .collect(),
        )
    }

    /// What [`statistics_counting_from`] decodes to.
    pub fn expected_counting_from(first: u64) -> Statistics {
        let traffic = |n: u64| Traffic {
            connections: n,
            packets_in: n + 1,
            packets_out: n + 2,
            bytes_in: n + 3,
            bytes_out: n + 4,
        };
        Statistics {
            counters: traffic(first),
            rates: traffic(first + 5),
            time: Some(Duration::from_nanos(first + 10)),
        }
    }

    fn drop_attribute(reason: &str, count: u64, meaning: &str) -> Attribute {
        Attribute::nest(
            totals::DROP,
            vec![
                Attribute::string(drop::REASON, reason),
                Attribute::u64(drop::COUNT, count),
                Attribute::string(drop::MEANING, meaning),
            ],
        )
    }

    pub fn totals_body() -> Vec<u8> {
        encode(&[Attribute::nest(
            rvs::TOTALS,
            vec![
                statistics_counting_from(totals::STATS64, 1 << 40),
                Attribute::u64(totals::CONNECTIONS, 12),
                drop_attribute("no-memory", 3, "Memory ran out."),
                drop_attribute("no-server", 0, "No server was available."),
            ],
        )])
    }

    #[test]
    fn totals_are_read_with_every_drop_reason_in_order() {
        let totals = decode_totals(&totals_body()).unwrap();
        assert_eq!(totals.connections, 12);
        assert_eq!(totals.statistics, expected_counting_from(1 << 40));
        let reasons: Vec<_> = totals.drops.iter().map(|d| d.reason.as_str()).collect();
        assert_eq!(reasons, ["no-memory", "no-server"]);
        assert_eq!(totals.drops[0].count, 3);
        assert_eq!(totals.drops[0].meaning, "Memory ran out.");
    }

    #[test]
    fn totals_without_a_counter_are_an_error_that_names_it() {
        let body = encode(&[Attribute::nest(
            rvs::TOTALS,
            vec![
                Attribute::u64(totals::CONNECTIONS, 12),
                Attribute::nest(totals::STATS64, vec![Attribute::u64(stats64::CONNS, 1)]),
            ],
        )]);
        assert_eq!(
            decode_totals(&body).unwrap_err().to_string(),
            "attribute stats64.inpkts is missing"
        );
    }
}
