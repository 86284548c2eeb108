// SPDX-License-Identifier: GPL-2.0-only

//! How an operator ends connections: those of TCP so that both ends learn of it.
//!
//! Nobody here knows sequence numbers, so a TCP connection that is reset stays in the table for a while as
//! one that is closed. From then on each packet of it ends it at both ends: the sender is answered by a reset with
//! the number that the packet acknowledged, and to the receiver goes a reset in the packet's place. So that
//! silent ends speak, they are asked right away: an end that is connected answers any SYN by saying what it
//! expects (RFC 5961 §4).

use super::{takes_requests, Balanced, Balancer, Event, Segment};
use crate::{
    conn::{Connection, Selects, Way},
    packet::{reset::Reset, tcp, Endpoint},
    proto::{
        tcp::{self as tcp_machine, State},
        Protocol,
    },
    service::{Method, RealServer},
    stats::drops::Reason,
    sys::{
        flow_table::{Lent, Place, Walked},
        net::Net,
        netfilter::Context,
        rcu::{self, Held},
        route::{Purpose, Route},
        skb::{self, Skb, Verdict},
        time::jiffies,
    },
    xmit::{self, Path},
};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How connections are ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    /// Both ends of those of TCP are told.
    Reset,
    /// Nobody is told.
    Silent,
}

/// Entries that are ended between two steps of a walk.
const BATCH: usize = 16;

/// How far a pass over the tables of both families has come.
#[derive(Clone, Copy, Debug)]
pub enum Progress {
    /// To this place in the table of IPv4.
    V4(Place),
    /// Through that, and to this place in the table of IPv6.
    V6(Place),
}

impl Default for Progress {
    fn default() -> Self {
        Self::V4(Place::default())
    }
}

impl Progress {
    /// Where the two parts of a pass begin that goes on from here.
    fn begins(self) -> (Option<Place>, Place) {
        match self {
            Self::V4(place) => (Some(place), Place::default()),
            Self::V6(place) => (None, place),
        }
    }
}

impl Balancer {
    /// Tells `count` the real server of each selected entry, `None` if it has none, in a pass from `from` on. Where the
    /// selection ended it; `None` if it is through. Sleeps.
    pub fn tally(
        &self,
        selection: &impl Selects,
        from: Progress,
        mut count: impl FnMut(Option<&RealServer>),
    ) -> Option<Progress> {
        let (from4, from6) = from.begins();
        let (v4, v6) = (&self.connections4, &self.connections6);
        from4
            .and_then(|from| {
                v4.visit_selected(selection, from, |entry| count(entry.server.as_deref()))
            })
            .map(Progress::V4)
            .or_else(|| {
                v6.visit_selected(selection, from6, |entry| count(entry.server.as_deref()))
                    .map(Progress::V6)
            })
    }

    /// Ends the selected entries of the table in a pass from `from` on. How many, and where the selection ended it,
    /// `None` if it is through. Sleeps.
    pub fn end_selected(
        &self,
        net: Net<'_>,
        selection: &impl Selects,
        ending: Ending,
        from: Progress,
    ) -> (u64, Option<Progress>) {
        let (from4, from6) = from.begins();
        let mut ended = 0;
        let stopped = from4
            .and_then(|from| {
                self.end_of_family::<Ipv4Addr>(net, selection, ending, from, &mut ended)
            })
            .map(Progress::V4)
            .or_else(|| {
                self.end_of_family::<Ipv6Addr>(net, selection, ending, from6, &mut ended)
                    .map(Progress::V6)
            });
        (ended, stopped)
    }

    /// As [`Balancer::end_selected`], for a family.
    fn end_of_family<A: Balanced>(
        &self,
        net: Net<'_>,
        selection: &impl Selects,
        ending: Ending,
        mut place: Place,
        ended: &mut u64,
    ) -> Option<Place> {
        loop {
            let guard = rcu::read_lock();
            let rcu = Held::from(&guard);
            let mut batch = [None; BATCH];
            let mut slots = batch.iter_mut();
            let walked = A::connections(self).walk(
                selection,
                place,
                |entry| {
                    if entry.status().is_reset() {
                        return true;
                    }
                    let slot = slots.next();
                    let has_room = slot.is_some();
                    if let Some(slot) = slot {
                        *slot = Some(entry);
                    }
                    has_room
                },
                rcu,
            );
            let before = *ended;
            for entry in batch.into_iter().flatten() {
                if self.end_one::<A>(net, entry, ending, rcu) {
                    *ended = ended.wrapping_add(1);
                }
            }
            drop(guard);
            match walked {
                // What was ended does not count among equals any more.
                Walked::On(next) | Walked::Stopped(next)
                    if next.is_amid_equals() && *ended != before => {}
                Walked::On(next) | Walked::Stopped(next) => place = next,
                Walked::Through => return None,
            }
            if !selection.goes_on() {
                return Some(place);
            }
        }
    }

