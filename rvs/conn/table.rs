// SPDX-License-Identifier: GPL-2.0-only

//! The connections of one namespace: finding them, adding to them, ending
//! them early.

use super::{expiry::Expiry, hash::HashKey, Account, Commons, Connection, Found};
use crate::{
    packet::{Address, FlowKey},
    service::FtpPort,
    sys::{
        flow_table::{FlowTable, Hashes, Keeper, Lent, Memory, NotInserted, Pinned},
        net::Net,
        per_cpu, random,
        rcu::Held,
        worker::Worker,
        Arc,
    },
};
use kernel::prelude::*;

/// Ticks after which the keeper looks at what is new: a quarter of a second at 250 Hz.
const COLLECT_TICKS: u32 = super::wheel::SLOT_TICKS;

/// The connections of a namespace.
pub struct Connections<A: Address> {
    // The worker stands first: it is stopped, and its entries freed, before the table goes.
    expiry: Worker<Expiry<A>>,
    table: Arc<FlowTable<Connection<A>>>,
    commons: Arc<Commons>,
    secret: HashKey,
    /// Entries made so far.
    made: per_cpu::Counters<1>,
    account: Arc<Account>,
}

/// A template, and what keeps it.
pub type PinnedTemplate<'a, A> = (Lent<'a, Connection<A>>, Pinned<Connection<A>>);

/// Why no connection was made.
pub enum CreateError<'a, A: Address> {
    /// Another CPU made one for the same flow just now.
    Exists(Lent<'a, Connection<A>>),
    /// Memory is out.
    NoMemory,
    /// There may be no more.
    TableFull,
}

impl<A: Address> Connections<A> {
    /// An empty table for a namespace. Sleeps.
    pub fn new(
        net: Net<'static>,
        memory: Arc<Memory<Connection<A>>>,
        account: Arc<Account>,
    ) -> Result<Self> {
        let commons = Arc::new(Commons::new(net), GFP_KERNEL_ACCOUNT)?;
        let (table, keeper) =
            Keeper::with_table(memory, Expiry::<A>::LISTS, commons.clone()).ok_or(ENOMEM)?;
        let expiry = Expiry::new(keeper, commons.clone(), account.clone())?;
        Ok(Self {
            expiry: Worker::new(expiry)?,
            table,
            commons,
            secret: HashKey::new(random::key()),
            made: per_cpu::Counters::new()?,
            account,
        })
    }

    /// The table, for listings.
    pub fn table(&self) -> &FlowTable<Connection<A>> {
        &self.table
    }

    /// How many there are, as of a quarter of a second ago.
    pub fn count(&self) -> u64 {
        self.expiry.job().entries()
    }

    /// How many there are: those made so far, less those removed as of a quarter of a second ago. Looks at
    /// all CPUs.
    pub fn exact_count(&self) -> u64 {
        let [made] = self.made.sum();
        made.saturating_sub(self.expiry.job().removed())
    }

    /// Has the keeper end the connections of real servers that are not configured any more.
    pub fn sweep(&self) {
        self.expiry.job().ask_to_sweep();
        self.expiry.hurry();
    }

    /// The hash of a flow, the same for both directions.
    #[inline]
    pub fn hash(&self, flow: &FlowKey<A>) -> u64 {
        self.secret.hash_pair(flow.protocol, flow.src, flow.dst)
    }

    /// The connection that a packet with this key, and this hash of it, belongs to.
    #[inline]
    pub fn find<'a>(&'a self, flow: &FlowKey<A>, hash: u64, rcu: Held<'a>) -> Option<Found<'a, A>> {
        let way = |connection: &Connection<A>, link| connection.way_of(flow, link);
        self.table.lookup(hash, way, rcu)
    }

