// SPDX-License-Identifier: GPL-2.0-only

//! How a new flow begins: which service it is for, which real server it gets,
//! and what is remembered of that.

use super::{ftp, templates::read_call, Balanced, Balancer, Segment};
use crate::{
    conn::{self, Connection, CreateError, Plan},
    icmp::{self, Quote},
    packet::{Complaint, FlowKey, IPPROTO_UDP},
    service::{Method, RealServer, Service, ServiceKey, ServiceSettings, Wanted, FTP, FTP_DATA},
    stats::drops::Reason,
    sys::{
        flow_table::{Lent, Pinned},
        netfilter::Context,
        skb::{Skb, Verdict},
        Arc,
    },
    xmit::{self, Path, Tracking},
};

/// By what a flow begins here.
pub enum Cause<'s, A> {
    /// A packet of it.
    Segment(&'s Segment<A>),
    /// An ICMP error about one that the virtual service sent (`schedule_icmp`).
    Error(&'s Quote<A>),
}

impl<A> Clone for Cause<'_, A> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<A> Copy for Cause<'_, A> {}

impl<A: Balanced> Cause<'_, A> {
    /// The flow, from the client to the service.
    fn flow(self) -> FlowKey<A> {
        match self {
            Self::Segment(segment) => segment.flow,
            Self::Error(quote) => quote.about(),
        }
    }

    /// Whether it can begin so.
    fn may_open(self) -> bool {
        match self {
            Self::Segment(segment) => segment.may_open,
            Self::Error(_) => true,
        }
    }
}

/// Which real server a new flow gets.
pub(super) struct Choice<'a, A: Balanced> {
    pub(super) server: &'a Arc<RealServer>,
    /// The port that masqueraded packets get.
    pub(super) port: u16,
    /// The template by which it was chosen.
    pub(super) template: Option<Pinned<Connection<A>>>,
}

