// SPDX-License-Identifier: GPL-2.0-only

//! A packet's way through the module, from the hook to the verdict. Each step
//! is a function; what the steps need to know lives in the rooms they call,
//! and how a new flow begins, in `open`.

mod explain;
mod ftp;
mod initiate;
mod open;
mod reset;
mod segment;
mod templates;

pub use explain::{Explanation, Forwarding, Outcome};
pub use open::Cause;
pub use reset::{Ending, Progress};
pub use segment::Segment;

use crate::{
    conn::{Connection, Connections, Way},
    defense::Defense,
    events, icmp,
    packet::{Address, Complaint, Fragment, Header, Unread},
    proto::{
        sctp,
        tcp::{self, Machine},
        Direction, Opening, Protocol,
    },
    sched::Candidate,
    service::{Places, RealServer, Services},
    settings::{ConnMax, Settings},
    stats::drops::{Drops, Reason},
    sys::{
        flow_table::Lent,
        ip::{Stack, Stacked},
        net::Net,
        netfilter::{Context, Handler, HookPoint},
        skb::{DefragmentFor, Skb, Verdict},
        time::jiffies,
        Arc,
    },
    timeouts::Timeouts,
    xmit::{self, Path},
};
use core::net::{Ipv4Addr, Ipv6Addr};
use segment::{has_no_ports, Event, Openings};

/// The bit of `conn_reuse_mode` by which connections in FIN_WAIT make place too.
const REUSE_FIN_WAIT: i32 = 2;

/// What a namespace's packets are balanced with.
pub struct Balancer {
    /// The namespace.
    pub net: Net<'static>,
    /// Virtual services.
    pub services: Arc<Services>,
    /// Where its real servers are met by packets without a connection.
    pub places: Arc<Places>,
    /// Connections of IPv4.
    pub connections4: Connections<Ipv4Addr>,
    /// Connections of IPv6.
    pub connections6: Connections<Ipv6Addr>,
    /// Timeouts of the protocols' states.
    pub timeouts: Timeouts,
    /// What the files below `net/ipv4/vs` say.
    pub settings: Arc<Settings>,
    /// Defences against floods.
    pub defense: Arc<Defense>,
    /// Why packets were dropped.
    pub drops: Drops,
}

/// The addresses whose packets are balanced.
pub trait Balanced: Address + Stacked {
    /// The connections of packets with such addresses.
    fn connections(balancer: &Balancer) -> &Connections<Self>;
}

impl Balanced for Ipv4Addr {
    #[inline]
    fn connections(balancer: &Balancer) -> &Connections<Self> {
        &balancer.connections4
    }
}

impl Balanced for Ipv6Addr {
    #[inline]
    fn connections(balancer: &Balancer) -> &Connections<Self> {
        &balancer.connections6
    }
}

impl<A: Balanced> Handler<A> for Balancer {
    fn handle<'a>(&'a self, mut skb: Skb<'a>, context: Context<'a>) -> Verdict<'a> {
        if skb.is_balanced() || !skb.is_routed() {
            return skb.accept();
        }
        let Some(header) = read_header::<A>(&mut skb) else {
            return skb.accept();
        };
        if header.protocol != A::FAMILY.icmp() && Protocol::from_u8(header.protocol).is_none() {
            return self.leave_alone(skb, context);
        }
        if context.point == HookPoint::LocalOut && skb.wants_no_defragmentation() {
            return skb.accept();
        }
        if header.fragment == Fragment::Whole || has_no_ports(header.protocol) {
            self.dispatch(skb, header, context)
        } else {
            self.reassemble(skb, header, context)
        }
    }
}

/// The network header of a packet, however far its extensions reach.
#[inline]
fn read_header<A: Address>(skb: &mut Skb<'_>) -> Option<Header<A>> {
    loop {
        match A::read_header(skb.linear()) {
            Ok(header) => return Some(header),
            Err(Unread::Short(needed)) if needed > skb.linear().len() && skb.pull(needed) => {}
            Err(_) => return None,
        }
    }
}

