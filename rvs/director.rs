// SPDX-License-Identifier: GPL-2.0-only

//! A packet's way through the module, from the hook to the verdict. Each step
//! is a function; what the steps need to know lives in the rooms they call.

use crate::{
    conn::{Connection, Connections, CreateError, Way},
    icmp,
    packet::{ipv4::Header, tcp, transport, udp, Endpoint, FlowKey, IPPROTO_ICMP},
    proto::{tcp as tcp_machine, Direction, Protocol},
    service::{ServiceKey, Services},
    settings::Settings,
    stats::drops::{Drops, Reason},
    sys::{
        flow_table::Lent,
        netfilter::{Context, Handler, HookPoint},
        skb::{DefragmentFor, Skb, Verdict},
        time::jiffies,
        Arc,
    },
    timeouts::Timeouts,
    xmit,
};

/// What a namespace's packets are balanced with.
pub struct Balancer {
    /// Virtual services.
    pub services: Arc<Services>,
    /// Connections.
    pub connections: Connections,
    /// Timeouts of the protocols' states.
    pub timeouts: Timeouts,
    /// What the files below `net/ipv4/vs` say.
    pub settings: Arc<Settings>,
    /// Why packets were dropped.
    pub drops: Drops,
}

/// The source port of FTP data connections: what comes from there is never scheduled.
const FTP_DATA: u16 = 20;

/// A packet of TCP or UDP, parsed.
#[derive(Clone, Copy)]
pub struct Segment {
    /// The IPv4 header.
    pub header: Header,
    /// Endpoints and protocol.
    pub flow: FlowKey,
    /// TCP or UDP.
    pub protocol: Protocol,
    /// What a TCP segment means to its connection; nothing for UDP.
    event: Option<tcp_machine::Event>,
    /// Whether the packet may create a connection.
    is_opening: bool,
}

impl Handler for Balancer {
    fn handle<'a>(&'a self, skb: Skb<'a>, context: Context<'a>) -> Verdict<'a> {
        if skb.is_balanced() || !skb.is_routed() {
            return skb.accept();
        }
        let Some(header) = skb.linear().first_chunk().and_then(Header::parse) else {
            return skb.accept();
        };
        if header.protocol != IPPROTO_ICMP && Protocol::from_u8(header.protocol).is_none() {
            return skb.accept();
        }
        if context.point == HookPoint::LocalOut && skb.wants_no_defragmentation() {
            return skb.accept();
        }
        if header.is_fragment() {
            return self.reassemble(skb, context);
        }
        self.dispatch(skb, header, context)
    }
}

