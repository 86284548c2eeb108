// SPDX-License-Identifier: GPL-2.0-only
//! Events as netlink attributes. The kernel only sends these.

use jiff::Timestamp;

use super::attribute::{Attributes, DecodeError};
use super::numbers::{event, packet, rvs, server, AF_INET6};
use super::operations::decode_timeouts;
use super::server::{decode_endpoint, decode_server};
use super::service::{decode_service, decode_service_key};
use crate::model::{
    Endpoint, Event, EventKind, Family, Packet, Process, Protocol, ServerLoad, Subject,
};

/// Reads the body of an event.
pub fn decode_event(body: &[u8]) -> Result<Event, DecodeError> {
    let top = Attributes::parse(&rvs::SET, body)?;
    let attributes = top.require_nest(rvs::EVENT)?;
    let kind = EventKind(attributes.require_u32(event::TYPE)?);
    let pid = attributes.u32(event::PID)?;
    let program = attributes.lossy_string(event::PROGRAM);
    Ok(Event {
        time: decode_time(&attributes)?,
        kind,
        process: pid
            .zip(program)
            .map(|(pid, program)| Process { pid, program }),
        left_out: attributes.u32(event::LEFT_OUT)?.unwrap_or(0),
        subject: decode_subject(kind, &top, &attributes, body)?,
    })
}

fn decode_time(attributes: &Attributes<'_>) -> Result<Timestamp, DecodeError> {
    let nanoseconds = attributes.require_u64(event::TIME)?;
    Timestamp::from_nanosecond(nanoseconds.into()).map_err(|error| DecodeError::Value {
        set: event::SET.name,
        name: event::TIME.name,
        reason: error.to_string(),
    })
}

/// What an event is about: which attributes it has depends on its kind.
fn decode_subject(
    kind: EventKind,
    top: &Attributes<'_>,
    attributes: &Attributes<'_>,
    body: &[u8],
) -> Result<Subject, DecodeError> {
    Ok(match kind {
        EventKind::SERVICE_ADDED | EventKind::SERVICE_CHANGED => Subject::Service {
            service: Box::new(decode_service(body)?),
        },
        EventKind::ZEROED if top.nest(rvs::SERVICE)?.is_none() => Subject::Everything {},
        EventKind::SERVICE_REMOVED | EventKind::ZEROED => Subject::ServiceKey {
            service: decode_service_key(top)?,
        },
        EventKind::SERVER_ADDED | EventKind::SERVER_CHANGED => {
            let service = decode_service_key(top)?;
            Subject::Server {
                service,
                server: Box::new(decode_server(body, service.family())?),
            }
        }
        EventKind::SERVER_REMOVED => {
            let service = decode_service_key(top)?;
            Subject::ServerKey {
                service,
                server: decode_endpoint(&top.require_nest(rvs::DEST)?, service.family())?,
            }
        }
        EventKind::SERVER_OVERLOADED
        | EventKind::SERVER_RECOVERED
        | EventKind::SERVER_DRAINING
        | EventKind::SERVER_DRAINED
        | EventKind::SERVER_UNDRAINED => {
            let service = decode_service_key(top)?;
            Subject::Load {
                service,
                server: decode_load(&top.require_nest(rvs::DEST)?, service.family())?,
            }
        }
        EventKind::TIMEOUTS_CHANGED => Subject::Timeouts {
            timeouts: decode_timeouts(body)?,
        },
        EventKind::DEFENCE_ON | EventKind::DEFENCE_OFF => Subject::Defence {
            defence: attributes.require_string(event::STRATEGY)?,
        },
        EventKind::TABLE_RESIZED => Subject::Table {
            family: match attributes.require_u16(event::FAMILY)? {
                AF_INET6 => Family::Ipv6,
                _ => Family::Ipv4,
            },
            slots_before: attributes.require_u32(event::SLOTS_BEFORE)?,
            slots: attributes.require_u32(event::SLOTS)?,
            entries: attributes.require_u64(event::ENTRIES)?,
        },
        EventKind::PACKET_DROPPED => Subject::Drop {
            reason: attributes.require_string(event::REASON)?,
            packet: decode_packet(&attributes.require_nest(event::PACKET)?)?,
        },
        _ => Subject::Everything {},
    })
}

