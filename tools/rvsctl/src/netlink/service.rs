// SPDX-License-Identifier: GPL-2.0-only
//! Virtual services as netlink attributes: the key that names one, the settings that a new one is
//! given, and what the kernel tells about it.

use std::net::Ipv4Addr;

use super::attribute::{Attribute, Attributes, DecodeError};
use super::numbers::{rvs, service, AttributeId, AF_INET, AF_INET6};
use super::statistics::statistics_if_any;
use crate::model::{
    Endpoint, Family, Identity, Labels, Netmask, Protocol, Service, ServiceFlags, ServiceKey,
};

/// What a service is set to besides its key. The kernel wants all of them in one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceSettings {
    pub scheduler: String,
    /// New flag values; only bits in `flags_mask` change.
    pub flags: ServiceFlags,
    pub flags_mask: u32,
    /// Persistence timeout in seconds.
    pub timeout: u32,
    pub netmask: Netmask,
    /// Name of the persistence engine.
    pub engine: Option<String>,
    pub naming: Naming,
    /// Of the text that it is made from.
    pub fingerprint: Option<u64>,
}

/// What a request says about name and labels; what it does not, stays.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Naming {
    /// The empty one takes the present name away.
    pub name: Option<String>,
    /// In place of all present ones.
    pub labels: Option<Labels>,
}

impl Naming {
    /// Exactly this name and these labels.
    pub fn of(identity: &Identity) -> Self {
        Self {
            name: Some(identity.name.clone().unwrap_or_default()),
            labels: Some(identity.labels.clone()),
        }
    }

    /// As attributes of these numbers.
    pub fn attributes(&self, name: AttributeId, label: AttributeId) -> Vec<Attribute> {
        let mut attributes: Vec<_> = self
            .name
            .iter()
            .map(|text| Attribute::string(name, text))
            .collect();
        if let Some(labels) = &self.labels {
            let label = |text: &str| Attribute::string(label, text);
            if labels.is_empty() {
                attributes.push(label(""));
            }
            attributes.extend(
                labels
                    .iter()
                    .map(|(key, value)| label(&format!("{key}={value}"))),
            );
        }
        attributes
    }
}

/// Reads name and labels.
pub fn decode_identity(
    attributes: &Attributes<'_>,
    name: AttributeId,
    label: AttributeId,
) -> Result<Identity, DecodeError> {
    let labels = attributes.strings(label)?;
    let labels = labels.iter().map(|label| {
        let (key, value) = label.split_once('=').unwrap_or((label, ""));
        (key.to_string(), value.to_string())
    });
    Ok(Identity {
        name: attributes.string(name)?,
        labels: labels.collect(),
    })
}

impl ServiceSettings {
    /// A new service without persistence.
    pub fn new(family: Family, scheduler: &str) -> Self {
        Self {
            scheduler: scheduler.to_string(),
            flags: ServiceFlags::default(),
            flags_mask: u32::MAX,
            timeout: 0,
            netmask: Netmask::whole(family),
            engine: None,
            naming: Naming::default(),
            fingerprint: None,
        }
    }

    /// The settings an existing service has, to be sent back with changes.
    pub fn of(service: &Service) -> Self {
        Self {
            scheduler: service.scheduler.clone(),
            flags: service.flags,
            flags_mask: 0,
            timeout: service.timeout,
            netmask: service.netmask,
            engine: service.engine.clone(),
            naming: Naming::default(),
            fingerprint: None,
        }
    }

    /// Sets or clears flags.
    pub fn set_flags(&mut self, flags: u32, on: bool) {
        self.flags_mask |= flags;
        if on {
            self.flags.0 |= flags;
        } else {
            self.flags.0 &= !flags;
        }
    }
}

/// `AF_INET` or `AF_INET6`.
pub fn family_number(family: Family) -> u16 {
    match family {
        Family::Ipv4 => AF_INET,
        Family::Ipv6 => AF_INET6,
    }
}

