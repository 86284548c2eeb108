// SPDX-License-Identifier: GPL-2.0-only
//! What services and servers are set to: that a change keeps the rest, and what is refused.

use super::*;
use crate::model::{Endpoint, Netmask, Service, ServiceFlags};
use crate::netlink::samples::{server_sent, service_sent};
use crate::netlink::{decode, ServiceSettings};

/// What the kernel was told about a service.
fn sent(outcome: &Outcome) -> ServiceSettings {
    assert_eq!(outcome.result, Ok(()));
    service_sent(&outcome.last)
}

/// Runs `service set NAME CHANGE` on a service that has these settings.
fn set(name: &str, change: &str, alter: impl Fn(&mut Service)) -> Outcome {
    let line = format!("rvsctl service set {name} {change}");
    let Ok(cli) = Cli::try_parse_from(line.split_whitespace()) else {
        panic!("{line}");
    };
    let crate::cli::Command::Service(crate::cli::ServiceCommand::Set { service, .. }) = cli.command
    else {
        panic!("{line}");
    };
    let crate::cli::ServiceRef::Key(key) = service.0 else {
        panic!("{line}");
    };
    let mut present = decode::service(&service_body(&key, "sh")).unwrap();
    alter(&mut present);
    let body = crate::netlink::samples::body_of_service(&present);
    let answer = vec![reply(2, command::NEW_SERVICE, &body), ack(2)];
    run(&line, vec![answer, vec![ack(3)]])
}

fn persistent(service: &mut Service) {
    service.flags = ServiceFlags(0x02 | 0x01 | 0x10);
    service.timeout = 600;
    if service.key.family() == crate::model::Family::Ipv4 {
        service.netmask = Netmask::ipv4(24);
    }
}

#[test]
fn a_service_is_added_with_everything_that_is_asked_for() {
    let line = "rvsctl service add udp 192.0.2.10:53 --scheduler mh --option mh-port,mh-fallback \
                --persistent=60 --persistence-mask 24 --one-packet";
    let settings = sent(&run(line, vec![vec![ack(2)]]));
    assert_eq!(settings.scheduler, "mh");
    assert_eq!(settings.flags, ServiceFlags(0x01 | 0x04 | 0x08 | 0x10));
    assert_eq!(settings.flags_mask, u32::MAX);
    assert_eq!(settings.timeout, 60);
    assert_eq!(settings.netmask, Netmask::ipv4(24));
}

#[test]
fn persistence_without_a_timeout_lasts_300_seconds() {
    for line in [
        "rvsctl service add tcp 192.0.2.10:any --persistent",
        "rvsctl service add mark 7 --persistent",
    ] {
        let settings = sent(&run(line, vec![vec![ack(2)]]));
        assert_eq!(settings.flags, ServiceFlags(0x01), "{line}");
        assert_eq!(settings.timeout, 300, "{line}");
    }
    let line = "rvsctl service add mark 7 --ipv6 --persistent --persistence-mask 64";
    let settings = sent(&run(line, vec![vec![ack(2)]]));
    assert_eq!(settings.netmask, Netmask::Ipv6(64));
}

#[test]
fn a_change_keeps_every_setting_that_it_does_not_name() {
    let name = "tcp 192.0.2.10:80";
    let settings = sent(&set(name, "--persistent", persistent));
    assert_eq!(settings.scheduler, "sh");
    assert_eq!(settings.flags_mask, 0x01);
    assert_eq!(settings.timeout, 600);
    assert_eq!(settings.netmask, Netmask::ipv4(24));

    let settings = sent(&set(name, "--persistent=30", persistent));
    assert_eq!(settings.timeout, 30);
    assert_eq!(settings.netmask, Netmask::ipv4(24));

    let settings = sent(&set(name, "--persistence-mask 16", persistent));
    assert_eq!(settings.flags_mask, 0);
    assert_eq!(settings.timeout, 600);
    assert_eq!(settings.netmask, Netmask::ipv4(16));

    let settings = sent(&set(name, "--option sh-fallback", persistent));
    assert_eq!(settings.flags.0 & 0x38, 0x18);
    assert_eq!(settings.flags_mask, 0x08);

    let settings = sent(&set(name, "--no-option sh-port", persistent));
    assert_eq!(settings.flags.0 & 0x39, 0x01);
    assert_eq!(settings.flags_mask, 0x10);
}

