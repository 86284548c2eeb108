// SPDX-License-Identifier: GPL-2.0-only

//! What is told of a dropped packet: as much of its headers as tells its
//! flow, as they stand when it is dropped.

#![forbid(unsafe_code)]

use crate::packet::{
    transport::{self, PORTS_LEN},
    Address, Endpoint, Fragment,
};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A packet, told by its headers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sample {
    /// IP protocol number.
    pub protocol: u8,
    /// Where it comes from; port 0 where the protocol has none, or this part of the packet.
    pub src: Endpoint<IpAddr>,
    /// Where it goes.
    pub dst: Endpoint<IpAddr>,
    /// All of its length, bytes.
    pub len: u32,
}

impl Sample {
    /// The packet of this length that begins with `bytes`, from the network header on. `None` if they are
    /// too few.
    #[must_use]
    pub fn of(bytes: &[u8], len: usize) -> Option<Self> {
        match bytes.first()? >> 4 {
            4 => read::<Ipv4Addr>(bytes, len),
            6 => read::<Ipv6Addr>(bytes, len),
            _ => None,
        }
    }
}

fn read<A: Address>(bytes: &[u8], len: usize) -> Option<Sample> {
    let header = A::read_header(bytes).ok()?;
    let has_ports = transport::has_ports(header.protocol) && header.fragment != Fragment::Later;
    let payload = bytes.get(header.len..).unwrap_or_default();
    let ports = payload.first_chunk::<PORTS_LEN>().filter(|_| has_ports);
    let (src, dst) = ports.map_or((0, 0), transport::ports);
    let end = |addr: A, port| Endpoint {
        addr: addr.ip(),
        port,
    };
    Some(Sample {
        protocol: header.protocol,
        src: end(header.src, src),
        dst: end(header.dst, dst),
        len: u32::try_from(len).unwrap_or(u32::MAX),
    })
}