impl Balancer {
    /// Counts a packet's end and ends it.
    pub fn drop<'a>(&self, skb: Skb<'a>, reason: Reason) -> Verdict<'a> {
        self.drops.count(reason);
        skb.drop()
    }

    /// Goes on once all fragments are there: ports are in the first one only.
    #[cold]
    fn reassemble<'a>(&'a self, skb: Skb<'a>, context: Context<'a>) -> Verdict<'a> {
        let user = match context.point {
            HookPoint::LocalIn => DefragmentFor::LocalIn,
            HookPoint::Forward => DefragmentFor::Forward,
            HookPoint::LocalOut => DefragmentFor::LocalOut,
        };
        let mut skb = match skb.defragment(context.net, user) {
            Ok(skb) => skb,
            Err(verdict) => return verdict,
        };
        // The header's length field changed.
        skb.refresh_header_checksum();
        match skb.linear().first_chunk().and_then(Header::parse) {
            Some(header) => self.dispatch(skb, header, context),
            None => self.drop(skb, Reason::Malformed),
        }
    }

    #[inline]
    fn dispatch<'a>(&'a self, skb: Skb<'a>, header: Header, context: Context<'a>) -> Verdict<'a> {
        if header.protocol == IPPROTO_ICMP {
            icmp::handle(self, skb, header, context)
        } else {
            self.balance(skb, header, context)
        }
    }

    /// Handles a packet of TCP or UDP.
    #[inline]
    fn balance<'a>(
        &'a self,
        mut skb: Skb<'a>,
        header: Header,
        context: Context<'a>,
    ) -> Verdict<'a> {
        let Some(segment) = parse_segment(&mut skb, header) else {
            return if takes_requests(&skb, context) {
                self.drop(skb, Reason::Malformed)
            } else {
                skb.accept()
            };
        };
        let hash = self.connections.hash(&segment.flow);
        match self.connections.find(&segment.flow, hash, context.rcu) {
            Some((connection, Way::Out)) => self.answer(skb, &segment, connection, context),
            _ if !takes_requests(&skb, context) => skb.accept(),
            Some((connection, Way::In)) if !self.is_over(connection, &segment, context) => {
                self.request(skb, &segment, connection, context)
            }
            Some((_, Way::In)) | None => self.open(skb, &segment, hash, context),
        }
    }

    /// Whether a packet that opens a connection finds one that has ended, and takes its place
    /// (reference §2.6).
    fn is_over<'a>(
        &self,
        connection: Lent<'a, Connection>,
        segment: &Segment,
        context: Context<'a>,
    ) -> bool {
        if segment.protocol != Protocol::Tcp
            || !segment.is_opening
            || !self.settings.conn_reuse_mode.is_on()
        {
            return false;
        }
        let state = tcp_machine::State::from_u8(connection.status().state());
        let is_over = matches!(
            state,
            Some(tcp_machine::State::TimeWait | tcp_machine::State::Close)
        );
        if is_over {
            self.connections.end(connection, context.rcu);
        }
        is_over
    }

    /// A packet without a connection: makes one if it is for a service and may do so.
    fn open<'a>(
        &'a self,
        mut skb: Skb<'a>,
        segment: &Segment,
        hash: u64,
        context: Context<'a>,
    ) -> Verdict<'a> {
        if !segment.is_opening || segment.flow.src.port == FTP_DATA {
            return skb.accept();
        }
        let key = ServiceKey {
            protocol: segment.flow.protocol,
            endpoint: segment.flow.dst,
        };
        let Some(service) = self.services.find(key, context.rcu) else {
            return skb.accept();
        };
        let Some(server) = service.schedule(context.rcu) else {
            icmp::refuse(&mut skb);
            return self.drop(skb, Reason::NoServer);
        };
        let created = self.connections.create(
            &segment.flow,
            hash,
            segment.protocol,
            server.clone(),
            context.rcu,
        );
        match created {
            Ok(connection) => {
                connection.server.counters.count_connection();
                self.request(skb, segment, connection, context)
            }
            Err(CreateError::Exists(connection)) => self.request(skb, segment, connection, context),
            Err(CreateError::NoMemory) => self.drop(skb, Reason::NoMemory),
            Err(CreateError::TableFull) => self.drop(skb, Reason::TableFull),
        }
    }

    /// A packet from the client of a connection: on to the real server.
    #[inline]
    fn request<'a>(
        &'a self,
        skb: Skb<'a>,
        segment: &Segment,
        connection: Lent<'a, Connection>,
        context: Context<'a>,
    ) -> Verdict<'a> {
        if !connection.server.is_available() {
            return self.drop(skb, Reason::ServerRemoved);
        }
        connection.server.counters.count_in(skb.len());
        self.note(connection, segment, Way::In);
        xmit::request(self, skb, segment, connection.get(), context)
    }

    /// A packet from the real server of a connection: back to the client.
    #[inline]
    fn answer<'a>(
        &'a self,
        skb: Skb<'a>,
        segment: &Segment,
        connection: Lent<'a, Connection>,
        context: Context<'a>,
    ) -> Verdict<'a> {
        if connection.server.is_available() {
            connection.server.counters.count_out(skb.len());
        }
        self.note(connection, segment, Way::Out);
        xmit::answer(self, skb, segment, connection.get(), context)
    }

    /// Runs the state machine and notes the time.
    #[inline]
    fn note(&self, connection: Lent<'_, Connection>, segment: &Segment, way: Way) {
        let mut status = connection.status();
        let state = loop {
            let to = match segment.event {
                Some(event) => {
                    let direction = match way {
                        Way::Out => Direction::Output,
                        Way::In if status.is_output_unseen() => Direction::InputOnly,
                        Way::In => Direction::Input,
                    };
                    let from = tcp_machine::State::from_u8(status.state())
                        .unwrap_or(tcp_machine::State::None);
                    let next = tcp_machine::next(from, direction, event);
                    status.with_state(next as u8, next.is_active())
                }
                None => status,
            };
            let to = match way {
                Way::Out => to.with_output_seen(),
                Way::In => to,
            };
            if to == status || connection.advance(status, to) {
                break to.state();
            }
            status = connection.status();
        };
        let timeout = self.timeouts.ticks(segment.protocol, state);
        if connection.touch(jiffies(), timeout) {
            self.connections.ask_to_visit(connection);
        }
    }
}

/// Whether a packet in this hook can be a request to a service: those that are only routed through
/// are not, nor those that were not sent to this host.
#[inline]
fn takes_requests(skb: &Skb<'_>, context: Context<'_>) -> bool {
    match context.point {
        HookPoint::Forward => false,
        HookPoint::LocalIn => skb.is_for_host(),
        HookPoint::LocalOut => true,
    }
}

#[inline]
fn parse_segment(skb: &mut Skb<'_>, header: Header) -> Option<Segment> {
    let protocol = Protocol::from_u8(header.protocol)?;
    let transport_len = match protocol {
        Protocol::Tcp => tcp::HEADER_LEN,
        Protocol::Udp => udp::HEADER_LEN,
    };
    if !skb.pull(header.header_len.checked_add(transport_len)?) {
        return None;
    }
    let bytes = skb.linear().get(header.header_len..)?;
    let (src_port, dst_port) = transport::ports(bytes.first_chunk()?);
    let (event, is_opening) = match protocol {
        Protocol::Tcp => {
            let flags = tcp::Flags::parse(bytes.first_chunk()?);
            let event = tcp_machine::Event::from_flags(flags);
            (Some(event), flags.syn() && !flags.rst())
        }
        Protocol::Udp => (None, true),
    };
    let flow = FlowKey {
        protocol: header.protocol,
        src: Endpoint {
            addr: header.src,
            port: src_port,
        },
        dst: Endpoint {
            addr: header.dst,
            port: dst_port,
        },
    };
    Some(Segment {
        header,
        flow,
        protocol,
        event,
        is_opening,
    })
}
