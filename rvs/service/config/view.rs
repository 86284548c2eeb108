// SPDX-License-Identifier: GPL-2.0-only

//! What is shown of services and real servers, and their counters.

use super::{
    drain::Drain,
    record::{ServerRecord, ServiceRecord},
    Config, Refusal,
};
use crate::{
    events::{self, Event, Subject},
    packet::Endpoint,
    sched::Candidate,
    service::{
        identity::{Identity, Name},
        ServerSettings, ServiceKey, ServiceSettings,
    },
    stats::{Shown, Totals},
    sys::cpu::{self, Cpu},
};
use core::net::IpAddr;

/// How much a listing shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Detail {
    /// What is configured, but no counters: these take longest.
    Brief,
    /// Everything.
    Full,
}

impl Detail {
    fn of<T>(self, read: impl FnOnce() -> T) -> Option<T> {
        (self == Self::Full).then(read)
    }
}

/// What a listing shows of a service.
pub struct ServiceView<'a> {
    /// What identifies it.
    pub key: ServiceKey,
    /// Settings.
    pub settings: ServiceSettings,
    /// Name and labels.
    pub identity: &'a Identity,
    /// See [`Transaction::mark`].
    pub fingerprint: u64,
    /// Counters and rates, if they were asked for.
    pub stats: Option<Shown>,
}

/// What a listing shows of a real server.
pub struct ServerView<'a> {
    /// Address and port.
    pub endpoint: Endpoint<IpAddr>,
    /// Settings.
    pub settings: ServerSettings,
    /// Name and labels.
    pub identity: &'a Identity,
    /// How far it is drained, if it is.
    pub drain: Option<Drain>,
    /// It has reached its upper threshold, and not yet fallen below the lower one.
    pub is_overloaded: bool,
    /// Active connections.
    pub active: u32,
    /// Inactive connections.
    pub inactive: u32,
    /// Templates of persistent clients.
    pub persistent: u32,
    /// Counters and rates, if they were asked for.
    pub stats: Option<Shown>,
}

impl ServiceRecord {
    pub(super) fn view(&mut self, detail: Detail) -> ServiceView<'_> {
        let stats = detail.of(|| Shown {
            totals: self.totals().since(self.base),
            rates: self.rates(),
        });
        ServiceView {
            key: self.service.key,
            settings: self.settings,
            identity: &self.identity,
            fingerprint: self.fingerprint,
            stats,
        }
    }
}

impl ServerRecord {
    pub(super) fn view(&mut self, detail: Detail) -> ServerView<'_> {
        let Self {
            server,
            meter,
            identity,
            drain,
        } = self;
        let (active, total) = (server.active(), server.total());
        ServerView {
            endpoint: server.endpoint,
            settings: server.settings(),
            identity,
            drain: *drain,
            is_overloaded: server.is_overloaded(),
            active,
            inactive: total.saturating_sub(active),
            persistent: server.templates(),
            stats: detail.of(|| meter.read(server.counters.totals())),
        }
    }
}

impl Config {
    /// Takes the present counters of a service and its real servers as 0.
    pub fn zero_service(&mut self, key: ServiceKey) -> Result<(), Refusal> {
        let record = self.record_mut(key)?;
        record.zero();
        events::emit(self.net, Event::Zeroed, Subject::ServiceKey(key));
        Ok(())
    }

    /// Takes all present counters as 0.
    pub fn zero_all(&mut self) {
        for record in self.services.values_mut() {
            record.zero();
        }
        self.base = self.totals();
        events::emit(self.net, Event::Zeroed, Subject::Everything);
    }

    fn totals(&self) -> Totals {
        self.services
            .values()
            .fold(self.retired, |sum, record| sum.plus(record.totals()))
    }

    /// Counters and rates of the namespace.
    pub fn stats(&mut self) -> Shown {
        let mut rates = Totals::default();
        for record in self.services.values_mut() {
            rates = rates.plus(record.rates());
        }
        Shown {
            totals: self.totals().since(self.base),
            rates,
        }
    }

    /// What one CPU has counted, whatever was zeroed or removed since. Sleeps.
    pub fn counted_on(&self, cpu: Cpu) -> Totals {
        let mut sum = self.trash.counted_on(cpu);
        for record in self.services.values().flat_map(|it| it.servers.iter()) {
            sum = sum.plus(record.server.counters.of(cpu));
            cpu::breathe();
        }
        sum
    }

    /// Shows services in the order of their keys, from `from` on, until `show` says no.
    pub fn show_services(
        &mut self,
        from: Option<ServiceKey>,
        detail: Detail,
        mut show: impl FnMut(ServiceView<'_>) -> bool,
    ) {
        let mut cursor = match from {
            Some(key) => self.services.cursor_lower_bound_mut(&key),
            None => self.services.cursor_front_mut(),
        };
        while let Some(mut at) = cursor {
            let (_, record) = at.current_mut();
            if !show(record.view(detail)) {
                return;
            }
            cursor = at.move_next();
        }
    }

    /// What to show of one service.
    pub fn service(&mut self, key: ServiceKey) -> Result<ServiceView<'_>, Refusal> {
        Ok(self.record_mut(key)?.view(Detail::Full))
    }

    /// The service of this name.
    pub fn named(&self, name: &Name) -> Result<ServiceKey, Refusal> {
        self.names.get(name).copied().ok_or(Refusal::NoSuchService)
    }

    /// Shows the real servers of a service, newest first, behind the first `skip`, until `show` says
    /// no.
    pub fn show_servers(
        &mut self,
        key: ServiceKey,
        skip: usize,
        detail: Detail,
        mut show: impl FnMut(ServerView<'_>) -> bool,
    ) -> Result<(), Refusal> {
        let record = self.record_mut(key)?;
        for server in record.servers.iter_mut().skip(skip) {
            if !show(server.view(detail)) {
                break;
            }
        }
        Ok(())
    }
}
