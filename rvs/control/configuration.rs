// SPDX-License-Identifier: GPL-2.0-only

//! The listing of the whole configuration in the family `RVS`: all services
//! with all of their real servers, in one request.

use super::{
    uapi::cmd,
    write::{self, Style},
};
use crate::{
    netns::Netns,
    service::{
        config::{
            whole::{Item, Next},
            Detail,
        },
        ServiceKey,
    },
    sys::genl::{Listing, Position},
};

/// The lower half of the first word of a listing's position: where it stands. The upper half is how
/// many real servers are left of the service that the other words name.
const BEGIN: u32 = 0;
const SERVICE: u32 = 1;
const SERVERS: u32 = 2;
const END: u32 = 3;

/// Lists each service, and behind it its real servers. The position is what comes next, so that changes between two
/// parts hide nothing that stays, and repeat at most real servers of the service at which the first part ended.
pub fn list(
    netns: &Netns,
    style: Style,
    detail: Detail,
    position: &mut Position,
    listing: &mut Listing<'_>,
) {
    let [place, a, b, c, _] = position.0;
    let left = (place >> 32) as usize;
    let from = match place as u32 {
        BEGIN => None,
        SERVICE => Some(None),
        SERVERS => Some(Some(left)),
        _ => return,
    };
    let from = from.map(|left| Next {
        key: ServiceKey::from_words([a, b, c]),
        left,
    });
    let next = netns.read_config(|config| {
        config.show_all(from, detail, |item| {
            listing.push(cmd::NEW_DEST, |message| match &item {
                Item::Service(service) => write::service(message, style, service),
                Item::Server(key, server) => {
                    write::service_key(message, *key)?;
                    write::server(message, style, server)
                }
            })
        })
    });
    position.0 = words(next.flatten());
}

fn words(next: Option<Next>) -> [u64; 5] {
    let Some(Next { key, left }) = next else {
        return [u64::from(END), 0, 0, 0, 0];
    };
    let place = match left {
        None => u64::from(SERVICE),
        Some(left) => u64::from(SERVERS) | (left as u64) << 32,
    };
    let [a, b, c] = key.to_words();
    [place, a, b, c, 0]
}
