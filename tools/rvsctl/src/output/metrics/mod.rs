// SPDX-License-Identifier: GPL-2.0-only
//! Figures as OpenMetrics (<https://openmetrics.io>), for Prometheus and its like. Labels, which are
//! the matter of `labels`, name only what is configured, and reasons, of which there are few: how many
//! series there are does not depend on traffic.

mod labels;

use std::fmt;
use std::io::{self, Write};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{text, DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};

use self::labels::{label, of_server, of_service, Chosen, Labels};
use crate::model::{Info, Listing, Server, Service, ServiceWithServers, Totals, Traffic};

/// Media type of what [`encode`] gives.
pub const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Everything that there is to tell, read at one time.
#[derive(Debug)]
pub struct Reading {
    pub info: Info,
    pub totals: Totals,
    pub services: Listing,
    /// Services and servers beyond so many have no series of their own.
    pub limit: usize,
    /// Keys of the labels of services and servers that every series of theirs has.
    pub keys: Vec<String>,
}

/// Writes the text of a scrape while it is made.
pub fn encode(reading: Reading, out: &mut dyn Write) -> io::Result<()> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(reading));
    let mut text = Text {
        out,
        result: Ok(()),
    };
    let encoded = text::encode(&mut text, &registry);
    text.result?;
    encoded.map_err(io::Error::other)
}

/// Where text goes, and what came of that.
struct Text<'a> {
    out: &'a mut dyn Write,
    result: io::Result<()>,
}

impl fmt::Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.result = self.out.write_all(text.as_bytes());
        match self.result {
            Ok(()) => Ok(()),
            Err(_) => Err(fmt::Error),
        }
    }
}

/// Whether a figure only grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Counter,
    Gauge,
}

/// Writes one family: series that differ in their labels.
fn family(
    encoder: &mut DescriptorEncoder<'_>,
    kind: Kind,
    (name, help): (&str, &str),
    unit: Option<&Unit>,
    series: impl Iterator<Item = (Labels, u64)>,
) -> fmt::Result {
    let metric_type = match kind {
        Kind::Counter => MetricType::Counter,
        Kind::Gauge => MetricType::Gauge,
    };
    let mut family = encoder.encode_descriptor(name, help, unit, metric_type)?;
    for (labels, value) in series {
        if labels.is_empty() {
            figure(kind, value, &mut family)?;
        } else {
            figure(kind, value, &mut family.encode_family(&labels)?)?;
        }
    }
    Ok(())
}

/// Writes a family whose labels are what it tells.
fn information(
    encoder: &mut DescriptorEncoder<'_>,
    (name, help): (&str, &str),
    series: impl Iterator<Item = Labels>,
) -> fmt::Result {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Info)?;
    for labels in series {
        family.encode_info(&labels)?;
    }
    Ok(())
}

fn figure(kind: Kind, value: u64, encoder: &mut MetricEncoder<'_>) -> fmt::Result {
    match kind {
        Kind::Counter => encoder.encode_counter::<NoLabelSet, _, u64>(&value, None),
        Kind::Gauge => encoder.encode_gauge(&value),
    }
}

/// One figure without labels.
fn single(value: u64) -> impl Iterator<Item = (Labels, u64)> {
    std::iter::once((Labels::new(), value))
}

/// What is counted of the namespace, of services and of servers alike.
fn traffic(
    encoder: &mut DescriptorEncoder<'_>,
    of: &str,
    objects: impl Iterator<Item = (Labels, Traffic)> + Clone,
) -> fmt::Result {
    let connections = objects
        .clone()
        .map(|(labels, traffic)| (labels, traffic.connections));
    let name = format!("rvs_{of}connections");
    let about = (&name[..], "Connections scheduled");
    family(encoder, Kind::Counter, about, None, connections)?;
    let packets = objects
        .clone()
        .flat_map(|(labels, it)| directions(labels, it.packets_in, it.packets_out));
    let name = format!("rvs_{of}packets");
    let about = (&name[..], "Packets, in: from clients, out: answers to them");
    family(encoder, Kind::Counter, about, None, packets)?;
    let bytes = objects.flat_map(|(labels, it)| directions(labels, it.bytes_in, it.bytes_out));
    let name = format!("rvs_{of}traffic");
    let about = (&name[..], "Bytes of IP packets, in and out as above");
    family(encoder, Kind::Counter, about, Some(&Unit::Bytes), bytes)
}

fn directions(labels: Labels, inwards: u64, outwards: u64) -> [(Labels, u64); 2] {
    [("in", inwards), ("out", outwards)].map(|(direction, value)| {
        let mut labels = labels.clone();
        labels.push(("direction".into(), direction.to_string()));
        (labels, value)
    })
}