#[test]
fn persistence_and_one_packet_are_taken_away_by_name() {
    let settings = sent(&set("tcp 192.0.2.10:80", "--no-persistent", persistent));
    assert_eq!(settings.flags.0 & 0x11, 0x10);
    assert_eq!(settings.flags_mask, 0x01);
    assert_eq!(settings.timeout, 0);
    assert_eq!(settings.netmask, Netmask::ipv4(32));

    let one_packet = |service: &mut Service| service.flags = ServiceFlags(0x04);
    let settings = sent(&set("udp 192.0.2.10:53", "--no-one-packet", one_packet));
    assert_eq!((settings.flags.0, settings.flags_mask), (0, 0x04));
}

#[test]
fn another_scheduler_begins_without_the_options_of_the_one_before() {
    let name = "tcp 192.0.2.10:80";
    let settings = sent(&set(name, "--scheduler rr", persistent));
    assert_eq!((settings.flags.0 & 0x39, settings.flags_mask), (0x01, 0x38));
    let settings = sent(&set(
        name,
        "--scheduler mh --option mh-fallback",
        persistent,
    ));
    assert_eq!((settings.flags.0 & 0x38, settings.flags_mask), (0x08, 0x38));
    let settings = sent(&set(name, "--scheduler sh", persistent));
    assert_eq!(settings.flags_mask, 0);
}

#[test]
fn bad_combinations_of_a_new_service_are_refused_before_the_kernel_sees_them() {
    for (line, message, tip) in [
        (
            "tcp 192.0.2.10:any",
            "tcp 192.0.2.10:any is for all ports: without persistence it would balance nothing",
            "takes `--persistent`",
        ),
        (
            "tcp 192.0.2.10:80 --one-packet",
            "'--one-packet' cannot be used with tcp 192.0.2.10:80",
            "udp and of firewall marks",
        ),
        (
            "sctp 192.0.2.10:80 --one-packet",
            "its connections have to stay",
            "udp",
        ),
        (
            "tcp 192.0.2.10:80 --persistence-mask 24",
            "'--persistence-mask' means nothing",
            "add `--persistent`",
        ),
        (
            "tcp 192.0.2.10:80 --persistent --persistence-mask 64",
            "'--persistence-mask' does not fit the family of tcp 192.0.2.10:80",
            "IPv4 takes a netmask, such as 255.255.255.0",
        ),
        (
            "mark 7 --ipv6 --persistent --persistence-mask 255.255.255.0",
            "'--persistence-mask' does not fit the family of mark 7 --ipv6",
            "IPv6 takes a prefix length from 1 to 128",
        ),
        (
            "tcp 192.0.2.10:80 --option sh-port",
            "invalid value 'sh-port' for '--option <NAME>': it is an option of the scheduler sh, \
             not of wlc",
            "wlc has no options; sh has sh-fallback, sh-port; mh has mh-fallback, mh-port",
        ),
        (
            "tcp 192.0.2.10:80 --scheduler mh --option sh-port",
            "not of mh",
            "mh has mh-fallback, mh-port",
        ),
    ] {
        refused(&format!("rvsctl service add {line}"), message, tip);
    }
}

/// That a line is refused without a request to the kernel, with this in message and tip.
fn refused(line: &str, message: &str, tip: &str) {
    let outcome = run(line, vec![]);
    assert!(outcome.requests.is_empty(), "{line}");
    let failure = outcome.failure();
    assert_eq!(failure.status, ExitStatus::Usage, "{line}");
    assert!(failure.message.contains(message), "{line}: {failure}");
    let given = failure.tip.as_deref().unwrap_or_default();
    assert!(given.contains(tip), "{line}: {failure}");
}

#[test]
fn bad_changes_of_a_service_are_refused_after_looking_at_it() {
    for (name, change, message) in [
        ("tcp 192.0.2.10:80", "--option mh-port", "not of sh"),
        (
            "tcp 192.0.2.10:80",
            "--no-option mh-port",
            "'--no-option <NAME>'",
        ),
        ("tcp 192.0.2.10:80", "--one-packet", "'--one-packet'"),
        ("tcp 192.0.2.10:any", "--no-persistent", "all ports"),
        (
            "tcp [2001:db8::10]:80",
            "--persistence-mask 255.0.0.0",
            "family",
        ),
    ] {
        let outcome = set(name, change, persistent);
        assert_eq!(outcome.requests, [command::GET_SERVICE], "{change}");
        let failure = outcome.failure();
        assert_eq!(failure.status, ExitStatus::Usage, "{change}");
        assert!(failure.message.contains(message), "{change}: {failure}");
    }
    let outcome = set("tcp 192.0.2.10:80", "--persistence-mask 24", |_| ());
    assert!(outcome.failure().message.contains("not persistent"));
}

