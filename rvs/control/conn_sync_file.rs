// SPDX-License-Identifier: GPL-2.0-only

//! `/proc/net/ip_vs_conn_sync`: the connections and where they were made
//! (reference §9.1).

use super::{
    conn_file::{add_seconds, add_state, Columns, Listed},
    line::Line,
};
use crate::{conn::Connection, packet::Address};
use kernel::{c_str, prelude::*};

/// What `ip_vs_conn_sync` shows.
pub struct Origins;

/// The contents of the file.
pub type ConnSyncFile = Listed<Origins>;

impl Columns for Origins {
    const NAME: &'static CStr = c_str!("ip_vs_conn_sync");
    const HEADINGS: &'static str =
        "Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Origin Expires\n";

    fn add_to<A: Address>(line: &mut Line, connection: &Connection<A>, now: u32) {
        add_state(line, connection);
        // All of them were made here: there is no synchronisation.
        line.text("LOCAL", 7);
        add_seconds(line, connection, now);
    }
}
