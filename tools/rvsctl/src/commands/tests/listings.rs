// SPDX-License-Identifier: GPL-2.0-only
//! Listings of services and servers, totals and drop reasons.

use super::*;
use crate::netlink::samples::totals_body;

#[test]
fn listings_are_sorted_whatever_the_kernels_order() {
    let servers = ["10.0.0.1:8080", "10.0.0.2:8080"];
    let outcome = run("rvsctl service list", vec![everything(2, &servers)]);
    assert_eq!(outcome.requests, [command::GET_DEST]);
    let first = outcome.printed.find("10.0.0.1").unwrap();
    let second = outcome.printed.find("10.0.0.2").unwrap();
    assert!(first < second, "{}", outcome.printed);
}

#[test]
fn services_of_ip_vs_are_asked_for_their_servers_one_by_one() {
    let answers = vec![
        vec![done(2, 0, 0)],
        vec![service(3), done(3, 0, 0)],
        vec![server(4, "10.0.0.1:8080"), done(4, 0, 0)],
    ];
    let outcome = run("rvsctl server list --json", answers);
    let read: serde_json::Value = serde_json::from_str(&outcome.printed).unwrap();
    assert_eq!(read[0]["address"], "10.0.0.1");
}

#[test]
fn servers_as_json_name_their_service() {
    let answer = everything(2, &["10.0.0.1:8080"]);
    let outcome = run("rvsctl server list --json", vec![answer]);
    let read: serde_json::Value = serde_json::from_str(&outcome.printed).unwrap();
    assert_eq!(read[0]["service"]["address"], "192.0.2.10");
    assert_eq!(read[0]["address"], "10.0.0.1");
}

#[test]
fn empty_listings_print_nothing_for_people_and_an_empty_array_for_programs() {
    let nothing = || vec![vec![done(2, 0, 0)], vec![done(3, 0, 0)]];
    let outcome = run("rvsctl service list", nothing());
    assert_eq!((outcome.result, outcome.printed.as_str()), (Ok(()), ""));
    for line in ["rvsctl service list --json", "rvsctl conn list --json"] {
        let outcome = run(line, nothing());
        assert_eq!(outcome.printed.trim(), "[]", "{line}");
    }
}

#[test]
fn totals_are_shown_with_drop_reasons() {
    let answer = vec![reply(2, command::NEW_TOTALS, &totals_body()), ack(2)];
    let outcome = run("rvsctl stats", vec![answer]);
    assert!(outcome.printed.contains("no-memory"), "{}", outcome.printed);
    assert!(
        !outcome.printed.contains("no-server"),
        "{}",
        outcome.printed
    );
}

#[test]
fn every_drop_reason_is_listed_with_its_meaning() {
    let answer = || vec![reply(2, command::NEW_TOTALS, &totals_body()), ack(2)];
    let outcome = run("rvsctl drops", vec![answer()]);
    let expected = "\
DROPPED  REASON     MEANING
      3  no-memory  Memory ran out.
      0  no-server  No server was available.
";
    assert_eq!(outcome.printed, expected);
    let outcome = run("rvsctl drops --json", vec![answer()]);
    let read: serde_json::Value = serde_json::from_str(&outcome.printed).unwrap();
    assert_eq!(read[1]["reason"], "no-server");
}
