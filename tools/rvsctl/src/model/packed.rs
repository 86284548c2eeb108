// SPDX-License-Identifier: GPL-2.0-only
//! Services and servers in few bytes, to be held in large numbers: a number takes as many as it has
//! digits, seven bits each, and what is not there takes one. Only this process reads what it wrote.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use super::{
    Draining, Encapsulation, Endpoint, ForwardingMethod, Identity, Leftovers, Netmask, Server,
    Service, ServiceFlags, ServiceKey, Statistics, Traffic,
};

/// Adds to packed bytes.
#[derive(Debug, Default)]
pub struct Packer(Vec<u8>);

impl Packer {
    /// Forgets what was packed.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    fn number(&mut self, value: impl Into<u64>) {
        let mut rest = value.into();
        while rest > 0x7f {
            self.0.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        self.0.push(rest as u8);
    }

    fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.0.extend(text.as_bytes());
    }

    fn optional<T>(&mut self, value: Option<T>, pack: impl FnOnce(&mut Self, T)) {
        self.number(value.is_some());
        if let Some(value) = value {
            pack(self, value);
        }
    }

    fn identity(&mut self, identity: &Identity) {
        let Identity { name, labels } = identity;
        self.optional(name.as_deref(), Self::text);
        self.number(labels.len() as u64);
        for (key, value) in labels {
            self.text(key);
            self.text(value);
        }
    }

    fn endpoint(&mut self, endpoint: Endpoint) {
        let Endpoint { address, port } = endpoint;
        self.number(address.is_ipv6());
        match address {
            IpAddr::V4(address) => self.0.extend(address.octets()),
            IpAddr::V6(address) => self.0.extend(address.octets()),
        }
        self.number(port);
    }

    fn traffic(&mut self, traffic: &Traffic) {
        let Traffic {
            connections,
            packets_in,
            packets_out,
            bytes_in,
            bytes_out,
        } = *traffic;
        for figure in [connections, packets_in, packets_out, bytes_in, bytes_out] {
            self.number(figure);
        }
    }

    fn statistics(&mut self, statistics: &Statistics) {
        let Statistics {
            counters,
            rates,
            time,
        } = statistics;
        self.traffic(counters);
        self.traffic(rates);
        self.optional(*time, |packer, time| {
            packer.number(time.as_secs());
            packer.number(time.subsec_nanos());
        });
    }

    /// A service but for its key.
    pub fn service(&mut self, service: &Service) {
        let Service {
            key: _,
            scheduler,
            flags,
            timeout,
            netmask,
            engine,
            identity,
            fingerprint,
            statistics,
        } = service;
        self.text(scheduler);
        self.number(flags.0);
        self.number(*timeout);
        match netmask {
            Netmask::Ipv4(mask) => self.number(mask.to_bits()),
            Netmask::Ipv6(length) => self.number(*length),
        }
        self.optional(engine.as_deref(), Self::text);
        self.identity(identity);
        self.optional(*fingerprint, Self::number);
        self.statistics(statistics);
    }

    fn encapsulation(&mut self, encapsulation: Encapsulation) {
        let Encapsulation { kind, port, flags } = encapsulation;
        self.number(kind);
        self.number(port);
        self.number(flags);
    }

    fn draining(&mut self, draining: Draining) {
        let Draining {
            left,
            deadline_milliseconds,
            leftovers,
            remove,
            done,
        } = draining;
        self.number(left);
        self.optional(deadline_milliseconds, Self::number);
        self.number(leftovers.number());
        self.number(remove);
        self.number(done);
    }

    pub fn server(&mut self, server: &Server) {
        let Server {
            identity,
            endpoint,
            method,
            tunnel,
            weight,
            upper_threshold,
            lower_threshold,
            active_connections,
            inactive_connections,
            persistent_connections,
            draining,
            overloaded,
            encapsulation,
            statistics,
        } = server;
        self.identity(identity);
        self.endpoint(*endpoint);
        self.number(method.number());
        self.optional(*tunnel, Self::encapsulation);
        self.number(*weight);
        self.number(*upper_threshold);
        self.number(*lower_threshold);
        self.number(*active_connections);
        self.number(*inactive_connections);
        self.number(*persistent_connections);
        self.optional(*draining, Self::draining);
        self.number(*overloaded);
        self.optional(*encapsulation, Self::encapsulation);
        self.statistics(statistics);
    }
}

