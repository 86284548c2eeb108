// SPDX-License-Identifier: GPL-2.0-only

//! `/proc/net/ip_vs`: services and real servers, as monitoring reads them
//! (reference §9.1).

use super::text::{By, ServerLine, ServiceLine};
use crate::{
    netns::Netns,
    packet::Mask,
    sched::Candidate,
    service::{config::Config, ServiceKey},
    sys::{
        net::Net,
        procfs::{Contents, Text},
        time,
    },
};
use core::fmt::{self, Write};
use kernel::{c_str, prelude::*};

/// The contents of the file: three lines of headings, then a step for each service.
pub struct ServicesFile;

/// A step: the headings, or a service.
type Place = Option<ServiceKey>;

fn next_service(net: Net<'_>, place: Place) -> Option<Place> {
    let next = |config: &mut Config| config.key_after(place);
    let key = Netns::visit(net).ok()?.read_config(next)??;
    Some(Some(key))
}

impl Contents for ServicesFile {
    const NAME: &'static CStr = c_str!("ip_vs");

    type Place = Place;

    fn first(_net: Net<'_>) -> Option<Place> {
        Some(None)
    }

    fn after(net: Net<'_>, place: Place) -> Option<Place> {
        next_service(net, place)
    }

    fn show(net: Net<'_>, place: Place, text: &mut Text<'_>) -> fmt::Result {
        let Ok(netns) = Netns::visit(net) else {
            return Ok(());
        };
        match place {
            None => show_headings(&netns, text),
            Some(key) => netns
                .read_config(|config| show_service(config, key, text))
                .unwrap_or(Ok(())),
        }
    }
}

fn show_headings(netns: &Netns, text: &mut Text<'_>) -> fmt::Result {
    let size = netns
        .balancer()
        .map_or(0, |balancer| balancer.connections4.table().size());
    write!(
        text,
        "IP Virtual Server version 1.2.1 (size={size})\n\
         Prot LocalAddress:Port Scheduler Flags\n  \
         -> RemoteAddress:Port Forward Weight ActiveConn InActConn\n"
    )
}

fn show_service(config: &Config, key: ServiceKey, text: &mut Text<'_>) -> fmt::Result {
    let Ok((settings, servers)) = config.settings_and_servers(key) else {
        // Removed since its place was found.
        return Ok(());
    };
    let mask = match settings.mask {
        Mask::V4(bits) => bits,
        // IPVS takes the prefix for a mask here.
        Mask::V6(prefix) => prefix.to_be(),
    };
    let ticks = u64::from(settings.timeout).wrapping_mul(u64::from(time::HZ));
    let line = ServiceLine {
        by: match key {
            ServiceKey::Mark { mark, .. } => By::Mark(mark),
            ServiceKey::Address { protocol, endpoint } => By::Address {
                protocol,
                addr: endpoint.addr,
                port: endpoint.port,
            },
        },
        scheduler: settings.scheduler.map_or("none", |it| it.name()),
        is_one_packet: settings.is_one_packet(),
        persistence: settings.is_persistent().then_some((ticks, mask)),
    };
    write!(text, "{line}")?;
    for server in servers {
        let (active, total) = (server.active(), server.total());
        let line = ServerLine {
            addr: server.endpoint.addr,
            port: server.endpoint.port,
            method: server.method() as u32,
            weight: server.weight(),
            active,
            inactive: total.saturating_sub(active),
        };
        write!(text, "{line}")?;
    }
    Ok(())
}
