// SPDX-License-Identifier: GPL-2.0-only

//! `/proc/net/ip_vs_app`: the helpers that look into what clients and real
//! servers say to each other (reference §9.1). There is one, for FTP, at some ports.

use super::text::AppLine;
use crate::{
    netns::Netns,
    packet::IPPROTO_TCP,
    service::FtpPort,
    sys::{
        net::Net,
        procfs::{Contents, Text},
    },
};
use core::fmt::{self, Write};
use kernel::{c_str, prelude::*};

/// The contents of the file: a line of headings, and one for each port of FTP.
pub struct AppFile;

impl Contents for AppFile {
    const NAME: &'static CStr = c_str!("ip_vs_app");

    /// The headings, or the line of a port.
    type Place = Option<FtpPort>;

    fn first(_net: Net<'_>) -> Option<Option<FtpPort>> {
        Some(None)
    }

    fn after(_net: Net<'_>, place: Option<FtpPort>) -> Option<Option<FtpPort>> {
        FtpPort::after(place).map(Some)
    }

    fn show(net: Net<'_>, place: Option<FtpPort>, text: &mut Text<'_>) -> fmt::Result {
        let Some(port) = place else {
            return text.write_str("prot port    usecnt name\n");
        };
        let netns = Netns::visit(net).ok();
        let balancer = netns.as_deref().and_then(Netns::balancer);
        let users = balancer.map_or(0, |balancer| {
            let (v4, v6) = (&balancer.connections4, &balancer.connections6);
            v4.ftp_controls(port).saturating_add(v6.ftp_controls(port))
        });
        let ftp = AppLine {
            protocol: IPPROTO_TCP,
            port: port.number(),
            users,
            name: "ftp",
        };
        write!(text, "{ftp}")
    }
}
