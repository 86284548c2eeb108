// SPDX-License-Identifier: GPL-2.0-only

//! The commands of the family `RVS` about entries of the connection table:
//! listing, counting and ending those that a filter selects.

use super::{
    family::Outcome,
    filter::{self, Selected},
    parse::{self, Fault},
    uapi::{cmd, top},
    write::{self, Style},
};
use crate::{
    conn::{Connections, EntryView},
    director::Ending,
    netns::Netns,
    packet::Address,
    sys::{
        cpu,
        flow_table::{Place, Walked},
        genl::{Listing, Position, Request},
        rcu::{self, Held},
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
        cpu::breathe();
    }
}

/// Answers how many entries are selected. Sleeps.
pub fn count<'a>(netns: &Netns, request: &Request<'a>) -> Outcome<'a> {
    let Selected { entries, .. } = filter::selected(parse::attributes(request.attributes)?)?;
    let balancer = netns.balancer();
    let count = balancer.map_or(0, |balancer| balancer.count_selected(&entries));
    request.reply(cmd::NEW_COUNT, |message| {
        write::u64_attr(message, top::COUNT, count)
    })?;
    Ok(())
}

/// Ends the selected entries, and answers how many. Sleeps.
pub fn kill<'a>(netns: &Netns, request: &Request<'a>) -> Outcome<'a> {
    let attrs = parse::attributes(request.attributes)?;
    let Selected {
        entries, says_all, ..
    } = filter::selected(attrs)?;
    if entries.is_open() && !says_all {
        let message =
            c_str!("nothing says which connections to end; the flag `all` means every one");
        return Err(Fault::new(EINVAL, message));
    }
    let ending = match attrs.get(top::SILENT) {
        Some(_) => Ending::Silent,
        None => Ending::Reset,
    };
    let count = netns.balancer().map_or(0, |balancer| {
        balancer.end_selected(request.net, &entries, ending)
    });
    request.reply(cmd::NEW_COUNT, |message| {
        write::u64_attr(message, top::COUNT, count)
    })?;
    Ok(())
}