fn key_attributes(key: &ServiceKey) -> Vec<Attribute> {
    let mut attributes = vec![Attribute::u16(service::AF, family_number(key.family()))];
    match key {
        ServiceKey::Endpoint { protocol, endpoint } => attributes.extend([
            Attribute::u16(service::PROTOCOL, protocol.0),
            Attribute::address(service::ADDR, endpoint.address),
            Attribute::be16(service::PORT, endpoint.port),
        ]),
        ServiceKey::Fwmark { fwmark, .. } => {
            attributes.push(Attribute::u32(service::FWMARK, *fwmark));
        }
    }
    attributes
}

/// The container that names a service.
pub fn encode_key(key: &ServiceKey) -> Attribute {
    Attribute::nest(rvs::SERVICE, key_attributes(key))
}

/// The container that names a service by its name.
pub fn encode_name(name: &str) -> Attribute {
    Attribute::nest(rvs::SERVICE, vec![Attribute::string(service::NAME, name)])
}

/// The container that names a service and says what it is set to.
pub fn encode_service(key: &ServiceKey, settings: &ServiceSettings) -> Attribute {
    let mut attributes = key_attributes(key);
    let mut flags = [0; 8];
    flags[..4].copy_from_slice(&settings.flags.0.to_ne_bytes());
    flags[4..].copy_from_slice(&settings.flags_mask.to_ne_bytes());
    // The attribute holds a mask in network byte order for IPv4, a prefix length in host byte
    // order for IPv6.
    let netmask = match settings.netmask {
        Netmask::Ipv4(mask) => mask.octets(),
        Netmask::Ipv6(prefix_length) => prefix_length.to_ne_bytes(),
    };
    attributes.extend([
        Attribute::string(service::SCHED_NAME, &settings.scheduler),
        Attribute::bytes(service::FLAGS, &flags),
        Attribute::u32(service::TIMEOUT, settings.timeout),
        Attribute::bytes(service::NETMASK, &netmask),
    ]);
    let engine = settings.engine.iter();
    attributes.extend(engine.map(|name| Attribute::string(service::PE_NAME, name)));
    attributes.extend(settings.naming.attributes(service::NAME, service::LABEL));
    let fingerprint = settings.fingerprint;
    attributes.extend(fingerprint.map(|it| Attribute::u64(service::FINGERPRINT, it)));
    Attribute::nest(rvs::SERVICE, attributes)
}

fn decode_family(attributes: &Attributes<'_>) -> Result<Family, DecodeError> {
    match attributes.require_u16(service::AF)? {
        AF_INET => Ok(Family::Ipv4),
        AF_INET6 => Ok(Family::Ipv6),
        other => Err(DecodeError::Value {
            set: service::SET.name,
            name: service::AF.name,
            reason: format!("address family {other} is unknown"),
        }),
    }
}

fn decode_key(attributes: &Attributes<'_>, family: Family) -> Result<ServiceKey, DecodeError> {
    if let Some(fwmark) = attributes.u32(service::FWMARK)? {
        return Ok(ServiceKey::Fwmark { fwmark, family });
    }
    Ok(ServiceKey::Endpoint {
        protocol: Protocol(attributes.require_u16(service::PROTOCOL)?),
        endpoint: Endpoint {
            address: attributes.require_address(service::ADDR, family_number(family))?,
            port: attributes.require_be16(service::PORT)?,
        },
    })
}

/// Reads the key of the service that a message names.
pub fn decode_service_key(top: &Attributes<'_>) -> Result<ServiceKey, DecodeError> {
    let attributes = top.require_nest(rvs::SERVICE)?;
    let family = decode_family(&attributes)?;
    decode_key(&attributes, family)
}

/// Reads the body of a reply that carries a service.
pub fn decode_service(body: &[u8]) -> Result<Service, DecodeError> {
    let top = Attributes::parse(&rvs::SET, body)?;
    decode_attributes(&top.require_nest(rvs::SERVICE)?)
}

