// SPDX-License-Identifier: GPL-2.0-only

//! The caches of `lblc` and `lblcr`: which real servers a destination was assigned to. Each service has its
//! own, for as long as it has the scheduler. New connections look into it without waiting; a worker drops what nobody
//! asks for. Which server is picked is the scheduler's decision, not made here.

use super::{RealServer, TAKES};
use crate::{
    sched::{
        lblc,
        lblcr::{self, Choice},
        locality::{Sweep, HARD_LIMIT},
        Scheduler,
    },
    settings::Settings,
    siphash,
    sys::{
        flow_table::{Entry, Fate, FlowTable, Hashes, Keeper, Memory},
        random,
        rcu::{Cell, Held},
        time::{self, jiffies},
        worker::{job_class, Job, JobClass, Worker},
        Arc,
    },
};
use core::{
    net::IpAddr,
    sync::atomic::{AtomicU32, Ordering},
};
use kernel::{
    alloc::flags::{GFP_ATOMIC, __GFP_NOWARN},
    new_mutex,
    prelude::*,
    sync::{Mutex, SetOnce},
};

/// Ticks between two looks at all destinations.
const SWEEP_TICKS: u32 = 60 * time::HZ;
/// Ticks after which the worker takes in what is new, or frees what is old.
const COLLECT_TICKS: u32 = time::HZ / 4;
/// Buckets that one run adds or takes away at most.
const RESIZE_STEPS: u32 = 4096;

/// Which scheduler a cache is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// `lblc`: one server for each destination.
    Single,
    /// `lblcr`: a set of servers for each destination.
    Replicated,
}

impl Kind {
    /// The kind of cache that a scheduler wants; `None` if it wants none.
    #[inline]
    pub fn of(scheduler: Scheduler) -> Option<Self> {
        match scheduler {
            Scheduler::Locality => Some(Self::Single),
            Scheduler::LocalityWithReplication => Some(Self::Replicated),
            _ => None,
        }
    }
}

/// Memory for packets: not waited for, and its lack is no news.
const ATOMIC: kernel::alloc::Flags = GFP_ATOMIC;

/// The servers of a destination, the newest first. Replaced as a whole.
struct ServerSet {
    members: KVec<Arc<RealServer>>,
    /// The tick at which it last changed.
    changed: u32,
}

impl ServerSet {
    /// A set of at most `capacity` members; `None` when memory is out. Never sleeps.
    fn new<'s>(
        capacity: usize,
        members: impl Iterator<Item = &'s Arc<RealServer>>,
    ) -> Option<Self> {
        let mut set = KVec::with_capacity(capacity, ATOMIC | __GFP_NOWARN).ok()?;
        for member in members {
            set.push_within_capacity(member.clone()).ok()?;
        }
        Some(Self {
            members: set,
            changed: jiffies(),
        })
    }

    /// The members that stay when the one at this index leaves.
    fn without(&self, leaving: Option<usize>) -> impl Iterator<Item = &Arc<RealServer>> {
        (0..self.members.len())
            .zip(self.members.iter())
            .filter(move |(index, _)| Some(*index) != leaving)
            .map(|(_, member)| member)
    }
}

/// A destination and its servers.
pub struct Assignment {
    destination: IpAddr,
    /// The tick of the last flow, a second coarse.
    last_used: AtomicU32,
    servers: Cell<ServerSet>,
}

impl Entry for Assignment {
    type Owner = ();
}

impl Assignment {
    /// `None` when memory is out. Never sleeps.
    fn new(destination: IpAddr, server: &Arc<RealServer>) -> Option<Self> {
        let assignment = Self {
            destination,
            last_used: AtomicU32::new(jiffies()),
            servers: Cell::empty(),
        };
        assignment.assign(1, core::iter::once(server))?;
        Some(assignment)
    }

