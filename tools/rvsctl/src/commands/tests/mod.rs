// SPDX-License-Identifier: GPL-2.0-only
//! Commands from the line typed to what is sent, printed and returned, against a scripted kernel.

mod apply;
mod connections;
mod drain;
mod explain;
mod listings;
mod settings;
mod watch;

use clap::Parser;

use super::{dispatch, Session};
use crate::cli::Cli;
use crate::error::{Error, ExitStatus, Failure};
use crate::model::{ForwardingMethod, ServiceKey};
use crate::netlink::fake::{ack, capped_error, done, family_reply, reply, Script};
use crate::netlink::numbers::command;
use crate::netlink::samples::{server_body, server_of, service_body};
use crate::netlink::{Client, ServerSettings};
use crate::output::table::Style;
use crate::parse;

const ENOENT: i32 = -2;
const EPERM: i32 = -1;
const ESRCH: i32 = -3;
const EEXIST: i32 = -17;
const EINVAL: i32 = -22;
const EOPNOTSUPP: i32 = -95;
const EAFNOSUPPORT: i32 = -97;

/// What came of a command.
struct Outcome {
    result: Result<(), Error>,
    printed: String,
    /// Generic netlink command of each request after the family lookup.
    requests: Vec<u8>,
    /// Attributes of the last request.
    last: Vec<u8>,
}

impl Outcome {
    fn failure(self) -> Failure {
        match self.result {
            Err(Error::Failure(failure)) => failure,
            other => panic!("{other:?}"),
        }
    }
}

/// Runs a line; request n (from 2 on, after the family lookup) gets the nth answer.
fn run(line: &str, answers: Vec<Vec<Vec<u8>>>) -> Outcome {
    let cli = Cli::try_parse_from(line.split_whitespace()).unwrap();
    let mut all = vec![vec![family_reply(), ack(1)]];
    all.extend(answers);
    let mut script = Script::new(all);
    let mut out = Vec::new();
    let client = Client::connect(&mut script, "RVS").unwrap();
    let mut session = Session {
        client,
        out: &mut out,
        style: Style::PLAIN,
        netns: None,
    };
    let result = dispatch(&mut session, cli.command);
    Outcome {
        result,
        printed: String::from_utf8(out).unwrap(),
        requests: script.sent[1..].iter().map(|sent| sent[16]).collect(),
        last: script.sent.last().unwrap()[20..].to_vec(),
    }
}

fn key() -> ServiceKey {
    ServiceKey::Endpoint {
        protocol: crate::model::Protocol::TCP,
        endpoint: parse::endpoint("192.0.2.10:80").unwrap(),
    }
}

fn service(sequence: u32) -> Vec<u8> {
    let body = service_body(&key(), "wlc");
    reply(sequence, command::NEW_SERVICE, &body)
}

fn server(sequence: u32, name: &str) -> Vec<u8> {
    let settings = ServerSettings::new(ForwardingMethod::Masquerading, 5);
    let body = server_body(parse::endpoint(name).unwrap(), &settings);
    reply(sequence, command::NEW_DEST, &body)
}

