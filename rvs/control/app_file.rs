// SPDX-License-Identifier: GPL-2.0-only

//! `/proc/net/ip_vs_app`: the helpers that look into what clients and real
//! servers say to each other (reference §9.1). There is one, for FTP.

use super::text::AppLine;
use crate::{
    netns::Netns,
    packet::IPPROTO_TCP,
    service::FTP,
    sys::{
        net::Net,
        procfs::{Contents, Text},
    },
};
use core::fmt::{self, Write};
use kernel::{c_str, prelude::*};

/// The contents of the file: a line of headings, and one for FTP.
pub struct AppFile;

impl Contents for AppFile {
    const NAME: &'static CStr = c_str!("ip_vs_app");

    type Place = ();

    fn first(_net: Net<'_>) -> Option<()> {
        Some(())
    }

    fn after(_net: Net<'_>, _place: ()) -> Option<()> {
        None
    }

    fn show(net: Net<'_>, _place: (), text: &mut Text<'_>) -> fmt::Result {
        let balancer = Netns::of(net).ok().and_then(Netns::balancer);
        let users = balancer.map_or(0, |balancer| {
            let (v4, v6) = (&balancer.connections4, &balancer.connections6);
            v4.ftp_controls().saturating_add(v6.ftp_controls())
        });
        let ftp = AppLine {
            protocol: IPPROTO_TCP,
            port: FTP,
            users,
            name: "ftp",
        };
        write!(text, "prot port    usecnt name\n{ftp}")
    }
}
