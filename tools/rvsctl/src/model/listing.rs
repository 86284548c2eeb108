// SPDX-License-Identifier: GPL-2.0-only
//! All services with their servers, to be gone through as often as it takes. They are held encoded,
//! in some dozens of bytes for a server; one service at a time is as it was.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use super::{ServiceKey, ServiceWithServers};

/// A service with its servers, encoded.
#[derive(Debug)]
struct Encoded {
    servers: usize,
    bytes: Box<[u8]>,
}

/// Services in the order of their keys, each with its servers in the order of their addresses.
#[derive(Debug, Default)]
pub struct Listing {
    services: BTreeMap<ServiceKey, Encoded>,
}

impl Listing {
    /// Adds a service, in place of one with the same key.
    pub fn add(&mut self, mut added: ServiceWithServers) {
        added.servers.sort_by_key(|server| server.endpoint);
        let encoded = Encoded {
            servers: added.servers.len(),
            bytes: bitcode::encode(&added).into(),
        };
        self.services.insert(added.service.key, encoded);
    }

    /// How many services there are.
    pub fn len(&self) -> usize {
        self.services.len()
    }

    pub fn is_empty(&self) -> bool {
        self.services.is_empty()
    }

    /// How many servers there are, over all services.
    pub fn server_count(&self) -> usize {
        self.services.values().map(|encoded| encoded.servers).sum()
    }

    pub fn iter(&self) -> impl Iterator<Item = ServiceWithServers> + Clone + '_ {
        let services = self.services.values();
        services.map(|encoded| bitcode::decode(&encoded.bytes).expect("this process encoded it"))
    }
}

impl FromIterator<ServiceWithServers> for Listing {
    fn from_iter<I: IntoIterator<Item = ServiceWithServers>>(services: I) -> Self {
        let mut listing = Self::default();
        for service in services {
            listing.add(service);
        }
        listing
    }
}

impl Serialize for Listing {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Draining, Identity, Leftovers, Netmask, ServiceFlags};
    use crate::output::samples;

    /// The samples with all that a service or server may have besides.
    fn rich() -> Vec<ServiceWithServers> {
        let mut services = samples::services();
        let called = |name: &str| Identity {
            name: Some(name.to_string()),
            labels: [("tier".to_string(), "vorne, für alle".to_string())].into(),
        };
        let ServiceWithServers { service, servers } = &mut services[0];
        service.identity = called("web");
        service.engine = Some("sip".to_string());
        service.fingerprint = Some(u64::MAX);
        (service.flags, service.timeout) = (ServiceFlags(0x13), 300);
        service.netmask = Netmask::ipv4(24);
        servers[0].identity = called("web1");
        (servers[0].upper_threshold, servers[0].lower_threshold) = (u32::MAX, 7);
        servers[0].overloaded = true;
        servers[1].draining = Some(Draining {
            left: 12,
            deadline_milliseconds: Some(24_100),
            leftovers: Leftovers::Drop,
            remove: true,
            done: false,
        });
        services
    }

    #[test]
    fn services_come_out_as_they_went_in_as_often_as_it_takes() {
        let listing: Listing = rich().into_iter().collect();
        let mut expected = rich();
        expected.sort_by_key(|it| it.service.key);
        for _ in 0..2 {
            assert_eq!(listing.iter().collect::<Vec<_>>(), expected);
        }
        assert_eq!((listing.len(), listing.server_count()), (3, 3));
    }

    #[test]
    fn services_and_servers_are_sorted_whatever_the_order_in_which_they_came() {
        let mut services = rich();
        services.reverse();
        services[2].servers.reverse();
        let listing: Listing = services.into_iter().collect();
        let mut expected = rich();
        expected.sort_by_key(|it| it.service.key);
        assert_eq!(listing.iter().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_service_that_came_twice_is_there_once_as_it_was_later() {
        let mut later = rich().remove(0);
        later.servers.truncate(1);
        let services = rich().into_iter().chain([later.clone()]);
        let listing: Listing = services.collect();
        assert_eq!(
            listing
                .iter()
                .find(|it| it.service.key == later.service.key),
            Some(later)
        );
        assert_eq!((listing.len(), listing.server_count()), (3, 2));
    }

    #[test]
    fn an_idle_server_takes_less_than_fifty_bytes() {
        let mut services = samples::services();
        services.truncate(1);
        for server in &mut services[0].servers {
            server.statistics.counters = Default::default();
            server.statistics.rates = Default::default();
        }
        let held = |servers| {
            let mut services = services.clone();
            services[0].servers.truncate(servers);
            let listing: Listing = services.into_iter().collect();
            listing
                .services
                .values()
                .map(|encoded| encoded.bytes.len())
                .sum::<usize>()
        };
        assert!(held(2) - held(1) < 50, "{} bytes", held(2) - held(1));
    }

    #[test]
    fn a_listing_is_the_json_of_its_services() {
        let listing: Listing = rich().into_iter().collect();
        let expected: Vec<_> = listing.iter().collect();
        assert_eq!(
            serde_json::to_string_pretty(&listing).unwrap(),
            serde_json::to_string_pretty(&expected).unwrap()
        );
    }
}
