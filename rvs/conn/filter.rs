// SPDX-License-Identifier: GPL-2.0-only

//! Which entries of the connection table are meant: what listings, counts and
//! kills select by. Where the entries are is not known here.

#![forbid(unsafe_code)]

use crate::{
    packet::{Endpoint, Family},
    proto::{sctp, tcp, udp, Protocol},
};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What of an entry is looked at. `K` tells services apart.
#[derive(Clone, Copy, Debug)]
pub struct Subject<K> {
    /// The service that it is of, if its real server was one of a service.
    pub service: Option<K>,
    /// The IP protocol number; 0 for a template of all protocols.
    pub protocol: u8,
    /// The client; its port is 0 for a template.
    pub client: Endpoint<IpAddr>,
    /// The real server as listings show it.
    pub server: Endpoint<IpAddr>,
    /// The number of the forwarding method.
    pub method: u8,
    /// The state's number.
    pub state: u8,
    /// Whether it is a template of connections, rather than one.
    pub is_template: bool,
    /// Ticks since it was made.
    pub age: u32,
    /// Ticks since its last packet.
    pub idle: u32,
}

/// A number of ticks between two bounds, both included.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Span {
    /// The least.
    pub min: u32,
    /// The most.
    pub max: u32,
}

impl Span {
    /// Any number.
    pub const ANY: Self = Self {
        min: 0,
        max: u32::MAX,
    };

    const fn includes(self, ticks: u32) -> bool {
        self.min <= ticks && ticks <= self.max
    }
}

impl Default for Span {
    fn default() -> Self {
        Self::ANY
    }
}

/// Addresses that begin with the same bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Prefix {
    addr: IpAddr,
    len: u8,
}

impl Prefix {
    /// Those that have the first `len` bits of `addr`; `None` if it has no so many. What lies
    /// behind these bits does not matter.
    pub fn new(addr: IpAddr, len: u8) -> Option<Self> {
        (len <= Self::bits(addr)).then_some(Self { addr, len })
    }

    /// Just one address.
    pub const fn whole(addr: IpAddr) -> Self {
        Self {
            addr,
            len: Self::bits(addr),
        }
    }

    const fn bits(addr: IpAddr) -> u8 {
        match addr {
            IpAddr::V4(_) => 32,
            IpAddr::V6(_) => 128,
        }
    }

    fn includes(self, addr: IpAddr) -> bool {
        let len = u32::from(self.len);
        match (self.addr, addr) {
            (IpAddr::V4(prefix), IpAddr::V4(addr)) => {
                let shift = Ipv4Addr::BITS.saturating_sub(len);
                let differ = prefix.to_bits() ^ addr.to_bits();
                differ.checked_shr(shift).unwrap_or(0) == 0
            }
            (IpAddr::V6(prefix), IpAddr::V6(addr)) => {
                let shift = Ipv6Addr::BITS.saturating_sub(len);
                let differ = prefix.to_bits() ^ addr.to_bits();
                differ.checked_shr(shift).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

/// The name by which templates are selected, whatever their state.
pub const TEMPLATE: &str = "TEMPLATE";

/// A set of states, those of all protocols, and of templates as if they were one.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct States {
    tcp: u32,
    udp: u32,
    sctp: u32,
    templates: bool,
}

impl States {
    /// Adds all states of this name, as listings show it, or with [`TEMPLATE`] templates. `false` if there
    /// is no such state.
    pub fn add(&mut self, name: &[u8]) -> bool {
        let find = |names: &mut dyn Iterator<Item = &'static str>| {
            names
                .zip(0u32..)
                .filter(|(known, _)| known.as_bytes() == name)
                .fold(0, |found, (_, number)| found | bit(number))
        };
        let tcp = find(&mut tcp::State::ALL.into_iter().map(tcp::State::name));
        let udp = find(&mut [udp::State::Udp].into_iter().map(udp::State::name));
        let sctp = find(&mut sctp::State::ALL.into_iter().map(sctp::State::name));
        let templates = name == TEMPLATE.as_bytes();
        self.tcp |= tcp;
        self.udp |= udp;
        self.sctp |= sctp;
        self.templates |= templates;
        tcp | udp | sctp != 0 || templates
    }

    fn includes<K>(self, subject: &Subject<K>) -> bool {
        if subject.is_template {
            return self.templates;
        }
        let states = match Protocol::from_u8(subject.protocol) {
            Some(Protocol::Tcp) => self.tcp,
            Some(Protocol::Udp) => self.udp,
            Some(Protocol::Sctp) => self.sctp,
            _ => 0,
        };
        states & bit(u32::from(subject.state)) != 0
    }
}

fn bit(number: u32) -> u32 {
    1u32.checked_shl(number).unwrap_or(0)
}

/// What entries must be like to be selected: all that is said here. The default selects all.
#[derive(Clone, Copy, Debug)]
pub struct Filter<K> {
    /// Their service.
    pub service: Option<K>,
    /// Their IP protocol number.
    pub protocol: Option<u8>,
    /// The family of their client.
    pub family: Option<Family>,
    /// Their client's address.
    pub client: Option<Prefix>,
    /// Their client's port.
    pub client_port: Option<u16>,
    /// Their real server's address.
    pub server: Option<IpAddr>,
    /// Their real server's port.
    pub server_port: Option<u16>,
    /// The number of their forwarding method.
    pub method: Option<u8>,
    /// Their states.
    pub states: Option<States>,
    /// Ticks since they were made.
    pub age: Span,
    /// Ticks since their last packets.
    pub idle: Span,
}

impl<K> Default for Filter<K> {
    fn default() -> Self {
        Self {
            service: None,
            protocol: None,
            family: None,
            client: None,
            client_port: None,
            server: None,
            server_port: None,
            method: None,
            states: None,
            age: Span::ANY,
            idle: Span::ANY,
        }
    }
}

impl<K: PartialEq> Filter<K> {
    /// Whether it selects everything.
    pub fn is_open(&self) -> bool {
        let Self {
            service,
            protocol,
            family,
            client,
            client_port,
            server,
            server_port,
            method,
            states,
            age,
            idle,
        } = self;
        service.is_none()
            && protocol.is_none()
            && family.is_none()
            && client.is_none()
            && client_port.is_none()
            && server.is_none()
            && server_port.is_none()
            && method.is_none()
            && states.is_none()
            && [*age, *idle] == [Span::ANY; 2]
    }

    /// Whether no entry whose client is of this family is selected.
    pub fn excludes(&self, family: Family) -> bool {
        let is_other = |addr| Family::of(addr) != family;
        self.family.is_some_and(|own| own != family)
            || self.client.is_some_and(|prefix| is_other(prefix.addr))
    }

    /// Whether an entry is selected.
    pub fn selects(&self, subject: &Subject<K>) -> bool {
        allows(&self.protocol, &subject.protocol)
            && allows(&self.family, &Family::of(subject.client.addr))
            && self
                .client
                .is_none_or(|it| it.includes(subject.client.addr))
            && allows(&self.client_port, &subject.client.port)
            && allows(&self.server, &subject.server.addr)
            && allows(&self.server_port, &subject.server.port)
            && allows(&self.method, &subject.method)
            && self.states.is_none_or(|states| states.includes(subject))
            && self.age.includes(subject.age)
            && self.idle.includes(subject.idle)
            && (self.service.is_none() || self.service == subject.service)
    }
}

fn allows<T: PartialEq>(wanted: &Option<T>, actual: &T) -> bool {
    wanted.as_ref().is_none_or(|wanted| wanted == actual)
}