/// What is known of a server besides its traffic: the end of its name, what it means, and its value.
type OfServer = (&'static str, &'static str, fn(&Server) -> u32);

const OF_SERVERS: [OfServer; 5] = [
    ("active_connections", "Connections in use", |server| {
        server.active_connections
    }),
    (
        "inactive_connections",
        "Connections that wait for their timeout",
        |server| server.inactive_connections,
    ),
    (
        "persistent_clients",
        "Clients that persistence binds to the server",
        |server| server.persistent_connections,
    ),
    ("weight", "Share of new connections", |server| server.weight),
    (
        "upper_threshold",
        "No new connections at this many; 0: no limit",
        |server| server.upper_threshold,
    ),
];

impl Reading {
    /// Services that have series of their own, the first ones, with their labels.
    fn services<'a>(
        &'a self,
        chosen: Chosen<'a>,
    ) -> impl Iterator<Item = (Labels, Service)> + Clone + 'a {
        let services = self.services.iter().take(self.limit);
        services.map(move |it| (of_service(&it.service, chosen), it.service))
    }

    /// Servers that have series of their own, the first ones, with their labels.
    fn servers<'a>(
        &'a self,
        chosen: Chosen<'a>,
    ) -> impl Iterator<Item = (Labels, Server)> + Clone + 'a {
        let servers = self.services.iter().flat_map(move |it| {
            let ServiceWithServers { service, servers } = it;
            let servers = servers.into_iter();
            servers.map(move |server| (of_server(&service, &server, chosen), server))
        });
        servers.take(self.limit)
    }

    fn encode_totals(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        use Kind::{Counter, Gauge};

        let about = ("rvs_module", "The version of the loaded module");
        let version = label("version", self.info.version);
        information(encoder, about, std::iter::once(version))?;
        let counters = self.totals.statistics.counters;
        traffic(encoder, "", std::iter::once((Labels::new(), counters)))?;
        let about = ("rvs_connection_entries", "Entries in the connection table");
        family(encoder, Gauge, about, None, single(self.totals.connections))?;
        let about = ("rvs_dropped_packets", "Dropped packets by reason");
        let drops = self.totals.drops.iter();
        let drops = drops.map(|drop| (label("reason", &drop.reason), drop.count));
        family(encoder, Counter, about, None, drops)?;
        let about = ("rvs_services", "Services that are configured");
        let count = self.services.len();
        family(encoder, Gauge, about, None, single(count as u64))?;
        let about = (
            "rvs_servers",
            "Real servers that are configured, over all services",
        );
        let servers = self.services.server_count();
        family(encoder, Gauge, about, None, single(servers as u64))?;
        let left_out = count.saturating_sub(self.limit) + servers.saturating_sub(self.limit);
        let about = (
            "rvs_left_out",
            "Services and servers without series of their own, because there are too many",
        );
        family(encoder, Gauge, about, None, single(left_out as u64))
    }

    /// What services and servers are called, with all of their labels.
    fn encode_identities(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let about = ("rvs_service", "What a service is called, and its labels");
        let services = self.services(Chosen::All).map(|(labels, _)| labels);
        information(encoder, about, services)?;
        let about = ("rvs_server", "What a server is called, and its labels");
        let servers = self.servers(Chosen::All).map(|(labels, _)| labels);
        information(encoder, about, servers)
    }
}

