// SPDX-License-Identifier: GPL-2.0-only
//! What differs between what a file wants and what there is.

use std::collections::HashMap;

use super::{facts, DeclaredServer, DeclaredService, Known};
use crate::model::{Endpoint, Server, ServiceKey, ServiceWithServers};
use crate::netlink::{ServerSettings, ServiceSettings};

/// What happens to a service or a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Added,
    Changed,
    Removed,
    /// A service of which only servers change.
    Kept,
}

/// A service that differs.
#[derive(Debug, PartialEq, Eq)]
pub struct ServiceChange {
    pub kind: Kind,
    pub key: ServiceKey,
    pub name: Option<String>,
    /// What it will be, or what changes.
    pub details: Vec<String>,
    pub servers: Vec<ServerChange>,
    /// Which of the declared services it is, unless it is removed.
    pub declared: Option<usize>,
}

/// A server that differs.
#[derive(Debug, PartialEq, Eq)]
pub struct ServerChange {
    pub kind: Kind,
    pub endpoint: Endpoint,
    pub name: Option<String>,
    pub details: Vec<String>,
    /// Which of the declared servers it is, unless it is removed.
    pub declared: Option<usize>,
}

/// Everything that differs.
#[derive(Debug, Default)]
pub struct Comparison {
    pub services: Vec<ServiceChange>,
}

impl Comparison {
    pub fn is_empty(&self) -> bool {
        self.services.is_empty()
    }

    /// How many services and servers something happens to. The servers of a removed service are not counted.
    pub fn count(&self, kind: Kind) -> (usize, usize) {
        let is = |other| kind == other;
        let servers = |service: &ServiceChange| {
            let servers = service.servers.iter();
            servers.filter(|server| is(server.kind)).count()
        };
        let services = self.services.iter().filter(|it| is(it.kind)).count();
        (services, self.services.iter().map(servers).sum())
    }

    /// Takes in a declared service; `index` is its number, `present` what there is of it.
    pub fn add(
        &mut self,
        index: usize,
        declared: &DeclaredService,
        present: Option<&ServiceWithServers>,
    ) {
        let wanted = facts::of_service(&declared.key, &declared.settings, &declared.identity);
        let (kind, details, servers) = match present {
            None => {
                let servers = (0..).zip(&declared.servers).map(added_server).collect();
                (Kind::Added, facts::words(&wanted), servers)
            }
            Some(present) => {
                let service = &present.service;
                let settings = ServiceSettings::of(service);
                let found = facts::of_service(&service.key, &settings, &service.identity);
                let details = facts::differences(&found, &wanted);
                let servers = compare_servers(&declared.servers, &present.servers);
                let kind = match (details.is_empty(), servers.is_empty()) {
                    (true, true) => return,
                    (true, false) => Kind::Kept,
                    (false, _) => Kind::Changed,
                };
                (kind, details, servers)
            }
        };
        self.services.push(ServiceChange {
            kind,
            key: declared.key,
            name: declared.identity.name.clone(),
            details,
            servers,
            declared: Some(index),
        });
    }

    /// Brings the declared services into the order of the file.
    pub fn sort(&mut self) {
        self.services.sort_by_key(|change| change.declared);
    }

    /// Takes in a service that the file does not have.
    pub fn remove(&mut self, known: &Known) {
        self.services.push(ServiceChange {
            kind: Kind::Removed,
            key: known.key,
            name: known.name.clone(),
            details: Vec::new(),
            servers: Vec::new(),
            declared: None,
        });
    }
}

fn added_server((index, declared): (usize, &DeclaredServer)) -> ServerChange {
    let facts = facts::of_server(&declared.settings, &declared.identity);
    ServerChange {
        kind: Kind::Added,
        endpoint: declared.endpoint,
        name: declared.identity.name.clone(),
        details: facts::words(&facts),
        declared: Some(index),
    }
}

fn compare_servers(declared: &[DeclaredServer], present: &[Server]) -> Vec<ServerChange> {
    let mut left: HashMap<_, _> = present.iter().map(|it| (it.endpoint, it)).collect();
    let mut changes = Vec::new();
    for (index, wanted) in declared.iter().enumerate() {
        let Some(found) = left.remove(&wanted.endpoint) else {
            changes.push(added_server((index, wanted)));
            continue;
        };
        let before = facts::of_server(&ServerSettings::of(found), &found.identity);
        let after = facts::of_server(&wanted.settings, &wanted.identity);
        let details = facts::differences(&before, &after);
        if !details.is_empty() {
            changes.push(ServerChange {
                kind: Kind::Changed,
                endpoint: wanted.endpoint,
                name: wanted.identity.name.clone(),
                details,
                declared: Some(index),
            });
        }
    }
    let gone = present.iter().filter(|it| left.contains_key(&it.endpoint));
    changes.extend(gone.map(|server| ServerChange {
        kind: Kind::Removed,
        endpoint: server.endpoint,
        name: server.identity.name.clone(),
        details: Vec::new(),
        declared: None,
    }));
    changes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::declaration::{self, export};
    use crate::output::samples;

    /// What differs when the text of the first sample service is changed so.
    fn changed(edit: impl Fn(String) -> String) -> Comparison {
        let mut services = samples::services();
        services[0].servers[1].endpoint.port = 80;
        let mut text = Vec::new();
        export::write(&mut text, &services[0]).unwrap();
        let text = edit(String::from_utf8(text).unwrap());
        let declaration = declaration::read(&text, &[]).unwrap();
        let mut comparison = Comparison::default();
        for (index, declared) in declaration.services.iter().enumerate() {
            let present = services.iter().find(|it| it.service.key == declared.key);
            comparison.add(index, declared, present);
        }
        comparison
    }

    #[test]
    fn what_was_exported_does_not_differ() {
        assert!(changed(|text| text).is_empty());
    }

    #[test]
    fn the_order_of_servers_is_no_difference() {
        let turned = changed(|text| {
            let mut lines: Vec<_> = text.lines().collect();
            let first = lines
                .iter()
                .position(|line| line.starts_with("  {"))
                .unwrap();
            lines.swap(first, first + 1);
            lines.join("\n")
        });
        assert!(turned.is_empty(), "{turned:?}");
    }

    #[test]
    fn servers_come_change_and_go() {
        let comparison = changed(|text| {
            text.replace("weight = 5", "weight = 6")
                .replace("10.0.0.2", "10.0.0.9")
        });
        let [service] = &comparison.services[..] else {
            panic!("{comparison:?}")
        };
        assert_eq!(service.kind, Kind::Kept);
        let servers: Vec<_> = service
            .servers
            .iter()
            .map(|it| (it.kind, it.endpoint.to_string(), it.details.join(", ")))
            .collect();
        let expected = [
            (Kind::Changed, "10.0.0.1:8080", "weight 5 -> 6"),
            (
                Kind::Added,
                "10.0.0.9:80",
                "method direct-routing, weight 0",
            ),
            (Kind::Removed, "10.0.0.2:80", ""),
        ];
        assert_eq!(
            servers,
            expected.map(|(kind, a, b)| (kind, a.to_string(), b.to_string()))
        );
        assert_eq!(comparison.count(Kind::Removed), (0, 1));
    }

    #[test]
    fn another_key_is_another_service() {
        let comparison = changed(|text| text.replace("192.0.2.10:80", "192.0.2.11:80"));
        assert_eq!(comparison.services[0].kind, Kind::Added);
        assert_eq!(comparison.services[0].servers.len(), 2);
    }
}
