// SPDX-License-Identifier: GPL-2.0-only

//! The command of the family `RVS` that tells what would become of a packet.

use super::{
    attr::{Attr, Attrs},
    family::Outcome as Answered,
    parse::{self, Fault, Parsed},
    uapi::{cmd, drop, explanation, flow, top},
    write::{self, Style},
};
use crate::{
    conn::Way,
    director::{Balanced, Explanation, Forwarding, Outcome},
    netns::Netns,
    packet::{Endpoint, FlowKey},
    sys::{
        genl::{Message, Request},
        netfilter::{Context, HookPoint},
        rcu::{self, Held},
    },
};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use kernel::{c_str, prelude::*};

/// The flow that is asked about, and the mark of its packets.
struct Question {
    protocol: u8,
    src: Endpoint<IpAddr>,
    dst: Endpoint<IpAddr>,
    mark: u32,
}

impl Question {
    /// The flow, if it is of this family.
    fn flow<A: Balanced>(&self) -> Option<FlowKey<A>> {
        let end = |end: Endpoint<IpAddr>| {
            A::from_ip(end.addr).map(|addr| Endpoint {
                addr,
                port: end.port,
            })
        };
        Some(FlowKey {
            protocol: self.protocol,
            src: end(self.src)?,
            dst: end(self.dst)?,
        })
    }
}

fn question(attrs: Attrs<'_>) -> Parsed<'_, Question> {
    let missing = Fault::new(EINVAL, c_str!("no flow is given"));
    let nest = parse::nested(attrs.get(top::FLOW).ok_or(missing)?)?;
    let missing = Fault::new(
        EINVAL,
        c_str!("the family of the flow's addresses is missing"),
    );
    let attr = nest.get(flow::AF).ok_or(missing)?;
    let family =
        parse::family(attr.u16()).ok_or(Fault::at(EAFNOSUPPORT, parse::NO_FAMILY, attr))?;
    let end = |addr, port, missing: &'static CStr| {
        let read = parse::if_given(nest, addr, parse::address(family))?;
        Ok::<_, Fault<'_>>(Endpoint {
            addr: read.ok_or(Fault::new(EINVAL, missing))?,
            port: parse::if_given(nest, port, Attr::be16)?.unwrap_or(0),
        })
    };
    let protocol = parse::if_given(nest, flow::PROTOCOL, Attr::u16)?;
    let protocol = protocol.and_then(|number| u8::try_from(number).ok());
    let missing = c_str!("the protocol of the flow is missing, or none; use TCP, UDP or SCTP");
    Ok(Question {
        protocol: protocol.ok_or(Fault::about(EINVAL, missing, nest.get(flow::PROTOCOL)))?,
        src: end(
            flow::SRC_ADDR,
            flow::SRC_PORT,
            c_str!("the source address of the flow is missing"),
        )?,
        dst: end(
            flow::DST_ADDR,
            flow::DST_PORT,
            c_str!("the destination address of the flow is missing"),
        )?,
        mark: parse::if_given(nest, flow::MARK, Attr::u32)?.unwrap_or(0),
    })
}

/// Answers what would become of a packet. Sleeps.
pub fn run<'a>(netns: &Netns, request: &Request<'a>, style: Style) -> Answered<'a> {
    let question = question(parse::attributes(request.attributes)?)?;
    let told = match question.dst.addr {
        IpAddr::V4(_) => explain::<Ipv4Addr>(netns, request, &question),
        IpAddr::V6(_) => explain::<Ipv6Addr>(netns, request, &question),
    };
    let service = told.as_ref().and_then(|told| told.service);
    request.reply(cmd::NEW_EXPLANATION, |message| {
        if let Some(key) = service {
            let written = netns.read_config(|config| match config.service(key) {
                Ok(view) => write::service(message, style, &view),
                // It is gone by now.
                Err(_) => Ok(()),
            });
            written.unwrap_or(Ok(()))?;
        }
        let Some(told) = &told else {
            // Without any service, all packets are left alone.
            return message.nest(top::EXPLANATION, true, |message| {
                write::u32_attr(message, explanation::OUTCOME, PASSED)
            });
        };
        if let Some((connection, _)) = &told.connection {
            write::connection(message, style, top::CONNECTION, connection)?;
        }
        message.nest(top::EXPLANATION, true, |message| {
            write_explanation(message, style, told)
        })
    })?;
    Ok(())
}

fn explain<A: Balanced>(
    netns: &Netns,
    request: &Request<'_>,
    question: &Question,
) -> Option<Explanation> {
    let flow = question.flow::<A>()?;
    let balancer = netns.balancer()?;
    let guard = rcu::read_lock();
    let context = Context {
        point: HookPoint::LocalIn,
        net: request.net,
        rcu: Held::from(&guard),
    };
    Some(balancer.explain(flow, question.mark, context))
}

/// The numbers of outcomes.
const FORWARDED: u32 = 0;
const PASSED: u32 = 1;
const DROPPED: u32 = 2;

fn write_explanation(message: &mut Message<'_>, style: Style, told: &Explanation) -> Result {
    let outcome = match told.outcome {
        Outcome::Forwarded => FORWARDED,
        Outcome::Passed => PASSED,
        Outcome::Dropped(_) => DROPPED,
    };
    write::u32_attr(message, explanation::OUTCOME, outcome)?;
    if let Outcome::Dropped(reason) = told.outcome {
        message.nest(explanation::DROP, true, |message| {
            write::text_attr(message, drop::REASON, reason.name())?;
            write::text_attr(message, drop::MEANING, reason.meaning())
        })?;
    }
    if let Some(by) = told.chosen_by {
        write::u32_attr(message, explanation::CHOSEN_BY, by as u32)?;
    }
    if let Some((_, way)) = told.connection {
        let number = u32::from(way == Way::Out);
        write::u32_attr(message, explanation::WAY, number)?;
    }
    if let Some(template) = &told.template {
        write::connection(message, style, explanation::TEMPLATE, template)?;
    }
    for (kind, is_so) in [
        (explanation::IS_REPLACED, told.is_replaced),
        (explanation::IS_UNUSABLE, told.is_unusable),
        (explanation::IS_FULL, told.is_full),
        (explanation::IS_OF_CHANCE, told.is_of_chance),
    ] {
        if is_so {
            message.put(kind, &[])?;
        }
    }
    match &told.forwarding {
        Some(forwarding) => write_forwarding(message, forwarding),
        None => Ok(()),
    }
}

fn write_forwarding(message: &mut Message<'_>, forwarding: &Forwarding) -> Result {
    if let Some(server) = forwarding.server {
        message.nest(explanation::SERVER, true, |message| {
            write::server_key_attrs(message, server)
        })?;
    }
    write::be16_attr(message, explanation::TARGET_PORT, forwarding.target_port)?;
    write::u32_attr(message, explanation::FWD_METHOD, forwarding.method as u32)?;
    if forwarding.is_local {
        message.put(explanation::IS_LOCAL, &[])?;
    }
    match forwarding.mtu {
        Some(mtu) => write::u32_attr(message, explanation::MTU, mtu),
        None => Ok(()),
    }
}