impl Balancer {
    /// Counts a packet's end and ends it.
    pub fn drop<'a>(&self, skb: Skb<'a>, reason: Reason) -> Verdict<'a> {
        self.note_drop(&skb, reason);
        skb.drop()
    }

    /// Counts a packet's end and ends it where it would have left: a local sender is told of it by what
    /// was sent to him, if by anything, not by the call that sent it.
    pub fn discard<'a>(&self, skb: Skb<'a>, reason: Reason) -> Verdict<'a> {
        self.note_drop(&skb, reason);
        skb.discard()
    }

    /// Counts a packet's end, and tells of it.
    fn note_drop(&self, skb: &Skb<'_>, reason: Reason) {
        self.drops.count(reason);
        events::dropped(self.net, reason, skb.linear(), skb.len());
    }

    /// How many connections there are, as of a quarter of a second ago.
    pub fn connections(&self) -> u64 {
        let (v4, v6) = (self.connections4.count(), self.connections6.count());
        v4.saturating_add(v6)
    }

    /// Lets a packet pass that is none of ours; with it what it carries, if it is a tunnel's and
    /// `ignore_tunneled` says so.
    fn leave_alone<'a>(&self, mut skb: Skb<'a>, context: Context<'a>) -> Verdict<'a> {
        if context.point != HookPoint::Forward && self.settings.ignore_tunneled.is_on() {
            skb.mark_balanced();
        }
        skb.accept()
    }

    /// Whether no further connection may be made (`conn_max`).
    fn is_full(&self) -> bool {
        let limit = self.settings.conn_max.get();
        let exact = || {
            let (v4, v6) = (&self.connections4, &self.connections6);
            v4.exact_count().saturating_add(v6.exact_count())
        };
        limit != ConnMax::MAX && exact() >= u64::from(limit.unsigned_abs())
    }

    /// Goes on once all fragments are there: ports are in the first one only.
    #[cold]
    fn reassemble<'a, A: Balanced>(
        &'a self,
        skb: Skb<'a>,
        header: Header<A>,
        context: Context<'a>,
    ) -> Verdict<'a> {
        if A::STACK == Stack::V6 {
            // Whatever the stack reassembles came whole; only a first part tells its flow.
            return match header.fragment {
                Fragment::First => self.dispatch(skb, header, context),
                _ => skb.accept(),
            };
        }
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
        match read_header::<A>(&mut skb) {
            Some(header) => self.dispatch(skb, header, context),
            None => self.drop(skb, Reason::Malformed),
        }
    }

    #[inline]
    fn dispatch<'a, A: Balanced>(
        &'a self,
        skb: Skb<'a>,
        header: Header<A>,
        context: Context<'a>,
    ) -> Verdict<'a> {
        if header.protocol == A::FAMILY.icmp() {
            icmp::handle(self, skb, header, context)
        } else {
            self.balance(skb, header, context)
        }
    }

    /// Handles a packet of a transport protocol.
    #[inline]
    fn balance<'a, A: Balanced>(
        &'a self,
        mut skb: Skb<'a>,
        header: Header<A>,
        context: Context<'a>,
    ) -> Verdict<'a> {
        let opening = |is_sloppy| match is_sloppy {
            true => Opening::Sloppy,
            false => Opening::Strict,
        };
        let openings = Openings {
            tcp: opening(self.settings.sloppy_tcp.is_on()),
            sctp: opening(self.settings.sloppy_sctp.is_on()),
        };
        let Some(mut segment) = Segment::parse(&mut skb, header, openings) else {
            return if takes_requests(&skb, context) {
                self.drop(skb, Reason::Malformed)
            } else {
                skb.accept()
            };
        };
        let connections = A::connections(self);
        let hash = connections.hash(&segment.flow);
        segment.hash = hash;
        match connections.find(&segment.flow, hash, context.rcu) {
            Some(found) if found.0.status().is_reset() => {
                self.end_to_both(skb, &segment, hash, found, context)
            }
            Some((connection, Way::Out)) => self.answer(skb, &segment, connection, context),
            None => match self.initiator(&segment, context) {
                None => self.without_connection(skb, &segment, hash, context),
                Some(initiator) => self
                    .initiate(skb, &segment, initiator, context)
                    .unwrap_or_else(|skb| self.without_connection(skb, &segment, hash, context)),
            },
            _ if !takes_requests(&skb, context) => skb.accept(),
            Some((connection, Way::In)) if self.is_over(&connection, &segment) => {
                self.reopen(skb, &segment, hash, connection, context)
            }
            Some((connection, Way::In)) => self.request(skb, &segment, connection, context),
        }
    }

    /// A packet without a connection: one may begin with it if it is a request.
    #[inline(always)]
    fn without_connection<'a, A: Balanced>(
        &'a self,
        skb: Skb<'a>,
        segment: &Segment<A>,
        hash: u64,
        context: Context<'a>,
    ) -> Verdict<'a> {
        if self.is_stray(segment, context) {
            self.refuse_stray::<A>(skb, context)
        } else if takes_requests(&skb, context) {
            self.open(skb, Cause::Segment(segment), hash, context)
        } else {
            skb.accept()
        }
    }

    /// Whether a packet without a connection is one that its real server is told about: it comes from where
    /// a masqueraded one answers, and `nat_icmp_send` says so.
    #[inline]
    fn is_stray<A: Balanced>(&self, segment: &Segment<A>, context: Context<'_>) -> bool {
        self.settings.nat_icmp_send.is_on() && {
            let (protocol, from) = (segment.header.protocol, segment.flow.src.ip());
            !has_no_ports(protocol)
                && !segment.event.is_abort()
                && self.places.answers_from(protocol, from, context.rcu)
        }
    }

    /// Tells a real server that nobody waits for its packet.
    #[cold]
    fn refuse_stray<'a, A: Balanced>(&self, mut skb: Skb<'a>, context: Context<'a>) -> Verdict<'a> {
        xmit::complain::<A>(&mut skb, Complaint::PortUnreachable, context);
        self.drop(skb, Reason::Stray)
    }

    /// Whether a packet finds a connection that is to make place for a new one: it opens one where another
    /// has ended (reference §2.6), its real server is gone and `expire_nodest_conn` says so, or it is a flow of
    /// UDP whose real server is being drained.
    #[inline]
    fn is_over<A: Balanced>(&self, connection: &Connection<A>, segment: &Segment<A>) -> bool {
        let expires = || self.settings.expire_nodest_conn.is_on();
        let server = connection.server.as_deref();
        let is_gone = server.is_some_and(|server| {
            let moves = segment.protocol == Protocol::Udp && server.is_draining();
            moves || (!server.is_available() && expires())
        });
        is_gone || (segment.is_new && self.is_replaced(connection, segment))
    }

    /// Whether a packet that opens a connection replaces this one (reference §2.6).
    #[cold]
    fn is_replaced<A: Balanced>(&self, connection: &Connection<A>, segment: &Segment<A>) -> bool {
        let is_quiesced = connection
            .server
            .as_ref()
            .is_some_and(|server| server.weight() == 0);
        if is_quiesced && self.settings.expire_nodest_conn.is_on() {
            return true;
        }
        let server = connection.server.as_deref();
        let is_left = server.is_some_and(RealServer::is_draining);
        let mode = self.settings.conn_reuse_mode.get();
        if !is_left && (mode == 0 || connection.controller().is_some()) {
            return false;
        }
        let status = connection.status();
        match (segment.event, tcp::State::from_u8(status.state())) {
            (Event::Tcp(_), Some(tcp::State::TimeWait | tcp::State::Close)) => true,
            (Event::Tcp(_), Some(tcp::State::FinWait)) => {
                mode & REUSE_FIN_WAIT != 0 && status.is_output_unseen()
            }
            (Event::Sctp(_), _) => status.state() == sctp::State::Closed as u8,
            _ => false,
        }
    }

    /// A packet from the client of a connection: on to the real server.
    #[inline]
    fn request<'a, A: Balanced>(
        &'a self,
        mut skb: Skb<'a>,
        segment: &Segment<A>,
        connection: Lent<'a, Connection<A>>,
        context: Context<'a>,
    ) -> Verdict<'a> {
        if let Some(server) = &connection.server {
            if !server.is_available() {
                return self.drop(skb, Reason::ServerRemoved);
            }
            server.counters.count_in(skb.len());
        }
        self.note(connection, segment, Way::In);
        connection.count_packet();
        if connection.extension().is_some() {
            if let Err(reason) = self.read_command(&mut skb, segment, connection, context) {
                return self.drop(skb, reason);
            }
        }
        xmit::request(self, skb, segment, Path::of(connection.get()), context)
    }

    /// A packet from the real server of a connection: back to the client.
    #[inline]
    fn answer<'a, A: Balanced>(
        &'a self,
        mut skb: Skb<'a>,
        segment: &Segment<A>,
        connection: Lent<'a, Connection<A>>,
        context: Context<'a>,
    ) -> Verdict<'a> {
        if connection.extension().is_some() {
            if let Err(reason) = self.read_reply(&mut skb, segment, connection, context) {
                return self.drop(skb, reason);
            }
        }
        if let Some(server) = connection.available_server() {
            server.counters.count_out(skb.len());
        }
        self.note(connection, segment, Way::Out);
        xmit::answer(self, skb, segment, Path::of(connection.get()), context)
    }

    /// Runs the state machine and notes the time.
    #[inline]
    fn note<A: Balanced>(
        &self,
        connection: Lent<'_, Connection<A>>,
        segment: &Segment<A>,
        way: Way,
    ) {
        let machine = if segment.protocol == Protocol::Tcp && self.defense.is_tcp_wary() {
            Machine::Secure
        } else {
            Machine::Normal
        };
        let mut status = connection.status();
        let state = loop {
            let direction = match way {
                Way::Out => Direction::Output,
                Way::In if status.is_output_unseen() => Direction::InputOnly,
                Way::In => Direction::Input,
            };
            let next = segment.event.next(machine, status.state(), direction);
            let to = match next {
                Some((state, is_active)) => status.with_state(state, is_active),
                None => status,
            };
            let to = match way {
                Way::Out => to.with_output_seen(),
                Way::In => to,
            };
            if to == status {
                break to.state();
            }
            if connection.advance(status, to) {
                if segment.event.has_established(to.state()) {
                    assure(&connection);
                }
                break to.state();
            }
            status = connection.status();
        };
        if way == Way::Out && matches!(segment.event, Event::Any) {
            assure(&connection);
        }
        let timeout = self.timeouts.ticks(segment.protocol, state);
        if connection.touch(jiffies(), timeout) {
            A::connections(self).ask_to_visit(connection);
        }
    }
}

/// Notes on the template of a connection that both sides take part in it.
#[inline]
fn assure<A: Balanced>(connection: &Connection<A>) {
    if let Some(controller) = connection.controller() {
        controller.assure();
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
