// SPDX-License-Identifier: GPL-2.0-only

//! What would become of the packet that opens a flow, by the steps that a
//! packet takes, of which none leaves a trace here.

use super::{
    open::{choose, Choice},
    templates::{target_port, Wanted},
    Balanced, Balancer, Segment,
};
use crate::{
    conn::{EntryView, Way},
    packet::{Endpoint, FlowKey},
    sched::Scheduler,
    service::{Engine, Method, RealServer, Service, ServiceKey, ServiceSettings, FTP_DATA},
    stats::drops::Reason,
    sys::netfilter::Context,
    xmit::Path,
};
use core::net::IpAddr;

/// What becomes of a packet. The numbers of the kinds are those of the native family.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It goes to a real server, or back to the client.
    Forwarded,
    /// It is none of ours: the host takes it, or routes it.
    Passed,
    /// It ends here.
    Dropped(Reason),
}

/// By what the real server of a packet is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum ChosenBy {
    /// There is a connection.
    Connection = 0,
    /// There is a template.
    Template = 1,
    /// The scheduler chose it.
    Scheduler = 2,
}

/// Where a packet is forwarded to, and how.
pub struct Forwarding {
    /// Address and port by which the real server is configured; none where packets go where they would go anyway.
    pub server: Option<Endpoint<IpAddr>>,
    /// The port that a masqueraded packet gets.
    pub target_port: u16,
    /// How.
    pub method: Method,
    /// Whether the real server is this host.
    pub is_local: bool,
    /// The largest packet that gets there whole, bytes, if that is known.
    pub mtu: Option<u32>,
}

/// What would become of a packet, and why.
pub struct Explanation {
    /// What.
    pub outcome: Outcome,
    /// The service that it is for.
    pub service: Option<ServiceKey>,
    /// The connection that it is of, and which way it goes.
    pub connection: Option<(EntryView, Way)>,
    /// That connection makes place for a new one.
    pub is_replaced: bool,
    /// The template of its client.
    pub template: Option<EntryView>,
    /// That template is not used any more.
    pub is_unusable: bool,
    /// By what its real server is known.
    pub chosen_by: Option<ChosenBy>,
    /// Another one like it may get another real server.
    pub is_of_chance: bool,
    /// Where it goes.
    pub forwarding: Option<Forwarding>,
    /// No further connection may be made (`conn_max`).
    pub is_full: bool,
}

impl Explanation {
    const NOTHING: Self = Self {
        outcome: Outcome::Passed,
        service: None,
        connection: None,
        is_replaced: false,
        template: None,
        is_unusable: false,
        chosen_by: None,
        is_of_chance: false,
        forwarding: None,
        is_full: false,
    };
}

impl Balancer {
    /// What would become of the packet that opens a flow, or of the next one of a connection that there is.
    /// `mark` is what rules of netfilter would give it.
    pub fn explain<A: Balanced>(
        &self,
        flow: FlowKey<A>,
        mark: u32,
        context: Context<'_>,
    ) -> Explanation {
        let mut told = Explanation::NOTHING;
        let Some(segment) = Segment::opening(flow) else {
            return told;
        };
        let connections = A::connections(self);
        let found = connections.find(&flow, connections.hash(&flow), context.rcu);
        if let Some((connection, way)) = found {
            told.connection = Some((EntryView::of(connection), way));
            told.is_replaced = way == Way::In
                && (connection.status().is_reset() || self.is_over(&connection, &segment));
            if !told.is_replaced {
                told.chosen_by = Some(ChosenBy::Connection);
                let path = Path::of(connection.get());
                told.service = path.server.map(|server| server.service);
                self.explain_path(&mut told, path, way, context);
                return told;
            }
        }
        self.explain_opening(&mut told, &flow, mark, context);
        told
    }

