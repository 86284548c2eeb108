// SPDX-License-Identifier: GPL-2.0-only
//! What would become of a packet, for people.

use std::io::{self, Write};

use super::table::{wrap, Align, Column, Style, Table};
use crate::model::{
    Candidate, ChosenBy, Connection, Explanation, Flow, ForwardingMethod, Outcome, Way, SCHEDULERS,
};

/// Width that sentences are wrapped to, and where they begin.
const WIDTH: usize = 80;
const INDENT: usize = 13;

const COLUMNS: [Column; 5] = [
    ("SERVER", Align::Left),
    ("WEIGHT", Align::Right),
    ("ACTIVE", Align::Right),
    ("INACTIVE", Align::Right),
    ("", Align::Left),
];

/// Prints an answer, and below it the servers that might have been chosen.
pub fn print(
    out: &mut dyn Write,
    flow: &Flow,
    told: &Explanation,
    servers: &[Candidate],
    style: Style,
) -> io::Result<()> {
    writeln!(out, "{}", style.heading(&flow.to_string()))?;
    for (subject, words) in [
        ("Service", service(told)),
        ("Connection", connection(told)),
        ("Template", template(told)),
        ("Real server", server(told)),
        ("Outcome", Some(outcome(told, flow))),
    ] {
        if let Some(words) = words {
            sentence(out, subject, &words)?;
        }
    }
    if servers.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    let mut table = Table::new(&COLUMNS);
    for server in servers {
        table.row(vec![
            server.endpoint.to_string(),
            server.weight.to_string(),
            server.active_connections.to_string(),
            server.inactive_connections.to_string(),
            remark(server),
        ]);
    }
    table.print(out, style)?;
    Ok(())
}

fn sentence(out: &mut dyn Write, subject: &str, words: &str) -> io::Result<()> {
    let mut subject = subject;
    for line in wrap(words, WIDTH - INDENT) {
        writeln!(out, "{subject:<INDENT$}{line}")?;
        subject = "";
    }
    Ok(())
}

fn service(told: &Explanation) -> Option<String> {
    let key = match (&told.service, told.outcome) {
        (Some(key), _) => key,
        (None, Outcome::Passed) => return Some("none that it is for".to_string()),
        (None, _) => return None,
    };
    let scheduler = told.scheduler.as_deref();
    let scheduler = scheduler.map_or(String::new(), |name| format!(", scheduler {name}"));
    Some(format!("{key}{scheduler}"))
}

fn ends(entry: &Connection) -> String {
    let Connection { client, server, .. } = entry;
    format!("{client} at {server}")
}

fn connection(told: &Explanation) -> Option<String> {
    let Some(entry) = &told.connection else {
        return told.service.map(|_| "none".to_string());
    };
    let way = match told.way {
        Some(Way::Out) => ", of whose real server it is",
        _ if told.connection_replaced => ", which makes place for a new one",
        _ => "",
    };
    Some(format!("{}, {}{way}", ends(entry), entry.state))
}

fn template(told: &Explanation) -> Option<String> {
    let entry = told.template.as_ref()?;
    let usable = match told.template_usable {
        Some(false) => ", which is not used any more",
        _ => "",
    };
    Some(format!("{}{usable}", ends(entry)))
}

fn server(told: &Explanation) -> Option<String> {
    let server = told.server?;
    let why = match told.chosen_by? {
        ChosenBy::Connection => "by its connection".to_string(),
        ChosenBy::Template => "by the template of its client".to_string(),
        ChosenBy::Scheduler => {
            let name = told.scheduler.as_deref().unwrap_or_default();
            let known = SCHEDULERS.iter().find(|(known, _)| *known == name);
            let rule = known.map_or(name, |(_, rule)| rule);
            let chance = if told.by_chance { " (this time)" } else { "" };
            format!("by the scheduler{chance}: {rule}")
        }
    };
    Some(format!("{server}, {why}"))
}

fn outcome(told: &Explanation, flow: &Flow) -> String {
    match told.outcome {
        Outcome::Passed => {
            "left alone: it is none of rvs, and this host takes or routes it".to_string()
        }
        Outcome::Dropped => match &told.dropped {
            Some(dropped) => format!("dropped, {}: {}", dropped.reason, dropped.meaning),
            None => "dropped".to_string(),
        },
        Outcome::Forwarded => forwarded(told, flow),
    }
}

