// SPDX-License-Identifier: GPL-2.0-only
//! Events, one a line.

use std::io::{self, Write};

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::json;
use super::services::{method, server_notes, server_title, service_notes, title};
use super::table::Style;
use crate::model::{Event, EventKind, Family, Packet, ServerLoad, Subject, Timeouts};

/// Prints events as they come.
pub struct Printer {
    json: bool,
    style: Style,
    zone: TimeZone,
    /// The day of the last event that was printed for people.
    day: Option<Date>,
}

impl Printer {
    /// For programs or for people, who live in the time zone given.
    pub fn new(json: bool, style: Style, zone: TimeZone) -> Self {
        Self {
            json,
            style,
            zone,
            day: None,
        }
    }

    pub fn print(&mut self, out: &mut dyn Write, event: &Event) -> io::Result<()> {
        if self.json {
            return json::print_line(out, event);
        }
        let time = event.time.to_zoned(self.zone.clone());
        if self.day != Some(time.date()) {
            self.day = Some(time.date());
            let day = time.strftime("-- %Y-%m-%d %Z --").to_string();
            writeln!(out, "{}", self.style.aside(&day))?;
        }
        let time = time.strftime("%H:%M:%S%.3f").to_string();
        // Padded before it is painted: the codes of colours have no width.
        let kind = format!("{:17}", event.kind);
        let kind = match event.kind {
            EventKind::SERVER_OVERLOADED | EventKind::DEFENCE_ON | EventKind::LOST => {
                self.style.alarm(&kind)
            }
            _ => self.style.heading(&kind),
        };
        let mut line = format!("{}  {kind}  {}", self.style.aside(&time), words(event));
        if let Some(process) = &event.process {
            let author = format!("({} {})", process.program, process.pid);
            line.push_str(&format!(" {}", self.style.aside(&author)));
        }
        line.truncate(line.trim_end().len());
        writeln!(out, "{line}")
    }
}

/// What an event is about, in words.
fn words(event: &Event) -> String {
    let mut words = match &event.subject {
        Subject::Everything {} => match event.kind {
            EventKind::FLUSHED => "all services".to_string(),
            EventKind::ZEROED => "all counters".to_string(),
            EventKind::LOST => "this program or the kernel could not keep up".to_string(),
            EventKind::LISTED => "that is what is configured now".to_string(),
            _ => String::new(),
        },
        Subject::ServiceKey { service } => service.to_string(),
        Subject::Service { service } => {
            let mut words = vec![format!("{} {}", title(service), service.scheduler)];
            words.extend(service_notes(service));
            words.join(", ")
        }
        Subject::ServerKey { service, server } => format!("{service} {server}"),
        Subject::Server { service, server } => {
            let mut words = vec![
                format!("{service} {} {}", server_title(server), method(server)),
                format!("weight {}", server.weight),
            ];
            words.extend(server_notes(server));
            words.join(", ")
        }
        Subject::Load { service, server } => {
            format!("{service} {}, {}", server.endpoint, load(server))
        }
        Subject::Timeouts { timeouts } => timeouts_in_words(timeouts),
        Subject::Defence { defence } => defence.clone(),
        Subject::Table {
            family,
            slots_before,
            slots,
            entries,
        } => {
            let family = match family {
                Family::Ipv4 => "ipv4",
                Family::Ipv6 => "ipv6",
            };
            format!("{family}, {slots_before} to {slots} slots, {entries} entries")
        }
        Subject::Drop { reason, packet } => format!("{reason}: {}", packet_in_words(packet)),
    };
    if event.left_out > 0 {
        words.push_str(&format!(", {} more untold", event.left_out));
    }
    words
}

fn load(server: &ServerLoad) -> String {
    let connections = server
        .active_connections
        .saturating_add(server.inactive_connections);
    match server.upper_threshold {
        0 => format!("{connections} connections"),
        upper => format!("{connections} connections, at most {upper}"),
    }
}

fn timeouts_in_words(timeouts: &Timeouts) -> String {
    let Timeouts { tcp, tcp_fin, udp } = timeouts;
    format!("tcp {tcp} s, tcp-fin {tcp_fin} s, udp {udp} s")
}

fn packet_in_words(packet: &Packet) -> String {
    let Packet {
        protocol,
        source,
        destination,
        length,
    } = packet;
    // What has no ports, has none to show.
    match (source.port, destination.port) {
        (0, 0) => {
            let (source, destination) = (source.address, destination.address);
            format!("{protocol} {source} to {destination}, {length} bytes")
        }
        _ => format!("{protocol} {source} to {destination}, {length} bytes"),
    }
}
