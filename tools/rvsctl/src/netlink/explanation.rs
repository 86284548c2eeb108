// SPDX-License-Identifier: GPL-2.0-only
//! What would become of a packet, as netlink attributes.

use super::attribute::{Attribute, Attributes, DecodeError};
use super::numbers::{drop, explanation, flow, rvs, server};
use super::{connection, service};
use crate::model::{
    ChosenBy, Dropped, Endpoint, Explanation, Family, Flow, ForwardingMethod, Outcome, Way,
};

/// The container that names the flow.
pub fn encode_flow(asked: &Flow) -> Attribute {
    let family = service::family_number(Family::of(asked.client.address));
    Attribute::nest(
        rvs::FLOW,
        vec![
            Attribute::u16(flow::AF, family),
            Attribute::u16(flow::PROTOCOL, asked.protocol.0),
            Attribute::address(flow::SRC_ADDR, asked.client.address),
            Attribute::be16(flow::SRC_PORT, asked.client.port),
            Attribute::address(flow::DST_ADDR, asked.destination.address),
            Attribute::be16(flow::DST_PORT, asked.destination.port),
            Attribute::u32(flow::MARK, asked.mark),
        ],
    )
}

/// Reads the body of the answer.
pub fn decode_explanation(body: &[u8]) -> Result<Explanation, DecodeError> {
    let top = Attributes::parse(&rvs::SET, body)?;
    let told = top.require_nest(rvs::EXPLANATION)?;
    let service = top
        .nest(rvs::SERVICE)?
        .map(|attributes| service::decode_attributes(&attributes))
        .transpose()?;
    let entry = |of: &Attributes<'_>, id| {
        let found = of.nest(id)?;
        found
            .map(|attributes| connection::decode_attributes(&attributes))
            .transpose()
    };
    let template = entry(&told, explanation::TEMPLATE)?;
    let server = told
        .nest(explanation::SERVER)?
        .map(|attributes| {
            Ok(Endpoint {
                address: attributes
                    .require_address(server::ADDR, attributes.require_u16(server::ADDR_FAMILY)?)?,
                port: attributes.require_be16(server::PORT)?,
            })
        })
        .transpose()?;
    Ok(Explanation {
        outcome: match told.require_u32(explanation::OUTCOME)? {
            0 => Outcome::Forwarded,
            1 => Outcome::Passed,
            _ => Outcome::Dropped,
        },
        dropped: told
            .nest(explanation::DROP)?
            .map(|attributes| {
                Ok(Dropped {
                    reason: attributes.require_string(drop::REASON)?,
                    meaning: attributes.require_string(drop::MEANING)?,
                })
            })
            .transpose()?,
        service: service.as_ref().map(|service| service.key),
        scheduler: service.map(|service| service.scheduler),
        connection: entry(&top, rvs::CONNECTION)?,
        way: told.u32(explanation::WAY)?.map(|number| match number {
            0 => Way::In,
            _ => Way::Out,
        }),
        connection_replaced: told.flag(explanation::IS_REPLACED),
        template_usable: template
            .is_some()
            .then(|| !told.flag(explanation::IS_UNUSABLE)),
        template,
        chosen_by: match told.u32(explanation::CHOSEN_BY)? {
            None => None,
            Some(0) => Some(ChosenBy::Connection),
            Some(1) => Some(ChosenBy::Template),
            Some(_) => Some(ChosenBy::Scheduler),
        },
        by_chance: told.flag(explanation::IS_OF_CHANCE),
        server,
        target_port: told.be16(explanation::TARGET_PORT)?,
        method: told
            .u32(explanation::FWD_METHOD)?
            .map(ForwardingMethod::from_number),
        local: told.flag(explanation::IS_LOCAL),
        mtu: told.u32(explanation::MTU)?,
        table_full: told.flag(explanation::IS_FULL),
    })
}

#[cfg(test)]
pub mod tests {
    use super::super::attribute::encode;
    use super::super::service::tests::{key, service_body};
    use super::*;

    fn with_service(told: Vec<Attribute>) -> Vec<u8> {
        let explained = encode(&[Attribute::nest(rvs::EXPLANATION, told)]);
        [service_body(&key(), "wlc"), explained].concat()
    }

    /// The answer about a packet that the scheduler sends to 10.0.0.1:8080 by masquerading.
    pub fn scheduled_body() -> Vec<u8> {
        with_service(vec![
            Attribute::u32(explanation::OUTCOME, 0),
            Attribute::u32(explanation::CHOSEN_BY, 2),
            Attribute::nest(
                explanation::SERVER,
                vec![
                    Attribute::u16(server::ADDR_FAMILY, 2),
                    Attribute::bytes(server::ADDR, &[10, 0, 0, 1]),
                    Attribute::be16(server::PORT, 8080),
                ],
            ),
            Attribute::be16(explanation::TARGET_PORT, 8080),
            Attribute::u32(explanation::FWD_METHOD, 0),
            Attribute::u32(explanation::MTU, 1500),
        ])
    }

    /// The answer about a packet that no server takes.
    pub fn dropped_body() -> Vec<u8> {
        with_service(vec![
            Attribute::u32(explanation::OUTCOME, 2),
            Attribute::nest(
                explanation::DROP,
                vec![
                    Attribute::string(drop::REASON, "no-server"),
                    Attribute::string(drop::MEANING, "No server was available."),
                ],
            ),
        ])
    }

    #[test]
    fn an_answer_is_read_with_server_and_forwarding() {
        let told = decode_explanation(&scheduled_body()).unwrap();
        assert_eq!(told.outcome, Outcome::Forwarded);
        assert_eq!(told.service, Some(key()));
        assert_eq!(told.scheduler.as_deref(), Some("wlc"));
        assert_eq!(told.chosen_by, Some(ChosenBy::Scheduler));
        assert_eq!(told.server.unwrap().to_string(), "10.0.0.1:8080");
        assert_eq!((told.target_port, told.mtu), (Some(8080), Some(1500)));
        assert_eq!((told.connection, told.template_usable), (None, None));
    }

    #[test]
    fn an_answer_without_an_outcome_is_an_error_that_names_it() {
        let body = encode(&[Attribute::nest(rvs::EXPLANATION, vec![])]);
        assert_eq!(
            decode_explanation(&body).unwrap_err().to_string(),
            "attribute explanation.outcome is missing"
        );
    }
}