    /// Replaces the servers; `None` if they stay, as memory is out. What another CPU decides at the same time may be
    /// lost, and is decided again when it is needed. Never sleeps.
    fn assign<'s>(
        &self,
        capacity: usize,
        servers: impl Iterator<Item = &'s Arc<RealServer>>,
    ) -> Option<()> {
        let set = ServerSet::new(capacity, servers)?;
        self.servers.replace(set, ATOMIC | __GFP_NOWARN).ok()
    }

    fn touch(&self, now: u32) {
        if now.wrapping_sub(self.last_used.load(Ordering::Relaxed)) >= time::HZ {
            self.last_used.store(now, Ordering::Relaxed);
        }
    }

    /// Ticks since the last flow.
    fn idle(&self, now: u32) -> u32 {
        let idle = now.wrapping_sub(self.last_used.load(Ordering::Relaxed));
        // A flow that came while we looked makes it negative.
        if idle as i32 <= 0 {
            0
        } else {
            idle
        }
    }

    /// The server for a flow by the rule of `lblc`.
    fn pick<'a, const MODE: bool>(
        &'a self,
        servers: &'a [Arc<RealServer>],
        rcu: Held<'a>,
    ) -> Option<&'a Arc<RealServer>> {
        let cached = self.servers.read(rcu).and_then(|set| set.members.first());
        if let Some(cached) = cached.filter(|cached| lblc::keeps(*cached, servers)) {
            return Some(cached);
        }
        let server = servers.get(lblc::choose(servers)?)?;
        if MODE == TAKES && !cached.is_some_and(|cached| Arc::ptr_eq(cached, server)) {
            // Without memory the next flow tries again.
            let _ = self.assign(1, core::iter::once(server));
        }
        Some(server)
    }

    /// The server for a flow by the rule of `lblcr`; a set that has not changed for `expiration` ticks is old.
    fn pick_of_set<'a, const MODE: bool>(
        &'a self,
        servers: &'a [Arc<RealServer>],
        expiration: u32,
        rcu: Held<'a>,
    ) -> Option<&'a Arc<RealServer>> {
        let set = self.servers.read(rcu)?;
        let is_old = jiffies().wrapping_sub(set.changed) > expiration;
        let decision = lblcr::decide(&set.members, servers, is_old);
        let (server, joining) = match decision.choice {
            Choice::Member(index) => (set.members.get(index), None),
            Choice::Server(index) => {
                let server = servers.get(index)?;
                let is_same = |member: &Arc<_>| Arc::ptr_eq(member, server);
                let is_member = set.without(decision.leaves).any(is_same);
                (Some(server), (!is_member).then_some(server))
            }
            Choice::Nobody => (None, None),
        };
        if MODE == TAKES && (joining.is_some() || decision.leaves.is_some()) {
            let stay = set.without(decision.leaves);
            let capacity = set.members.len().saturating_add(1);
            // Without memory the next flow tries again.
            let _ = self.assign(capacity, Iterator::chain(joining.into_iter(), stay));
        }
        server
    }
}

/// How many destinations all caches together remember whose owners must share.
pub struct Crowd {
    destinations: AtomicU32,
    limit: u32,
}

impl Crowd {
    /// Those of namespaces that are trusted with the machine's memory.
    pub const UNLIMITED: u32 = u32::MAX / 2;
    /// Those of namespaces that anybody may make: 16 full caches, some 80 MB.
    pub const LIMITED: u32 = 16 * HARD_LIMIT;

    /// Nothing is remembered yet.
    pub const fn new(limit: u32) -> Self {
        Self {
            destinations: AtomicU32::new(0),
            limit,
        }
    }
}

/// What caches are made of.
#[derive(Clone)]
pub struct Supply {
    /// Where destinations come from.
    pub memory: Arc<Memory<Assignment>>,
    /// With whom they share.
    pub crowd: Arc<Crowd>,
}

/// The cache of a service. See the module's description.
pub struct Locality {
    // The worker stands first: it is stopped, and its entries freed, before the table goes.
    worker: Worker<Sweeper>,
    table: Arc<FlowTable<Assignment>>,
    secret: siphash::Key,
}

impl Locality {
    /// An empty cache. Sleeps.
    fn new(kind: Kind, supply: Supply, settings: Arc<Settings>) -> Result<Self> {
        let Supply { memory, crowd } = supply;
        let (table, keeper) = Keeper::with_table(memory, 1, ()).ok_or(ENOMEM)?;
        Ok(Self {
            worker: Worker::new(Sweeper::new(keeper, kind, settings, crowd)?)?,
            table,
            secret: siphash::Key::new(random::key()),
        })
    }

