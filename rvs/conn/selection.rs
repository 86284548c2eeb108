// SPDX-License-Identifier: GPL-2.0-only

//! Passes over the whole table that concern some of its entries: listing them,
//! counting them, ending them. Which ones, a filter says.

use super::{
    filter::{Filter, Subject},
    Connection, Connections,
};
use crate::{
    packet::Address,
    service::ServiceKey,
    sys::{
        cpu,
        flow_table::{Lent, Place, Walked},
        rcu::{self, Held},
        time::jiffies,
    },
};

/// Which entries of the table are meant.
pub type Selection = Filter<ServiceKey>;

/// Ticks since an entry was made.
pub fn age_ticks<A: Address>(entry: Lent<'_, Connection<A>>, now: u32) -> u32 {
    now.wrapping_sub(entry.stamp())
}

impl Selection {
    /// Whether it includes an entry.
    fn includes<A: Address>(&self, entry: Lent<'_, Connection<A>>, now: u32) -> bool {
        let status = entry.status();
        !status.is_dead()
            && self.selects(&Subject {
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

impl<A: Address> Connections<A> {
    /// Takes a walk over the selected entries one bucket further, as [`FlowTable::walk`] does.
    ///
    /// [`FlowTable::walk`]: crate::sys::flow_table::FlowTable::walk
    pub fn walk<'a>(
        &'a self,
        selection: &Selection,
        from: Place,
        mut visit: impl FnMut(Lent<'a, Connection<A>>) -> bool,
        rcu: Held<'a>,
    ) -> Walked {
        if selection.excludes(A::FAMILY) {
            return Walked::Through;
        }
        let now = jiffies();
        let visit = |entry| !selection.includes(entry, now) || visit(entry);
        self.table().walk(from, visit, rcu)
    }

    /// How many entries are selected, in one pass. Sleeps.
    pub fn count_selected(&self, selection: &Selection) -> u64 {
        let mut count = 0u64;
        let mut place = Place::default();
        loop {
            let guard = rcu::read_lock();
            let one_more = |_| {
                count = count.wrapping_add(1);
                true
            };
            let walked = self.walk(selection, place, one_more, Held::from(&guard));
            drop(guard);
            match walked {
                Walked::On(next) | Walked::Stopped(next) => place = next,
                Walked::Through => return count,
            }
            cpu::breathe();
        }
    }
}
