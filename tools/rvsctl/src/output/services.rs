// SPDX-License-Identifier: GPL-2.0-only
//! Services with their real servers below them, as a table: what they are set to, what they
//! counted, or how fast.

use std::borrow::Borrow;
use std::fmt;
use std::io::{self, Write};

use super::number::short;
use super::table::{Align, Cells, Column, Style, Widths};
use crate::model::{Identity, Netmask, Server, Service, ServiceFlags, ServiceWithServers, Traffic};

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

const SETTINGS: [Column; 6] = [
    NAME,
    ("SCHEDULER / METHOD", Align::Left),
    ("WEIGHT", Align::Right),
    ("ACTIVE", Align::Right),
    ("INACTIVE", Align::Right),
    ("BOUND", Align::Right),
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

impl View {
    fn columns(self) -> &'static [Column] {
        match self.figures {
            Figures::Settings => &SETTINGS,
            Figures::Counters => &COUNTERS,
            Figures::Rates => &RATES,
        }
    }
}

/// Prints services in the order given. They are gone through twice: the widths of the columns are
/// known only after the last row.
pub fn print<S: Borrow<ServiceWithServers>>(
    out: &mut dyn Write,
    services: impl Iterator<Item = S> + Clone,
    view: View,
    style: Style,
) -> io::Result<()> {
    let mut widths = Widths::new(view.columns());
    let mut is_bound = false;
    for it in services.clone() {
        is_bound |= has_persistence(it.borrow());
        each_row(it.borrow(), view, |row| {
            if let Row::Cells(cells) = row {
                widths.hold(cells);
            }
            Ok(())
        })?;
    }
    if view.figures == Figures::Settings && !is_bound {
        widths.drop_last();
    }
    widths.fit(style);
    widths.print_heading(out, style)?;
    for it in services {
        each_row(it.borrow(), view, |row| match row {
            Row::Cells(cells) => widths.print(out, cells),
            Row::Note(text) => writeln!(out, "{}", style.aside(&text)),
        })?;
    }
    Ok(())
}

/// Whether the last column of the settings has something to show.
fn has_persistence(ServiceWithServers { service, servers }: &ServiceWithServers) -> bool {
    let templates = |server: &Server| server.persistent_connections != 0;
    service.is_persistent() || servers.iter().any(templates)
}

/// A line about a service or server.
enum Row<'a> {
    Cells(&'a Cells),
    /// Remarks on the row above it, across the columns.
    Note(String),
}