#[test]
fn bad_combinations_of_a_server_are_refused_before_the_kernel_sees_them() {
    for (line, message, tip) in [
        (
            "tcp 192.0.2.10:80 [2001:db8::2]",
            "direct-routing cannot change the family: [2001:db8::2]:80 is IPv6, and \
             tcp 192.0.2.10:80 is IPv4",
            "only `--method tunneling`",
        ),
        (
            "mark 7 --ipv6 10.0.0.1 --method nat",
            "masquerading cannot change the family",
            "only `--method tunneling`",
        ),
        (
            "tcp 192.0.2.10:80 10.0.0.1 --method local",
            "invalid value 'local-node' for '--method <METHOD>'",
            "needs no method of its own",
        ),
        (
            "mark 7 10.0.0.1 --method bypass",
            "invalid value 'bypass' for '--method <METHOD>'",
            "cache_bypass",
        ),
        (
            "tcp 192.0.2.10:any 10.0.0.1:80 --method nat",
            "invalid value '10.0.0.1:80' for '<SERVER[:PORT]>'",
            "leave the port out",
        ),
        (
            "mark 7 10.0.0.1:80",
            "direct-routing cannot change the port",
            "--method masquerading",
        ),
        (
            "tcp 192.0.2.10:80 10.0.0.1 --upper-threshold 50 --lower-threshold 70",
            "the lower threshold (70) would be above the upper one (50)",
            "takes 0 to 50",
        ),
        (
            "tcp 192.0.2.10:80 10.0.0.1 --lower-threshold 70",
            "without an upper one",
            "`--upper-threshold`",
        ),
    ] {
        refused(&format!("rvsctl server add {line}"), message, tip);
    }
}

#[test]
fn a_server_of_another_family_is_added_where_packets_are_tunneled() {
    let line = "rvsctl server add tcp 192.0.2.10:80 [2001:db8::2] --method tunneling";
    let outcome = run(line, vec![vec![ack(2)]]);
    assert_eq!(outcome.result, Ok(()));
    assert_eq!(
        server_sent(&outcome.last).method,
        ForwardingMethod::Tunneling
    );
}

/// Runs `server set` on a server that takes 100 connections, and again below 70.
fn set_server(change: &str) -> Outcome {
    let line = format!("rvsctl server set tcp 192.0.2.10:80 10.0.0.1:8080 {change}");
    let mut settings = ServerSettings::new(ForwardingMethod::Masquerading, 5);
    settings.upper_threshold = 100;
    settings.lower_threshold = 70;
    let endpoint: Endpoint = parse::endpoint("10.0.0.1:8080").unwrap();
    let body = server_body(endpoint, &settings);
    let listed = vec![reply(3, command::NEW_DEST, &body), done(3, 0, 0)];
    run(&line, vec![vec![service(2), ack(2)], listed, vec![ack(4)]])
}

#[test]
fn thresholds_are_changed_one_by_one_and_checked_together() {
    for (change, expected) in [
        ("--upper-threshold 200", (200, 70)),
        ("--lower-threshold 0", (100, 0)),
        ("--upper-threshold 0 --lower-threshold 0", (0, 0)),
        ("--weight 1", (100, 70)),
    ] {
        let outcome = set_server(change);
        assert_eq!(outcome.result, Ok(()), "{change}");
        let sent = server_sent(&outcome.last);
        assert_eq!(
            (sent.upper_threshold, sent.lower_threshold),
            expected,
            "{change}"
        );
    }
    for change in [
        "--upper-threshold 50",
        "--lower-threshold 101",
        "--upper-threshold 0",
    ] {
        let outcome = set_server(change);
        assert_eq!(outcome.requests.len(), 2, "{change}");
        assert_eq!(outcome.failure().status, ExitStatus::Usage, "{change}");
    }
}