fn forwarded(told: &Explanation, flow: &Flow) -> String {
    if told.way == Some(Way::Out) {
        return format!("back to the client, {}", flow.destination);
    }
    let target = match (told.server, told.method) {
        (Some(server), Some(ForwardingMethod::Masquerading)) => {
            let port = told.target_port.unwrap_or(server.port);
            format!(" to {}", crate::model::Endpoint { port, ..server })
        }
        (Some(server), _) => format!(" to {}", server.address),
        (None, _) => " to where it goes, as no server takes it".to_string(),
    };
    let method = told.method.map(|method| format!(" by {method}"));
    let place = match (told.local, told.mtu) {
        (true, _) => ", which is this host".to_string(),
        (false, Some(mtu)) => format!(", which packets of up to {mtu} bytes reach whole"),
        (false, None) => String::new(),
    };
    format!("forwarded{}{target}{place}", method.unwrap_or_default())
}

fn remark(server: &Candidate) -> String {
    let obstacle = match server.obstacle {
        Some("draining") => server.draining.map(|draining| draining.to_string()),
        Some("weight") => Some("gets none: weight 0".to_string()),
        Some(_) => Some("gets none: at its upper threshold".to_string()),
        None => None,
    };
    let chosen = server.chosen.then(|| "chosen".to_string());
    let words: Vec<_> = chosen.into_iter().chain(obstacle).collect();
    words.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Dropped, Protocol};
    use crate::output::samples::{connection as entry, fits, services};
    use crate::parse;

    fn flow() -> Flow {
        Flow {
            protocol: Protocol::TCP,
            client: parse::endpoint("203.0.113.7:4711").unwrap(),
            destination: parse::endpoint("192.0.2.10:80").unwrap(),
            mark: 0,
        }
    }

    fn scheduled() -> Explanation {
        let services = services();
        Explanation {
            outcome: Outcome::Forwarded,
            dropped: None,
            service: Some(services[0].service.key),
            scheduler: Some("wlc".to_string()),
            connection: None,
            way: None,
            connection_replaced: false,
            template: None,
            template_usable: None,
            chosen_by: Some(ChosenBy::Scheduler),
            by_chance: false,
            server: Some(services[0].servers[0].endpoint),
            target_port: Some(8080),
            method: Some(ForwardingMethod::Masquerading),
            local: false,
            mtu: Some(1500),
            table_full: false,
        }
    }

    fn printed(told: &Explanation) -> String {
        let servers: Vec<_> = services()[0]
            .servers
            .iter()
            .map(|server| Candidate::of(server, told.server))
            .collect();
        let mut out = Vec::new();
        print(&mut out, &flow(), told, &servers, Style::PLAIN).unwrap();
        let text = String::from_utf8(out).unwrap();
        fits(80, &text);
        text
    }

    #[test]
    fn a_scheduled_flow_is_told_with_the_rule_and_the_servers() {
        let expected = "\
tcp 203.0.113.7:4711 -> 192.0.2.10:80
Service      tcp 192.0.2.10:80, scheduler wlc
Connection   none
Real server  10.0.0.1:8080, by the scheduler: weighted least connections: fewest
             connections per weight
Outcome      forwarded by masquerading to 10.0.0.1:8080, which packets of up to
             1500 bytes reach whole

SERVER         WEIGHT  ACTIVE  INACTIVE
10.0.0.1:8080       5      12         3  chosen
10.0.0.2:8080       0      12         3  gets none: weight 0
";
        assert_eq!(printed(&scheduled()), expected);
    }

    #[test]
    fn a_packet_of_a_connection_names_it_and_whether_it_makes_place() {
        let told = Explanation {
            connection: Some(entry(4711)),
            way: Some(Way::In),
            chosen_by: Some(ChosenBy::Connection),
            ..scheduled()
        };
        let line = "Connection   198.51.100.7:4711 at 10.0.0.1:8080, ESTABLISHED\n";
        assert!(printed(&told).contains(line));
        let told = Explanation {
            connection_replaced: true,
            chosen_by: Some(ChosenBy::Scheduler),
            ..told
        };
        assert!(printed(&told).contains("which makes place"));
    }

    #[test]
    fn what_is_dropped_or_left_alone_is_told_with_the_reason() {
        let told = Explanation {
            outcome: Outcome::Dropped,
            dropped: Some(Dropped {
                reason: "no-server".to_string(),
                meaning: "No server was available.".to_string(),
            }),
            server: None,
            chosen_by: None,
            ..scheduled()
        };
        assert!(printed(&told).contains("dropped, no-server: No server was available."));
        let told = Explanation {
            outcome: Outcome::Passed,
            service: None,
            ..told
        };
        assert!(printed(&told).contains("Service      none that it is for\n"));
    }
}
