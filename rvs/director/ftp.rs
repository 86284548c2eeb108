// SPDX-License-Identifier: GPL-2.0-only

//! What is said on masqueraded control connections of FTP: data connections
//! that are announced are made before they begin, and the address that a
//! real server gives is replaced by the one that the client knows (reference
//! §5.6). How the words read is not known here.

use super::{Balanced, Balancer, Segment};
use crate::{
    app::ftp::{self, Command, Passive, Reply},
    conn::{self, Connection, CreateError, Extension, FtpControl, Plan},
    packet::{tcp, Endpoint, Family, FlowKey, IPPROTO_TCP},
    proto::{tcp::State, Protocol},
    service::{FtpPort, Method, RealServer},
    stats::drops::Reason,
    sys::{flow_table::Lent, netfilter::Context, skb::Skb},
};
use core::net::IpAddr;
use kernel::prelude::*;

/// What a new connection has besides what all have, if it is a control connection of FTP.
pub(super) fn extension_for<A: Balanced>(
    flow: &FlowKey<A>,
    server: &RealServer,
) -> Result<Option<KBox<Extension>>, Reason> {
    if flow.protocol != IPPROTO_TCP || server.method() != Method::Masquerading {
        return Ok(None);
    }
    let Some(port) = FtpPort::of(flow.dst.port) else {
        return Ok(None);
    };
    let control = Extension::Ftp(FtpControl::new(port));
    let boxed = KBox::new(control, GFP_ATOMIC).map_err(|_| Reason::NoMemory)?;
    Ok(Some(boxed))
}

const fn family<A: Balanced>() -> ftp::Family {
    match A::FAMILY {
        Family::V4 => ftp::Family::V4,
        Family::V6 => ftp::Family::V6,
    }
}

/// What a segment carries, all in one piece.
fn payload<'s, A: Balanced>(
    skb: &'s mut Skb<'_>,
    segment: &Segment<A>,
) -> Result<&'s [u8], Reason> {
    let whole = skb.len();
    if !skb.pull(whole) {
        return Err(Reason::NoMemory);
    }
    let transport = skb.linear().get(segment.header.len..);
    transport.and_then(tcp::payload).ok_or(Reason::Malformed)
}

/// The control connection of FTP that this is, if words count on it now.
fn speaking<A: Balanced>(connection: &Connection<A>) -> Option<&FtpControl> {
    let is_established = connection.status().state() == State::Established as u8;
    connection.ftp_control().filter(|_| is_established)
}

