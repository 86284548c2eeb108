// SPDX-License-Identifier: GPL-2.0-only
//! `watch`: from what the kernel tells to what is printed.

use std::collections::VecDeque;
use std::io;
use std::time::Instant;

use jiff::tz::TimeZone;
use serde_json::{json, Value};

use super::*;
use crate::cli::Command;
use crate::commands::watch;
use crate::interrupt::Wake;
use crate::netlink::samples::{event_body, Sample};
use crate::netlink::{Heard, Source};

/// Tells what it was given, one after the other. When that is over, so is the time, at once for who has
/// caught up with it.
struct Told(VecDeque<Heard>);

impl Source for Told {
    fn hear(&mut self, _: Option<Instant>) -> io::Result<Heard> {
        Ok(self.0.pop_front().unwrap_or(Heard::Over(Wake::TimeOver)))
    }
}

fn told(sample: Sample) -> Heard {
    Heard::Datagram(reply(0, command::EVENT, &event_body(sample)))
}

fn follow(
    line: &str,
    heard: Vec<Heard>,
    answers: Vec<Vec<Vec<u8>>>,
) -> (Result<(), Error>, String) {
    let cli = Cli::try_parse_from(line.split_whitespace()).unwrap();
    let Command::Watch(arguments) = cli.command else {
        panic!("{line}");
    };
    let mut all = vec![vec![family_reply(), ack(1)]];
    all.extend(answers);
    let mut out = Vec::new();
    let mut session = Session {
        client: Client::connect(Script::new(all), "RVS").unwrap(),
        out: &mut out,
        style: Style::PLAIN,
        netns: None,
    };
    let result = watch::follow(
        &mut session,
        &mut Told(heard.into()),
        &arguments,
        TimeZone::UTC,
    );
    (result, String::from_utf8(out).unwrap())
}

#[test]
fn each_event_is_a_line_under_the_day_it_happened() {
    let heard = Sample::ALL.into_iter().map(told).collect();
    let (result, printed) = follow("rvsctl watch", heard, vec![]);
    assert_eq!(result, Ok(()));
    let expected = "\
-- 2026-11-22 UTC --
14:03:22.123  service-added      tcp 192.0.2.10:80 wlc (keepalived 412)
14:03:22.123  service-removed    tcp 192.0.2.10:80 (keepalived 412)
14:03:22.123  server-changed     tcp 192.0.2.10:80 10.0.0.1:8080 masquerading, weight 5 (keepalived 412)
14:03:22.123  server-removed     tcp 192.0.2.10:80 10.0.0.1:8080 (keepalived 412)
14:03:22.123  flushed            all services (keepalived 412)
14:03:22.123  zeroed             tcp 192.0.2.10:80 (keepalived 412)
14:03:22.123  zeroed             all counters (keepalived 412)
14:03:22.123  timeouts-changed   tcp 900 s, tcp-fin 120 s, udp 300 s (keepalived 412)
14:03:22.123  server-overloaded  tcp 192.0.2.10:80 10.0.0.1:8080, 10 connections, at most 10
14:03:22.123  defence-on         drop_packet
14:03:22.123  table-resized      ipv6, 1024 to 2048 slots, 1500 entries
14:03:22.123  packet-dropped     no-server: tcp 198.51.100.7:4711 to 192.0.2.10:80, 60 bytes, 17 more untold
14:03:22.123  event-999
";
    assert_eq!(printed, expected);
}

#[test]
fn programs_get_a_line_of_json_for_each_event() {
    let heard = Sample::ALL.into_iter().map(told).collect();
    let (_, printed) = follow("rvsctl watch --json", heard, vec![]);
    let lines: Vec<Value> = printed
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), Sample::ALL.len());
    let find = |name: &str| lines.iter().find(|line| line["event"] == name).unwrap();
    let service = json!({"protocol": "tcp", "address": "192.0.2.10", "port": 80});
    assert_eq!(
        *find("service-removed"),
        json!({
            "time": "2026-11-22T14:03:22.123456789Z",
            "event": "service-removed",
            "process": {"pid": 412, "program": "keepalived"},
            "service": service,
        })
    );
    assert_eq!(find("service-added")["service"]["scheduler"], "wlc");
    assert_eq!(find("server-changed")["server"]["weight"], 5);
    assert_eq!(find("server-overloaded")["server"]["upper_threshold"], 10);
    assert_eq!(find("timeouts-changed")["timeouts"]["udp_seconds"], 300);
    assert_eq!(find("defence-on")["defence"], "drop_packet");
    assert_eq!(find("table-resized")["slots"], 2048);
    assert_eq!(
        *find("packet-dropped"),
        json!({
            "time": "2026-11-22T14:03:22.123456789Z",
            "event": "packet-dropped",
            "left_out": 17,
            "reason": "no-server",
            "packet": {
                "protocol": "tcp",
                "source": {"address": "198.51.100.7", "port": 4711},
                "destination": {"address": "192.0.2.10", "port": 80},
                "length": 60,
            },
        })
    );
}