    /// The server for a flow to a destination, of a service with these servers; nothing is remembered of it unless
    /// the flow `TAKES` it.
    pub fn pick<'a, const MODE: bool>(
        &'a self,
        servers: &'a [Arc<RealServer>],
        destination: IpAddr,
        rcu: Held<'a>,
    ) -> Option<&'a Arc<RealServer>> {
        let hash = self.hash(destination);
        let is_of_destination =
            |other: &Assignment, _| (other.destination == destination).then_some(());
        let Some((assignment, ())) = self.table.lookup(hash, is_of_destination, rcu) else {
            let server = servers.get(lblc::choose(servers)?)?;
            if MODE == TAKES {
                self.remember(destination, hash, server, rcu);
            }
            return Some(server);
        };
        let assignment = assignment.get();
        if MODE == TAKES {
            assignment.touch(jiffies());
        }
        let job = self.worker.job();
        match job.kind {
            Kind::Single => assignment.pick::<MODE>(servers, rcu),
            Kind::Replicated => {
                assignment.pick_of_set::<MODE>(servers, time::seconds(job.expiration()), rcu)
            }
        }
    }

    fn hash(&self, destination: IpAddr) -> u64 {
        let bits = match destination {
            IpAddr::V4(addr) => u128::from(addr.to_bits()),
            IpAddr::V6(addr) => addr.to_bits(),
        };
        self.secret.of_words([bits as u64, (bits >> 64) as u64])
    }

    /// Takes in a destination, if there is room and memory for it.
    fn remember(&self, destination: IpAddr, hash: u64, server: &Arc<RealServer>, rcu: Held<'_>) {
        let job = self.worker.job();
        if !job.admit() {
            return;
        }
        let Some(assignment) = Assignment::new(destination, server) else {
            job.count_less(1);
            return;
        };
        let hashes = Hashes {
            forward: hash,
            reverse: None,
        };
        let is_same =
            |one: &Assignment, other: &Assignment, _| one.destination == other.destination;
        let Ok(inserted) = self.table.insert(assignment, hashes, is_same, rcu) else {
            job.count_less(1);
            return;
        };
        if self.table.post(inserted.custody) {
            self.worker.ask(COLLECT_TICKS);
        }
        if inserted.is_crowded {
            self.worker.hurry();
        }
    }

    /// Drops all destinations. Sleeps.
    fn forget(&self) {
        self.worker.job().forget();
        self.worker.hurry();
    }

    /// Drops all destinations without freeing them yet: see [`Keeper::retire`]. Sleeps. No packet may come any more.
    fn retire(&self) {
        self.worker.stop();
        self.worker.job().state.lock().keeper.retire();
    }
}

/// The job that drops destinations.
struct Sweeper {
    kind: Kind,
    settings: Arc<Settings>,
    crowd: Arc<Crowd>,
    /// Destinations in the cache, and those about to come in.
    entries: AtomicU32,
    state: Pin<KBox<Mutex<State>>>,
}

struct State {
    keeper: Keeper<Assignment>,
    /// The tick of the last look at all destinations.
    swept: u32,
}

impl Sweeper {
    fn new(
        keeper: Keeper<Assignment>,
        kind: Kind,
        settings: Arc<Settings>,
        crowd: Arc<Crowd>,
    ) -> Result<Self> {
        let state = State {
            keeper,
            swept: jiffies(),
        };
        Ok(Self {
            kind,
            settings,
            crowd,
            entries: AtomicU32::new(0),
            state: KBox::pin_init(new_mutex!(state), GFP_KERNEL_ACCOUNT)?,
        })
    }

    /// Seconds after which a destination is forgotten, or a set of servers is old. What is negative is over at once, as
    /// in IPVS.
    fn expiration(&self) -> u32 {
        let seconds = match self.kind {
            Kind::Single => &self.settings.lblc_expiration,
            Kind::Replicated => &self.settings.lblcr_expiration,
        };
        u32::try_from(seconds.get()).unwrap_or(0)
    }

