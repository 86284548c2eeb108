// SPDX-License-Identifier: GPL-2.0-only

//! Flows that real servers begin, where their service's persistence engine
//! says that servers do so (reference §5.7): they leave in the name of the
//! service, and what the client answers comes back to the same real server.

use super::{
    templates::{read_call, Wanted},
    Balanced, Balancer, Cause, Segment,
};
use crate::{
    conn::{Connection, CreateError, Plan},
    packet::{Endpoint, FlowKey},
    proto::Protocol,
    service::{Method, RealServer, Service, ServiceKey},
    stats::drops::Reason,
    sys::{
        flow_table::Pinned,
        netfilter::{Context, HookPoint},
        skb::{Skb, Verdict},
        Arc,
    },
    xmit::{self, Path, Tracking},
};

/// Who begins a flow, and for which service.
#[derive(Clone, Copy)]
pub(super) struct Initiator<'a> {
    service: &'a Service,
    server: &'a Arc<RealServer>,
}

impl Balancer {
    /// The real server that a packet without a connection comes from, if it may begin a flow.
    #[inline]
    pub(super) fn initiator<'a, A: Balanced>(
        &'a self,
        segment: &Segment<A>,
        context: Context<'a>,
    ) -> Option<Initiator<'a>> {
        if segment.protocol != Protocol::Udp
            || context.point == HookPoint::LocalIn
            || !self.services.has_engines(context.rcu)
        {
            return None;
        }
        let (protocol, place) = (segment.flow.protocol, segment.flow.src.ip());
        // One look for all servers, before services are asked one by one.
        if !self.places.answers_from(protocol, place, context.rcu) {
            return None;
        }
        let (service, server) = self.services.of_server(protocol, place, context.rcu)?;
        Some(Initiator { service, server })
    }

    /// Sends a packet with which a real server begins a flow to its client. One that does not say what
    /// the service goes by is given back.
    #[cold]
    pub(super) fn initiate<'a, A: Balanced>(
        &'a self,
        mut skb: Skb<'a>,
        segment: &Segment<A>,
        initiator: Initiator<'a>,
        context: Context<'a>,
    ) -> Result<Verdict<'a>, Skb<'a>> {
        let Initiator { service, server } = initiator;
        let place = match service.key {
            ServiceKey::Address { endpoint, .. } => {
                A::from_ip(endpoint.addr).map(|addr| Endpoint {
                    addr,
                    port: endpoint.port,
                })
            }
            ServiceKey::Mark { .. } => None,
        };
        let settings = service.settings(context.rcu);
        let (Some(virt), Some(settings)) = (place, settings) else {
            return Err(skb);
        };
        let flow = FlowKey {
            protocol: segment.flow.protocol,
            src: segment.flow.dst,
            dst: virt,
        };
        if self.defense.drops_packet() {
            return Ok(self.drop(skb, Reason::DropPacket));
        }
        let template = if settings.is_persistent() {
            let call = match read_call(&mut skb, Cause::Segment(segment), settings) {
                Ok(call) => call,
                Err(_) => return Err(skb),
            };
            let wanted = Wanted::by(service.key, settings, &flow, call);
            match self.template_of(&wanted, server, context) {
                Ok(template) => Some(template),
                Err(reason) => return Ok(self.drop(skb, reason)),
            }
        } else {
            None
        };
        if self.is_full() {
            return Ok(self.drop(skb, Reason::TableFull));
        }
        if settings.is_one_packet() {
            server.counters.count_connection();
            if let Some(template) = &template {
                template.assure();
            }
            return Ok(self.answer_once(skb, segment, server, virt, context));
        }
        let plan = |controller| Plan {
            flow,
            server: Some(server.clone()),
            method: Method::Masquerading,
            addr: None,
            port: segment.flow.src.port,
            controller,
            is_tracked: self.settings.conntrack.is_on(),
            extension: None,
        };
        let connections = A::connections(self);
        let hash = connections.hash(&flow);
        let again = template.as_ref().and_then(Pinned::pin);
        let mut added = connections.add(Connection::new(plan(template)), hash, context.rcu);
        if let Err(CreateError::Exists(older)) = added {
            // The client has spoken to the service through another real server until now.
            connections.end(older, context.rcu);
            added = connections.add(Connection::new(plan(again)), hash, context.rcu);
        }
        if added.is_ok() {
            server.counters.count_connection();
        }
        Ok(match added {
            Ok(connection) | Err(CreateError::Exists(connection)) => {
                self.answer(skb, segment, connection, context)
            }
            Err(CreateError::NoMemory) => self.drop(skb, Reason::NoMemory),
            Err(CreateError::TableFull) => self.drop(skb, Reason::TableFull),
        })
    }

    /// The template by which a client comes back to a real server.
    fn template_of<'a, A: Balanced>(
        &'a self,
        wanted: &Wanted<'_, A>,
        server: &'a Arc<RealServer>,
        context: Context<'a>,
    ) -> Result<Pinned<Connection<A>>, Reason> {
        let is_its_own = |template: &Connection<A>| {
            let own = template.server.as_ref();
            own.is_some_and(|own| Arc::ptr_eq(own, server))
        };
        let (_, pinned) = self.template(
            wanted,
            |template| self.is_usable(template) && is_its_own(template),
            || Some(server),
            context,
        )?;
        Ok(pinned)
    }

    /// Sends a packet of a service that schedules each by itself to its client; nothing is remembered of
    /// it.
    fn answer_once<'a, A: Balanced>(
        &'a self,
        skb: Skb<'a>,
        segment: &Segment<A>,
        server: &'a RealServer,
        virt: Endpoint<A>,
        context: Context<'a>,
    ) -> Verdict<'a> {
        server.counters.count_out(skb.len());
        let mut path = Path::to_server(server, virt, segment.flow.src.port);
        if self.settings.conntrack.is_on() {
            path.tracking = Tracking::Kept;
        }
        xmit::answer(self, skb, segment, path, context)
    }
}