    /// Ends an entry; `false` if that was done before.
    fn end_one<'a, A: Balanced>(
        &self,
        net: Net<'_>,
        entry: Lent<'a, Connection<A>>,
        ending: Ending,
        rcu: Held<'a>,
    ) -> bool {
        if entry.status().is_reset() {
            return false;
        }
        if ending == Ending::Silent || !has_ends(&entry) {
            A::connections(self).end(entry, rcu);
            return true;
        }
        if !entry.begin_reset() {
            return false;
        }
        let timeout = self.timeouts.ticks(Protocol::Tcp, State::Close as u8);
        entry.touch(jiffies(), timeout);
        A::connections(self).ask_to_visit(entry);
        ask_ends(net, &entry);
        true
    }

    /// A packet of a connection that is being reset.
    #[cold]
    pub(super) fn end_to_both<'a, A: Balanced>(
        &'a self,
        mut skb: Skb<'a>,
        segment: &Segment<A>,
        hash: u64,
        (connection, way): (Lent<'a, Connection<A>>, Way),
        context: Context<'a>,
    ) -> Verdict<'a> {
        if way == Way::In && !takes_requests(&skb, context) {
            return skb.accept();
        }
        if way == Way::In && segment.is_new {
            return self.reopen(skb, segment, hash, connection, context);
        }
        if !segment.event.is_abort() {
            answer_sender(&skb, segment, &connection, way, context.net);
            if become_reset(&mut skb, segment).is_none() {
                return self.drop(skb, Reason::NoMemory);
            }
        }
        let reset = Segment {
            event: Event::Tcp(tcp_machine::Event::Rst),
            ..*segment
        };
        self.note(connection, &reset, way);
        let path = Path::of(connection.get());
        match way {
            // A server that was removed keeps no route.
            Way::In if connection.available_server().is_none() => {
                self.drop(skb, Reason::ServerRemoved)
            }
            Way::In => xmit::request(self, skb, &reset, path, context),
            Way::Out => xmit::answer(self, skb, &reset, path, context),
        }
    }
}

/// Whether a connection has ends that can be told of its end, and do not know of it yet.
fn has_ends<A: Balanced>(connection: &Connection<A>) -> bool {
    let status = connection.status();
    let is_known = matches!(
        State::from_u8(status.state()),
        Some(State::None | State::Listen | State::Close | State::TimeWait)
    );
    connection.protocol == Protocol::Tcp as u8 && status.has_packets() && !is_known
}

/// Has the ends of a connection say what they expect: the client, and the real server if its answer comes
/// by here.
fn ask_ends<A: Balanced>(net: Net<'_>, connection: &Connection<A>) {
    let (client, virt) = (connection.client.ip(), connection.virt.ip());
    send(
        net,
        Reset::PROBE,
        virt,
        client,
        (client.addr, Purpose::ToDestination),
    );
    if connection.method == Method::Masquerading {
        let target = connection.target().ip();
        send(
            net,
            Reset::PROBE,
            client,
            target,
            (target.addr, Purpose::ToDestination),
        );
    }
}

/// Sends the reset that the sender of a segment accepts to it. One in a tunnel is told by what goes on to it
/// from the other end alone.
fn answer_sender<A: Balanced>(
    skb: &Skb<'_>,
    segment: &Segment<A>,
    connection: &Connection<A>,
    way: Way,
    net: Net<'_>,
) {
    let (sender, receiver) = (segment.flow.src.ip(), segment.flow.dst.ip());
    let hop = match (way, connection.method, &connection.server) {
        (Way::In, ..) | (Way::Out, Method::Masquerading, _) => {
            (sender.addr, Purpose::ToDestination)
        }
        (Way::Out, Method::DirectRouting, Some(server)) => {
            (server.endpoint.addr, Purpose::ViaNextHop)
        }
        (Way::Out, ..) => return,
    };
    let header_len = segment.header.len;
    let Some(header) = skb.linear().get(header_len..).and_then(<[u8]>::first_chunk) else {
        return;
    };
    let len = skb.len().saturating_sub(header_len);
    let payload = len.saturating_sub(tcp::header_len(header));
    let payload = u32::try_from(payload).unwrap_or(0);
    if let Some(reset) = Reset::of_sender(header, payload) {
        send(net, reset, receiver, sender, hop);
    }
}

/// Sends a segment that was made up here, by the route to the address of `hop`.
fn send(
    net: Net<'_>,
    reset: Reset,
    src: Endpoint<IpAddr>,
    dst: Endpoint<IpAddr>,
    hop: (IpAddr, Purpose),
) {
    let (addr, purpose) = hop;
    if let (Some(packet), Ok(route)) = (reset.packet(src, dst), Route::lookup(net, addr, purpose)) {
        skb::send(net, route, packet.bytes());
    }
}

/// Puts a reset for its receiver in a packet's place. `None` if memory is out.
fn become_reset<A: Balanced>(skb: &mut Skb<'_>, segment: &Segment<A>) -> Option<()> {
    let offset = segment.header.len;
    let len = offset.checked_add(tcp::HEADER_LEN)?;
    let header = skb.linear().get(offset..)?.first_chunk()?;
    let reset = Reset::of_receiver(header);
    if !skb.cut_to_one_segment(len) {
        return None;
    }
    let bytes = skb.writable(len)?;
    A::set_len(bytes, len)?;
    let place = bytes.get_mut(offset..)?.first_chunk_mut()?;
    *place = reset.segment(segment.flow.src.ip(), segment.flow.dst.ip());
    Some(())
}