/// Reads packed bytes from their start on, in the order in which they were packed.
pub struct Unpacker<'a>(pub &'a [u8]);

impl<'a> Unpacker<'a> {
    fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        taken
    }

    fn number(&mut self) -> u64 {
        let mut value = 0;
        let mut shift = 0;
        for (read, byte) in (1..).zip(self.0) {
            value |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                self.0 = &self.0[read..];
                break;
            }
        }
        value
    }

    fn number32(&mut self) -> u32 {
        self.number() as u32
    }

    fn number16(&mut self) -> u16 {
        self.number() as u16
    }

    fn flag(&mut self) -> bool {
        self.number() != 0
    }

    fn text(&mut self) -> String {
        let length = self.number() as usize;
        String::from_utf8_lossy(self.take(length)).into_owned()
    }

    fn optional<T>(&mut self, unpack: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.flag().then(|| unpack(self))
    }

    fn octets<const N: usize>(&mut self) -> [u8; N] {
        self.take(N).try_into().unwrap_or([0; N])
    }

    fn identity(&mut self) -> Identity {
        let name = self.optional(Self::text);
        let mut labels = BTreeMap::new();
        for _ in 0..self.number() {
            let key = self.text();
            labels.insert(key, self.text());
        }
        Identity { name, labels }
    }

    fn endpoint(&mut self) -> Endpoint {
        let address = match self.flag() {
            false => self.octets::<4>().into(),
            true => self.octets::<16>().into(),
        };
        let port = self.number16();
        Endpoint { address, port }
    }

    fn traffic(&mut self) -> Traffic {
        Traffic {
            connections: self.number(),
            packets_in: self.number(),
            packets_out: self.number(),
            bytes_in: self.number(),
            bytes_out: self.number(),
        }
    }

    fn statistics(&mut self) -> Statistics {
        Statistics {
            counters: self.traffic(),
            rates: self.traffic(),
            time: self.optional(|packed| {
                let seconds = packed.number();
                Duration::new(seconds, packed.number32())
            }),
        }
    }

    /// The service of this key.
    pub fn service(&mut self, key: ServiceKey) -> Service {
        Service {
            key,
            scheduler: self.text(),
            flags: ServiceFlags(self.number32()),
            timeout: self.number32(),
            netmask: match Netmask::whole(key.family()) {
                Netmask::Ipv4(_) => Netmask::Ipv4(self.number32().into()),
                Netmask::Ipv6(_) => Netmask::Ipv6(self.number32()),
            },
            engine: self.optional(Self::text),
            identity: self.identity(),
            fingerprint: self.optional(Self::number),
            statistics: self.statistics(),
        }
    }

    fn encapsulation(&mut self) -> Encapsulation {
        Encapsulation {
            kind: self.number() as u8,
            port: self.number16(),
            flags: self.number16(),
        }
    }

    fn draining(&mut self) -> Draining {
        Draining {
            left: self.number32(),
            deadline_milliseconds: self.optional(Self::number),
            leftovers: Leftovers::from_number(self.number32()),
            remove: self.flag(),
            done: self.flag(),
        }
    }

    pub fn server(&mut self) -> Server {
        Server {
            identity: self.identity(),
            endpoint: self.endpoint(),
            method: ForwardingMethod::from_number(self.number32()),
            tunnel: self.optional(Self::encapsulation),
            weight: self.number32(),
            upper_threshold: self.number32(),
            lower_threshold: self.number32(),
            active_connections: self.number32(),
            inactive_connections: self.number32(),
            persistent_connections: self.number32(),
            draining: self.optional(Self::draining),
            overloaded: self.flag(),
            encapsulation: self.optional(Self::encapsulation),
            statistics: self.statistics(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_every_length_are_read_as_they_were() {
        let numbers = (0..64).flat_map(|bits| [(1_u64 << bits) - 1, 1 << bits]);
        let numbers: Vec<_> = numbers.chain([u64::MAX]).collect();
        let mut packer = Packer::default();
        for number in &numbers {
            packer.number(*number);
        }
        let mut packed = Unpacker(packer.bytes());
        for number in numbers {
            assert_eq!(packed.number(), number);
        }
        assert!(packed.0.is_empty());
    }

    #[test]
    fn a_small_number_takes_one_byte() {
        let mut packer = Packer::default();
        packer.number(127_u64);
        assert_eq!(packer.bytes(), [127]);
        packer.clear();
        packer.number(128_u64);
        assert_eq!(packer.bytes(), [0x80, 1]);
    }
}
