// SPDX-License-Identifier: GPL-2.0-only

//! `/proc/net/ip_vs_conn_sync`: the connections and where they were made
//! (reference §9.1).

use super::conn_file;
use crate::sys::{
    net::Net,
    procfs::{Contents, Text},
};
use core::fmt::{self, Write};
use kernel::{c_str, prelude::*};

/// The contents of the file: a line of headings, then a step for each bucket of the table.
pub struct ConnSyncFile;

impl Contents for ConnSyncFile {
    const NAME: &'static CStr = c_str!("ip_vs_conn_sync");

    type Place = u32;

    fn first(_net: Net<'_>) -> Option<u32> {
        Some(0)
    }

    fn after(net: Net<'_>, place: u32) -> Option<u32> {
        conn_file::next_bucket(net, place)
    }

    fn show(net: Net<'_>, place: u32, text: &mut Text<'_>) -> fmt::Result {
        let Some(bucket) = place.checked_sub(1) else {
            return text.write_str(
                "Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Origin Expires\n",
            );
        };
        conn_file::for_each(net, bucket, |line| {
            let (ends, state, seconds) = (line.ends(), line.state, line.seconds);
            // All of them were made here: there is no synchronisation.
            writeln!(text, "{ends} {state:<11} {:<6} {seconds:7}", "LOCAL")
        })
    }
}
