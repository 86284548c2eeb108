// SPDX-License-Identifier: GPL-2.0-only
//! Labels of the series of services and servers: what identifies them, what they are called, and of
//! the labels that people gave them those that are asked for.

use std::borrow::Cow;

use crate::model::{Identity, Server, Service};

pub type Labels = Vec<(Cow<'static, str>, String)>;

/// Which of the labels that people gave services and servers become labels of series.
#[derive(Debug, Clone, Copy)]
pub enum Chosen<'a> {
    All,
    /// Those with these keys.
    Keys(&'a [String]),
}

impl Chosen<'_> {
    fn has(self, key: &str) -> bool {
        match self {
            Self::All => true,
            Self::Keys(keys) => keys.iter().any(|chosen| chosen == key),
        }
    }
}

/// One label.
pub fn label(name: &'static str, value: impl ToString) -> Labels {
    vec![(name.into(), value.to_string())]
}

pub fn of_service(service: &Service, chosen: Chosen<'_>) -> Labels {
    let mut labels = label("service", service.key);
    add_identity(&mut labels, "service", &service.identity, chosen);
    labels
}

/// Those of the service, too, by whose labels people add up figures of servers.
pub fn of_server(service: &Service, server: &Server, chosen: Chosen<'_>) -> Labels {
    let mut labels = of_service(service, chosen);
    labels.push(("server".into(), server.endpoint.to_string()));
    add_identity(&mut labels, "server", &server.identity, chosen);
    labels
}

/// To OpenMetrics an empty value is that of a label that is not there. Of keys that are alike but for
/// what a label's name cannot have, the first one counts.
fn add_identity(labels: &mut Labels, of: &str, identity: &Identity, chosen: Chosen<'_>) {
    let name = identity.name.iter();
    let name = name.map(|name| (format!("{of}_name"), name));
    let further = identity.labels.iter().filter(|(key, _)| chosen.has(key));
    let further = further.map(|(key, value)| (format!("{of}_label_{}", cleaned(key)), value));
    for (name, value) in name.chain(further) {
        if !value.is_empty() && !labels.iter().any(|(known, _)| *known == name) {
            labels.push((name.into(), value.clone()));
        }
    }
}

/// A key of people's with what the name of a label may have (OpenMetrics: `[a-zA-Z0-9_]`).
fn cleaned(key: &str) -> String {
    key.replace(|c: char| !c.is_ascii_alphanumeric(), "_")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::samples::services;

    fn called(name: Option<&str>, labels: &[(&str, &str)]) -> Identity {
        let labels = labels.iter();
        Identity {
            name: name.map(String::from),
            labels: labels
                .map(|(key, value)| (key.to_string(), value.to_string()))
                .collect(),
        }
    }

    fn shown(labels: &Labels) -> Vec<String> {
        let labels = labels.iter();
        labels
            .map(|(name, value)| format!("{name}={value}"))
            .collect()
    }

    #[test]
    fn names_are_always_there_and_labels_if_they_are_chosen() {
        let mut it = services().remove(0);
        it.service.identity = called(Some("web"), &[("site", "a"), ("tier", "front")]);
        it.servers[0].identity = called(Some("web1"), &[("rack", "r1"), ("tier", "x")]);
        let keys = ["tier".to_string()];
        let [some, all] = [Chosen::Keys(&keys), Chosen::All]
            .map(|chosen| shown(&of_server(&it.service, &it.servers[0], chosen)));
        assert_eq!(
            some,
            [
                "service=tcp 192.0.2.10:80",
                "service_name=web",
                "service_label_tier=front",
                "server=10.0.0.1:8080",
                "server_name=web1",
                "server_label_tier=x",
            ]
        );
        assert!(all.contains(&"service_label_site=a".to_string()), "{all:?}");
        assert!(all.contains(&"server_label_rack=r1".to_string()), "{all:?}");
    }

    #[test]
    fn keys_become_names_that_openmetrics_takes_each_of_them_once() {
        let mut it = services().remove(0);
        let labels = [
            ("app.example/tier", "a"),
            ("app-example.tier", "b"),
            ("empty", ""),
        ];
        it.service.identity = called(None, &labels);
        let shown = shown(&of_service(&it.service, Chosen::All));
        assert_eq!(
            shown,
            [
                "service=tcp 192.0.2.10:80",
                "service_label_app_example_tier=b"
            ]
        );
    }
}
