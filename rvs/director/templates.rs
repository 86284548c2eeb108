// SPDX-License-Identifier: GPL-2.0-only

//! Persistence: which real server a client of a persistent service has, as
//! its template remembers (reference §2.5), and what a template stands for.

use super::{open::Choice, Balanced, Balancer, Cause};
use crate::{
    app::sip,
    conn::{Call, Connection, CreateError, Extension, PinnedTemplate, Plan},
    packet::{udp, Endpoint, FlowKey},
    proto::Protocol,
    sched::Candidate,
    service::{Engine, RealServer, Service, ServiceKey, ServiceSettings, FTP},
    stats::drops::Reason,
    sys::{netfilter::Context, skb::Skb, time, Arc},
};
use kernel::prelude::*;

/// What a template is found by, and how long it lives unused.
pub(super) struct Wanted<'p, A: Balanced> {
    /// The client's part of its addresses, and what it speaks to.
    pub(super) key: FlowKey<A>,
    /// The call that the flow is part of, where that matters.
    pub(super) call: Option<&'p [u8]>,
    /// Whether it is for one port of the real server.
    pub(super) has_port: bool,
    /// Ticks.
    pub(super) timeout: u32,
}

/// The Call-ID in a packet for a service that goes by it. An error about a packet tells of no call.
pub(super) fn read_call<'s, A: Balanced>(
    skb: &'s mut Skb<'_>,
    cause: Cause<'_, A>,
    settings: &ServiceSettings,
) -> Result<Option<&'s [u8]>, Reason> {
    let Some(Engine::Sip) = settings.engine else {
        return Ok(None);
    };
    let segment = match cause {
        Cause::Segment(segment) if segment.protocol == Protocol::Udp => segment,
        _ => return Err(Reason::NoCallId),
    };
    let whole = skb.len();
    if !skb.pull(whole) {
        return Err(Reason::NoMemory);
    }
    let offset = segment.header.len.saturating_add(udp::HEADER_LEN);
    let message = skb.linear().get(offset..).unwrap_or_default();
    match sip::call_id(message) {
        Some(call_id) => Ok(Some(call_id)),
        None => Err(Reason::NoCallId),
    }
}

impl Balancer {
    /// Whether the real server of a template takes further connections of its client.
    pub(super) fn is_usable<A: Balanced>(&self, template: &Connection<A>) -> bool {
        let expires_quiescent = self.settings.expire_quiescent_template.is_on();
        template.available_server().is_some_and(|server| {
            !server.is_draining() && (server.weight() != 0 || !expires_quiescent)
        })
    }

    /// The template that is wanted: one that there is, if it `is_usable`, else a new one for the real
    /// server that is chosen.
    pub(super) fn template<'a, A: Balanced>(
        &'a self,
        wanted: &Wanted<'_, A>,
        is_usable: impl Fn(&Connection<A>) -> bool,
        choose: impl FnOnce() -> Option<&'a Arc<RealServer>>,
        context: Context<'a>,
    ) -> Result<PinnedTemplate<'a, A>, Reason> {
        let connections = A::connections(self);
        let hash = connections.template_hash(&wanted.key, wanted.call);
        let found = connections.find_template(&wanted.key, wanted.call, hash, context.rcu);
        let (template, pinned) = match found {
            Some((template, pinned)) if is_usable(template.get()) => (template, pinned),
            unusable => {
                if let Some((template, _)) = unusable {
                    template.invalidate();
                }
                let server = choose().ok_or(Reason::NoServer)?;
                if self.is_full() {
                    return Err(Reason::TableFull);
                }
                let fresh = new_template(wanted, server)?;
                let template = match connections.add(fresh, hash, context.rcu) {
                    Ok(template) | Err(CreateError::Exists(template)) => template,
                    Err(CreateError::NoMemory) => return Err(Reason::NoMemory),
                    Err(CreateError::TableFull) => return Err(Reason::TableFull),
                };
                (template, template.pin().ok_or(Reason::NoMemory)?)
            }
        };
        template.renew();
        Ok((template, pinned))
    }

    /// The real server that a client of a persistent service has, or gets now.
    pub(super) fn choose_by_template<'a, A: Balanced>(
        &'a self,
        service: &'a Service,
        settings: &ServiceSettings,
        flow: &FlowKey<A>,
        call: Option<&[u8]>,
        context: Context<'a>,
    ) -> Result<Choice<'a, A>, Reason> {
        let wanted = Wanted::by(service.key, settings, flow, call);
        let (template, pinned) = self.template(
            &wanted,
            |template| self.is_usable(template),
            || service.schedule(flow, context.rcu),
            context,
        )?;
        let server = template.get().server.as_ref().ok_or(Reason::NoServer)?;
        Ok(Choice {
            server,
            port: target_port(service.key, flow, server),
            template: Some(pinned),
        })
    }
}

/// The port that a persistent client's masqueraded packets get.
pub(super) fn target_port<A: Balanced>(
    key: ServiceKey,
    flow: &FlowKey<A>,
    server: &RealServer,
) -> u16 {
    match server.endpoint.port {
        port if flow.dst.port == key.port() && port != 0 => port,
        _ => flow.dst.port,
    }
}

impl<'p, A: Balanced> Wanted<'p, A> {
    /// The template of a flow for a service.
    pub(super) fn by(
        key: ServiceKey,
        settings: &ServiceSettings,
        flow: &FlowKey<A>,
        call: Option<&'p [u8]>,
    ) -> Self {
        Self {
            key: template_key(key, settings, flow),
            call,
            has_port: flow.dst.port == key.port() && flow.dst.port != FTP,
            timeout: time::seconds(settings.timeout),
        }
    }
}

fn new_template<A: Balanced>(
    wanted: &Wanted<'_, A>,
    server: &Arc<RealServer>,
) -> Result<Connection<A>, Reason> {
    let no_memory = |_| Reason::NoMemory;
    let extension = match wanted.call {
        Some(call_id) => {
            let call = Extension::Call(Call::new(call_id).map_err(no_memory)?);
            Some(KBox::new(call, GFP_ATOMIC | __GFP_NOWARN).map_err(|_| Reason::NoMemory)?)
        }
        None => None,
    };
    let plan = Plan {
        flow: wanted.key,
        server: Some(server.clone()),
        method: server.method(),
        addr: None,
        port: if wanted.has_port {
            server.endpoint.port
        } else {
            0
        },
        controller: None,
        is_tracked: false,
        extension,
    };
    Ok(Connection::template(plan, wanted.timeout))
}

/// What the template of a flow stands for: one port, or all that a client may use.
fn template_key<A: Balanced>(
    key: ServiceKey,
    settings: &ServiceSettings,
    flow: &FlowKey<A>,
) -> FlowKey<A> {
    let src = Endpoint {
        addr: flow.src.addr.masked(settings.mask),
        port: 0,
    };
    let is_exact = flow.dst.port == key.port();
    match key {
        ServiceKey::Mark { mark, .. } if !is_exact => FlowKey {
            protocol: 0,
            src,
            dst: Endpoint {
                addr: A::from_mark(mark),
                port: 0,
            },
        },
        _ => FlowKey {
            protocol: flow.protocol,
            src,
            dst: Endpoint {
                addr: flow.dst.addr,
                port: if is_exact && flow.dst.port != FTP {
                    flow.dst.port
                } else {
                    0
                },
            },
        },
    }
}