impl Collector for Reading {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let encoder = &mut encoder;
        self.encode_totals(encoder)?;
        self.encode_identities(encoder)?;
        let chosen = Chosen::Keys(&self.keys);
        let services = self.services(chosen);
        let services = services.map(|(labels, it)| (labels, it.statistics.counters));
        traffic(encoder, "service_", services)?;
        let servers = self.servers(chosen);
        let counters = servers
            .clone()
            .map(|(labels, it)| (labels, it.statistics.counters));
        traffic(encoder, "server_", counters)?;
        for (name, help, value) in OF_SERVERS {
            let name = format!("rvs_server_{name}");
            let values = servers
                .clone()
                .map(|(labels, server)| (labels, value(&server).into()));
            family(encoder, Kind::Gauge, (&name, help), None, values)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Version;
    use crate::output::samples::{services, totals};

    fn text(limit: usize) -> String {
        of(services(), limit, &[])
    }

    fn of(services: Vec<ServiceWithServers>, limit: usize, keys: &[&str]) -> String {
        let mut out = Vec::new();
        encode(reading(services, limit, keys), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn reading(services: Vec<ServiceWithServers>, limit: usize, keys: &[&str]) -> Reading {
        Reading {
            info: Info {
                generation: None,
                version: Version(0x100),
                connection_table_slots: 0,
            },
            totals: totals(),
            services: services.into_iter().collect(),
            limit,
            keys: keys.iter().map(|key| key.to_string()).collect(),
        }
    }

    #[test]
    fn every_figure_is_there_with_type_help_and_labels() {
        let text = text(100);
        for line in [
            "# HELP rvs_connections Connections scheduled",
            "# TYPE rvs_connections counter",
            "rvs_connections_total 1099511627776",
            "# TYPE rvs_module info",
            "rvs_module_info{version=\"0.1.0\"} 1",
            "rvs_packets_total{direction=\"out\"} 1099511627778",
            "# UNIT rvs_traffic_bytes bytes",
            "rvs_traffic_bytes_total{direction=\"in\"} 1099511627779",
            "rvs_connection_entries 12",
            "rvs_dropped_packets_total{reason=\"no-memory\"} 3",
            "rvs_services 3",
            "rvs_servers 3",
            "rvs_left_out 0",
            "rvs_service_connections_total{service=\"tcp 192.0.2.10:80\"} 100",
            "rvs_server_packets_total{service=\"tcp 192.0.2.10:80\",server=\"10.0.0.1:8080\",direction=\"in\"} 201",
            "rvs_server_traffic_bytes_total{service=\"tcp [2001:db8::10]:80\",server=\"[2001:db8::2]:80\",direction=\"out\"} 204",
            "# TYPE rvs_server_active_connections gauge",
            "rvs_server_active_connections{service=\"tcp 192.0.2.10:80\",server=\"10.0.0.1:8080\"} 12",
            "rvs_server_weight{service=\"tcp 192.0.2.10:80\",server=\"10.0.0.1:8080\"} 5",
        ] {
            assert!(text.contains(&format!("{line}\n")), "{line} is not in\n{text}");
        }
        assert!(text.ends_with("# EOF\n"), "{text}");
    }

    #[test]
    fn names_are_labels_of_every_series_and_labels_of_those_that_are_chosen() {
        let mut services = services();
        let label = |key: &str, value: &str| (key.to_string(), value.to_string());
        services[0].service.identity.name = Some("web".to_string());
        services[0]
            .service
            .identity
            .labels
            .extend([label("tier", "front"), label("site", "a")]);
        services[0].servers[0].identity.name = Some("web1".to_string());
        services[0].servers[0]
            .identity
            .labels
            .extend([label("rack", "r1")]);
        let text = of(services, 100, &["tier"]);
        let service = "service=\"tcp 192.0.2.10:80\",service_name=\"web\"";
        let tier = "service_label_tier=\"front\"";
        let all = format!("{service},service_label_site=\"a\",{tier}");
        let server = "server=\"10.0.0.1:8080\",server_name=\"web1\"";
        for line in [
            "# TYPE rvs_service info".to_string(),
            format!("rvs_service_info{{{all}}} 1"),
            format!("rvs_server_info{{{all},{server},server_label_rack=\"r1\"}} 1"),
            format!("rvs_server_info{{{all},server=\"10.0.0.2:8080\"}} 1"),
            format!("rvs_service_connections_total{{{service},{tier}}} 100"),
            format!("rvs_server_weight{{{service},{tier},{server}}} 5"),
        ] {
            assert!(
                text.contains(&format!("\n{line}\n")),
                "{line} is not in\n{text}"
            );
        }
    }

    #[test]
    fn an_output_that_fails_ends_the_writing_with_its_error() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let error = encode(reading(services(), 100, &[]), &mut Full).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    }

    #[test]
    fn no_family_and_no_series_comes_twice() {
        let text = text(100);
        let mut seen = std::collections::HashSet::new();
        for line in text.lines() {
            let name = line.rsplit_once(' ').map_or(line, |(name, _)| name);
            assert!(seen.insert(name.to_string()), "{line}");
        }
    }

    #[test]
    fn there_are_no_more_series_than_allowed_and_it_is_told_how_many_are_missing() {
        let text = text(1);
        let count = |start: &str| text.lines().filter(|line| line.starts_with(start)).count();
        assert_eq!(count("rvs_service_connections_total{"), 1);
        assert_eq!(count("rvs_server_weight{"), 1);
        assert_eq!(count("rvs_server_info{"), 1);
        assert!(text.contains("\nrvs_left_out 4\n"), "{text}");
        assert!(text.contains("\nrvs_servers 3\n"), "{text}");
    }
}