/// Hands the lines about a service and its servers to `each`.
fn each_row(
    ServiceWithServers { service, servers }: &ServiceWithServers,
    view: View,
    mut each: impl FnMut(Row<'_>) -> io::Result<()>,
) -> io::Result<()> {
    let mut cells = Cells::default();
    add_service(&mut cells, service, servers, view);
    each(Row::Cells(&cells))?;
    if let Some(note) = note(view, "  ", service_notes(service)) {
        each(Row::Note(note))?;
    }
    for server in servers {
        cells.clear();
        add_server(&mut cells, server, view);
        each(Row::Cells(&cells))?;
        let tunnel = server.tunnel.map(|tunnel| tunnel.to_string());
        let tunnel = tunnel.filter(|words| !words.is_empty());
        let tunnel = tunnel.map(|words| format!("in {words}"));
        let notes = tunnel.into_iter().chain(server_notes(server)).collect();
        if let Some(note) = note(view, "    ", notes) {
            each(Row::Note(note))?;
        }
    }
    Ok(())
}

/// Remarks among the settings, if there are any.
fn note(view: View, indent: &str, words: Vec<String>) -> Option<String> {
    let is_shown = view.figures == Figures::Settings && !words.is_empty();
    is_shown.then(|| format!("{indent}({})", words.join(", ")))
}

/// What a service has besides its scheduler.
pub fn service_notes(service: &Service) -> Vec<String> {
    let mut words = Vec::new();
    if service.is_persistent() {
        let whole = service.netmask == Netmask::whole(service.key.family());
        words.push(match whole {
            true => format!("persistent {} s", service.timeout),
            false => format!("persistent {} s by {}", service.timeout, service.netmask),
        });
    }
    if service.flags.has(ServiceFlags::ONE_PACKET) {
        words.push("one-packet".to_string());
    }
    let options = service.scheduler_options();
    if options.is_empty() {
        // Of a scheduler that this program does not know.
        let other = service
            .flags
            .names()
            .filter(|name| name.starts_with("sched-"));
        words.extend(other.map(str::to_string));
    }
    words.extend(options.into_iter().map(str::to_string));
    words.extend(service.engine.iter().cloned());
    words.extend(labels(&service.identity));
    words
}

/// What a server has besides method and weight.
pub fn server_notes(server: &Server) -> Vec<String> {
    let thresholds = match (server.upper_threshold, server.lower_threshold) {
        (0, _) => None,
        (upper, 0) => Some(format!("at most {upper} connections")),
        (upper, lower) => Some(format!(
            "at most {upper} connections, then none until below {lower}"
        )),
    };
    let draining = server.draining.map(|draining| draining.to_string());
    let words = draining.into_iter().chain(thresholds);
    words.chain(labels(&server.identity)).collect()
}

fn add_service(cells: &mut Cells, service: &Service, servers: &[Server], view: View) {
    cells.push(titled(&service.key, &service.identity));
    match view.figures {
        Figures::Settings => {
            cells.push(&service.scheduler);
            cells.push("");
            let counts: [fn(&Server) -> u32; 3] = [
                |server| server.active_connections,
                |server| server.inactive_connections,
                |server| server.persistent_connections,
            ];
            for count in counts {
                let counts = servers.iter().map(|server| u64::from(count(server)));
                cells.push(counts.sum::<u64>());
            }
        }
        Figures::Counters => add_traffic(cells, &service.statistics.counters, view),
        Figures::Rates => add_traffic(cells, &service.statistics.rates, view),
    }
}

fn add_server(cells: &mut Cells, server: &Server, view: View) {
    let title = titled(&server.endpoint, &server.identity);
    cells.push(format_args!("  {title}"));
    match view.figures {
        Figures::Settings => {
            cells.push(server.method);
            cells.push(server.weight);
            cells.push(server.active_connections);
            cells.push(server.inactive_connections);
            cells.push(server.persistent_connections);
        }
        Figures::Counters => add_traffic(cells, &server.statistics.counters, view),
        Figures::Rates => add_traffic(cells, &server.statistics.rates, view),
    }
}

/// The method and what is not usual about its tunnel.
pub fn method(server: &Server) -> String {
    match server.tunnel.map(|tunnel| tunnel.to_string()) {
        Some(tunnel) if !tunnel.is_empty() => format!("{} {tunnel}", server.method),
        _ => server.method.to_string(),
    }
}

/// What a service is, and what it is called.
pub fn title(service: &Service) -> String {
    titled(&service.key, &service.identity).to_string()
}

/// Where a server is, and what it is called.
pub fn server_title(server: &Server) -> String {
    titled(&server.endpoint, &server.identity).to_string()
}

/// An address and a name.
struct Titled<'a, A>(&'a A, Option<&'a str>);

impl<A: fmt::Display> fmt::Display for Titled<'_, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(address, name) = self;
        address.fmt(f)?;
        match name {
            Some(name) => write!(f, " ({name})"),
            None => Ok(()),
        }
    }
}

fn titled<'a, A>(address: &'a A, identity: &'a Identity) -> Titled<'a, A> {
    Titled(address, identity.name.as_deref())
}

fn labels(identity: &Identity) -> impl Iterator<Item = String> + '_ {
    let labels = identity.labels.iter();
    labels.map(|(key, value)| format!("{key}={value}"))
}