/// The kernel's answer with all services: the one with the key above, and these servers of it, newest
/// first.
fn everything(sequence: u32, servers: &[&str]) -> Vec<Vec<u8>> {
    let service = service_body(&key(), "wlc");
    let servers = servers.iter().map(|server| server_of(&key(), server));
    let mut answer: Vec<_> = std::iter::once(service)
        .chain(servers)
        .map(|body| reply(sequence, command::NEW_DEST, &body))
        .collect();
    answer.push(done(sequence, 0, 0));
    answer
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[test]
fn adding_a_service_sends_it_and_prints_nothing() {
    let line = "rvsctl service add tcp 192.0.2.10:80 --scheduler rr";
    let outcome = run(line, vec![vec![ack(2)]]);
    assert_eq!(outcome.result, Ok(()));
    assert_eq!(outcome.printed, "");
    assert_eq!(outcome.requests, [command::NEW_SERVICE]);
    assert!(contains(&outcome.last, b"\x07\0\x06\0rr\0"));
}

#[test]
fn adding_a_service_that_exists_says_so_with_status_4() {
    let line = "rvsctl service add tcp 192.0.2.10:80";
    let failure = run(line, vec![vec![capped_error(2, EEXIST, &[])]]).failure();
    assert_eq!(failure.status, ExitStatus::Exists);
    assert_eq!(
        failure.to_string(),
        "the service tcp 192.0.2.10:80 exists already\n  \
         tip: `rvsctl service set tcp 192.0.2.10:80 …` changes it"
    );
}

#[test]
fn an_unknown_scheduler_is_named_with_the_kernels_words_or_else_those_known() {
    let line = "rvsctl service add tcp 192.0.2.10:80 --scheduler wlx";
    let words = [&[12, 0, 1, 0][..], b"use wlc\0"].concat();
    let failure = run(line, vec![vec![capped_error(2, ENOENT, &words)]]).failure();
    assert_eq!(failure.status, ExitStatus::Refused);
    assert_eq!(
        failure.to_string(),
        "the kernel has no scheduler 'wlx'\n  kernel: use wlc\n  tip: a similar one exists: 'wlc'"
    );

    let line = "rvsctl service add tcp 192.0.2.10:80 --scheduler best";
    let failure = run(line, vec![vec![capped_error(2, ENOENT, &[])]]).failure();
    assert_eq!(
        failure.to_string(),
        "the kernel has no scheduler 'best'\n  tip: schedulers of rvs: \
         rr, wrr, lc, wlc, fo, ovf, lblc, lblcr, dh, sh, mh, sed, nq, twos"
    );
}

#[test]
fn the_kernels_words_are_left_out_where_they_only_repeat() {
    let line = "rvsctl service add tcp 192.0.2.10:80";
    let words = [&[12, 0, 1, 0][..], b"exists!\0"].concat();
    let failure = run(line, vec![vec![capped_error(2, EEXIST, &words)]]).failure();
    assert_eq!(failure.kernel, None);
}

#[test]
fn a_refusal_without_a_meaning_of_its_own_is_explained_by_the_kernels_words() {
    let line = "rvsctl service add tcp [2001:db8::10]:80";
    let words = [&[12, 0, 1, 0][..], b"no IPv6\0"].concat();
    for errno in [EOPNOTSUPP, EAFNOSUPPORT, EINVAL] {
        let failure = run(line, vec![vec![capped_error(2, errno, &words)]]).failure();
        assert_eq!(
            failure.to_string(),
            "cannot add the service tcp [2001:db8::10]:80\n  kernel: no IPv6"
        );
    }
}

#[test]
fn changing_a_service_reads_it_first() {
    let line = "rvsctl service set tcp 192.0.2.10:80 --scheduler rr";
    let outcome = run(line, vec![vec![service(2), ack(2)], vec![ack(3)]]);
    assert_eq!(outcome.result, Ok(()));
    assert_eq!(
        outcome.requests,
        [command::GET_SERVICE, command::SET_SERVICE]
    );
}

#[test]
fn every_command_on_a_service_that_does_not_exist_says_so_with_status_3() {
    for line in [
        "rvsctl service set tcp 192.0.2.10:80 --scheduler rr",
        "rvsctl service del tcp 192.0.2.10:80",
        "rvsctl service list tcp 192.0.2.10:80",
        "rvsctl server add tcp 192.0.2.10:80 10.0.0.1",
        "rvsctl server set tcp 192.0.2.10:80 10.0.0.1 --weight 2",
        "rvsctl server del tcp 192.0.2.10:80 10.0.0.1",
        "rvsctl server list tcp 192.0.2.10:80",
        "rvsctl zero tcp 192.0.2.10:80",
    ] {
        let failure = run(line, vec![vec![capped_error(2, ESRCH, &[])]]).failure();
        assert_eq!(failure.status, ExitStatus::NotFound, "{line}");
        assert_eq!(
            failure.to_string(),
            "there is no service tcp 192.0.2.10:80\n  \
             tip: `rvsctl service list` shows the services that exist",
            "{line}"
        );
    }
}

#[test]
fn every_command_without_permission_ends_with_status_5() {
    for line in [
        "rvsctl service add tcp 192.0.2.10:80",
        "rvsctl service list",
        "rvsctl server del tcp 192.0.2.10:80 10.0.0.1",
        "rvsctl conn list",
        "rvsctl stats",
        "rvsctl timeout show",
        "rvsctl zero",
        "rvsctl flush --yes",
        "rvsctl info",
    ] {
        let failure = run(line, vec![vec![capped_error(2, EPERM, &[])]]).failure();
        assert_eq!(failure.status, ExitStatus::NoPermission, "{line}");
        assert!(failure.message.contains("CAP_NET_ADMIN"), "{failure}");
    }
}

#[test]
fn a_request_the_module_does_not_know_or_a_family_it_does_not_balance_is_refused() {
    let unknown = capped_error(2, EOPNOTSUPP, &[]);
    let failure = run("rvsctl conn list", vec![vec![unknown]]).failure();
    assert_eq!(failure.status, ExitStatus::Refused);
    assert!(failure.message.contains("does not support that"));

    let family = capped_error(2, EAFNOSUPPORT, &[]);
    let line = "rvsctl service add tcp [2001:db8::10]:80";
    let failure = run(line, vec![vec![family]]).failure();
    assert_eq!(failure.status, ExitStatus::Refused);
    assert!(failure.message.contains("address family"), "{failure}");
}

#[test]
fn a_missing_family_means_the_module_is_not_loaded() {
    let failure = Failure::explain(
        crate::netlink::Error::NoFamily("RVS".to_string()),
        crate::error::Attempt::Connect,
    );
    assert_eq!(failure.status, ExitStatus::NotLoaded);
    assert!(failure.to_string().contains("`modprobe rvs`"), "{failure}");
}

#[test]
fn adding_a_server_sends_service_and_server() {
    let line = "rvsctl server add tcp 192.0.2.10:80 10.0.0.1:8080 --method nat --weight 7";
    let outcome = run(line, vec![vec![ack(2)]]);
    assert_eq!(outcome.result, Ok(()));
    assert_eq!(outcome.requests, [command::NEW_DEST]);
    assert!(contains(&outcome.last, &[8, 0, 1, 0, 10, 0, 0, 1]));
    assert!(contains(&outcome.last, &[8, 0, 4, 0, 7, 0, 0, 0]));
}

#[test]
fn a_port_that_the_method_cannot_change_is_refused_before_asking_the_kernel() {
    for method in ["direct", "tunnel"] {
        let line = format!("rvsctl server add tcp 192.0.2.10:80 10.0.0.1:8080 --method {method}");
        let outcome = run(&line, vec![]);
        assert!(outcome.requests.is_empty());
        let failure = outcome.failure();
        assert_eq!(failure.status, ExitStatus::Usage);
        assert!(
            failure.message.contains("cannot change the port"),
            "{failure}"
        );
    }
}

#[test]
fn adding_a_server_behind_a_tunnel_sends_type_port_and_checksum() {
    for (words, number, port, flags) in [
        ("--tunnel-type gue --tunnel-port 6080", 1, 6080_u16, 0),
        (
            "--tunnel-type gue --tunnel-port 6080 --tunnel-checksum full",
            1,
            6080,
            1,
        ),
        (
            "--tunnel-type gue --tunnel-port 6080 --tunnel-checksum remote",
            1,
            6080,
            2,
        ),
        ("--tunnel-type gre", 2, 0, 0),
        ("--tunnel-type gre --tunnel-checksum full", 2, 0, 1),
        ("--tunnel-type ipip --tunnel-checksum none", 0, 0, 0),
    ] {
        let line = format!("rvsctl server add tcp 192.0.2.10:80 10.0.0.1 --method tunnel {words}");
        let outcome = run(&line, vec![vec![ack(2)]]);
        assert_eq!(outcome.result, Ok(()), "{words}");
        let [high, low] = port.to_be_bytes();
        assert!(
            contains(&outcome.last, &[5, 0, 13, 0, number, 0, 0, 0]),
            "{words}"
        );
        assert!(
            contains(&outcome.last, &[6, 0, 14, 0, high, low, 0, 0]),
            "{words}"
        );
        assert!(
            contains(&outcome.last, &[6, 0, 15, 0, flags, 0, 0, 0]),
            "{words}"
        );
    }
}

#[test]
fn a_tunnel_that_can_not_be_is_refused_before_asking_the_kernel() {
    for (words, reason) in [
        (
            "--method nat --tunnel-type gue --tunnel-port 6080",
            "has no tunnel",
        ),
        ("--tunnel-type gre", "has no tunnel"),
        ("--method tunnel --tunnel-type gue", "needs the UDP port"),
        ("--method tunnel --tunnel-port 6080", "ipip has no port"),
        (
            "--method tunnel --tunnel-type gre --tunnel-port 6080",
            "gre has no port",
        ),
        (
            "--method tunnel --tunnel-type gre --tunnel-checksum remote",
            "completed at the far end",
        ),
        (
            "--method tunnel --tunnel-checksum full",
            "ipip has no checksum",
        ),
    ] {
        let line = format!("rvsctl server add tcp 192.0.2.10:80 10.0.0.1 {words}");
        let outcome = run(&line, vec![]);
        assert!(outcome.requests.is_empty(), "{words}");
        let failure = outcome.failure();
        assert_eq!(failure.status, ExitStatus::Usage, "{words}");
        assert!(failure.message.contains(reason), "{failure}");
        assert!(failure.tip.is_some(), "{words}");
    }
}

#[test]
fn changing_a_tunnel_keeps_what_is_not_named_and_fits_its_type() {
    let set = |words: &str| {
        let line =
            format!("rvsctl server set tcp 192.0.2.10:80 10.0.0.1:80 --method tunnel {words}");
        run(
            &line,
            vec![
                vec![service(2), ack(2)],
                vec![server(3, "10.0.0.1:80"), done(3, 0, 0)],
                vec![ack(4)],
            ],
        )
    };
    // It is gue to port 6080 with a remote checksum.
    let outcome = set("--tunnel-checksum full");
    assert_eq!(outcome.result, Ok(()));
    assert!(contains(&outcome.last, &[5, 0, 13, 0, 1, 0, 0, 0]));
    assert!(contains(&outcome.last, &[6, 0, 14, 0, 0x17, 0xc0, 0, 0]));
    assert!(contains(&outcome.last, &[6, 0, 15, 0, 1, 0, 0, 0]));
    let outcome = set("--tunnel-type gre");
    assert_eq!(outcome.result, Ok(()));
    assert!(contains(&outcome.last, &[5, 0, 13, 0, 2, 0, 0, 0]));
    assert!(contains(&outcome.last, &[6, 0, 14, 0, 0, 0, 0, 0]));
    assert!(contains(&outcome.last, &[6, 0, 15, 0, 0, 0, 0, 0]));
}

#[test]
fn servers_that_exist_or_not_end_with_status_4_and_3() {
    let line = "rvsctl server add tcp 192.0.2.10:80 10.0.0.1";
    let failure = run(line, vec![vec![capped_error(2, EEXIST, &[])]]).failure();
    assert_eq!(failure.status, ExitStatus::Exists);
    assert_eq!(
        failure.message,
        "tcp 192.0.2.10:80 has the real server 10.0.0.1:80 already"
    );

    let line = "rvsctl server del tcp 192.0.2.10:80 10.0.0.9";
    let failure = run(line, vec![vec![capped_error(2, ENOENT, &[])]]).failure();
    assert_eq!(failure.status, ExitStatus::NotFound);
    assert_eq!(
        failure.message,
        "tcp 192.0.2.10:80 has no real server 10.0.0.9:80"
    );
}

#[test]
fn changing_a_server_keeps_what_is_not_named() {
    let line = "rvsctl server set tcp 192.0.2.10:80 10.0.0.1:8080 --weight 0";
    let outcome = run(
        line,
        vec![
            vec![service(2), ack(2)],
            vec![
                server(3, "10.0.0.2:8080"),
                server(3, "10.0.0.1:8080"),
                done(3, 0, 0),
            ],
            vec![ack(4)],
        ],
    );
    assert_eq!(outcome.result, Ok(()));
    assert_eq!(outcome.requests.last(), Some(&command::SET_DEST));
    assert!(contains(&outcome.last, &[8, 0, 3, 0, 0, 0, 0, 0]), "method");
    assert!(contains(&outcome.last, &[8, 0, 4, 0, 0, 0, 0, 0]), "weight");
    assert!(
        contains(&outcome.last, &[5, 0, 13, 0, 1, 0, 0, 0]),
        "encapsulation"
    );
}

#[test]
fn changing_a_server_that_the_service_lacks_ends_with_status_3() {
    let line = "rvsctl server set tcp 192.0.2.10:80 10.0.0.1:8080 --weight 0";
    let answers = vec![
        vec![service(2), ack(2)],
        vec![server(3, "10.0.0.2:8080"), done(3, 0, 0)],
    ];
    let failure = run(line, answers).failure();
    assert_eq!(failure.status, ExitStatus::NotFound);
}

#[test]
fn an_invalid_server_without_the_kernels_words_gets_a_tip() {
    let line = "rvsctl server add tcp 192.0.2.10:80 224.0.0.1";
    let failure = run(line, vec![vec![capped_error(2, EINVAL, &[])]]).failure();
    assert_eq!(failure.status, ExitStatus::Refused);
    assert!(failure.tip.unwrap().contains("unicast"));
}

#[test]
fn setting_timeouts_sends_only_those_named() {
    let line = "rvsctl timeout set --tcp 3600 --udp 60";
    let outcome = run(line, vec![vec![ack(2)]]);
    assert_eq!(outcome.requests, [command::SET_CONFIG]);
    let mut expected = vec![8, 0, 4, 0];
    expected.extend(3600_u32.to_ne_bytes());
    expected.extend([8, 0, 6, 0, 60, 0, 0, 0]);
    assert_eq!(outcome.last, expected);
}

#[test]
fn flush_without_a_terminal_needs_yes() {
    // The test runner's standard input may be a terminal; then it would ask.
    if std::io::IsTerminal::is_terminal(&std::io::stdin()) {
        return;
    }
    let outcome = run("rvsctl flush", vec![]);
    assert!(outcome.requests.is_empty());
    let failure = outcome.failure();
    assert_eq!(failure.status, ExitStatus::Usage);
    assert!(failure.to_string().contains("--yes"), "{failure}");

    let outcome = run("rvsctl flush --yes", vec![vec![ack(2)]]);
    assert_eq!(outcome.requests, [command::FLUSH]);
}