fn decode_load(attributes: &Attributes<'_>, family: Family) -> Result<ServerLoad, DecodeError> {
    Ok(ServerLoad {
        endpoint: decode_endpoint(attributes, family)?,
        upper_threshold: attributes.require_u32(server::U_THRESH)?,
        lower_threshold: attributes.require_u32(server::L_THRESH)?,
        active_connections: attributes.require_u32(server::ACTIVE_CONNS)?,
        inactive_connections: attributes.require_u32(server::INACT_CONNS)?,
    })
}

fn decode_packet(attributes: &Attributes<'_>) -> Result<Packet, DecodeError> {
    let af = attributes.require_u16(packet::AF)?;
    let end = |address, port| {
        Ok::<_, DecodeError>(Endpoint {
            address: attributes.require_address(address, af)?,
            port: attributes.require_be16(port)?,
        })
    };
    Ok(Packet {
        protocol: Protocol(attributes.require_u16(packet::PROTOCOL)?),
        source: end(packet::SRC_ADDR, packet::SRC_PORT)?,
        destination: end(packet::DST_ADDR, packet::DST_PORT)?,
        length: attributes.require_u32(packet::LENGTH)?,
    })
}

#[cfg(test)]
pub mod tests {
    use super::super::attribute::{encode, Attribute};
    use super::super::server::tests::{endpoint, server_body};
    use super::super::service::tests::{key, service_body};
    use super::super::{server as servers, service as services, ServerSettings};
    use super::*;
    use crate::model::ForwardingMethod;

