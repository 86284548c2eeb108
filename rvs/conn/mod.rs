// SPDX-License-Identifier: GPL-2.0-only

//! Connections: what a packet needs to know of its flow, how it is found, and
//! how it ends. What is done with a packet is not decided here.

mod budget;
mod expiry;
pub mod hash;
mod status;
mod table;
pub mod wheel;

pub use budget::{Budget, Share};
pub use status::Status;
pub use table::{Connections, CreateError};

use crate::{
    packet::{Endpoint, FlowKey},
    proto::{self, Protocol},
    service::{Method, RealServer},
    sys::{
        flow_table::{Entry, Lent, Link, Node},
        time, Arc,
    },
};
use core::sync::atomic::{AtomicU32, Ordering};
use status::AtomicStatus;

/// Which way a packet of a connection goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// From the client to the virtual service.
    In,
    /// From the real server to the client.
    Out,
}

/// A balanced flow. What each packet reads lies in one cache line.
#[repr(C, align(64))]
pub struct Connection {
    /// The client.
    pub client: Endpoint,
    /// The virtual service, as the client addressed it.
    pub virt: Endpoint,
    /// The real server, as it is addressed for this connection.
    pub server_endpoint: Endpoint,
    /// TCP or UDP.
    pub protocol: Protocol,
    /// The forwarding method when it was created.
    pub method: Method,
    status: AtomicStatus,
    /// The tick of the last packet, a fraction of a second coarse.
    last_seen: AtomicU32,
    /// Ticks without a packet after which it ends.
    timeout: AtomicU32,
    /// The tick at which the keeper will look at it.
    visit: AtomicU32,
    /// The real server.
    pub server: Arc<RealServer>,
}

// Budget of the design: what packets read in one line, an IPv4 entry in two.
const _: () = assert!(size_of::<Connection>() <= 64);
const _: () = assert!(size_of::<Node<Connection>>() <= 128);

/// A packet's tick is stored only when this much has passed since the last one that was: the line
/// stays shared between the CPUs of both directions. A 16th of a second.
const LAST_SEEN_GRAIN: u32 = time::HZ / 16;

/// Lifetime of an entry whose state machine has not run.
const FRESH_TIMEOUT: u32 = 3 * time::HZ;

impl Connection {
    /// A connection that starts now.
    pub fn new(flow: FlowKey, protocol: Protocol, server: Arc<RealServer>) -> Self {
        let method = server.method();
        let mut server_endpoint = server.endpoint;
        if server_endpoint.port == 0 {
            server_endpoint.port = flow.dst.port;
        }
        server.bind();
        Self {
            client: flow.src,
            virt: flow.dst,
            server_endpoint,
            protocol,
            method,
            status: AtomicStatus::new(Status::fresh(method != Method::Masquerading)),
            last_seen: AtomicU32::new(time::jiffies()),
            timeout: AtomicU32::new(FRESH_TIMEOUT),
            visit: AtomicU32::new(time::jiffies()),
            server,
        }
    }

    /// Which way a packet of this flow goes; `None` if it is of another flow.
    #[inline]
    fn way_of(&self, flow: &FlowKey, link: Link) -> Option<Way> {
        if self.protocol as u8 != flow.protocol {
            return None;
        }
        match link {
            Link::Reverse => {
                (self.server_endpoint == flow.src && self.client == flow.dst).then_some(Way::Out)
            }
            Link::Forward if self.client == flow.src && self.virt == flow.dst => Some(Way::In),
            Link::Forward => {
                (!self.has_reverse() && self.virt == flow.src && self.client == flow.dst)
                    .then_some(Way::Out)
            }
        }
    }

    /// Answers of a masqueraded flow come from another address than the client spoke to; all
    /// others are found under the same pair of endpoints.
    #[inline]
    fn has_reverse(&self) -> bool {
        self.method == Method::Masquerading && self.server_endpoint != self.virt
    }

    /// The key of answers, if it is not that of requests turned round.
    fn answer_key(&self) -> Option<FlowKey> {
        self.has_reverse().then_some(FlowKey {
            protocol: self.protocol as u8,
            src: self.server_endpoint,
            dst: self.client,
        })
    }

    /// State and flags.
    #[inline]
    pub fn status(&self) -> Status {
        self.status.load()
    }

    /// The state's name as IPVS shows it.
    pub fn state_name(&self) -> &'static str {
        proto::state_name(self.protocol, self.status().state())
    }

    /// Moves on to another status, keeping the real server's count of active connections.
    /// `false` if the status was no longer `from`. A connection that has ended stays as it is.
    #[inline]
    pub fn advance(&self, from: Status, to: Status) -> bool {
        if from.is_dead() {
            return true;
        }
        if !self.status.replace(from, to) {
            return false;
        }
        if from.is_active() != to.is_active() {
            self.server.count_active(to.is_active());
        }
        true
    }

    /// Ends the connection: its real server no longer counts it. `false` if it has ended before.
    fn kill(&self) -> bool {
        loop {
            let status = self.status();
            if status.is_dead() {
                return false;
            }
            if self.status.replace(status, status.killed()) {
                self.server.unbind(status.is_active());
                return true;
            }
        }
    }

    /// Notes a packet at the tick `now`, after which the connection lives `timeout` ticks. `true`
    /// if the keeper would look at it too late.
    #[inline]
    pub fn touch(&self, now: u32, timeout: u32) -> bool {
        if now.wrapping_sub(self.last_seen.load(Ordering::Relaxed)) >= LAST_SEEN_GRAIN {
            self.last_seen.store(now, Ordering::Relaxed);
        }
        if self.timeout.load(Ordering::Relaxed) == timeout {
            return false;
        }
        self.last_seen.store(now, Ordering::Relaxed);
        self.timeout.store(timeout, Ordering::Relaxed);
        let visit = self.visit.load(Ordering::Relaxed);
        let late_by = visit.wrapping_sub(now.wrapping_add(timeout)) as i32;
        late_by > (2 * wheel::SLOT_TICKS) as i32
    }

    /// Ticks until it ends if no packet comes; 0 if it is over.
    pub fn ticks_left(&self, now: u32) -> u32 {
        let timeout = self.timeout.load(Ordering::Relaxed);
        let idle = now.wrapping_sub(self.last_seen.load(Ordering::Relaxed));
        // A packet that was noted while we looked makes `idle` negative.
        if idle as i32 <= 0 {
            return timeout;
        }
        timeout.saturating_sub(idle)
    }

    /// Connection flags as IPVS peers know them (reference §2.3).
    pub fn wire_flags(&self) -> u32 {
        let status = self.status();
        let mut flags = self.method as u32;
        if status.is_output_unseen() {
            flags |= 0x80;
        }
        if !status.is_active() {
            flags |= 0x100;
        }
        flags
    }
}

impl Drop for Connection {
    /// One that never came into the table, or is there when its namespace goes, ends here.
    fn drop(&mut self) {
        self.kill();
    }
}

impl Entry for Connection {}

/// A connection that a packet belongs to.
pub type Found<'a> = (Lent<'a, Connection>, Way);
