// SPDX-License-Identifier: GPL-2.0-only

//! Connections: what a packet needs to know of its flow, how it is found, and
//! how it ends. What is done with a packet is not decided here.

mod budget;
mod commons;
mod expiry;
mod extension;
pub mod filter;
pub mod hash;
mod selection;
mod status;
mod table;
pub mod wheel;

pub use budget::{Account, Budget, Share};
pub use commons::Commons;
pub use extension::{Call, Extension, FtpControl};
pub use selection::{EntryView, Part, Selection, Selects};
pub use status::Status;
pub use table::{Connections, CreateError, PinnedTemplate};

use crate::{
    packet::{Address, Endpoint, FlowKey},
    proto::{self, tcp, Protocol},
    service::{Method, RealServer},
    sys::{
        conntrack::Flow,
        flow_table::{Entry, Lent, Link, Node, Pinned},
        time, Arc,
    },
};
use core::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::atomic::{AtomicU32, Ordering},
};
use kernel::prelude::*;
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
    /// What only few have.
    extension: Option<KBox<Extension>>,
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
    /// The address that masqueraded packets get, if it is not the real server's own.
    pub addr: Option<A>,
    /// The port that masqueraded packets get.
    pub port: u16,
    /// What it is made under.
    pub controller: Option<Pinned<Connection<A>>>,
    /// Whether connection tracking follows its packets.
    pub is_tracked: bool,
    /// What only few have.
    pub extension: Option<KBox<Extension>>,
}

impl<A: Address> Connection<A> {
    /// A connection that starts now.
    pub fn new(plan: Plan<A>) -> Self {
        let mut status = Status::fresh(plan.method != Method::Masquerading);
        if plan.is_tracked {
            status = status.tracked();
        }
        if let Some(server) = &plan.server {
            server.bind();
        }
        Self::with_status(plan, status, FRESH_TIMEOUT)
    }

    /// A connection of TCP that another one announced, whose first packet is to come within `timeout` ticks;
    /// if its client's port is 0, from any port.
    pub fn announced(plan: Plan<A>, timeout: u32) -> Self {
        let mut status = Status::fresh(false).with_state(tcp::State::Listen as u8, false);
        if plan.is_tracked {
            status = status.tracked();
        }
        if plan.flow.src.port == 0 {
            status = status.unclaimed();
        }
        if let Some(server) = &plan.server {
            server.bind();
        }
        Self::with_status(plan, status, timeout)
    }

