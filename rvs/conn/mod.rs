// SPDX-License-Identifier: GPL-2.0-only

//! Connections: what a packet needs to know of its flow, how it is found, and
//! how it ends. What is done with a packet is not decided here.

mod budget;
mod expiry;
pub mod hash;
mod status;
mod table;
pub mod wheel;

pub use budget::{Account, Budget, Share};
pub use status::Status;
pub use table::{Connections, CreateError};

use crate::{
    packet::{Address, Endpoint, FlowKey},
    proto::{self, Protocol},
    service::{Method, RealServer},
    sys::{
        flow_table::{Entry, Lent, Link, Node, Pinned},
        time, Arc,
    },
};
use core::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::atomic::{AtomicU32, Ordering},
};
use status::AtomicStatus;

/// Which way a packet of a connection goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// From the client to the virtual service.
    In,
    /// From the real server to the client.
    Out,
}

/// A balanced flow, or a template of flows: the memory of which real server a client was given.
/// What each packet reads lies in one cache line for IPv4.
#[repr(C, align(64))]
pub struct Connection<A: Address> {
    /// The client.
    pub client: Endpoint<A>,
    /// The virtual service, as the client addressed it.
    pub virt: Endpoint<A>,
    /// The real server as masqueraded packets address it. Where it is of another family than the client, only
    /// the port means anything.
    target: Endpoint<A>,
    /// IP protocol number; 0 for a template of all protocols.
    pub protocol: u8,
    /// The forwarding method when it was created.
    pub method: Method,
    status: AtomicStatus,
    /// The tick of the last packet, a fraction of a second coarse.
    last_seen: AtomicU32,
    /// Ticks without a packet after which it ends.
    timeout: AtomicU32,
    /// The tick at which the keeper will look at it.
    visit: AtomicU32,
    /// Packets from the client, up to [`MANY_PACKETS`]; one may be missed when two come at once.
    packets: AtomicU32,
    /// The real server; none where packets go where they would go anyway.
    pub server: Option<Arc<RealServer>>,
    /// What it was made under: it does not end before this one does.
    controller: Option<Pinned<Connection<A>>>,
}

// Budget of the design: what packets of IPv4 read in one line, an entry in two, one of IPv6 in three.
const _: () = assert!(size_of::<Connection<Ipv4Addr>>() <= 64);
const _: () = assert!(size_of::<Node<Connection<Ipv4Addr>>>() <= 128);
const _: () = assert!(size_of::<Node<Connection<Ipv6Addr>>>() <= 192);

/// A packet's tick is stored only when this much has passed since the last one that was: the line
/// stays shared between the CPUs of both directions. A 16th of a second.
const LAST_SEEN_GRAIN: u32 = time::HZ / 16;

/// Lifetime of an entry whose state machine has not run.
const FRESH_TIMEOUT: u32 = 3 * time::HZ;

/// How long an entry lives on whose time is over while others that were made under it do.
const HELD_TIMEOUT: u32 = 60 * time::HZ;

/// More packets than these are not counted.
pub const MANY_PACKETS: u32 = 255;

/// State of a template under which a connection was established (reference §2.5).
const ASSURED: u8 = 1;

/// What a connection is made of.
pub struct Plan<A: Address> {
    /// Client and virtual service.
    pub flow: FlowKey<A>,
    /// The real server, if there is one.
    pub server: Option<Arc<RealServer>>,
    /// The forwarding method.
    pub method: Method,
    /// The port that masqueraded packets get.
    pub port: u16,
    /// What it is made under.
    pub controller: Option<Pinned<Connection<A>>>,
}

impl<A: Address> Connection<A> {
    /// A connection that starts now.
    pub fn new(plan: Plan<A>) -> Self {
        let status = Status::fresh(plan.method != Method::Masquerading);
        if let Some(server) = &plan.server {
            server.bind();
        }
        Self::with_status(plan, status, FRESH_TIMEOUT)
    }

    /// A template that lives this many ticks after it was last used.
    pub fn template(plan: Plan<A>, timeout: u32) -> Self {
        let status = Status::fresh(plan.method != Method::Masquerading).of_template();
        if let Some(server) = &plan.server {
            server.bind_template();
        }
        Self::with_status(plan, status, timeout)
    }

    fn with_status(plan: Plan<A>, status: Status, timeout: u32) -> Self {
        let now = time::jiffies();
        let server_addr = plan.server.as_ref().map(|server| server.endpoint.addr);
        let target = Endpoint {
            addr: server_addr
                .and_then(A::from_ip)
                .unwrap_or(plan.flow.dst.addr),
            port: plan.port,
        };
        Self {
            client: plan.flow.src,
            virt: plan.flow.dst,
            target,
            protocol: plan.flow.protocol,
            method: plan.method,
            status: AtomicStatus::new(status),
            last_seen: AtomicU32::new(now),
            timeout: AtomicU32::new(timeout),
            visit: AtomicU32::new(now),
            packets: AtomicU32::new(0),
            server: plan.server,
            controller: plan.controller,
        }
    }

    /// The real server as masqueraded packets address it.
    #[inline]
    pub fn target(&self) -> Endpoint<A> {
        self.target
    }