    /// Counts a destination more; `false` if there is no room for it.
    fn admit(&self) -> bool {
        let Crowd {
            destinations,
            limit,
        } = &*self.crowd;
        // A full cache is only read.
        let is_full = self.entries.load(Ordering::Relaxed) >= HARD_LIMIT;
        if is_full || destinations.load(Ordering::Relaxed) >= *limit {
            return false;
        }
        destinations.fetch_add(1, Ordering::Relaxed);
        let has_room = self.entries.fetch_add(1, Ordering::Relaxed) < HARD_LIMIT;
        if !has_room {
            self.count_less(1);
        }
        has_room
    }

    fn count_less(&self, entries: u32) {
        self.entries.fetch_sub(entries, Ordering::Relaxed);
        self.crowd
            .destinations
            .fetch_sub(entries, Ordering::Relaxed);
    }

    /// Drops all destinations. Sleeps.
    fn forget(&self) {
        let mut state = self.state.lock();
        let mut dropped = 0u32;
        let mut drop = || {
            dropped = dropped.wrapping_add(1);
            Fate::Remove
        };
        state.keeper.collect(|_, _| drop());
        state.keeper.visit(0, |_| drop());
        self.count_less(dropped);
    }

    /// Drops the destinations that have been idle for too long. Sleeps.
    fn sweep(&self, keeper: &mut Keeper<Assignment>, now: u32) {
        let destinations = self.entries.load(Ordering::Relaxed);
        let Sweep { timeout, at_most } = Sweep::of(destinations, self.expiration());
        let timeout = time::seconds(timeout);
        let mut dropped = 0u32;
        keeper.visit(0, |assignment| {
            if dropped < at_most && assignment.idle(now) >= timeout {
                dropped = dropped.wrapping_add(1);
                Fate::Remove
            } else {
                Fate::List(0)
            }
        });
        self.count_less(dropped);
    }
}

impl Drop for Sweeper {
    /// The destinations go with their keeper.
    fn drop(&mut self) {
        self.count_less(self.entries.load(Ordering::Relaxed));
    }
}

impl Job for Sweeper {
    fn class() -> JobClass {
        job_class!("rvs_sweeper")
    }

    fn run(&self) -> Option<u32> {
        let mut state = self.state.lock();
        let State { keeper, swept } = &mut *state;
        keeper.collect(|_, _| Fate::List(0));
        let now = jiffies();
        if now.wrapping_sub(*swept) >= SWEEP_TICKS {
            self.sweep(keeper, now);
            *swept = now;
        }
        if keeper.resize(RESIZE_STEPS) {
            return Some(1);
        }
        if keeper.has_waiting() {
            return Some(COLLECT_TICKS);
        }
        (keeper.entries() > 0).then_some(SWEEP_TICKS)
    }
}

/// The caches of a service, one for each scheduler that it had and that wants one.
#[derive(Default)]
pub struct Localities {
    single: SetOnce<Locality>,
    replicated: SetOnce<Locality>,
}

impl Localities {
    fn of(&self, kind: Kind) -> &SetOnce<Locality> {
        match kind {
            Kind::Single => &self.single,
            Kind::Replicated => &self.replicated,
        }
    }

    /// The cache of a kind, if there is one.
    #[inline]
    pub fn get(&self, kind: Kind) -> Option<&Locality> {
        self.of(kind).as_ref()
    }

    /// Makes the cache of a kind unless there is one. Only with the configuration's lock held. Sleeps.
    pub fn provide(&self, kind: Kind, supply: &Supply, settings: &Arc<Settings>) -> Result {
        if self.get(kind).is_none() {
            let locality = Locality::new(kind, supply.clone(), settings.clone())?;
            self.of(kind).populate(locality);
        }
        Ok(())
    }

    /// Drops all destinations. Those that packets bring in at this very moment may stay. Sleeps.
    pub fn forget(&self) {
        self.present().for_each(Locality::forget);
    }

    /// Has the caches drop all destinations, so that to drop the caches themselves waits for nothing once a grace period
    /// has passed. Sleeps. No packet may come any more.
    pub fn retire(&self) {
        self.present().for_each(Locality::retire);
    }

    fn present(&self) -> impl Iterator<Item = &Locality> {
        [&self.single, &self.replicated]
            .into_iter()
            .filter_map(|it| it.as_ref())
    }
}