impl Balancer {
    /// Reads what a client says.
    #[cold]
    pub(super) fn read_command<'a, A: Balanced>(
        &'a self,
        skb: &mut Skb<'a>,
        segment: &Segment<A>,
        connection: Lent<'a, Connection<A>>,
        context: Context<'a>,
    ) -> Result<(), Reason> {
        skb.foresee_changes();
        let Some(control) = speaking(connection.get()) else {
            return Ok(());
        };
        match ftp::command(payload(skb, segment)?, family::<A>()) {
            Some(Command::Passive(passive)) => control.ask(Some(passive)),
            Some(Command::Active(client)) => {
                control.ask(None);
                if let Some(addr) = A::from_ip(client.ip()) {
                    let client = Endpoint {
                        addr,
                        port: client.port(),
                    };
                    self.announce_active(skb, connection, client, context)?;
                }
            }
            None => {}
        }
        Ok(())
    }

    /// Makes the data connection to a client that listens: from the port before that of the control
    /// connection.
    fn announce_active<'a, A: Balanced>(
        &'a self,
        skb: &mut Skb<'a>,
        connection: Lent<'a, Connection<A>>,
        client: Endpoint<A>,
        context: Context<'a>,
    ) -> Result<(), Reason> {
        let before = |end: Endpoint<A>| Endpoint {
            port: end.port.wrapping_sub(1),
            ..end
        };
        let (virt, target) = (before(connection.virt), before(connection.target()));
        self.announce(connection, client, virt, target, context)?;
        let flow = FlowKey {
            protocol: connection.protocol,
            src: target,
            dst: client,
        };
        skb.announce(&conn::as_tracked(&flow), self.listen_ticks());
        Ok(())
    }

    /// Reads what a real server says, and puts the virtual service in its place.
    #[cold]
    pub(super) fn read_reply<'a, A: Balanced>(
        &'a self,
        skb: &mut Skb<'a>,
        segment: &Segment<A>,
        connection: Lent<'a, Connection<A>>,
        context: Context<'a>,
    ) -> Result<(), Reason> {
        let Some(passive) = speaking(connection.get()).and_then(FtpControl::asked) else {
            return Ok(());
        };
        let Some(reply) = ftp::reply(payload(skb, segment)?, passive, family::<A>()) else {
            return Ok(());
        };
        let client = Endpoint {
            port: 0,
            ..connection.client
        };
        let virt = Endpoint {
            port: reply.port,
            ..connection.virt
        };
        let own = connection.target();
        let target = Endpoint {
            addr: reply.addr.and_then(A::from_ip).unwrap_or(own.addr),
            port: reply.port,
        };
        self.announce(connection, client, virt, target, context)?;
        if !say_instead(skb, segment, &reply, passive, virt) {
            return Err(Reason::Untrackable);
        }
        let flow = FlowKey {
            protocol: connection.protocol,
            src: client,
            dst: virt,
        };
        skb.announce(&conn::as_tracked(&flow), self.listen_ticks());
        Ok(())
    }

    /// Makes a data connection that is announced on a control connection; one that was announced before is
    /// waited for anew.
    fn announce<'a, A: Balanced>(
        &'a self,
        control: Lent<'a, Connection<A>>,
        client: Endpoint<A>,
        virt: Endpoint<A>,
        target: Endpoint<A>,
        context: Context<'a>,
    ) -> Result<(), Reason> {
        if self.is_full() {
            return Err(Reason::TableFull);
        }
        let connections = A::connections(self);
        let flow = FlowKey {
            protocol: control.protocol,
            src: client,
            dst: virt,
        };
        let make = || {
            let plan = Plan {
                flow,
                server: control.server.clone(),
                method: Method::Masquerading,
                addr: Some(target.addr),
                port: target.port,
                controller: Some(control.pin().ok_or(Reason::NoMemory)?),
                is_tracked: true,
                extension: None,
            };
            Ok(Connection::announced(plan, self.listen_ticks()))
        };
        let hash = connections.hash(&flow);
        let mut added = connections.add(make()?, hash, context.rcu);
        if let Err(CreateError::Exists(older)) = added {
            if older.target() == target {
                if older.listen(self.listen_ticks()) {
                    connections.ask_to_visit(older);
                }
                return Ok(());
            }
            // The client has asked another real server since.
            connections.end(older, context.rcu);
            added = connections.add(make()?, hash, context.rcu);
        }
        match added {
            Ok(_) | Err(CreateError::Exists(_)) => Ok(()),
            Err(CreateError::NoMemory) => Err(Reason::NoMemory),
            Err(CreateError::TableFull) => Err(Reason::TableFull),
        }
    }

    fn listen_ticks(&self) -> u32 {
        self.timeouts.ticks(Protocol::Tcp, State::Listen as u8)
    }
}

/// Replaces the place that a reply names by another one.
fn say_instead<A: Balanced>(
    skb: &mut Skb<'_>,
    segment: &Segment<A>,
    reply: &Reply,
    passive: Passive,
    place: Endpoint<A>,
) -> bool {
    let (mut plain, mut extended) = ([0; ftp::PLAIN_LEN], [0; ftp::EXTENDED_LEN]);
    let text = match (passive, place.addr.ip()) {
        (Passive::Plain, IpAddr::V4(addr)) => ftp::plain_text(&mut plain, addr, place.port),
        _ => ftp::extended_text(&mut extended, place.port),
    };
    skb.replace_text(segment.header.len, reply.offset, reply.len, text)
}
