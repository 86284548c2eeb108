// SPDX-License-Identifier: GPL-2.0-only
//! `rvsctl conn`: what is asked for, and what is shown.

use super::*;
use crate::netlink::samples::{connection_body, server_body_with, server_name};

const NO_SUCH_STATE: &[u8] = b"no such state\0";

fn entry(sequence: u32, port: u16) -> Vec<u8> {
    reply(sequence, command::NEW_CONNECTION, &connection_body(port))
}

/// The kernel's answer that it found so many.
fn counted(sequence: u32, count: u64) -> Vec<Vec<u8>> {
    let count = [&[12, 0, 14, 0][..], &count.to_ne_bytes()].concat();
    vec![reply(sequence, command::NEW_COUNT, &count), ack(sequence)]
}

#[test]
fn connections_are_listed_as_table_and_as_json() {
    let connections = || vec![vec![entry(2, 51234), entry(2, 51235), done(2, 0, 0)]];
    let outcome = run("rvsctl conn list", connections());
    assert_eq!(outcome.printed.lines().count(), 3, "{}", outcome.printed);

    let outcome = run("rvsctl conn list --json", connections());
    let read: serde_json::Value = serde_json::from_str(&outcome.printed).unwrap();
    assert_eq!(read[1]["client"]["port"], 51235);
}

#[test]
fn a_connection_that_cannot_be_read_ends_the_listing_with_an_error() {
    let entry = reply(2, command::NEW_CONNECTION, &connection_body(1)[..20]);
    let failure = run("rvsctl conn list", vec![vec![entry]]).failure();
    assert_eq!(failure.status, ExitStatus::Refused);
    assert!(failure.message.contains("not understood"), "{failure}");
}

#[test]
fn filters_are_sent_to_the_kernel() {
    let line =
        "rvsctl conn list --service tcp 192.0.2.10:80 --server 10.0.0.1 --client 203.0.113.0/24 \
                --state established,fin-wait --protocol tcp --method nat --min-idle 5m --limit 7";
    let outcome = run(line, vec![vec![done(2, 0, 0)]]);
    assert_eq!(outcome.result, Ok(()));
    assert_eq!(outcome.requests, [command::GET_CONNECTION]);
    for (what, bytes) in [
        ("service", &[8, 0, 3, 0, 192, 0, 2, 10][..]),
        ("server", &[8, 0, 8, 0, 10, 0, 0, 1]),
        ("client", &[8, 0, 4, 0, 203, 0, 113, 0]),
        ("prefix", &[5, 0, 5, 0, 24, 0, 0, 0]),
        ("first state", b"\x0b\0ESTABLISHED\0"),
        ("second state", b"\x0b\0FIN_WAIT\0"),
        ("protocol", &[6, 0, 2, 0, 6, 0, 0, 0]),
        ("method", &[8, 0, 10, 0, 0, 0, 0, 0]),
        ("idle", &[12, 0, 14, 0, 0xe0, 0x93, 4, 0]),
        ("limit", &[12, 0, 16, 0, 7, 0, 0, 0]),
    ] {
        assert!(contains(&outcome.last, bytes), "{what}");
    }
    assert!(!contains(&outcome.last, &[6, 0, 9, 0]), "no port");
}

#[test]
fn services_and_servers_of_filters_go_by_their_names() {
    let one = |name: &str, address| {
        let settings = ServerSettings::new(ForwardingMethod::Masquerading, 5);
        let endpoint = parse::endpoint(address).unwrap();
        let body = server_body_with(endpoint, &settings, vec![server_name(name)]);
        reply(3, command::NEW_DEST, &body)
    };
    let servers = || {
        let [first, second] = [("web1", "10.0.0.1:8080"), ("web2", "10.0.0.2:any")]
            .map(|(name, address)| one(name, address));
        vec![first, second, done(3, 0, 0)]
    };
    let answers = |last| vec![vec![service(2), ack(2)], servers(), last];
    for (line, last) in [
        ("rvsctl conn list", vec![done(4, 0, 0)]),
        ("rvsctl conn list --count", counted(4, 0)),
        ("rvsctl conn kill", counted(4, 0)),
    ] {
        let named = format!("{line} --service web --server web1");
        let outcome = run(&named, answers(last.clone()));
        assert_eq!(outcome.result, Ok(()), "{named}");
        let filter = &outcome.last;
        assert!(contains(filter, &[8, 0, 3, 0, 192, 0, 2, 10]), "service");
        assert!(contains(filter, &[8, 0, 8, 0, 10, 0, 0, 1]), "server");
        assert!(contains(filter, &[6, 0, 9, 0, 0x1f, 0x90]), "port");

        let any = run(
            &format!("{line} --service web --server web2"),
            answers(last),
        );
        assert!(contains(&any.last, &[8, 0, 8, 0, 10, 0, 0, 2]), "server");
        assert!(!contains(&any.last, &[6, 0, 9, 0]), "any port");
    }
    let unknown = "rvsctl conn kill --service web --server web3";
    let failure = run(unknown, answers(vec![])).failure();
    assert_eq!(failure.status, ExitStatus::NotFound);
    assert!(failure.to_string().contains("'web2'"), "{failure}");
}