/// Reads a service.
pub fn decode_attributes(attributes: &Attributes<'_>) -> Result<Service, DecodeError> {
    let family = decode_family(attributes)?;
    let [a, b, c, d, ..] = attributes.require_bytes::<8>(service::FLAGS)?;
    let netmask = attributes.require_bytes::<4>(service::NETMASK)?;
    Ok(Service {
        key: decode_key(attributes, family)?,
        scheduler: attributes.require_string(service::SCHED_NAME)?,
        flags: ServiceFlags(u32::from_ne_bytes([a, b, c, d])),
        timeout: attributes.require_u32(service::TIMEOUT)?,
        netmask: match family {
            Family::Ipv4 => Netmask::Ipv4(Ipv4Addr::from(netmask)),
            Family::Ipv6 => Netmask::Ipv6(u32::from_ne_bytes(netmask)),
        },
        engine: attributes.string(service::PE_NAME)?,
        identity: decode_identity(attributes, service::NAME, service::LABEL)?,
        fingerprint: attributes.u64(service::FINGERPRINT)?,
        statistics: statistics_if_any(attributes, service::STATS64)?,
    })
}

#[cfg(test)]
pub mod tests {
    use super::super::attribute::encode;
    use super::super::statistics::tests::{expected_counting_from, statistics_counting_from};
    use super::*;
    use crate::model::Statistics;

    pub fn key() -> ServiceKey {
        ServiceKey::Endpoint {
            protocol: Protocol::TCP,
            endpoint: Endpoint {
                address: [192, 0, 2, 10].into(),
                port: 80,
            },
        }
    }

    /// The body of the kernel's answer about a service without persistence: see
    /// [`body_of_service`].
    pub fn service_body(key: &ServiceKey, scheduler: &str) -> Vec<u8> {
        body_of_service(&Service {
            key: *key,
            scheduler: scheduler.to_string(),
            flags: ServiceFlags(2),
            timeout: 0,
            netmask: Netmask::whole(key.family()),
            engine: None,
            identity: Identity::default(),
            fingerprint: None,
            statistics: Statistics::default(),
        })
    }

    /// The body of the kernel's answer about a service: 16-byte address, flags with full mask, and
    /// counters from 100 up.
    pub fn body_of_service(service: &Service) -> Vec<u8> {
        let mut attributes = key_attributes(&service.key);
        if let ServiceKey::Endpoint { endpoint, .. } = &service.key {
            if let std::net::IpAddr::V4(v4) = endpoint.address {
                let mut padded = [0; 16];
                padded[..4].copy_from_slice(&v4.octets());
                attributes[2] = Attribute::bytes(service::ADDR, &padded);
            }
        }
        let mut flags = [255; 8];
        flags[..4].copy_from_slice(&service.flags.0.to_ne_bytes());
        let netmask = match service.netmask {
            Netmask::Ipv4(mask) => mask.octets(),
            Netmask::Ipv6(length) => length.to_ne_bytes(),
        };
        attributes.extend([
            Attribute::string(service::SCHED_NAME, &service.scheduler),
            Attribute::bytes(service::FLAGS, &flags),
            Attribute::u32(service::TIMEOUT, service.timeout),
            Attribute::bytes(service::NETMASK, &netmask),
            statistics_counting_from(service::STATS64, 100),
        ]);
        let naming = Naming {
            name: service.identity.name.clone(),
            labels: Some(service.identity.labels.clone()).filter(|labels| !labels.is_empty()),
        };
        attributes.extend(naming.attributes(service::NAME, service::LABEL));
        encode(&[Attribute::nest(rvs::SERVICE, attributes)])
    }

    /// The settings of a service in a request.
    pub fn service_sent(body: &[u8]) -> ServiceSettings {
        let top = Attributes::parse(&rvs::SET, body).unwrap();
        let sent = top.require_nest(rvs::SERVICE).unwrap();
        let netmask = sent.require_bytes::<4>(service::NETMASK).unwrap();
        let number = |bytes: &[u8]| u32::from_ne_bytes(bytes.try_into().unwrap());
        let flags = sent.require_bytes::<8>(service::FLAGS).unwrap();
        ServiceSettings {
            scheduler: sent.require_string(service::SCHED_NAME).unwrap(),
            flags: ServiceFlags(number(&flags[..4])),
            flags_mask: number(&flags[4..]),
            timeout: sent.require_u32(service::TIMEOUT).unwrap(),
            netmask: match decode_family(&sent).unwrap() {
                Family::Ipv4 => Netmask::Ipv4(netmask.into()),
                Family::Ipv6 => Netmask::Ipv6(number(&netmask)),
            },
            engine: sent.string(service::PE_NAME).unwrap(),
            naming: Naming::default(),
            fingerprint: None,
        }
    }