#[test]
fn it_ends_after_the_events_that_were_asked_for() {
    let heard = vec![
        told(Sample::Flushed),
        told(Sample::ZeroedAll),
        told(Sample::Defence),
    ];
    let (result, printed) = follow("rvsctl watch --count 2", heard, vec![]);
    assert_eq!(result, Ok(()));
    assert_eq!(printed.lines().count(), 3, "{printed}");
}

#[test]
fn time_that_is_over_too_early_is_status_7() {
    let line = "rvsctl watch --count 2 --timeout 1s";
    let (result, _) = follow(line, vec![told(Sample::Flushed)], vec![]);
    let Err(Error::Failure(failure)) = result else {
        panic!("{result:?}");
    };
    assert_eq!(failure.status, ExitStatus::TimeOver);
    assert_eq!(
        failure.message,
        "fewer than 2 events came within the time given"
    );
    let (result, _) = follow("rvsctl watch --timeout 1s", vec![], vec![]);
    assert_eq!(result, Ok(()));
}

#[test]
fn a_signal_ends_it_without_error() {
    let heard = vec![told(Sample::Flushed), Heard::Over(Wake::Interrupted)];
    let (result, _) = follow("rvsctl watch --count 2", heard, vec![]);
    assert_eq!(result, Ok(()));
}

fn listing() -> Vec<Vec<Vec<u8>>> {
    vec![everything(2, &["10.0.0.1:8080"])]
}

#[test]
fn after_lost_events_it_lists_what_is_configured_once_it_has_caught_up() {
    let heard = vec![
        Heard::Lost,
        told(Sample::Flushed),
        Heard::Lost,
        Heard::Over(Wake::TimeOver),
        told(Sample::ZeroedAll),
    ];
    let (result, printed) = follow("rvsctl watch", heard, listing());
    assert_eq!(result, Ok(()));
    let kinds: Vec<_> = printed
        .lines()
        .filter_map(|line| line.split_whitespace().nth(1))
        .filter(|word| word.contains(|c: char| c.is_ascii_alphabetic()))
        .collect();
    let expected = [
        "events-lost",
        "flushed",
        "service-present",
        "server-present",
        "listed",
        "zeroed",
    ];
    assert_eq!(kinds, expected);
}

#[test]
fn it_lists_first_if_asked_to() {
    let (_, printed) = follow("rvsctl watch --list --json", vec![], listing());
    let events: Vec<_> = printed
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["event"].clone())
        .collect();
    assert_eq!(events, ["service-present", "server-present", "listed"]);
}

#[test]
fn a_module_that_is_unloaded_meanwhile_is_status_6() {
    let mut gone = vec![2, 2, 0, 0, 6, 0, 1, 0];
    gone.extend(crate::netlink::fake::FAMILY.to_ne_bytes());
    gone.extend([0; 2]);
    let heard = vec![Heard::Datagram(crate::netlink::fake::datagram(
        16, 0, 0, &gone,
    ))];
    let (result, _) = follow("rvsctl watch", heard, vec![]);
    let Err(Error::Failure(failure)) = result else {
        panic!("{result:?}");
    };
    assert_eq!(failure.status, ExitStatus::NotLoaded);
}

#[test]
fn a_module_without_a_group_says_which_it_does_not_have() {
    let failure = run("rvsctl watch --only table", vec![]).failure();
    assert_eq!(failure.status, ExitStatus::Refused);
    assert!(failure.message.contains("'table'"), "{failure}");
}