    /// The real server as listings show it: its own address, whatever its family.
    pub fn server_endpoint(&self) -> Endpoint<IpAddr> {
        let addr = match &self.server {
            Some(server) => server.endpoint.addr,
            None => A::UNSPECIFIED.ip(),
        };
        let port = if self.status().is_invalid() {
            u16::MAX
        } else {
            self.target.port
        };
        Endpoint { addr, port }
    }

    /// The real server, if there is one and it is configured.
    #[inline]
    pub fn available_server(&self) -> Option<&RealServer> {
        self.server
            .as_deref()
            .filter(|server| server.is_available())
    }

    /// What it was made under.
    #[inline]
    pub fn controller(&self) -> Option<&Pinned<Connection<A>>> {
        self.controller.as_ref()
    }

    /// Which way a packet of this flow goes; `None` if it is of another flow.
    #[inline]
    fn way_of(&self, flow: &FlowKey<A>, link: Link) -> Option<Way> {
        if self.protocol != flow.protocol || self.status().is_template() {
            return None;
        }
        match link {
            Link::Reverse => {
                (self.target == flow.src && self.client == flow.dst).then_some(Way::Out)
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
        self.method == Method::Masquerading && self.target != self.virt
    }

    /// The key of answers, if it is not that of requests turned round.
    fn answer_key(&self) -> Option<FlowKey<A>> {
        let stands_there = self.has_reverse() && !self.status().is_template();
        stands_there.then_some(FlowKey {
            protocol: self.protocol,
            src: self.target,
            dst: self.client,
        })
    }

    /// Whether it has the same key as another one: a template is none but to templates. What has ended or
    /// is invalid counts no more.
    fn is_twin_of(&self, other: &Self) -> bool {
        let is_valid = |one: &Self| !one.status().is_over();
        self.protocol == other.protocol
            && self.client == other.client
            && self.virt == other.virt
            && self.status().is_template() == other.status().is_template()
            && is_valid(self)
            && is_valid(other)
    }

    /// Whether it is the valid template of this key.
    fn is_template_of(&self, key: &FlowKey<A>) -> bool {
        let status = self.status();
        self.protocol == key.protocol
            && self.client == key.src
            && self.virt == key.dst
            && status.is_template()
            && !status.is_over()
    }

    /// State and flags.
    #[inline]
    pub fn status(&self) -> Status {
        self.status.load()
    }

    /// The state's name as IPVS shows it.
    pub fn state_name(&self) -> &'static str {
        let status = self.status();
        if status.is_template() {
            return match status.state() {
                ASSURED => "ASSURED",
                _ => "NONE",
            };
        }
        match Protocol::from_u8(self.protocol) {
            Some(protocol) => proto::state_name(protocol, status.state()),
            None => "NONE",
        }
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
            if let Some(server) = &self.server {
                server.count_active(to.is_active());
            }
        }
        true
    }

    fn set(&self, change: impl Fn(Status) -> Status) {
        loop {
            let status = self.status();
            let changed = change(status);
            if changed == status || self.status.replace(status, changed) {
                return;
            }
        }
    }

    /// Notes that a connection under this template was established.
    pub fn assure(&self) {
        let status = self.status();
        if status.is_template() && status.state() != ASSURED {
            self.set(|status| status.with_state(ASSURED, false));
        }
    }

    /// Takes a template out of use: no further connection is made under it.
    pub fn invalidate(&self) {
        self.set(Status::invalidated);
    }

    /// Counts a packet from the client.
    #[inline]
    pub fn count_packet(&self) {
        let packets = self.packets.load(Ordering::Relaxed);
        if packets < MANY_PACKETS {
            self.packets
                .store(packets.wrapping_add(1), Ordering::Relaxed);
        }
    }

    /// Ends the connection: its real server no longer counts it. `false` if it has ended before.
    fn kill(&self) -> bool {
        loop {
            let status = self.status();
            if status.is_dead() {
                return false;
            }
            if self.status.replace(status, status.killed()) {
                match &self.server {
                    Some(server) if status.is_template() => server.unbind_template(),
                    Some(server) => server.unbind(status.is_active()),
                    None => {}
                }
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

    /// Packets from the client, as far as they are counted.
    pub fn packets(&self) -> u32 {
        self.packets.load(Ordering::Relaxed)
    }

    /// Ticks since its last packet.
    pub fn idle_ticks(&self, now: u32) -> u32 {
        let idle = now.wrapping_sub(self.last_seen.load(Ordering::Relaxed));
        // A packet that was noted while we looked makes it negative.
        (idle as i32).max(0) as u32
    }

    /// Ticks until it ends if no packet comes; 0 if it is over.
    pub fn ticks_left(&self, now: u32) -> u32 {
        let timeout = self.timeout.load(Ordering::Relaxed);
        timeout.saturating_sub(self.idle_ticks(now))
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
        if status.is_template() {
            flags |= 0x1000;
        }
        flags
    }
}

impl<A: Address> Drop for Connection<A> {
    /// One that never came into the table, or is there when its namespace goes, ends here.
    fn drop(&mut self) {
        self.kill();
    }
}

impl<A: Address> Entry for Connection<A> {
    fn removed(&self) {
        self.kill();
    }

    fn kept(&self) {
        if !self.status().is_dead() {
            self.touch(time::jiffies(), HELD_TIMEOUT);
        }
    }
}

/// A connection that a packet belongs to.
pub type Found<'a, A> = (Lent<'a, Connection<A>>, Way);
