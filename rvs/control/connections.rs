// SPDX-License-Identifier: GPL-2.0-only

//! The commands of the family `RVS` about entries of the connection table:
//! listing, counting and ending those that a filter selects. One request works
//! for a moment only; who asked goes on from where it came to.

use super::{
    attr::Attrs,
    family::Outcome,
    filter::{self, Selected},
    parse::{self, Fault, Parsed},
    uapi::{cmd, top},
    write::{self, Style},
};
use crate::{
    conn::{Connection, Connections, EntryView, Selection, Selects},
    director::{Ending, Progress},
    netns::Netns,
    packet::{Address, Family},
    sys::{
        cpu,
        flow_table::{Lent, Place, Walked},
        genl::{Listing, Position, Request},
        rcu::{self, Held},
        time,
    },
};
use kernel::{c_str, prelude::*};

/// Lists connections, those of IPv4 first. The position tells which table is being listed, what place
/// its walk has come to, and how many entries were listed.
pub fn list<'a>(
    netns: &Netns,
    request: &Request<'a>,
    style: Style,
    position: &mut Position,
    listing: &mut Listing<'_>,
) -> Outcome<'a> {
    let selected = filter::selected(parse::attributes(request.attributes)?)?;
    let Some(balancer) = netns.balancer() else {
        return Ok(());
    };
    let [table, ..] = position.0;
    if table == IPV4 {
        if !list_table(&balancer.connections4, &selected, style, position, listing) {
            return Ok(());
        }
        let [_, _, _, listed, _] = position.0;
        position.0 = [IPV6, 0, 0, listed, 0];
    }
    let [table, ..] = position.0;
    if table == IPV6 && list_table(&balancer.connections6, &selected, style, position, listing) {
        position.0 = [END, 0, 0, 0, 0];
    }
    Ok(())
}

/// The first word of a listing's position: what is being listed.
const IPV4: u64 = 0;
const IPV6: u64 = 1;
const END: u64 = 2;

/// Lists what is selected of a table, until the listing is full. Whether the end was reached.
fn list_table<A: Address>(
    connections: &Connections<A>,
    selected: &Selected,
    style: Style,
    position: &mut Position,
    listing: &mut Listing<'_>,
) -> bool {
    let [table, at, passed, mut listed, _] = position.0;
    let mut place = Place::from_words([at, passed]);
    let limit = selected.limit.unwrap_or(u64::MAX);
    let began = time::jiffies();
    let mut has_listed = false;
    loop {
        let guard = rcu::read_lock();
        let walked = connections.walk(
            &selected.entries,
            place,
            |entry| {
                let fits = listed < limit
                    && listing.push(cmd::NEW_CONNECTION, |message| {
                        write::connection(message, style, top::CONNECTION, &EntryView::of(entry))
                    });
                if fits {
                    listed = listed.wrapping_add(1);
                    has_listed = true;
                }
                fits
            },
            Held::from(&guard),
        );
        drop(guard);
        match walked {
            Walked::On(next) => place = next,
            Walked::Stopped(_) if listed >= limit => {
                position.0 = [END, 0, 0, listed, 0];
                return false;
            }
            Walked::Stopped(next) => {
                let [at, passed] = next.to_words();
                position.0 = [table, at, passed, listed, 0];
                return false;
            }
            Walked::Through => {
                position.0 = [table, 0, 0, listed, 0];
                return true;
            }
        }
        if !cpu::breathe() {
            return false;
        }
        if is_over(began) {
            if !has_listed {
                // Says only that the listing goes on: a part without any message would be the last. Where it finds
                // no room, there is one.
                listing.push(cmd::NEW_COUNT, |message| {
                    write::u64_attr(message, top::COUNT, listed)
                });
            }
            let [at, passed] = place.to_words();
            position.0 = [table, at, passed, listed, 0];
            return false;
        }
    }
}

