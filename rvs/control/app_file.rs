// SPDX-License-Identifier: GPL-2.0-only

//! `/proc/net/ip_vs_app`: the helpers that look into what clients and real
//! servers say to each other (reference §9.1). There are none yet.

use crate::sys::{
    net::Net,
    procfs::{Contents, Text},
};
use core::fmt::{self, Write};
use kernel::{c_str, prelude::*};

/// The contents of the file: a line of headings.
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

    fn show(_net: Net<'_>, _place: (), text: &mut Text<'_>) -> fmt::Result {
        text.write_str("prot port    usecnt name\n")
    }
}
