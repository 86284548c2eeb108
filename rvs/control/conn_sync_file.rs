// SPDX-License-Identifier: GPL-2.0-only

//! `/proc/net/ip_vs_conn_sync`: the connections and where they were made
//! (reference §9.1).

use super::conn_file::{self, Place};
use crate::sys::{
    net::Net,
    procfs::{Contents, Text},
};
use core::fmt::{self, Write};
use kernel::{c_str, prelude::*};

/// The contents of the file: a line of headings, then a step for each bucket of the tables.
pub struct ConnSyncFile;

impl Contents for ConnSyncFile {
    const NAME: &'static CStr = c_str!("ip_vs_conn_sync");

    type Place = Place;

    fn first(_net: Net<'_>) -> Option<Place> {
        Some(Place::Headings)
    }

    fn after(net: Net<'_>, place: Place) -> Option<Place> {
        place.after(net)
    }

    fn show(net: Net<'_>, place: Place, text: &mut Text<'_>) -> fmt::Result {
        if let Place::Headings = place {
            return text.write_str(
                "Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Origin Expires\n",
            );
        }
        conn_file::for_each(net, place, |line| {
            let (ends, state, seconds) = (line.ends(), line.state, line.seconds);
            // All of them were made here: there is no synchronisation.
            writeln!(text, "{ends} {state:<11} {:<6} {seconds:7}", "LOCAL")
        })
    }
}