    /// What becomes of a packet without a connection.
    fn explain_opening<A: Balanced>(
        &self,
        told: &mut Explanation,
        flow: &FlowKey<A>,
        mark: u32,
        context: Context<'_>,
    ) {
        let found = self.service_for(flow, mark, context);
        let Some((service, settings)) = found.filter(|_| flow.src.port != FTP_DATA) else {
            return;
        };
        told.service = Some(service.key);
        told.is_full = self.is_full();
        let choice = if settings.is_persistent() {
            self.explain_template(told, service, settings, flow, context)
        } else {
            told.chosen_by = Some(ChosenBy::Scheduler);
            choose(service, flow, |service| service.peek(flow, context.rcu)).ok_or(Reason::NoServer)
        };
        match choice {
            Ok(_) if told.is_full => told.outcome = Outcome::Dropped(Reason::TableFull),
            Ok(choice) => {
                told.is_of_chance = told.chosen_by == Some(ChosenBy::Scheduler)
                    && settings.scheduler == Some(Scheduler::TwoChoices);
                let path = Path::to_server(choice.server, flow.dst, choice.port);
                self.explain_path(told, path, Way::In, context);
            }
            Err(Reason::NoServer) if self.may_bypass(service.key, flow, context) => {
                told.chosen_by = None;
                told.outcome = Outcome::Forwarded;
                told.forwarding = Some(Forwarding {
                    server: None,
                    target_port: flow.dst.port,
                    method: Method::Bypass,
                    is_local: false,
                    mtu: None,
                });
            }
            Err(reason) => {
                told.chosen_by = None;
                told.outcome = Outcome::Dropped(reason);
            }
        }
    }

    /// The real server of a client of a persistent service.
    fn explain_template<'a, A: Balanced>(
        &'a self,
        told: &mut Explanation,
        service: &'a Service,
        settings: &ServiceSettings,
        flow: &FlowKey<A>,
        context: Context<'a>,
    ) -> Result<Choice<'a, A>, Reason> {
        if settings.engine == Some(Engine::Sip) {
            // Only the packet itself tells of its call.
            return Err(Reason::NoCallId);
        }
        let connections = A::connections(self);
        let wanted = Wanted::by(service.key, settings, flow, None);
        let hash = connections.template_hash(&wanted.key, None);
        let found = connections.find_template(&wanted.key, None, hash, context.rcu);
        let usable = found.and_then(|(template, _)| {
            told.template = Some(EntryView::of(template));
            told.is_unusable = !self.is_usable(template.get());
            let server = template.get().server.as_ref();
            server.filter(|_| !told.is_unusable)
        });
        told.chosen_by = Some(match usable {
            Some(_) => ChosenBy::Template,
            None => ChosenBy::Scheduler,
        });
        let server = usable
            .or_else(|| service.peek(flow, context.rcu))
            .ok_or(Reason::NoServer)?;
        Ok(Choice {
            server,
            port: target_port(service.key, flow, server),
            template: None,
        })
    }

    /// Where a packet goes that is forwarded between these ends.
    fn explain_path<'a, A: Balanced>(
        &self,
        told: &mut Explanation,
        path: Path<'a, A>,
        way: Way,
        context: Context<'a>,
    ) {
        let is_removed = path.server.is_some_and(|server| !server.is_available());
        let needs_server = way == Way::In && path.method != Method::Bypass;
        // A server that was removed keeps no route.
        let route = match is_removed {
            true => Err(Reason::ServerRemoved),
            false => path.route(context),
        };
        told.outcome = match (&route, needs_server) {
            (Err(reason), true) => Outcome::Dropped(*reason),
            _ => Outcome::Forwarded,
        };
        told.forwarding = Some(Forwarding {
            server: path.server.map(|server: &RealServer| server.endpoint),
            target_port: path.target.port,
            method: path.method,
            is_local: route.as_ref().is_ok_and(|route| route.is_local()),
            mtu: route.ok().and_then(|route| path.mtu(route)),
        });
    }
}
