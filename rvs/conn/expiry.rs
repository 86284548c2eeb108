// SPDX-License-Identifier: GPL-2.0-only

//! How connections end. Packets only write down when they came; this job
//! looks at a connection when its deadline might have passed, and frees it or
//! puts it further along. It also keeps the table's size right, since it
//! knows how many there are.

use super::{
    wheel::{Wheel, SLOTS, SLOT_TICKS},
    Account, Commons, Connection, HELD_TIMEOUT,
};
use crate::{
    events::{self, Event, Subject},
    packet::Address,
    sys::{
        flow_table::{Fate, Keeper, Occasion},
        time::jiffies,
        worker::{job_class, Job, JobClass},
        Arc,
    },
};
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use kernel::{new_mutex, prelude::*, sync::Mutex};

/// Buckets that one run adds or takes away at most.
const RESIZE_STEPS: u32 = 16_384;

/// The job that ends connections.
pub struct Expiry<A: Address> {
    state: Pin<KBox<Mutex<State<A>>>>,
    entries: AtomicU64,
    removed: AtomicU64,
    wants_sweep: AtomicBool,
    commons: Arc<Commons>,
    account: Arc<Account>,
}

struct State<A: Address> {
    keeper: Keeper<Connection<A>>,
    wheel: Wheel,
    /// Slots of the table when its size was told of last.
    told_size: u32,
}

impl<A: Address> Expiry<A> {
    /// The job for the keeper of a table. Sleeps.
    pub fn new(
        keeper: Keeper<Connection<A>>,
        commons: Arc<Commons>,
        account: Arc<Account>,
    ) -> Result<Self> {
        let state = State {
            told_size: keeper.table_size(),
            keeper,
            wheel: Wheel::new(jiffies()),
        };
        Ok(Self {
            state: KBox::pin_init(new_mutex!(state), GFP_KERNEL_ACCOUNT)?,
            entries: AtomicU64::new(0),
            removed: AtomicU64::new(0),
            wants_sweep: AtomicBool::new(false),
            commons,
            account,
        })
    }

    /// How many lists the keeper needs.
    pub const LISTS: usize = SLOTS;

    /// Connections that were removed until the last run.
    pub fn removed(&self) -> u64 {
        self.removed.load(Ordering::Relaxed)
    }

    /// Has the next run end the connections of real servers that are not configured any more.
    pub fn ask_to_sweep(&self) {
        self.wants_sweep.store(true, Ordering::Relaxed);
    }

    /// Connections as of the last run.
    pub fn entries(&self) -> u64 {
        self.entries.load(Ordering::Relaxed)
    }
}

/// After how many ticks a connection that was ended, but is pinned, is looked at again.
const DEAD_TIMEOUT: u32 = 4 * SLOT_TICKS;

/// Ends the connections whose real server is not configured.
fn sweep<A: Address>(keeper: &mut Keeper<Connection<A>>, commons: &Commons) {
    for slot in 0..SLOTS {
        keeper.visit(slot, |connection| {
            let is_bound = connection.server.is_some();
            if is_bound && connection.available_server().is_none() {
                connection.end(commons);
                Fate::RemoveOrList(slot)
            } else {
                Fate::List(slot)
            }
        });
    }
}

/// Tells of a table that has twice or half as many slots as when it was told of last. How many that
/// were, then or now.
fn tell_size<A: Address>(keeper: &Keeper<Connection<A>>, commons: &Commons, before: u32) -> u32 {
    let now = keeper.table_size();
    if now < before.saturating_mul(2) && now > before / 2 {
        return before;
    }
    let subject = Subject::Table {
        family: A::FAMILY,
        before,
        now,
        entries: keeper.entries(),
    };
    events::emit(commons.net(), Event::TableResized, subject);
    now
}

/// What becomes of a connection that is looked at now.
fn decide<A: Address>(connection: &Connection<A>) -> Fate {
    let now = jiffies();
    let left = connection.ticks_left(now);
    if left == 0 || connection.status().is_dead() {
        let place = match connection.status().is_dead() {
            true => Wheel::place(now, DEAD_TIMEOUT),
            false => Wheel::place(now, HELD_TIMEOUT),
        };
        connection.visit.store(place.due, Ordering::Relaxed);
        return Fate::RemoveOrList(place.slot);
    }
    let place = Wheel::place(now, left);
    connection.visit.store(place.due, Ordering::Relaxed);
    Fate::List(place.slot)
}

impl<A: Address> Drop for Expiry<A> {
    /// The connections go with their keeper.
    fn drop(&mut self) {
        self.account.update(self.entries(), 0);
    }
}

impl<A: Address> Job for Expiry<A> {
    fn class() -> JobClass {
        job_class!("rvs_expiry")
    }

    fn run(&self) -> Option<u32> {
        let mut state = self.state.lock();
        let State {
            keeper,
            wheel,
            told_size,
        } = &mut *state;
        keeper.collect(|connection, _: Occasion| decide(connection));
        for slot in wheel.advance(jiffies()) {
            keeper.visit(slot, decide);
        }
        if self.wants_sweep.swap(false, Ordering::Relaxed) {
            sweep(keeper, &self.commons);
        }
        let still_resizing = keeper.resize(RESIZE_STEPS);
        *told_size = tell_size(keeper, &self.commons, *told_size);
        let before = self.entries.swap(keeper.entries(), Ordering::Relaxed);
        self.removed.store(
            keeper.arrived().wrapping_sub(keeper.entries()),
            Ordering::Relaxed,
        );
        self.account.update(before, keeper.entries());
        if still_resizing {
            return Some(1);
        }
        (keeper.entries() > 0 || keeper.has_waiting()).then_some(SLOT_TICKS)
    }
}
