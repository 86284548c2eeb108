// SPDX-License-Identifier: GPL-2.0-only

//! What the connections of a family have in common in a namespace.

use crate::{
    service::FtpPort,
    sys::{
        conntrack::{self, Flow},
        net::Net,
    },
};
use core::sync::atomic::{AtomicU32, Ordering};

/// What a connection needs of its surroundings when it ends.
pub struct Commons {
    net: Net<'static>,
    /// Connections that wait for a client whose port is not known.
    unclaimed: AtomicU32,
    /// Control connections of FTP, by their ports.
    ftp_controls: [AtomicU32; FtpPort::MAX],
}

impl Commons {
    /// Those of a namespace without connections.
    pub const fn new(net: Net<'static>) -> Self {
        Self {
            net,
            unclaimed: AtomicU32::new(0),
            ftp_controls: [const { AtomicU32::new(0) }; FtpPort::MAX],
        }
    }

    /// The namespace.
    pub const fn net(&self) -> Net<'static> {
        self.net
    }

    /// Counts a connection that waits for a client whose port is not known.
    pub fn count_unclaimed(&self) {
        self.unclaimed.fetch_add(1, Ordering::Relaxed);
    }

    /// One of these has ended, or its client has come.
    pub fn uncount_unclaimed(&self) {
        self.unclaimed.fetch_sub(1, Ordering::Relaxed);
    }

    /// Whether there is any of these.
    pub fn has_unclaimed(&self) -> bool {
        self.unclaimed.load(Ordering::Relaxed) != 0
    }

    /// Counts a control connection of FTP.
    pub fn count_ftp_control(&self, port: FtpPort) {
        if let Some(count) = self.ftp_controls.get(port.index()) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// One of these has ended.
    pub fn uncount_ftp_control(&self, port: FtpPort) {
        if let Some(count) = self.ftp_controls.get(port.index()) {
            count.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// How many of these there are at a port.
    pub fn ftp_controls(&self, port: FtpPort) -> u32 {
        let count = self.ftp_controls.get(port.index());
        count.map_or(0, |count| count.load(Ordering::Relaxed))
    }

    /// Has connection tracking forget a flow that has ended.
    pub fn forget(&self, flow: &Flow) {
        conntrack::forget(self.net, flow);
    }
}
