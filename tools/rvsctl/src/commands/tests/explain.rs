// SPDX-License-Identifier: GPL-2.0-only
//! `rvsctl explain`: what is asked, and what is told.

use super::*;
use crate::netlink::samples::{dropped_body, scheduled_body};

fn answer(body: Vec<u8>) -> Vec<Vec<Vec<u8>>> {
    vec![
        vec![reply(2, command::NEW_EXPLANATION, &body), ack(2)],
        vec![
            server(3, "10.0.0.2:8080"),
            server(3, "10.0.0.1:8080"),
            done(3, 0, 0),
        ],
    ]
}

#[test]
fn the_flow_is_sent_and_the_servers_are_shown_with_the_chosen_one() {
    let line = "rvsctl explain tcp 203.0.113.7:4711 192.0.2.10:80 --mark 7";
    let outcome = run(line, answer(scheduled_body()));
    assert_eq!(outcome.result, Ok(()));
    assert_eq!(
        outcome.requests,
        [command::GET_EXPLANATION, command::GET_DEST]
    );
    let lines: Vec<_> = outcome.printed.lines().collect();
    assert_eq!(lines[0], "tcp 203.0.113.7:4711 -> 192.0.2.10:80, mark 7");
    let is_chosen = |line: &&str| line.starts_with("10.0.0.1:8080") && line.ends_with("chosen");
    assert!(lines.iter().any(is_chosen), "{lines:?}");
}

#[test]
fn an_answer_for_programs_has_the_flow_the_outcome_and_the_servers() {
    let line = "rvsctl explain tcp 203.0.113.7:4711 192.0.2.10:80 --json";
    let outcome = run(line, answer(dropped_body()));
    let read: serde_json::Value = serde_json::from_str(&outcome.printed).unwrap();
    assert_eq!(read["flow"]["client"]["port"], 4711);
    assert_eq!(read["outcome"], "dropped");
    assert_eq!(read["dropped"]["reason"], "no-server");
    assert_eq!(read["service"]["address"], "192.0.2.10");
    assert_eq!(read["servers"][0]["address"], "10.0.0.1");
    assert_eq!(read["servers"][0]["chosen"], false);
}