    /// Events as the kernel tells them.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Sample {
        ServiceAdded,
        ServiceRemoved,
        ServerChanged,
        ServerRemoved,
        Flushed,
        ZeroedService,
        ZeroedAll,
        Timeouts,
        Overloaded,
        Defence,
        Table,
        Dropped,
        Unknown,
    }

    impl Sample {
        pub const ALL: [Self; 13] = [
            Self::ServiceAdded,
            Self::ServiceRemoved,
            Self::ServerChanged,
            Self::ServerRemoved,
            Self::Flushed,
            Self::ZeroedService,
            Self::ZeroedAll,
            Self::Timeouts,
            Self::Overloaded,
            Self::Defence,
            Self::Table,
            Self::Dropped,
            Self::Unknown,
        ];

        fn kind(self) -> EventKind {
            match self {
                Self::ServiceAdded => EventKind::SERVICE_ADDED,
                Self::ServiceRemoved => EventKind::SERVICE_REMOVED,
                Self::ServerChanged => EventKind::SERVER_CHANGED,
                Self::ServerRemoved => EventKind::SERVER_REMOVED,
                Self::Flushed => EventKind::FLUSHED,
                Self::ZeroedService | Self::ZeroedAll => EventKind::ZEROED,
                Self::Timeouts => EventKind::TIMEOUTS_CHANGED,
                Self::Overloaded => EventKind::SERVER_OVERLOADED,
                Self::Defence => EventKind::DEFENCE_ON,
                Self::Table => EventKind::TABLE_RESIZED,
                Self::Dropped => EventKind::PACKET_DROPPED,
                Self::Unknown => EventKind(999),
            }
        }

        fn details(self) -> Vec<Attribute> {
            match self {
                Self::Defence => vec![Attribute::string(event::STRATEGY, "drop_packet")],
                Self::Table => vec![
                    Attribute::u16(event::FAMILY, AF_INET6),
                    Attribute::u32(event::SLOTS_BEFORE, 1024),
                    Attribute::u32(event::SLOTS, 2048),
                    Attribute::u64(event::ENTRIES, 1500),
                ],
                Self::Dropped => vec![
                    Attribute::u32(event::LEFT_OUT, 17),
                    Attribute::string(event::REASON, "no-server"),
                    Attribute::nest(event::PACKET, packet_attributes()),
                ],
                Self::Overloaded | Self::Unknown => Vec::new(),
                _ => vec![
                    Attribute::u32(event::PID, 412),
                    Attribute::string(event::PROGRAM, "keepalived"),
                ],
            }
        }

        /// Encoded attributes beside the event.
        fn objects(self) -> Vec<u8> {
            let key_of_service = services::encode_key(&key());
            match self {
                Self::ServiceAdded => service_body(&key(), "wlc"),
                Self::ServiceRemoved | Self::ZeroedService => encode(&[key_of_service]),
                Self::ServerChanged => {
                    let settings = ServerSettings::new(ForwardingMethod::Masquerading, 5);
                    let server = server_body(endpoint(), &settings);
                    [encode(&[key_of_service]), server].concat()
                }
                Self::ServerRemoved => encode(&[key_of_service, servers::encode_key(endpoint())]),
                Self::Timeouts => encode(&[
                    Attribute::u32(rvs::TIMEOUT_TCP, 900),
                    Attribute::u32(rvs::TIMEOUT_TCP_FIN, 120),
                    Attribute::u32(rvs::TIMEOUT_UDP, 300),
                ]),
                Self::Overloaded => {
                    let load = vec![
                        Attribute::address(server::ADDR, endpoint().address),
                        Attribute::be16(server::PORT, endpoint().port),
                        Attribute::u32(server::U_THRESH, 10),
                        Attribute::u32(server::L_THRESH, 7),
                        Attribute::u32(server::ACTIVE_CONNS, 9),
                        Attribute::u32(server::INACT_CONNS, 1),
                    ];
                    encode(&[key_of_service, Attribute::nest(rvs::DEST, load)])
                }
                _ => Vec::new(),
            }
        }
    }

    fn packet_attributes() -> Vec<Attribute> {
        vec![
            Attribute::u16(packet::AF, 2),
            Attribute::u16(packet::PROTOCOL, 6),
            Attribute::address(packet::SRC_ADDR, [198, 51, 100, 7].into()),
            Attribute::be16(packet::SRC_PORT, 4711),
            Attribute::address(packet::DST_ADDR, [192, 0, 2, 10].into()),
            Attribute::be16(packet::DST_PORT, 80),
            Attribute::u32(packet::LENGTH, 60),
        ]
    }

    /// The body of an event of 2026-11-22.
    pub fn event_body(sample: Sample) -> Vec<u8> {
        let mut attributes = vec![
            Attribute::u32(event::TYPE, sample.kind().0),
            Attribute::u64(event::TIME, 1_795_356_202_123_456_789),
        ];
        attributes.extend(sample.details());
        let event = encode(&[Attribute::nest(rvs::EVENT, attributes)]);
        [event, sample.objects()].concat()
    }

    #[test]
    fn every_truncation_of_an_event_is_an_error_or_an_event_and_never_a_panic() {
        for body in Sample::ALL.map(event_body) {
            for length in 0..body.len() {
                let _ = decode_event(&body[..length]);
            }
            for bit in 0..body.len() * 8 {
                let mut hostile = body.clone();
                hostile[bit / 8] ^= 1 << (bit % 8);
                let _ = decode_event(&hostile);
            }
        }
    }

    #[test]
    fn a_program_of_any_name_is_told() {
        let body = encode(&[Attribute::nest(
            rvs::EVENT,
            vec![
                Attribute::u32(event::TYPE, 7),
                Attribute::u64(event::TIME, 0),
                Attribute::u32(event::PID, 1),
                Attribute::bytes(event::PROGRAM, b"\xffx\0junk"),
            ],
        )]);
        let process = decode_event(&body).unwrap().process.unwrap();
        assert_eq!(process.program, "\u{fffd}x");
    }
}
