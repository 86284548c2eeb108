// SPDX-License-Identifier: GPL-2.0-only
//! `rvsctl server drain` and `undrain`: what is asked for, and what is shown meanwhile.

use super::*;
use crate::netlink::samples::{draining_attribute, server_body_with};

const EALREADY: i32 = -114;
const SERVER: &str = "10.0.0.1:8080";

fn drained(sequence: u32, left: u32, done: bool) -> Vec<Vec<u8>> {
    let settings = ServerSettings::new(ForwardingMethod::Masquerading, 5);
    let endpoint = parse::endpoint(SERVER).unwrap();
    let body = server_body_with(endpoint, &settings, vec![draining_attribute(left, done)]);
    vec![reply(sequence, command::NEW_DEST, &body), done_of(sequence)]
}

fn done_of(sequence: u32) -> Vec<u8> {
    done(sequence, 0, 0)
}

#[test]
fn draining_sends_how_and_shows_each_change_until_it_is_done() {
    let line = "rvsctl server drain tcp 192.0.2.10:80 10.0.0.1:8080 --timeout 25s --drop --remove";
    let answers = vec![
        vec![ack(2)],
        drained(3, 2, false),
        drained(4, 2, false),
        drained(5, 1, false),
        vec![server(6, "10.0.0.2:8080"), done_of(6)],
    ];
    let outcome = run(line, answers);
    assert_eq!(outcome.result, Ok(()));
    assert_eq!(outcome.requests[0], command::DRAIN_DEST);
    assert_eq!(outcome.requests.last(), Some(&command::GET_DEST));
    let expected = "\
draining: 2 connections left, 25 s until they are dropped, then removed
draining: 1 connection left, 25 s until it is dropped, then removed
drained and removed
";
    assert_eq!(outcome.printed, expected);
}

#[test]
fn draining_in_the_background_sends_the_plan_and_returns() {
    let line = "rvsctl server drain tcp 192.0.2.10:80 10.0.0.1:8080 --timeout 30s --no-wait";
    let outcome = run(line, vec![vec![ack(2)]]);
    assert_eq!(outcome.printed, "");
    assert!(
        contains(&outcome.last, &[12, 0, 2, 0, 0x30, 0x75, 0, 0]),
        "timeout"
    );
    assert!(contains(&outcome.last, &[8, 0, 3, 0, 0, 0, 0, 0]), "reset");
    assert!(!contains(&outcome.last, &[4, 0, 4, 0]), "remove");
}

#[test]
fn progress_for_programs_is_a_line_of_json_for_each_change() {
    let line = "rvsctl server drain tcp 192.0.2.10:80 10.0.0.1:8080 --json";
    let outcome = run(
        line,
        vec![vec![ack(2)], drained(3, 1, false), drained(4, 0, true)],
    );
    let lines: Vec<serde_json::Value> = outcome
        .printed
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["state"], "draining");
    assert_eq!(lines[0]["draining"]["connections_left"], 1);
    assert_eq!(lines[0]["draining"]["leftovers"], "drop");
    assert_eq!(lines[1]["state"], "drained");
}

#[test]
fn what_can_not_be_drained_is_told() {
    let line = "rvsctl server drain tcp 192.0.2.10:80 10.0.0.9 --no-wait";
    let failure = run(line, vec![vec![capped_error(2, ENOENT, &[])]]).failure();
    assert_eq!(failure.status, ExitStatus::NotFound);
    let failure = run(line, vec![vec![capped_error(2, ESRCH, &[])]]).failure();
    assert_eq!(failure.status, ExitStatus::NotFound);
    let line = "rvsctl server undrain tcp 192.0.2.10:80 10.0.0.1:8080";
    let failure = run(line, vec![vec![capped_error(2, EALREADY, &[])]]).failure();
    assert_eq!(
        failure.to_string(),
        "10.0.0.1:8080 of tcp 192.0.2.10:80 is not being drained"
    );
}
