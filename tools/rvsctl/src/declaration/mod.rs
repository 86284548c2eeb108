// SPDX-License-Identifier: GPL-2.0-only
//! Configuration files: what services and servers there are to be, read with the place of every
//! mistake, and written so that they can be read again.
//!
//! `toml` reads the format of this program, `save` what `ipvsadm -S` prints; `sections` divides a
//! file so that only what changed in it needs to be read; `export` writes; `compare` tells how a
//! file differs from what there is. Nothing here asks the kernel.

mod check;
mod compare;
pub mod export;
mod facts;
mod fields;
mod place;
mod save;
mod sections;
mod toml;

use std::collections::HashMap;

#[cfg(test)]
pub use self::compare::ServerChange;
pub use self::compare::{Comparison, Kind, ServiceChange};
pub use self::place::{Mistake, Place};
use self::sections::Section;
use crate::model::{Endpoint, Identity, ServiceKey};
use crate::netlink::{ServerSettings, ServiceSettings};

/// A service as the file wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredService {
    pub at: Place,
    pub key: ServiceKey,
    pub identity: Identity,
    pub settings: ServiceSettings,
    pub servers: Vec<DeclaredServer>,
    /// Of the text that it was read from, if that is about nothing else.
    pub fingerprint: Option<u64>,
}

/// A real server as the file wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredServer {
    pub at: Place,
    pub endpoint: Endpoint,
    pub identity: Identity,
    pub settings: ServerSettings,
}

/// A service that exists, and the text it was made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    pub key: ServiceKey,
    pub name: Option<String>,
    pub fingerprint: Option<u64>,
}

/// What a file wants.
#[derive(Debug, Default)]
pub struct Declaration {
    /// Those that may differ from what exists.
    pub services: Vec<DeclaredService>,
    /// Which of the known ones are in the file as they were when they were made.
    pub unchanged: Vec<bool>,
}

/// Reads a file. A text that `known` has the fingerprint of is not read again.
pub fn read(text: &str, known: &[Known]) -> Result<Declaration, Mistake> {
    let mut found = Finder::new(known);
    if save::is_save(text) {
        for service in save::read(text)? {
            found.declare(service)?;
        }
    } else {
        for section in sections::split(text) {
            found.section(&section)?;
        }
    }
    Ok(found.declaration)
}

/// Collects services, and sees to it that none is there twice.
struct Finder<'a> {
    known: &'a [Known],
    by_fingerprint: HashMap<u64, usize>,
    keys: HashMap<ServiceKey, Place>,
    names: HashMap<String, Place>,
    declaration: Declaration,
}

impl<'a> Finder<'a> {
    fn new(known: &'a [Known]) -> Self {
        let fingerprints = known.iter().enumerate();
        let by_fingerprint = fingerprints
            .filter_map(|(index, known)| Some((known.fingerprint?, index)))
            .collect();
        Self {
            known,
            by_fingerprint,
            keys: HashMap::with_capacity(known.len()),
            names: HashMap::new(),
            declaration: Declaration {
                services: Vec::new(),
                unchanged: vec![false; known.len()],
            },
        }
    }

    fn section(&mut self, section: &Section<'_>) -> Result<(), Mistake> {
        let fingerprint = section.fingerprint();
        let index = fingerprint.and_then(|it| self.by_fingerprint.get(&it).copied());
        if let Some(index) = index {
            let known: &Known = &self.known[index];
            self.declaration.unchanged[index] = true;
            return self.claim(section.place(), &known.key, known.name.as_deref());
        }
        let mut services = toml::read(section)?;
        if let [service] = &mut services[..] {
            service.fingerprint = fingerprint;
        }
        services
            .into_iter()
            .try_for_each(|service| self.declare(service))
    }

    fn declare(&mut self, service: DeclaredService) -> Result<(), Mistake> {
        self.claim(service.at, &service.key, service.identity.name.as_deref())?;
        self.declaration.services.push(service);
        Ok(())
    }

    /// Takes a service and its name, which must be free.
    fn claim(&mut self, at: Place, key: &ServiceKey, name: Option<&str>) -> Result<(), Mistake> {
        if let Some(first) = self.keys.insert(*key, at) {
            let message = format!("the service {key} is there already, in line {}", first.line);
            return Err(Mistake::new(at, message).tip("each service stands in the file once"));
        }
        let Some(name) = name else { return Ok(()) };
        if let Some(first) = self.names.insert(name.to_string(), at) {
            let message = format!(
                "the name '{name}' is that of the service in line {} already",
                first.line
            );
            return Err(Mistake::new(at, message).tip("each service has its own name, or none"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = "\
# Both of them.

[[service]]
name = \"web\"
protocol = \"tcp\"
address = \"192.0.2.10:80\"

[[service]]
protocol = \"udp\"
address = \"192.0.2.10:53\"
";

    fn known(declaration: &Declaration) -> Vec<Known> {
        let known = |service: &DeclaredService| Known {
            key: service.key,
            name: service.identity.name.clone(),
            fingerprint: service.fingerprint,
        };
        declaration.services.iter().map(known).collect()
    }

    #[test]
    fn only_what_changed_since_is_read_again() {
        let known = known(&read(TWO, &[]).unwrap());
        assert_eq!(known.len(), 2);
        let again = read(TWO, &known).unwrap();
        assert!(again.services.is_empty());
        assert_eq!(again.unchanged, [true, true]);

        let changed = TWO.replace(":53", ":54");
        let changed = read(&changed, &known).unwrap();
        assert_eq!(changed.services.len(), 1);
        assert_eq!(changed.services[0].key.to_string(), "udp 192.0.2.10:54");
        assert_eq!(changed.unchanged, [true, false]);
    }

    #[test]
    fn the_order_of_services_and_what_stands_between_them_does_not_matter() {
        let known = known(&read(TWO, &[]).unwrap());
        let (first, second) = TWO.split_at(TWO.rfind("[[").unwrap());
        let turned = format!("{second}\n\n\n{}", &first[first.find("[[").unwrap()..]);
        assert!(read(&turned, &known).unwrap().services.is_empty());
    }

    #[test]
    fn a_service_that_is_there_twice_is_a_mistake_even_if_it_is_known() {
        let twice = format!("{TWO}{}", &TWO[TWO.find("[[").unwrap()..]);
        for known in [vec![], known(&read(TWO, &[]).unwrap())] {
            let mistake = read(&twice, &known).unwrap_err();
            assert_eq!(mistake.at.line, 11, "{mistake:?}");
            assert!(mistake.message.ends_with("in line 3"), "{mistake:?}");
        }
    }

    #[test]
    fn a_name_that_is_there_twice_is_a_mistake() {
        let twice = TWO.replace("protocol = \"udp\"", "name = \"web\"\nprotocol = \"udp\"");
        for known in [vec![], known(&read(TWO, &[]).unwrap())] {
            let mistake = read(&twice, &known).unwrap_err();
            assert_eq!(mistake.at.line, 8, "{mistake:?}");
            assert!(mistake.message.contains("'web'"), "{mistake:?}");
        }
    }
}