#[test]
fn connections_are_counted_by_the_kernel() {
    let answer = || vec![counted(2, 1_000_000)];
    let outcome = run("rvsctl conn list --count", answer());
    assert_eq!(outcome.requests, [command::COUNT_CONNECTIONS]);
    assert_eq!(outcome.printed, "1000000\n");
    let outcome = run("rvsctl conn list --count --json", answer());
    let read: serde_json::Value = serde_json::from_str(&outcome.printed).unwrap();
    assert_eq!(read["connections"], 1_000_000);
}

#[test]
fn a_count_goes_on_where_the_kernel_stopped_until_it_is_through() {
    let count = |count: u64| [&[12, 0, 14, 0][..], &count.to_ne_bytes()].concat();
    let cursor = [&[28, 0, 21, 0][..], &[7; 24]].concat();
    let answers = vec![
        vec![
            reply(2, command::NEW_COUNT, &[count(40), cursor.clone()].concat()),
            ack(2),
        ],
        vec![reply(3, command::NEW_COUNT, &count(2)), ack(3)],
    ];
    let outcome = run("rvsctl conn list --count --state established", answers);
    assert_eq!(outcome.requests, [command::COUNT_CONNECTIONS; 2]);
    assert!(contains(&outcome.last, &cursor));
    assert!(contains(&outcome.last, b"ESTABLISHED\0"));
    assert_eq!(outcome.printed, "42\n");
}

#[test]
fn a_sorted_listing_asks_for_all_and_shows_the_first() {
    let answer = vec![vec![entry(2, 3), entry(2, 1), entry(2, 2), done(2, 0, 0)]];
    let outcome = run("rvsctl conn list --sort client --limit 2 --json", answer);
    assert!(!contains(&outcome.last, &[12, 0, 16, 0]), "limit was sent");
    let read: serde_json::Value = serde_json::from_str(&outcome.printed).unwrap();
    let ports: Vec<_> = read.as_array().unwrap().iter().collect();
    assert_eq!(ports.len(), 2);
    assert_eq!(ports[0]["client"]["port"], 1);
    assert_eq!(ports[1]["client"]["port"], 2);
}

#[test]
fn a_filter_that_the_kernel_refuses_is_explained_in_its_words() {
    let words = [&[18, 0, 1, 0][..], NO_SUCH_STATE, &[0; 2]].concat();
    let answer = vec![vec![capped_error(2, EINVAL, &words)]];
    let failure = run("rvsctl conn list --state webbing", answer).failure();
    assert_eq!(failure.status, ExitStatus::Refused);
    assert!(failure.to_string().contains("no such state"), "{failure}");
}

#[test]
fn killing_sends_the_filter_and_says_how_many_were_ended() {
    let answer = || vec![counted(2, 3)];
    let outcome = run("rvsctl conn kill --client 203.0.113.7", answer());
    assert_eq!(outcome.requests, [command::KILL_CONNECTIONS]);
    assert!(contains(&outcome.last, &[8, 0, 4, 0, 203, 0, 113, 7]));
    assert!(!contains(&outcome.last, &[4, 0, 18, 0]), "silent");
    assert!(!contains(&outcome.last, &[4, 0, 17, 0]), "all");
    assert_eq!(outcome.printed, "3 ended\n");
    let outcome = run("rvsctl conn kill --client 203.0.113.7 --yes", answer());
    assert_eq!(outcome.printed, "3 ended\n");
    let outcome = run("rvsctl conn kill --all --yes --silent --json", answer());
    assert!(contains(&outcome.last, &[4, 0, 18, 0]), "silent");
    assert!(contains(&outcome.last, &[4, 0, 17, 0]), "all");
    let read: serde_json::Value = serde_json::from_str(&outcome.printed).unwrap();
    assert_eq!(read["killed"], 3);
}

#[test]
fn killing_needs_a_filter_or_all_and_all_a_yes_where_nobody_can_be_asked() {
    for command in ["rvsctl conn kill", "rvsctl conn kill --yes"] {
        let outcome = run(command, vec![]);
        assert!(outcome.requests.is_empty());
        let failure = outcome.failure();
        assert_eq!(failure.status, ExitStatus::Usage);
        assert!(failure.to_string().contains("--all"), "{failure}");
    }
    // The test runner's standard input may be a terminal; then it would ask.
    if std::io::IsTerminal::is_terminal(&std::io::stdin()) {
        return;
    }
    let outcome = run("rvsctl conn kill --all", vec![]);
    assert!(outcome.requests.is_empty());
    let failure = outcome.failure();
    assert_eq!(failure.status, ExitStatus::Usage);
    assert!(failure.to_string().contains("--yes"), "{failure}");
}