impl Balancer {
    /// A packet without a connection: makes one if it is for a service and may do so.
    pub fn open<'a, A: Balanced>(
        &'a self,
        mut skb: Skb<'a>,
        cause: Cause<'_, A>,
        hash: u64,
        context: Context<'a>,
    ) -> Verdict<'a> {
        let flow = cause.flow();
        let connections = A::connections(self);
        if let Cause::Segment(segment) = cause {
            if connections.has_unclaimed() {
                match connections.claim(&flow, hash, context.rcu) {
                    Some(Ok(connection)) => return self.request(skb, segment, connection, context),
                    Some(Err(CreateError::TableFull)) => return self.drop(skb, Reason::TableFull),
                    Some(Err(_)) => return self.drop(skb, Reason::NoMemory),
                    None => {}
                }
            }
        }
        if !cause.may_open() || flow.src.port == FTP_DATA {
            return skb.accept();
        }
        let Some((service, settings)) = self.service_for(&flow, skb.mark(), context) else {
            return skb.accept();
        };
        if self.defense.drops_packet() {
            return self.drop(skb, Reason::DropPacket);
        }
        let choice = if settings.is_persistent() {
            read_call(&mut skb, cause, settings)
                .and_then(|call| self.choose_by_template(service, settings, &flow, call, context))
        } else {
            choose(service, &flow, |service| {
                service.schedule(&flow, context.rcu)
            })
            .ok_or(Reason::NoServer)
        };
        let choice = match choice {
            Ok(choice) => choice,
            Err(Reason::NoServer) => {
                return self.go_without(skb, service.key, cause, hash, context);
            }
            Err(reason) => return self.drop(skb, reason),
        };
        if self.is_full() {
            return self.drop(skb, Reason::TableFull);
        }
        if settings.is_one_packet() && flow.protocol == IPPROTO_UDP {
            return self.send_once(skb, cause, choice, context);
        }
        self.connect(skb, cause, hash, choice, context)
    }

    /// The service that a new flow is for, with its settings; `mark` is what rules of netfilter gave its packet.
    #[inline]
    pub(super) fn service_for<'a, A: Balanced>(
        &'a self,
        flow: &FlowKey<A>,
        mark: u32,
        context: Context<'a>,
    ) -> Option<(&'a Service, &'a ServiceSettings)> {
        let wanted = Wanted {
            mark,
            protocol: flow.protocol,
            endpoint: flow.dst,
        };
        let first_unprivileged = || context.net.first_unprivileged_port();
        let service = self
            .services
            .find(wanted, first_unprivileged, context.rcu)?;
        Some((service, service.settings(context.rcu)?))
    }

    /// A packet whose connection makes place for a new one; one that others were made under stays.
    #[cold]
    pub(super) fn reopen<'a, A: Balanced>(
        &'a self,
        mut skb: Skb<'a>,
        segment: &Segment<A>,
        hash: u64,
        old: Lent<'a, Connection<A>>,
        context: Context<'a>,
    ) -> Verdict<'a> {
        let is_tracked = old.status().is_tracked();
        if old.is_pinned() {
            return match is_tracked && skb.is_of_known_flow() {
                true => self.request(skb, segment, old, context),
                false => self.open(skb, Cause::Segment(segment), hash, context),
            };
        }
        A::connections(self).end(old, context.rcu);
        // What connection tracking remembers of the flow names the old real server: the packet is to be
        // the first of a new flow there too.
        if is_tracked && !skb.track_anew(&conn::as_tracked(&segment.flow), A::STACK, context) {
            return self.drop(skb, Reason::Untrackable);
        }
        self.open(skb, Cause::Segment(segment), hash, context)
    }

    /// Makes the connection of a flow and sends its first packet.
    fn connect<'a, A: Balanced>(
        &'a self,
        skb: Skb<'a>,
        cause: Cause<'_, A>,
        hash: u64,
        choice: Choice<'a, A>,
        context: Context<'a>,
    ) -> Verdict<'a> {
        let extension = match ftp::extension_for(&cause.flow(), choice.server) {
            Ok(extension) => extension,
            Err(reason) => return self.drop(skb, reason),
        };
        let connection = Connection::new(Plan {
            flow: cause.flow(),
            server: Some(choice.server.clone()),
            method: choice.server.method(),
            addr: None,
            port: choice.port,
            controller: choice.template,
            is_tracked: extension.is_some() || self.settings.conntrack.is_on(),
            extension,
        });
        self.add_and_send(skb, cause, connection, hash, context)
    }

    #[inline(always)]
    fn add_and_send<'a, A: Balanced>(
        &'a self,
        skb: Skb<'a>,
        cause: Cause<'_, A>,
        connection: Connection<A>,
        hash: u64,
        context: Context<'a>,
    ) -> Verdict<'a> {
        match A::connections(self).add(connection, hash, context.rcu) {
            Ok(connection) => {
                if let Some(server) = &connection.server {
                    server.counters.count_connection();
                }
                self.send_first(skb, cause, connection, context)
            }
            Err(CreateError::Exists(connection)) => {
                self.send_first(skb, cause, connection, context)
            }
            Err(CreateError::NoMemory) => self.drop(skb, Reason::NoMemory),
            Err(CreateError::TableFull) => self.drop(skb, Reason::TableFull),
        }
    }

    /// Sends what a connection began by to its real server.
    #[inline(always)]
    fn send_first<'a, A: Balanced>(
        &'a self,
        skb: Skb<'a>,
        cause: Cause<'_, A>,
        connection: Lent<'a, Connection<A>>,
        context: Context<'a>,
    ) -> Verdict<'a> {
        match cause {
            Cause::Segment(segment) => self.request(skb, segment, connection, context),
            Cause::Error(quote) => icmp::to_server(self, skb, quote, connection, context),
        }
    }

    /// Sends a packet of a service that schedules each by itself; nothing is remembered of it.
    fn send_once<'a, A: Balanced>(
        &'a self,
        skb: Skb<'a>,
        cause: Cause<'_, A>,
        choice: Choice<'a, A>,
        context: Context<'a>,
    ) -> Verdict<'a> {
        if let Some(template) = &choice.template {
            template.count_packet();
        }
        let server: &RealServer = choice.server;
        server.counters.count_connection();
        let mut path = Path::to_server(server, cause.flow().dst, choice.port);
        if self.settings.conntrack.is_on() {
            path.tracking = Tracking::Kept;
        }
        match cause {
            Cause::Segment(segment) => {
                server.counters.count_in(skb.len());
                xmit::request(self, skb, segment, path, context)
            }
            Cause::Error(quote) => icmp::forward(self, skb, quote, path, context),
        }
    }

    /// What becomes of a flow that gets no real server: it is sent where it was going, if its service is
    /// one by mark and `cache_bypass` says so, else refused.
    fn go_without<'a, A: Balanced>(
        &'a self,
        skb: Skb<'a>,
        key: ServiceKey,
        cause: Cause<'_, A>,
        hash: u64,
        context: Context<'a>,
    ) -> Verdict<'a> {
        let flow = cause.flow();
        if !matches!(cause, Cause::Segment(_)) || !self.may_bypass(key, &flow, context) {
            return self.refuse(skb, key, cause, context);
        }
        if self.is_full() {
            return self.drop(skb, Reason::TableFull);
        }
        let connection = Connection::new(Plan {
            flow,
            server: None,
            method: Method::Bypass,
            addr: None,
            port: 0,
            controller: None,
            is_tracked: self.settings.conntrack.is_on(),
            extension: None,
        });
        self.add_and_send(skb, cause, connection, hash, context)
    }

    /// Whether a flow that gets no real server of this service is sent where it was going.
    pub(super) fn may_bypass<A: Balanced>(
        &self,
        key: ServiceKey,
        flow: &FlowKey<A>,
        context: Context<'_>,
    ) -> bool {
        matches!(key, ServiceKey::Mark { .. })
            && self.settings.cache_bypass.is_on()
            && context.net.is_remote_address(flow.dst.addr.ip())
    }

    /// Tells the client that no real server is there for it, unless its packet may be for somebody
    /// else on this host.
    fn refuse<'a, A: Balanced>(
        &'a self,
        mut skb: Skb<'a>,
        key: ServiceKey,
        cause: Cause<'_, A>,
        context: Context<'a>,
    ) -> Verdict<'a> {
        if key.port() == FTP && cause.flow().dst.port != FTP {
            return skb.accept();
        }
        // Nobody is told about the end of an error.
        if let Cause::Segment(_) = cause {
            xmit::complain::<A>(&mut skb, Complaint::PortUnreachable, context);
        }
        self.drop(skb, Reason::NoServer)
    }
}

/// The real server that a flow gets, which `schedule` gives for its service.
pub(super) fn choose<'a, A: Balanced>(
    service: &'a Service,
    flow: &FlowKey<A>,
    schedule: impl FnOnce(&'a Service) -> Option<&'a Arc<RealServer>>,
) -> Option<Choice<'a, A>> {
    // A service for further ports too, or FTP's data connections: without persistence the connections of
    // a client would be torn apart.
    let is_of_service =
        matches!(service.key, ServiceKey::Mark { .. }) || flow.dst.port == service.key.port();
    if !is_of_service {
        return None;
    }
    let server = schedule(service)?;
    let port = match server.endpoint.port {
        0 => flow.dst.port,
        port => port,
    };
    Some(Choice {
        server,
        port,
        template: None,
    })
}
