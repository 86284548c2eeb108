// SPDX-License-Identifier: GPL-2.0-only

//! Passes over the whole table that concern some of its entries: listing them,
//! counting them, ending them. Which ones, a filter says, or whose they are.

use super::{
    filter::{Filter, Subject},
    Connection, Connections,
};
use crate::{
    packet::{Address, Endpoint, Family},
    proto::{sctp, tcp, Protocol},
    service::{Method, ServiceKey},
    sys::{
        cpu,
        flow_table::{Lent, Place, Walked},
        rcu::{self, Held},
        time::{self, jiffies},
    },
};
use core::net::IpAddr;

/// Which entries of the table are meant.
pub type Selection = Filter<ServiceKey>;

/// Ticks since an entry was made.
fn age_ticks<A: Address>(entry: Lent<'_, Connection<A>>, now: u32) -> u32 {
    now.wrapping_sub(entry.stamp())
}

/// What a listing shows of an entry.
pub struct EntryView {
    /// The family of its client.
    pub family: Family,
    /// IP protocol number; 0 for a template of all protocols.
    pub protocol: u8,
    /// The client.
    pub client: Endpoint<IpAddr>,
    /// The virtual service, as the client addressed it.
    pub virt: Endpoint<IpAddr>,
    /// The real server, whatever its family.
    pub server: Endpoint<IpAddr>,
    /// The forwarding method.
    pub method: Method,
    /// The state's name as IPVS shows it.
    pub state: &'static str,
    /// Connection flags as IPVS peers know them.
    pub flags: u32,
    /// Ticks until it ends if no packet comes.
    pub left: u32,
    /// Ticks since it was made.
    pub age: u32,
    /// Ticks since its last packet.
    pub idle: u32,
}

impl EntryView {
    /// What there is to show of an entry now.
    pub fn of<A: Address>(entry: Lent<'_, Connection<A>>) -> Self {
        let now = jiffies();
        Self {
            family: A::FAMILY,
            protocol: entry.protocol,
            client: entry.client.ip(),
            virt: entry.virt.ip(),
            server: entry.server_endpoint(),
            method: entry.method,
            state: entry.state_name(),
            flags: entry.wire_flags(),
            left: entry.ticks_left(now),
            age: age_ticks(entry, now),
            idle: entry.idle_ticks(now),
        }
    }
}

/// What says which entries are meant.
pub trait Selects {
    /// Whether no entry whose client is of this family is meant.
    fn excludes(&self, family: Family) -> bool;

    /// Whether an entry that has not ended is meant.
    fn includes<A: Address>(&self, entry: Lent<'_, Connection<A>>, now: u32) -> bool;

    /// Asked between two steps of a pass, where others may run: whether it goes on. Sleeps.
    fn goes_on(&self) -> bool {
        cpu::breathe()
    }
}

impl Selects for Selection {
    fn excludes(&self, family: Family) -> bool {
        Filter::excludes(self, family)
    }

    fn includes<A: Address>(&self, entry: Lent<'_, Connection<A>>, now: u32) -> bool {
        let status = entry.status();
        self.selects(&Subject {
            service: entry.server.as_ref().map(|server| server.service),
            protocol: entry.protocol,
            client: entry.client.ip(),
            server: entry.server_endpoint(),
            method: entry.method as u8,
            state: status.state(),
            is_template: status.is_template(),
            age: age_ticks(entry, now),
            idle: entry.idle_ticks(now),
        })
    }
}

/// Which entries of a real server are meant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part {
    /// What can go to another one at any time: flows of UDP; and templates.
    Movable,
    /// Connections that their ends have not closed.
    Unfinished,
}

impl Part {
    /// Whether an entry is one of them.
    pub fn includes<A: Address>(self, entry: &Connection<A>, now: u32) -> bool {
        match self {
            Self::Movable => entry.status().is_template() || entry.protocol == Protocol::Udp as u8,
            Self::Unfinished => is_unfinished(entry, now),
        }
    }
}

/// Ticks of silence after which a connection is over that its client has closed, if the real server's packets are
/// not seen: it may have closed it too.
const FAREWELL: u32 = 3 * time::HZ;

/// Whether something may still come of a connection.
fn is_unfinished<A: Address>(connection: &Connection<A>, now: u32) -> bool {
    use tcp::State::{Close, CloseWait, FinWait, LastAck, TimeWait};
    let status = connection.status();
    if !status.has_packets() || status.is_reset() {
        return false;
    }
    match Protocol::from_u8(connection.protocol) {
        Some(Protocol::Tcp) => match tcp::State::from_u8(status.state()) {
            Some(Close | TimeWait) => false,
            Some(FinWait | CloseWait | LastAck) if status.is_output_unseen() => {
                connection.idle_ticks(now) < FAREWELL
            }
            _ => true,
        },
        Some(Protocol::Sctp) => status.state() != sctp::State::Closed as u8,
        _ => false,
    }
}

impl<A: Address> Connections<A> {
    /// Takes a walk over the selected entries one bucket further, as [`FlowTable::walk`] does.
    ///
    /// [`FlowTable::walk`]: crate::sys::flow_table::FlowTable::walk
    pub fn walk<'a>(
        &'a self,
        selection: &impl Selects,
        from: Place,
        mut visit: impl FnMut(Lent<'a, Connection<A>>) -> bool,
        rcu: Held<'a>,
    ) -> Walked {
        if selection.excludes(A::FAMILY) {
            return Walked::Through;
        }
        let visit = |entry: Lent<'a, Connection<A>>| {
            // Read here, where the bucket is locked: later than any entry was made.
            let now = jiffies();
            entry.status().is_dead() || !selection.includes(entry, now) || visit(entry)
        };
        self.table().walk(from, visit, rcu)
    }

    /// Has `visit` look at the selected entries in one pass, from a place on. Where the selection ended it; `None` if
    /// it is through. `visit` is called with locks held. Sleeps.
    pub fn visit_selected(
        &self,
        selection: &impl Selects,
        mut place: Place,
        mut visit: impl FnMut(Lent<'_, Connection<A>>),
    ) -> Option<Place> {
        loop {
            let guard = rcu::read_lock();
            let look = |entry: Lent<'_, Connection<A>>| {
                visit(entry);
                true
            };
            let walked = self.walk(selection, place, look, Held::from(&guard));
            drop(guard);
            match walked {
                Walked::On(next) | Walked::Stopped(next) => place = next,
                Walked::Through => return None,
            }
            if !selection.goes_on() {
                return Some(place);
            }
        }
    }
}