    #[test]
    fn a_new_service_is_sent_with_its_key_and_every_setting() {
        let settings = ServiceSettings::new(Family::Ipv4, "wlc");
        let bytes = encode(&[encode_service(&key(), &settings)]);
        let mut expected = vec![72, 0, 1, 0x80];
        expected.extend([6, 0, 1, 0, 2, 0, 0, 0]);
        expected.extend([6, 0, 2, 0, 6, 0, 0, 0]);
        expected.extend([8, 0, 3, 0, 192, 0, 2, 10]);
        expected.extend([6, 0, 4, 0, 0, 80, 0, 0]);
        expected.extend([8, 0, 6, 0, b'w', b'l', b'c', 0]);
        expected.extend([12, 0, 7, 0, 0, 0, 0, 0, 255, 255, 255, 255]);
        expected.extend([8, 0, 8, 0, 0, 0, 0, 0]);
        expected.extend([8, 0, 9, 0, 255, 255, 255, 255]);
        assert_eq!(bytes, expected);
    }

    #[test]
    fn a_service_read_from_the_kernel_has_its_key_settings_and_counters() {
        let service = decode_service(&service_body(&key(), "wlc")).unwrap();
        assert_eq!(service.key, key());
        assert_eq!(service.scheduler, "wlc");
        assert_eq!(service.flags, ServiceFlags(2));
        assert_eq!(service.netmask, Netmask::Ipv4(Ipv4Addr::BROADCAST));
        assert_eq!(service.statistics, expected_counting_from(100));
    }

    #[test]
    fn ipv6_and_firewall_mark_keys_come_back_as_they_were_sent() {
        for key in [
            ServiceKey::Endpoint {
                protocol: Protocol::UDP,
                endpoint: Endpoint {
                    address: "2001:db8::10".parse().unwrap(),
                    port: 53,
                },
            },
            ServiceKey::Fwmark {
                fwmark: 7,
                family: Family::Ipv4,
            },
            ServiceKey::Fwmark {
                fwmark: 7,
                family: Family::Ipv6,
            },
        ] {
            let service = decode_service(&service_body(&key, "rr")).unwrap();
            assert_eq!(service.key, key);
        }
    }

    #[test]
    fn changing_a_service_leaves_flags_timeout_and_netmask_alone() {
        let mut service = decode_service(&service_body(&key(), "wlc")).unwrap();
        service.flags = ServiceFlags(3);
        service.timeout = 300;
        service.netmask = Netmask::Ipv4([255, 255, 255, 0].into());
        let bytes = encode(&[encode_service(&key(), &ServiceSettings::of(&service))]);
        let top = Attributes::parse(&rvs::SET, &bytes).unwrap();
        let sent = top.require_nest(rvs::SERVICE).unwrap();
        assert_eq!(
            sent.require_bytes(service::FLAGS),
            Ok([3, 0, 0, 0, 0, 0, 0, 0])
        );
        assert_eq!(sent.require_u32(service::TIMEOUT), Ok(300));
        assert_eq!(sent.require_bytes(service::NETMASK), Ok([255, 255, 255, 0]));
    }

    #[test]
    fn every_truncation_of_a_service_is_an_error_and_never_a_panic() {
        let body = service_body(&key(), "wlc");
        for length in 0..body.len() {
            assert!(
                decode_service(&body[..length]).is_err(),
                "{length} of {} bytes were accepted",
                body.len()
            );
        }
    }

    #[test]
    fn flipping_any_bit_of_a_service_never_panics() {
        let body = service_body(&key(), "wlc");
        for bit in 0..body.len() * 8 {
            let mut hostile = body.clone();
            hostile[bit / 8] ^= 1 << (bit % 8);
            let _ = decode_service(&hostile);
        }
    }

    #[test]
    fn an_unknown_address_family_is_an_error_that_names_the_attribute() {
        let body = encode(&[Attribute::nest(
            rvs::SERVICE,
            vec![Attribute::u16(service::AF, 99)],
        )]);
        let error = decode_service(&body).unwrap_err().to_string();
        assert!(error.contains("service.af"), "{error}");
        assert!(error.contains("99"), "{error}");
    }
}
