// SPDX-License-Identifier: GPL-2.0-only

//! A listing of the whole configuration, which is read in parts while it may
//! change. What a part looks like is not said here.

use super::{Config, Detail, ServerView, ServiceView};
use crate::service::ServiceKey;

/// What a listing of everything consists of: each service, and then its real servers.
pub enum Item<'a> {
    /// A service.
    Service(ServiceView<'a>),
    /// A real server of the service with this key.
    Server(ServiceKey, ServerView<'a>),
}

/// What comes next.
pub struct Next {
    /// The service, or else the first one behind it.
    pub key: ServiceKey,
    /// How many of its real servers, if the service itself was shown already. They are counted from the
    /// oldest: new ones stand before all others, so that they move none of those to come.
    pub left: Option<usize>,
}

impl Config {
    /// Shows services in the order of their keys, each with its real servers behind it, newest first, from `from` on,
    /// until `show` says no; then what it was shown last comes next. `None` at the end.
    pub fn show_all(
        &mut self,
        mut from: Option<Next>,
        detail: Detail,
        mut show: impl FnMut(Item<'_>) -> bool,
    ) -> Option<Next> {
        let mut cursor = match &from {
            Some(next) => self.services.cursor_lower_bound_mut(&next.key),
            None => self.services.cursor_front_mut(),
        };
        while let Some(mut at) = cursor {
            let (key, record) = at.current_mut();
            let key = *key;
            let count = record.servers.len();
            let begun = from.take().filter(|next| next.key == key);
            let mut left = match begun.and_then(|next| next.left) {
                Some(left) => left.min(count),
                None if show(Item::Service(record.view(detail))) => count,
                None => return Some(Next { key, left: None }),
            };
            let shown = count.saturating_sub(left);
            for server in record.servers.iter_mut().skip(shown) {
                if !show(Item::Server(key, server.view(detail))) {
                    let left = Some(left);
                    return Some(Next { key, left });
                }
                left = left.saturating_sub(1);
            }
            cursor = at.move_next();
        }
        None
    }
}