    /// The connection of which a client's packet is on its way to the real server, addressed as its method does.
    pub fn find_sent<'a>(
        &'a self,
        flow: &FlowKey<A>,
        rcu: Held<'a>,
    ) -> Option<Lent<'a, Connection<A>>> {
        let is_sent = |connection: &Connection<A>, _| connection.sends(flow).then_some(());
        let (connection, ()) = self.table.lookup(self.hash(flow), is_sent, rcu)?;
        Some(connection)
    }

    /// The hash of a template's key, and of the Call-ID besides for one of a call: one client may make all of
    /// them.
    pub fn template_hash(&self, key: &FlowKey<A>, call: Option<&[u8]>) -> u64 {
        let start = self.hash(key);
        let Some(call) = call else {
            return start;
        };
        call.chunks(8).fold(start, |hash, chunk| {
            let mut word = [0; 8];
            for (byte, from) in word.iter_mut().zip(chunk) {
                *byte = *from;
            }
            self.secret.hash([hash, u64::from_le_bytes(word)])
        })
    }

    /// The valid template of a key with this hash, and of a call if that is given, pinned.
    pub fn find_template<'a>(
        &'a self,
        key: &FlowKey<A>,
        call: Option<&[u8]>,
        hash: u64,
        rcu: Held<'a>,
    ) -> Option<PinnedTemplate<'a, A>> {
        let is_it =
            |connection: &Connection<A>, _| connection.is_template_of(key, call).then_some(());
        let (template, ()) = self.table.lookup(hash, is_it, rcu)?;
        Some((template, template.pin()?))
    }

    /// The connection that waits for the client of this flow, now with it. `None` if there is none, or
    /// another packet came first. Of several packets of a flow each gets the same.
    #[cold]
    pub fn claim<'a>(
        &'a self,
        flow: &FlowKey<A>,
        hash: u64,
        rcu: Held<'a>,
    ) -> Option<Result<Lent<'a, Connection<A>>, CreateError<'a, A>>> {
        let mut key = *flow;
        key.src.port = 0;
        let awaits = |connection: &Connection<A>, _| connection.awaits(&key).then_some(());
        let (waiting, ()) = self.table.lookup(self.hash(&key), awaits, rcu)?;
        let claimed = waiting.claimed_by(flow.src.port)?;
        // First the new one is there, then the old one is gone: a packet of the same flow on another CPU
        // finds at least one of them.
        let connection = match self.add(claimed, hash, rcu) {
            Err(CreateError::Exists(twin)) => return Some(Ok(twin)),
            Err(why) => return Some(Err(why)),
            Ok(connection) => connection,
        };
        let is_ours = waiting.get().claim(&self.commons);
        self.end(if is_ours { waiting } else { connection }, rcu);
        is_ours.then_some(Ok(connection))
    }

    /// Whether a connection waits for a client whose port is not known.
    #[inline]
    pub fn has_unclaimed(&self) -> bool {
        self.commons.has_unclaimed()
    }

    /// How many control connections of FTP there are at a port.
    pub fn ftp_controls(&self, port: FtpPort) -> u32 {
        self.commons.ftp_controls(port)
    }

    /// Adds a connection or template whose flow has this hash.
    pub fn add<'a>(
        &'a self,
        value: Connection<A>,
        hash: u64,
        rcu: Held<'a>,
    ) -> Result<Lent<'a, Connection<A>>, CreateError<'a, A>> {
        if self.account.is_spent() {
            return Err(CreateError::TableFull);
        }
        // Before others see it, and it changes.
        let is_unclaimed = value.status().is_unclaimed();
        let ftp_port = value.ftp_control().map(|control| control.port);
        let hashes = Hashes {
            forward: hash,
            reverse: value.answer_key().map(|answer| self.hash(&answer)),
        };
        let inserted = match self
            .table
            .insert(value, hashes, Connection::has_same_key, rcu)
        {
            Ok(inserted) => inserted,
            Err(NotInserted::Exists(twin)) => return Err(CreateError::Exists(twin)),
            Err(NotInserted::NoMemory) => return Err(CreateError::NoMemory),
        };
        let connection = inserted.entry;
        self.made.add(0, 1);
        if is_unclaimed {
            self.commons.count_unclaimed();
        }
        if let Some(port) = ftp_port {
            self.commons.count_ftp_control(port);
        }
        if !inserted.is_complete {
            self.end(connection, rcu);
        }
        if self.table.post(inserted.custody) {
            self.expiry.ask(COLLECT_TICKS);
        }
        if inserted.is_crowded {
            self.expiry.hurry();
        }
        if inserted.is_complete {
            Ok(connection)
        } else {
            Err(CreateError::NoMemory)
        }
    }

    /// Ends a connection now: packets no longer find it, and its memory follows soon.
    pub fn end<'a>(&self, connection: Lent<'a, Connection<A>>, rcu: Held<'a>) {
        if connection.get().end(&self.commons) {
            connection.unlink(rcu);
            self.ask_to_visit(connection);
        }
    }

    /// Has the keeper look at a connection sooner than planned.
    pub fn ask_to_visit(&self, connection: Lent<'_, Connection<A>>) {
        if connection.ask() {
            self.expiry.ask(COLLECT_TICKS);
        }
    }
}