    /// The same connection with a client that has come from `port`. `None` if it has just ended.
    fn claimed_by(&self, port: u16) -> Option<Self> {
        let status = self.status();
        if status.is_over() {
            return None;
        }
        let client = Endpoint {
            port,
            ..self.client
        };
        let controller = match &self.controller {
            Some(controller) => Some(controller.pin()?),
            None => None,
        };
        let plan = Plan {
            flow: FlowKey {
                protocol: self.protocol,
                src: client,
                dst: self.virt,
            },
            server: self.server.clone(),
            method: self.method,
            addr: Some(self.target.addr),
            port: self.target.port,
            controller,
            is_tracked: status.is_tracked(),
            extension: None,
        };
        if let Some(server) = &plan.server {
            server.bind();
        }
        let timeout = self.timeout.load(Ordering::Relaxed);
        Some(Self::with_status(plan, status.claimed(), timeout))
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
            addr: plan
                .addr
                .or(server_addr.and_then(A::from_ip))
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
            extension: plan.extension,
        }
    }

    /// The real server as masqueraded packets address it.
    #[inline]
    pub fn target(&self) -> Endpoint<A> {
        self.target
    }

    /// The real server as listings show it: where packets go, or, if it is of another family than the client,
    /// its own address.
    pub fn server_endpoint(&self) -> Endpoint<IpAddr> {
        let addr = match &self.server {
            Some(server) if A::from_ip(server.endpoint.addr).is_some() => self.target.addr.ip(),
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
        if self.protocol != flow.protocol || !self.status().has_packets() {
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

    /// Whether its packets from the client have this key when they are on their way to the real server.
    fn sends(&self, flow: &FlowKey<A>) -> bool {
        let addressed = match self.method {
            Method::Masquerading => self.target,
            _ => self.virt,
        };
        self.protocol == flow.protocol
            && self.client == flow.src
            && addressed == flow.dst
            && self.status().has_packets()
    }

    /// Answers of a masqueraded flow come from another address than the client spoke to; all
    /// others are found under the same pair of endpoints.
    #[inline]
    fn has_reverse(&self) -> bool {
        self.method == Method::Masquerading && self.target != self.virt
    }

    /// The key of answers, if it is not that of requests turned round.
    fn answer_key(&self) -> Option<FlowKey<A>> {
        let stands_there = self.has_reverse() && self.status().has_packets();
        stands_there.then_some(FlowKey {
            protocol: self.protocol,
            src: self.target,
            dst: self.client,
        })
    }

    /// Whether it has the same key as another one. Clients that speak to several services of one real server
    /// from one port share that of the answers.
    fn has_same_key(&self, other: &Self, link: Link) -> bool {
        match link {
            Link::Forward => self.is_twin_of(other),
            Link::Reverse => {
                self.protocol == other.protocol
                    && self.target == other.target
                    && self.client == other.client
            }
        }
    }

    /// Whether it has the same forward key as another one: a template is none but to templates. What has ended
    /// or is invalid counts no more.
    fn is_twin_of(&self, other: &Self) -> bool {
        let is_valid = |one: &Self| !one.status().is_over();
        self.protocol == other.protocol
            && self.client == other.client
            && self.virt == other.virt
            && self.status().is_template() == other.status().is_template()
            && self.status().is_unclaimed() == other.status().is_unclaimed()
            && self.call() == other.call()
            && is_valid(self)
            && is_valid(other)
    }

    /// Whether it is the valid template of this key, and of this call if it is one for calls.
    fn is_template_of(&self, key: &FlowKey<A>, call: Option<&[u8]>) -> bool {
        let status = self.status();
        self.protocol == key.protocol
            && self.client == key.src
            && self.virt == key.dst
            && status.is_template()
            && !status.is_over()
            && self.call() == call
    }

    /// Whether it waits for a packet with this key, whose source port is 0.
    fn awaits(&self, key: &FlowKey<A>) -> bool {
        let status = self.status();
        self.protocol == key.protocol
            && self.client == key.src
            && self.virt == key.dst
            && status.is_unclaimed()
            && !status.is_over()
    }

    /// What only few have.
    #[inline]
    pub fn extension(&self) -> Option<&Extension> {
        self.extension.as_deref()
    }

    /// The control connection of FTP that this is, if it is one.
    pub fn ftp_control(&self) -> Option<&FtpControl> {
        match self.extension()? {
            Extension::Ftp(control) => Some(control),
            Extension::Call(_) => None,
        }
    }

    /// The Call-ID of the flows that this is the template of, if it is one for a call.
    pub fn call(&self) -> Option<&[u8]> {
        match self.extension()? {
            Extension::Call(call) => Some(call.id()),
            Extension::Ftp(_) => None,
        }
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

    /// Has the ends of a connection of TCP be told that it is over, from its next packet on. `false` if they are
    /// already, or it has ended.
    pub fn begin_reset(&self) -> bool {
        loop {
            let status = self.status();
            if status.is_reset() || status.is_dead() {
                return false;
            }
            let closed = status.with_state(tcp::State::Close as u8, false);
            if self.advance(status, closed.reset()) {
                return true;
            }
        }
    }

    /// Takes a template out of use: no further connection is made under it.
    pub fn invalidate(&self) {
        self.set(Status::invalidated);
    }

    /// Notes that a connection was made under this template now.
    pub fn renew(&self) {
        self.last_seen.store(time::jiffies(), Ordering::Relaxed);
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

    /// Waits again for the client that was announced for it. `true` if the keeper would look at it too late.
    #[must_use]
    pub fn listen(&self, timeout: u32) -> bool {
        self.set(|status| status.with_state(tcp::State::Listen as u8, status.is_active()));
        self.touch(time::jiffies(), timeout)
    }

    /// Ends the connection: its real server no longer counts it. Its status before; `None` if it has
    /// ended already.
    fn kill(&self) -> Option<Status> {
        loop {
            let status = self.status();
            if status.is_dead() {
                return None;
            }
            if self.status.replace(status, status.killed()) {
                match &self.server {
                    Some(server) if status.is_template() => server.unbind_template(),
                    Some(server) => server.unbind(status.is_active()),
                    None => {}
                }
                return Some(status);
            }
        }
    }

    /// Ends the connection, for all who know it. `false` if it has ended before.
    fn end(&self, commons: &Commons) -> bool {
        let Some(status) = self.kill() else {
            return false;
        };
        if status.is_unclaimed() {
            commons.uncount_unclaimed();
        }
        if let Some(control) = self.ftp_control() {
            commons.uncount_ftp_control(control.port);
        }
        if let Some(flow) = self.tracked_flow() {
            commons.forget(&flow);
        }
        true
    }

    /// Takes the place of the client that it waits for. `false` if another has taken it.
    fn claim(&self, commons: &Commons) -> bool {
        loop {
            let status = self.status();
            if status.is_dead() || !status.is_unclaimed() {
                return false;
            }
            if self.status.replace(status, status.claimed()) {
                commons.uncount_unclaimed();
                return true;
            }
        }
    }

    /// The flow as connection tracking knows it, if it does.
    fn tracked_flow(&self) -> Option<Flow> {
        let flow = FlowKey {
            protocol: self.protocol,
            src: self.client,
            dst: self.virt,
        };
        let is_tracked = self.status().is_tracked() && self.client.port != 0;
        is_tracked.then(|| as_tracked(&flow))
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
        if status.is_unclaimed() {
            flags |= 0x800;
        }
        if status.is_template() {
            flags |= 0x1000;
        }
        if status.is_tracked() {
            flags |= 0x1_0000;
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
    type Owner = Arc<Commons>;

    /// The tick at which it was made.
    fn stamp(&self) -> u32 {
        self.last_seen.load(Ordering::Relaxed)
    }

    fn removed(&self, commons: &Arc<Commons>) {
        self.end(commons);
    }

    fn kept(&self) {
        if !self.status().is_dead() {
            // As if it had last been used so long ago that this much is left; a longer timeout stays what it is.
            let timeout = self.timeout.load(Ordering::Relaxed);
            self.timeout
                .store(timeout.max(HELD_TIMEOUT), Ordering::Relaxed);
            let idle = timeout.saturating_sub(HELD_TIMEOUT);
            let last_seen = time::jiffies().wrapping_sub(idle);
            self.last_seen.store(last_seen, Ordering::Relaxed);
        }
    }
}

/// A flow as connection tracking names it.
pub fn as_tracked<A: Address>(flow: &FlowKey<A>) -> Flow {
    Flow {
        protocol: flow.protocol,
        src: flow.src.socket_addr(),
        dst: flow.dst.socket_addr(),
    }
}

/// A connection that a packet belongs to.
pub type Found<'a, A> = (Lent<'a, Connection<A>>, Way);
