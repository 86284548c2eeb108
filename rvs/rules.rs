// SPDX-License-Identifier: GPL-2.0-only

//! The match `ipvs` of xtables (reference §12.3): rules of iptables ask
//! whether a packet was balanced, and by which service and method. How rules
//! reach it is not decided here.

use crate::{
    director::Balanced,
    netns::Netns,
    packet::{transport, Address, Family, Fragment},
    proto::Protocol,
    sys::{
        ip::Stack,
        xtables::{Match, Question},
    },
};
use core::{
    ffi::CStr,
    net::{Ipv4Addr, Ipv6Addr},
};

/// The match that `-m ipvs` stands for.
pub struct IpvsMatch;

/// Room for the network header with its extensions, and the ports, bytes.
const HEAD: usize = 128;

/// What may be asked, each a bit of what is wanted and of what is inverted.
mod asks {
    /// Whether the packet was balanced; all others ask that too.
    pub const BALANCED: u8 = 1;
    pub const PROTOCOL: u8 = 2;
    pub const SERVICE_ADDR: u8 = 4;
    pub const SERVICE_PORT: u8 = 8;
    /// Whether connection tracking takes the packet for one of who began the flow.
    pub const ORIGINAL: u8 = 16;
    pub const METHOD: u8 = 32;
    /// The service's port of the connection under which it was made.
    pub const CONTROL_PORT: u8 = 64;
}

/// The options of a rule, as `struct xt_ipvs_mtinfo` has them.
struct Options {
    addr: [u8; 16],
    mask: [u8; 16],
    port: u16,
    protocol: u8,
    method: u8,
    control_port: u16,
    inverted: u8,
    wanted: u8,
}

impl Options {
    const LEN: usize = 40;

    fn parse(bytes: &[u8]) -> Option<Self> {
        let (addr, bytes) = bytes.split_first_chunk()?;
        let (mask, bytes) = bytes.split_first_chunk()?;
        let &[port0, port1, protocol, method, control0, control1, inverted, wanted] =
            bytes.first_chunk()?;
        Some(Self {
            addr: *addr,
            mask: *mask,
            port: u16::from_be_bytes([port0, port1]),
            protocol,
            method,
            control_port: u16::from_be_bytes([control0, control1]),
            inverted,
            wanted,
        })
    }

    /// Whether the rule asks nothing of this, or what `is` is what it wants.
    fn allows(&self, what: u8, is: bool) -> bool {
        self.wanted & what == 0 || is != (self.inverted & what != 0)
    }

    /// Whether this is the service's address, as far as the mask goes.
    fn is_addr<A: Address>(&self, addr: A) -> bool {
        let ours = addr.words().map(u64::to_le_bytes);
        let both = self.addr.iter().zip(&self.mask);
        let len = match A::FAMILY {
            Family::V4 => 4,
            Family::V6 => 16,
        };
        both.zip(ours.as_flattened())
            .take(len)
            .all(|((wanted, mask), ours)| (wanted ^ ours) & mask == 0)
    }

    /// The answer for a packet that was balanced; `None` if no connection is found for it.
    fn answer<A: Balanced>(&self, question: &Question<'_>) -> Option<bool> {
        let mut room = [0; HEAD];
        let bytes = question.head(&mut room);
        let header = A::read_header(bytes).ok()?;
        if !self.allows(asks::PROTOCOL, header.protocol == self.protocol) {
            return Some(false);
        }
        let (carrier, port) = Protocol::from_u8(header.protocol)?.carrier();
        let ports = match port {
            Some(port) => (port, port),
            None if header.fragment == Fragment::Later => return None,
            None => transport::ports(bytes.get(header.len..)?.first_chunk()?),
        };
        let flow = header.flow(carrier as u8, ports);
        let balancer = Netns::balancer_of(question.net, question.rcu)?;
        let connections = A::connections(balancer);
        let connection = connections.find_sent(&flow, question.rcu)?.get();
        let control_port = connection.controller().map(|control| control.virt.port);
        Some(
            self.allows(asks::SERVICE_PORT, connection.virt.port == self.port)
                && self.allows(asks::CONTROL_PORT, control_port == Some(self.control_port))
                && self.allows(asks::METHOD, connection.method as u8 == self.method)
                && self.allows(asks::SERVICE_ADDR, self.is_addr(connection.virt.addr))
                && match question.is_tracked_answer() {
                    Some(is_answer) => self.allows(asks::ORIGINAL, !is_answer),
                    None => self.wanted & asks::ORIGINAL == 0,
                },
        )
    }
}

impl Match for IpvsMatch {
    const NAME: &'static CStr = c"ipvs";
    const OPTIONS: usize = Options::LEN;

    fn answer(question: &Question<'_>) -> bool {
        let Some(options) = Options::parse(question.options()) else {
            return false;
        };
        if options.wanted == asks::BALANCED {
            return options.allows(asks::BALANCED, question.is_balanced());
        }
        let answer = match question.stack {
            _ if !question.is_balanced() => None,
            Stack::V4 => options.answer::<Ipv4Addr>(question),
            Stack::V6 => options.answer::<Ipv6Addr>(question),
        };
        answer.unwrap_or(false)
    }
}
