// SPDX-License-Identifier: GPL-2.0-only
//! Services with their real servers below them, as a table: what they are set to, what they
//! counted, or how fast.

use std::io::{self, Write};

use super::number::short;
use super::table::{Align, Column, Style, Table};
use crate::model::{Server, Service, ServiceWithServers, Traffic};

/// Which figures are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Figures {
    Settings,
    Counters,
    Rates,
}

/// What a table of services shows, and how.
#[derive(Debug, Clone, Copy)]
pub struct View {
    pub figures: Figures,
    /// All digits.
    pub exact: bool,
}

const NAME: Column = ("SERVICE / SERVER", Align::Left);

const SETTINGS: [Column; 5] = [
    NAME,
    ("SCHEDULER / METHOD", Align::Left),
    ("WEIGHT", Align::Right),
    ("ACTIVE", Align::Right),
    ("INACTIVE", Align::Right),
];

const COUNTERS: [Column; 6] = [
    NAME,
    ("CONNS", Align::Right),
    ("PKTS IN", Align::Right),
    ("PKTS OUT", Align::Right),
    ("BYTES IN", Align::Right),
    ("BYTES OUT", Align::Right),
];

const RATES: [Column; 6] = [
    NAME,
    ("CONN/S", Align::Right),
    ("PKT/S IN", Align::Right),
    ("PKT/S OUT", Align::Right),
    ("BYTE/S IN", Align::Right),
    ("BYTE/S OUT", Align::Right),
];

/// Prints services in the order given.
pub fn print(
    out: &mut dyn Write,
    services: &[ServiceWithServers],
    view: View,
    style: Style,
) -> io::Result<()> {
    let mut table = match view.figures {
        Figures::Settings => Table::new(&SETTINGS),
        Figures::Counters => Table::new(&COUNTERS),
        Figures::Rates => Table::new(&RATES),
    };
    for ServiceWithServers { service, servers } in services {
        table.row(service_row(service, servers, view));
        for server in servers {
            table.row(server_row(server, view));
        }
    }
    table.print(out, style)?;
    Ok(())
}

fn service_row(service: &Service, servers: &[Server], view: View) -> Vec<String> {
    let name = service.key.to_string();
    match view.figures {
        Figures::Settings => {
            let sum = |count: fn(&Server) -> u32| {
                let sum: u64 = servers.iter().map(|server| u64::from(count(server))).sum();
                sum.to_string()
            };
            vec![
                name,
                scheduling(service),
                String::new(),
                sum(|server| server.active_connections),
                sum(|server| server.inactive_connections),
            ]
        }
        Figures::Counters => traffic_row(name, &service.statistics.counters, view),
        Figures::Rates => traffic_row(name, &service.statistics.rates, view),
    }
}

fn server_row(server: &Server, view: View) -> Vec<String> {
    let name = format!("  {}", server.endpoint);
    match view.figures {
        Figures::Settings => vec![
            name,
            method(server),
            server.weight.to_string(),
            server.active_connections.to_string(),
            server.inactive_connections.to_string(),
        ],
        Figures::Counters => traffic_row(name, &server.statistics.counters, view),
        Figures::Rates => traffic_row(name, &server.statistics.rates, view),
    }
}

/// The method and what is not usual about its tunnel.
fn method(server: &Server) -> String {
    match server.tunnel.map(|tunnel| tunnel.to_string()) {
        Some(tunnel) if !tunnel.is_empty() => format!("{} {tunnel}", server.method),
        _ => server.method.to_string(),
    }
}

/// The scheduler and whatever else is not as usual.
fn scheduling(service: &Service) -> String {
    let mut words = vec![service.scheduler.clone()];
    for flag in service.flags.names() {
        words.push(flag.to_string());
        if flag == "persistent" {
            words.push(format!("{}s", service.timeout));
        }
    }
    words.join(" ")
}

