// SPDX-License-Identifier: GPL-2.0-only
//! What can be said about services and servers, in words, so that two of them can be compared and
//! their difference be shown.

use crate::model::{
    ForwardingMethod, Identity, Netmask, SchedulerOption, ServiceFlags, ServiceKey,
};
use crate::netlink::{ServerSettings, ServiceSettings};

/// Something that is so, such as ("weight", "5").
pub type Fact = (&'static str, String);

/// What is said of a service. What is as always is left out.
pub fn of_service(key: &ServiceKey, settings: &ServiceSettings, identity: &Identity) -> Vec<Fact> {
    let mut facts = of_identity(identity);
    facts.push(("scheduler", settings.scheduler.clone()));
    let options: Vec<_> = SchedulerOption::of(&settings.scheduler)
        .filter(|option| settings.flags.has(option.flag))
        .map(|option| option.name)
        .collect();
    if !options.is_empty() {
        facts.push(("options", options.join(",")));
    }
    if settings.flags.has(ServiceFlags::PERSISTENT) {
        let mut persistence = format!("{} s", settings.timeout);
        if settings.netmask != Netmask::whole(key.family()) {
            persistence.push_str(&format!(" by {}", settings.netmask));
        }
        facts.push(("persistent", persistence));
    }
    if let Some(engine) = &settings.engine {
        facts.push(("persistence-engine", engine.clone()));
    }
    if settings.flags.has(ServiceFlags::ONE_PACKET) {
        facts.push(("one-packet", "yes".to_string()));
    }
    facts
}

/// What is said of a server.
pub fn of_server(settings: &ServerSettings, identity: &Identity) -> Vec<Fact> {
    let mut facts = of_identity(identity);
    facts.push(("method", settings.method.to_string()));
    if settings.method == ForwardingMethod::Tunneling {
        let tunnel = settings.encapsulation.unwrap_or_default().to_string();
        if !tunnel.is_empty() {
            facts.push(("tunnel", tunnel));
        }
    }
    facts.push(("weight", settings.weight.to_string()));
    for (what, threshold) in [
        ("upper-threshold", settings.upper_threshold),
        ("lower-threshold", settings.lower_threshold),
    ] {
        if threshold != 0 {
            facts.push((what, threshold.to_string()));
        }
    }
    facts
}

fn of_identity(identity: &Identity) -> Vec<Fact> {
    let mut facts = Vec::new();
    if let Some(name) = &identity.name {
        facts.push(("name", name.clone()));
    }
    if !identity.labels.is_empty() {
        let labels: Vec<_> = identity
            .labels
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        facts.push(("labels", labels.join(",")));
    }
    facts
}

/// Facts in words.
pub fn words(facts: &[Fact]) -> Vec<String> {
    facts
        .iter()
        .map(|(what, value)| format!("{what} {value}"))
        .collect()
}

/// What is otherwise, in words; nothing if nothing is.
pub fn differences(before: &[Fact], after: &[Fact]) -> Vec<String> {
    let find = |facts: &[Fact], wanted: &str| {
        let found = facts.iter().find(|(what, _)| *what == wanted);
        found.map(|(_, value)| value.clone())
    };
    let gone = before
        .iter()
        .filter(|(what, _)| find(after, what).is_none())
        .map(|(what, value)| format!("{what} {value} -> none"));
    let others = after.iter().filter_map(|(what, value)| {
        let old = find(before, what).unwrap_or_else(|| "none".to_string());
        (old != *value).then(|| format!("{what} {old} -> {value}"))
    });
    gone.chain(others).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Family;

    #[test]
    fn differences_name_what_comes_changes_and_goes() {
        let before = [
            ("scheduler", "wlc".to_string()),
            ("persistent", "300 s".to_string()),
        ];
        let after = [("name", "web".to_string()), ("scheduler", "rr".to_string())];
        assert_eq!(
            differences(&before, &after),
            [
                "persistent 300 s -> none",
                "name none -> web",
                "scheduler wlc -> rr"
            ]
        );
        assert!(differences(&after, &after).is_empty());
    }

    #[test]
    fn what_does_not_count_is_no_difference() {
        let key = ServiceKey::Fwmark {
            fwmark: 7,
            family: Family::Ipv4,
        };
        let plain = ServiceSettings::new(Family::Ipv4, "rr");
        let other = ServiceSettings {
            netmask: Netmask::ipv4(24),
            timeout: 9,
            flags: ServiceFlags(2),
            ..plain.clone()
        };
        let identity = Identity::default();
        assert_eq!(
            of_service(&key, &plain, &identity),
            of_service(&key, &other, &identity)
        );
        let server = ServerSettings::new(ForwardingMethod::DirectRouting, 1);
        let tunneled = ServerSettings {
            encapsulation: Some(crate::model::Encapsulation {
                kind: 1,
                port: 9,
                flags: 1,
            }),
            ..server.clone()
        };
        assert_eq!(
            of_server(&server, &identity),
            of_server(&tunneled, &identity)
        );
    }
}