/// Ticks that a request works at most: while it does, other families may have to wait for it.
const WORK_TICKS: u32 = time::HZ / 10;

/// Whether a request that began at a tick has worked long enough.
fn is_over(began: u32) -> bool {
    time::jiffies().wrapping_sub(began) >= WORK_TICKS
}

/// A selection for what one request may work.
struct Briefly {
    entries: Selection,
    began: u32,
}

impl Briefly {
    fn new(entries: Selection) -> Self {
        Self {
            entries,
            began: time::jiffies(),
        }
    }
}

impl Selects for Briefly {
    fn excludes(&self, family: Family) -> bool {
        Selects::excludes(&self.entries, family)
    }

    fn includes<A: Address>(&self, entry: Lent<'_, Connection<A>>, now: u32) -> bool {
        self.entries.includes(entry, now)
    }

    fn goes_on(&self) -> bool {
        self.entries.goes_on() && !is_over(self.began)
    }
}

/// Where a request has the pass go on that an earlier one began.
fn cursor(attrs: Attrs<'_>) -> Parsed<'_, Progress> {
    let Some(attr) = attrs.get(top::CURSOR) else {
        return Ok(Progress::default());
    };
    let words = attr.words::<3>();
    let progress = words.and_then(|[table, place @ ..]| match table {
        IPV4 => Some(Progress::V4(Place::from_words(place))),
        IPV6 => Some(Progress::V6(Place::from_words(place))),
        _ => None,
    });
    let message = c_str!("the cursor is none; use what an answer gave");
    progress.ok_or(Fault::at(EINVAL, message, attr))
}

/// Answers how many entries were meant in the part of a pass that is over, and where to go on if some is left.
fn answer<'a>(request: &Request<'a>, count: u64, stopped: Option<Progress>) -> Outcome<'a> {
    request.reply(cmd::NEW_COUNT, |message| {
        write::u64_attr(message, top::COUNT, count)?;
        let (table, place) = match stopped {
            None => return Ok(()),
            Some(Progress::V4(place)) => (IPV4, place),
            Some(Progress::V6(place)) => (IPV6, place),
        };
        let [at, passed] = place.to_words();
        write::words_attr(message, top::CURSOR, [table, at, passed])
    })?;
    Ok(())
}

/// Answers how many entries are selected. Sleeps.
pub fn count<'a>(netns: &Netns, request: &Request<'a>) -> Outcome<'a> {
    let attrs = parse::attributes(request.attributes)?;
    let Selected { entries, .. } = filter::selected(attrs)?;
    let from = cursor(attrs)?;
    let mut count = 0u64;
    let stopped = netns.balancer().and_then(|balancer| {
        let count_one = |_: Option<&_>| count = count.wrapping_add(1);
        balancer.tally(&Briefly::new(entries), from, count_one)
    });
    answer(request, count, stopped)
}

/// Ends the selected entries, and answers how many. Sleeps.
pub fn kill<'a>(netns: &Netns, request: &Request<'a>) -> Outcome<'a> {
    let attrs = parse::attributes(request.attributes)?;
    filter::refuse_unknown(attrs)?;
    let Selected {
        entries,
        says_all,
        limit,
    } = filter::selected(attrs)?;
    if limit.is_some() {
        let message = c_str!("connections are ended without a limit; leave it out");
        return Err(Fault::new(EINVAL, message));
    }
    if entries.is_open() && !says_all {
        let message =
            c_str!("nothing says which connections to end; the flag `all` means every one");
        return Err(Fault::new(EINVAL, message));
    }
    let ending = match attrs.get(top::SILENT) {
        Some(_) => Ending::Silent,
        None => Ending::Reset,
    };
    let from = cursor(attrs)?;
    let (count, stopped) = netns.balancer().map_or((0, None), |balancer| {
        balancer.end_selected(request.net, &Briefly::new(entries), ending, from)
    });
    answer(request, count, stopped)
}