fn traffic_row(name: String, traffic: &Traffic, view: View) -> Vec<String> {
    let figures = [
        traffic.connections,
        traffic.packets_in,
        traffic.packets_out,
        traffic.bytes_in,
        traffic.bytes_out,
    ];
    let figure = |number: u64| {
        if view.exact {
            number.to_string()
        } else {
            short(number)
        }
    };
    std::iter::once(name)
        .chain(figures.into_iter().map(figure))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Family, ServiceFlags, Statistics};
    use crate::output::samples::{fits, services};

    fn printed(services: &[ServiceWithServers], figures: Figures, exact: bool) -> String {
        let mut out = Vec::new();
        let view = View { figures, exact };
        print(&mut out, services, view, Style { color: false }).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn services_are_shown_with_their_servers_below_and_the_sums_of_their_connections() {
        let expected = "\
SERVICE / SERVER       SCHEDULER / METHOD                  WEIGHT  ACTIVE  INACTIVE
tcp 192.0.2.10:80      wlc                                             24         6
  10.0.0.1:8080        masquerading                             5      12         3
  10.0.0.2:8080        direct-routing                           0      12         3
udp 192.0.2.10:53      rr                                               0         0
tcp [2001:db8::10]:80  rr                                              12         3
  [2001:db8::2]:80     tunneling gue:6080 remote-checksum       1      12         3
";
        assert_eq!(printed(&services(), Figures::Settings, false), expected);
    }

    #[test]
    fn counters_are_shortened_unless_all_digits_are_asked_for() {
        let mut services = services();
        services.truncate(1);
        services[0].service.statistics.counters.bytes_out = 12_345_678;
        let expected = "\
SERVICE / SERVER   CONNS  PKTS IN  PKTS OUT  BYTES IN  BYTES OUT
tcp 192.0.2.10:80    100      101       102       103      12.3M
  10.0.0.1:8080      200      201       202       203        204
  10.0.0.2:8080      200      201       202       203        204
";
        assert_eq!(printed(&services, Figures::Counters, false), expected);
        let exact = printed(&services, Figures::Counters, true);
        assert!(exact.contains(" 12345678\n"), "{exact}");
    }

    #[test]
    fn rates_are_shown_per_second() {
        let mut services = services();
        services.truncate(1);
        let expected = "\
SERVICE / SERVER   CONN/S  PKT/S IN  PKT/S OUT  BYTE/S IN  BYTE/S OUT
tcp 192.0.2.10:80     105       106        107        108         109
  10.0.0.1:8080       205       206        207        208         209
  10.0.0.2:8080       205       206        207        208         209
";
        assert_eq!(printed(&services, Figures::Rates, false), expected);
    }

    #[test]
    fn the_widest_ipv4_addresses_and_figures_fit_80_columns() {
        let mut services = services();
        services.truncate(1);
        let ServiceWithServers { service, servers } = &mut services[0];
        let widest = "255.255.255.255:65535";
        service.key = crate::model::ServiceKey::Endpoint {
            protocol: crate::model::Protocol::TCP,
            endpoint: crate::parse::endpoint(widest).unwrap(),
        };
        let traffic = Traffic {
            connections: 99_999,
            packets_in: 1_230_000,
            packets_out: 12_300_000,
            bytes_in: 123_000_000,
            bytes_out: u64::MAX,
        };
        service.statistics = Statistics {
            counters: traffic,
            rates: traffic,
        };
        servers[0].endpoint = crate::parse::endpoint(widest).unwrap();
        servers[1].active_connections = 10_000_000;
        servers[1].inactive_connections = 10_000_000;
        for figures in [Figures::Settings, Figures::Counters, Figures::Rates] {
            fits(80, &printed(&services, figures, false));
        }
    }

    #[test]
    fn persistence_and_other_flags_stand_beside_the_scheduler() {
        let mut services = services();
        services.truncate(1);
        let service = &mut services[0].service;
        service.flags = ServiceFlags(0x01 | 0x02 | 0x04);
        service.timeout = 300;
        service.key = crate::model::ServiceKey::Fwmark {
            fwmark: 7,
            family: Family::Ipv4,
        };
        let text = printed(&services, Figures::Settings, false);
        let line = text.lines().nth(1).unwrap();
        assert!(
            line.starts_with("fwmark 7          wlc persistent 300s one-packet"),
            "{line}"
        );
    }
}