fn add_traffic(cells: &mut Cells, traffic: &Traffic, view: View) {
    for figure in [
        traffic.connections,
        traffic.packets_in,
        traffic.packets_out,
        traffic.bytes_in,
        traffic.bytes_out,
    ] {
        match view.exact {
            true => cells.push(figure),
            false => cells.push(short(figure)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Draining, Family, Leftovers, ServiceKey, Statistics};
    use crate::output::samples::{fits, services};

    fn printed(services: &[ServiceWithServers], figures: Figures, exact: bool) -> String {
        let mut out = Vec::new();
        let view = View { figures, exact };
        print(&mut out, services.iter(), view, Style::PLAIN).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn services_are_shown_with_their_servers_below_and_the_sums_of_their_connections() {
        let mut services = services();
        for server in services.iter_mut().flat_map(|service| &mut service.servers) {
            server.persistent_connections = 0;
        }
        let expected = "\
SERVICE / SERVER       SCHEDULER / METHOD  WEIGHT  ACTIVE  INACTIVE
tcp 192.0.2.10:80      wlc                             24         6
  10.0.0.1:8080        masquerading             5      12         3
  10.0.0.2:8080        direct-routing           0      12         3
udp 192.0.2.10:53      rr                               0         0
tcp [2001:db8::10]:80  rr                              12         3
  [2001:db8::2]:80     tunneling                1      12         3
    (in gue:6080 remote-checksum)
";
        assert_eq!(printed(&services, Figures::Settings, false), expected);
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
        service.flags = ServiceFlags(0x01);
        service.key = ServiceKey::Endpoint {
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
            time: None,
        };
        servers[0].endpoint = crate::parse::endpoint(widest).unwrap();
        servers[1].active_connections = 10_000_000;
        servers[1].inactive_connections = 10_000_000;
        for figures in [Figures::Settings, Figures::Counters, Figures::Rates] {
            fits(80, &printed(&services, figures, false));
        }
    }

    #[test]
    fn what_is_not_as_usual_stands_below_in_parentheses() {
        let mut services = services();
        services.truncate(1);
        let ServiceWithServers { service, servers } = &mut services[0];
        service.key = ServiceKey::Fwmark {
            fwmark: 7,
            family: Family::Ipv4,
        };
        service.scheduler = "sh".to_string();
        service.flags = ServiceFlags(0x01 | 0x02 | 0x04 | 0x18);
        service.timeout = 300;
        service.netmask = Netmask::ipv4(24);
        servers[0].upper_threshold = 100;
        servers[1].upper_threshold = 2_147_483_647;
        servers[1].lower_threshold = 2_147_483_646;
        let expected = "\
SERVICE / SERVER  SCHEDULER / METHOD  WEIGHT  ACTIVE  INACTIVE  BOUND
mark 7            sh                              24         6      2
  (persistent 300 s by /24, one-packet, sh-fallback, sh-port)
  10.0.0.1:8080   masquerading             5      12         3      1
    (at most 100 connections)
  10.0.0.2:8080   direct-routing           0      12         3      1
    (at most 2147483647 connections, then none until below 2147483646)
";
        assert_eq!(printed(&services, Figures::Settings, false), expected);
        fits(80, expected);
        let counters = printed(&services, Figures::Counters, false);
        assert!(!counters.contains('('), "{counters}");
    }

    #[test]
    fn a_server_that_is_drained_says_so_below() {
        let mut services = services();
        services.truncate(1);
        services[0].servers[0].draining = Some(Draining {
            left: 12,
            deadline_milliseconds: Some(24_100),
            leftovers: Leftovers::Reset,
            remove: true,
            done: false,
        });
        let text = printed(&services, Figures::Settings, false);
        let note = "    (draining: 12 connections left, 25 s until they are reset, then removed)";
        assert!(text.lines().any(|line| line == note), "{text}");
        fits(80, note);
    }

    #[test]
    fn flags_of_schedulers_it_does_not_know_are_shown_by_number() {
        let mut services = services();
        services.truncate(1);
        services[0].service.flags = ServiceFlags(0x20);
        let text = printed(&services, Figures::Settings, false);
        assert_eq!(text.lines().nth(2), Some("  (sched-3)"));
    }
}
