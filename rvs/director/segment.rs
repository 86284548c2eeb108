// SPDX-License-Identifier: GPL-2.0-only

//! What a packet of a balanced protocol says to the director: its flow, what
//! it means to its connection, whether it may open one.

use crate::{
    packet::{
        sctp, tcp, transport, udp, Address, FlowKey, Fragment, Header, IPPROTO_AH, IPPROTO_ESP,
    },
    proto::{
        sctp as sctp_machine,
        tcp::{self as tcp_machine, Machine},
        Direction, Opening, Protocol,
    },
    sys::skb::Skb,
};

/// A packet of a protocol that is balanced, parsed.
#[derive(Clone, Copy)]
pub struct Segment<A> {
    /// The network header.
    pub header: Header<A>,
    /// Endpoints and protocol of the connection that it belongs to.
    pub flow: FlowKey<A>,
    /// The keyed hash of `flow`, once it is known; the same for both directions.
    pub hash: u64,
    /// The packet's own protocol.
    pub protocol: Protocol,
    /// What it means to its connection.
    pub event: Event,
    /// Whether it opens a connection at its ends.
    pub is_new: bool,
    /// Whether it may create a connection here.
    pub may_open: bool,
}

/// What a packet means to its connection.
#[derive(Clone, Copy)]
pub enum Event {
    /// A segment of TCP.
    Tcp(tcp_machine::Event),
    /// A packet of SCTP.
    Sctp(sctp_machine::Event),
    /// Nothing but that it is alive.
    Any,
}

impl Event {
    /// The state that follows, and whether it is an active one. `None` if nothing changes.
    #[inline]
    pub fn next(self, machine: Machine, state: u8, direction: Direction) -> Option<(u8, bool)> {
        match self {
            Self::Tcp(event) => {
                let from = tcp_machine::State::from_u8(state).unwrap_or(tcp_machine::State::None);
                let next = tcp_machine::next(machine, from, direction, event);
                Some((next as u8, next.is_active()))
            }
            Self::Sctp(event) => {
                let from = sctp_machine::State::from_u8(state).unwrap_or(sctp_machine::State::None);
                let next = sctp_machine::next(from, direction, event);
                Some((next as u8, next.is_active()))
            }
            Self::Any => None,
        }
    }

    /// Whether it ends its connection without more ado.
    pub fn is_abort(self) -> bool {
        matches!(
            self,
            Self::Tcp(tcp_machine::Event::Rst) | Self::Sctp(sctp_machine::Event::Abort)
        )
    }

    /// Whether a connection that is in this state after it is established.
    pub fn has_established(self, state: u8) -> bool {
        match self {
            Self::Tcp(_) => state == tcp_machine::State::Established as u8,
            Self::Sctp(_) => state == sctp_machine::State::Established as u8,
            Self::Any => false,
        }
    }
}

/// Which packets may open connections, by protocol.
#[derive(Clone, Copy)]
pub struct Openings {
    /// Segments of TCP.
    pub tcp: Opening,
    /// Packets of SCTP.
    pub sctp: Opening,
}

impl<A: Address> Segment<A> {
    /// Reads a packet behind its network header; `None` if it is too short for its protocol.
    #[inline]
    pub fn parse(skb: &mut Skb<'_>, header: Header<A>, openings: Openings) -> Option<Self> {
        let protocol = Protocol::from_u8(header.protocol)?;
        if let (carrier, Some(port)) = protocol.carrier() {
            return Some(Self::carried(header, protocol, carrier, port));
        }
        let transport_len = match protocol {
            Protocol::Tcp => tcp::HEADER_LEN,
            Protocol::Udp => udp::HEADER_LEN,
            Protocol::Sctp => sctp::HEADER_LEN,
            Protocol::Esp | Protocol::Ah => return None,
        };
        if !skb.pull(header.len.checked_add(transport_len)?) {
            return None;
        }
        let bytes = skb.linear().get(header.len..)?;
        let ports = transport::ports(bytes.first_chunk()?);
        let (event, is_new, may_open) = match protocol {
            Protocol::Tcp => {
                let flags = tcp::Flags::parse(bytes.first_chunk()?);
                (
                    Event::Tcp(tcp_machine::Event::from_flags(flags)),
                    flags.syn(),
                    tcp_machine::may_open(flags, openings.tcp),
                )
            }
            Protocol::Sctp => read_chunks(skb, header.len, openings.sctp)?,
            _ => (Event::Any, false, true),
        };
        Some(Self {
            header,
            flow: header.flow(header.protocol, ports),
            hash: 0,
            protocol,
            event,
            is_new,
            may_open,
        })
    }

    /// The packet with which a client would open this flow, without any bytes; `None` if its protocol is none that
    /// is balanced.
    pub fn opening(flow: FlowKey<A>) -> Option<Self> {
        let protocol = Protocol::from_u8(flow.protocol)?;
        let event = match protocol {
            Protocol::Tcp => Event::Tcp(tcp_machine::Event::Syn),
            Protocol::Sctp => Event::Sctp(sctp_machine::Event::Init),
            _ => Event::Any,
        };
        Some(Self {
            header: Header {
                src: flow.src.addr,
                dst: flow.dst.addr,
                protocol: flow.protocol,
                len: A::FAMILY.header_len(),
                ttl: u8::MAX,
                tos: 0,
                dont_fragment: true,
                fragment: Fragment::Whole,
            },
            flow,
            hash: 0,
            protocol,
            event,
            is_new: !matches!(event, Event::Any),
            may_open: true,
        })
    }

    /// A packet without ports, which goes where the flow of another protocol goes.
    fn carried(header: Header<A>, protocol: Protocol, carrier: Protocol, port: u16) -> Self {
        Self {
            header,
            flow: header.flow(carrier as u8, (port, port)),
            hash: 0,
            protocol,
            event: Event::Any,
            is_new: false,
            may_open: false,
        }
    }
}

/// Whether packets of this protocol are balanced by their addresses alone, so that even parts of them
/// tell where they belong.
#[inline]
pub fn has_no_ports(protocol: u8) -> bool {
    matches!(protocol, IPPROTO_ESP | IPPROTO_AH)
}

/// Reads the first chunks of a packet of SCTP whose header stands at `offset`. They stay where they are:
/// a packet that is to be cut is cut between the parts that it consists of.
#[cold]
fn read_chunks(skb: &mut Skb<'_>, offset: usize, opening: Opening) -> Option<(Event, bool, bool)> {
    let at = offset.checked_add(sctp::HEADER_LEN)?;
    let first = sctp::Chunk::parse(&skb.copy(at)?);
    let kind = sctp::decisive_kind(first, |behind| skb.copy(offset.checked_add(behind)?));
    Some((
        Event::Sctp(sctp_machine::Event::from_chunk(kind)),
        first.kind == sctp::INIT,
        sctp_machine::may_open(first.kind, opening),
    ))
}
