// SPDX-License-Identifier: GPL-2.0-only
//! All figures at one time, and how fast they grew between two.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::{DropReason, Endpoint, ServiceKey, ServiceWithServers, Statistics, Totals, Traffic};

/// All figures, read one after the other; each says when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    pub totals: Totals,
    pub services: Vec<ServiceWithServers>,
}

/// A reading whose rates are those since an earlier one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pace {
    /// From the earlier reading to this one.
    #[serde(rename = "interval_milliseconds", serialize_with = "milliseconds")]
    pub interval: Duration,
    pub totals: Totals,
    pub drop_rates: Vec<DropRate>,
    pub services: Vec<ServiceWithServers>,
}

/// How fast packets are dropped for a reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DropRate {
    pub reason: String,
    pub count: u64,
    pub per_second: u64,
}

fn milliseconds<S: serde::Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(time.as_millis() as u64)
}

/// The counters of a reading, to tell how fast they grow.
#[derive(Debug, Clone)]
pub struct Counted {
    totals: Statistics,
    drops: Vec<DropReason>,
    services: BTreeMap<ServiceKey, Statistics>,
    servers: BTreeMap<(ServiceKey, Endpoint), Statistics>,
}

impl Counted {
    pub fn of(reading: &Reading) -> Self {
        let services = reading.services.iter();
        let services = services.map(|it| (it.service.key, it.service.statistics));
        let servers = reading.services.iter().flat_map(|it| {
            let servers = it.servers.iter();
            servers.map(|server| ((it.service.key, server.endpoint), server.statistics))
        });
        Self {
            totals: reading.totals.statistics,
            drops: reading.totals.drops.clone(),
            services: services.collect(),
            servers: servers.collect(),
        }
    }
}

impl Pace {
    /// A reading with the rates since an earlier one. Rates of what was not there earlier, or was
    /// zeroed meanwhile, are 0.
    pub fn since(earlier: &Counted, later: Reading) -> Self {
        let Reading {
            mut totals,
            mut services,
        } = later;
        let interval = passed(&earlier.totals, &totals.statistics);
        let drop_rates = drop_rates(&earlier.drops, &totals.drops, interval);
        set_rates(&mut totals.statistics, Some(&earlier.totals));
        for ServiceWithServers { service, servers } in &mut services {
            set_rates(&mut service.statistics, earlier.services.get(&service.key));
            for server in servers {
                let key = (service.key, server.endpoint);
                set_rates(&mut server.statistics, earlier.servers.get(&key));
            }
        }
        Self {
            interval,
            totals,
            drop_rates,
            services,
        }
    }
}

/// The time between two readings; none where the kernel does not tell it.
fn passed(earlier: &Statistics, later: &Statistics) -> Duration {
    match (earlier.time, later.time) {
        (Some(earlier), Some(later)) => later.saturating_sub(earlier),
        _ => Duration::ZERO,
    }
}

fn set_rates(later: &mut Statistics, earlier: Option<&Statistics>) {
    let Some(earlier) = earlier else {
        later.rates = Traffic::default();
        return;
    };
    let interval = passed(earlier, later);
    let (from, to) = (&earlier.counters, &later.counters);
    let rate = |field: fn(&Traffic) -> u64| per_second(field(from), field(to), interval);
    later.rates = Traffic {
        connections: rate(|traffic| traffic.connections),
        packets_in: rate(|traffic| traffic.packets_in),
        packets_out: rate(|traffic| traffic.packets_out),
        bytes_in: rate(|traffic| traffic.bytes_in),
        bytes_out: rate(|traffic| traffic.bytes_out),
    };
}

fn drop_rates(earlier: &[DropReason], later: &[DropReason], interval: Duration) -> Vec<DropRate> {
    let before = |reason: &str| earlier.iter().find(|drop| drop.reason == reason);
    let later = later.iter();
    later
        .map(|drop| {
            let before = before(&drop.reason).map_or(drop.count, |drop| drop.count);
            DropRate {
                reason: drop.reason.clone(),
                count: drop.count,
                per_second: per_second(before, drop.count, interval),
            }
        })
        .collect()
}

/// The increase per second, rounded; 0 if there is none, or no time has passed.
fn per_second(from: u64, to: u64, interval: Duration) -> u64 {
    let increase = u128::from(to.saturating_sub(from)) * 1_000_000_000;
    let nanoseconds = interval.as_nanos();
    match nanoseconds {
        0 => 0,
        _ => u64::try_from((increase + nanoseconds / 2) / nanoseconds).unwrap_or(u64::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::samples;

    fn reading() -> Reading {
        Reading {
            totals: samples::totals(),
            services: samples::services(),
        }
    }

    /// Half a second later, with some more of everything.
    fn later() -> Reading {
        let mut reading = reading();
        let half = Duration::from_millis(500);
        let advance = |statistics: &mut Statistics, packets: u64| {
            statistics.time = statistics.time.map(|time| time + half);
            statistics.counters.packets_in += packets;
        };
        advance(&mut reading.totals.statistics, 300);
        reading.totals.drops[0].count += 7;
        for ServiceWithServers { service, servers } in &mut reading.services {
            advance(&mut service.statistics, 100);
            for server in servers {
                advance(&mut server.statistics, 50);
            }
        }
        reading
    }

    #[test]
    fn rates_are_the_increase_over_the_time_by_the_kernels_clock() {
        let pace = Pace::since(&Counted::of(&reading()), later());
        assert_eq!(pace.interval, Duration::from_millis(500));
        assert_eq!(pace.totals.statistics.rates.packets_in, 600);
        assert_eq!(pace.totals.statistics.rates.connections, 0);
        assert_eq!(pace.services[0].service.statistics.rates.packets_in, 200);
        let server = &pace.services[0].servers[0];
        assert_eq!(server.statistics.rates.packets_in, 100);
        assert_eq!(
            (pace.drop_rates[0].count, pace.drop_rates[0].per_second),
            (10, 14)
        );
        assert_eq!(pace.drop_rates[1].per_second, 0);
    }

    #[test]
    fn what_was_not_there_or_was_zeroed_has_no_rate() {
        let mut earlier = reading();
        earlier.services.remove(0);
        earlier.totals.statistics.counters.packets_in = u64::MAX;
        let pace = Pace::since(&Counted::of(&earlier), later());
        assert_eq!(pace.totals.statistics.rates, Traffic::default());
        assert_eq!(
            pace.services[0].service.statistics.rates,
            Traffic::default()
        );
        let server = &pace.services[0].servers[0];
        assert_eq!(server.statistics.rates, Traffic::default());
        assert_eq!(pace.services[1].service.statistics.rates.packets_in, 200);
    }

    #[test]
    fn no_time_and_odd_times_make_no_nonsense() {
        let pace = Pace::since(&Counted::of(&reading()), reading());
        assert_eq!(pace.totals.statistics.rates, Traffic::default());
        assert_eq!(per_second(0, u64::MAX, Duration::from_nanos(1)), u64::MAX);
        assert_eq!(per_second(10, 19, Duration::from_secs(2)), 5);
    }
}
