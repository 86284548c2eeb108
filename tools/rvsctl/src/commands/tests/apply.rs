// SPDX-License-Identifier: GPL-2.0-only
//! `apply`, `diff` and `export`: what is asked, sent, shown and made of refusals.

use std::path::PathBuf;

use super::super::apply::FEW;
use super::*;
use crate::netlink::samples::{body_of_service, info_body};

const ESTALE: i32 = -116;

const WEB: &str = "\
[[service]]
name = \"web\"
protocol = \"tcp\"
address = \"192.0.2.10:80\"
servers = [{ address = \"10.0.0.1:8080\", method = \"masquerading\", weight = 5 }]
";

/// A file that is gone when this is.
struct File(PathBuf);

impl File {
    fn new(name: &str, text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("rvsctl-{}-{name}.toml", std::process::id()));
        std::fs::write(&path, text).unwrap();
        Self(path)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Runs `COMMAND FILE`; the kernel's generation is 7, and these services are there.
fn run_with(
    command: &str,
    text: &str,
    services: &[Vec<u8>],
    answers: impl Fn(u32) -> Vec<Vec<Vec<u8>>>,
) -> Outcome {
    let name = std::thread::current()
        .name()
        .unwrap_or_default()
        .replace("::", "-");
    let file = File::new(&name, text);
    let info = vec![reply(2, command::SET_INFO, &info_body(7)), ack(2)];
    let mut listed: Vec<_> = services
        .iter()
        .map(|body| reply(3, command::NEW_SERVICE, body))
        .collect();
    listed.push(done(3, 0, 0));
    let mut all = vec![info, listed];
    all.extend(answers(4));
    run(&format!("rvsctl {command} {}", file.0.display()), all)
}

/// All that there is: the service of the file without its name, with a server of weight 5.
fn there(sequence: u32) -> Vec<Vec<u8>> {
    everything(sequence, &["10.0.0.1:8080"])
}

fn web() -> Vec<u8> {
    service_body(&key(), "wlc")
}

#[test]
fn what_is_missing_is_added_in_one_request() {
    let outcome = run_with("apply", WEB, &[], |n| vec![vec![ack(n)]]);
    assert_eq!(outcome.result, Ok(()));
    assert_eq!(
        outcome.requests,
        [command::GET_INFO, command::GET_SERVICE, command::APPLY]
    );
    assert_eq!(outcome.last[..12], [12, 0, 10, 0, 7, 0, 0, 0, 0, 0, 0, 0]);
    assert!(contains(&outcome.last, b"\x08\0\x20\0web\0"));
    assert!(outcome.printed.ends_with("Add 1 service and 1 server.\n"));
}

#[test]
fn a_service_that_is_as_its_text_made_it_is_not_asked_for() {
    let declared = crate::declaration::read(WEB, &[])
        .unwrap()
        .services
        .remove(0);
    let mut present = crate::netlink::decode::service(&web()).unwrap();
    present.identity = declared.identity;
    let mut body = body_of_service(&present);
    // The fingerprint is the last attribute of the service, which grows by it.
    body.extend([12, 0, 34, 0]);
    body.extend(declared.fingerprint.unwrap().to_ne_bytes());
    let length = u16::try_from(body.len()).unwrap();
    body[..2].copy_from_slice(&length.to_ne_bytes());
    let outcome = run_with("apply", WEB, &[body], |_| vec![]);
    assert_eq!((outcome.result, outcome.printed.as_str()), (Ok(()), ""));
    assert_eq!(outcome.requests, [command::GET_INFO, command::GET_SERVICE]);
}

#[test]
fn a_difference_is_shown_and_sent_as_a_change() {
    let outcome = run_with("apply", WEB, &[web()], |n| vec![there(n), vec![ack(n + 1)]]);
    assert_eq!(outcome.result, Ok(()));
    assert_eq!(
        outcome.printed,
        "~ tcp 192.0.2.10:80 (web): name none -> web\n\nChange 1 service.\n"
    );
    assert!(contains(
        &outcome.last,
        &[5, 0, 3, 0, command::SET_SERVICE, 0, 0, 0]
    ));
    assert!(!contains(
        &outcome.last,
        &[5, 0, 3, 0, command::SET_DEST, 0, 0, 0]
    ));
}

#[test]
fn of_many_services_only_those_that_may_differ_are_read() {
    let marks = (1..=FEW as u32).map(|fwmark| ServiceKey::Fwmark {
        fwmark,
        family: crate::model::Family::Ipv4,
    });
    let mut services: Vec<_> = marks.map(|key| service_body(&key, "wlc")).collect();
    services.push(web());
    let outcome = run_with("apply --yes", WEB, &services, |n| {
        vec![
            vec![service(n), ack(n)],
            vec![server(n + 1, "10.0.0.1:8080"), done(n + 1, 0, 0)],
            vec![ack(n + 2)],
        ]
    });
    assert_eq!(outcome.result, Ok(()));
    let removed = format!("Change 1 service, remove {FEW} services.\n");
    assert!(outcome.printed.ends_with(&removed), "{}", outcome.printed);
}

#[test]
fn a_dry_run_and_a_diff_change_nothing() {
    let outcome = run_with("apply --dry-run", WEB, &[], |_| vec![]);
    assert_eq!(outcome.result, Ok(()));
    assert!(!outcome.requests.contains(&command::APPLY));
    let outcome = run_with("diff", WEB, &[], |n| {
        vec![vec![reply(n, command::SET_INFO, &info_body(7)), ack(n)]]
    });
    assert_eq!(outcome.result, Err(Error::Different));
    assert!(outcome.printed.contains("+ tcp 192.0.2.10:80 (web)"));
}

#[test]
fn a_diff_is_made_again_when_the_configuration_changed_meanwhile() {
    let outcome = run_with("diff", WEB, &[], |n| {
        vec![
            vec![reply(n, command::SET_INFO, &info_body(8)), ack(n)],
            vec![
                reply(n + 1, command::NEW_SERVICE, &web()),
                done(n + 1, 0, 0),
            ],
            there(n + 2),
            vec![reply(n + 3, command::SET_INFO, &info_body(8)), ack(n + 3)],
        ]
    });
    assert_eq!(outcome.result, Err(Error::Different));
    assert!(outcome.printed.starts_with("~ tcp"), "{}", outcome.printed);
}

#[test]
fn another_writer_is_a_conflict_with_status_8() {
    let outcome = run_with("apply", WEB, &[], |n| {
        vec![vec![capped_error(n, ESTALE, &[])]]
    });
    let failure = outcome.failure();
    assert_eq!(failure.status, ExitStatus::Conflict);
    assert!(
        failure.message.contains("changed by somebody else"),
        "{failure}"
    );
}

#[test]
fn a_refusal_names_the_operation_that_it_is_about() {
    let outcome = run_with("apply", WEB, &[], |n| {
        // The second operation begins behind the first one, which adds the service.
        let at = [&[8, 0, 2, 0][..], &212_u32.to_ne_bytes()].concat();
        vec![vec![capped_error(n, EINVAL, &at)]]
    });
    let failure = outcome.failure();
    assert_eq!(failure.status, ExitStatus::Refused);
    let expected = "cannot add the real server 10.0.0.1:8080 to tcp 192.0.2.10:80";
    assert!(failure.message.starts_with(expected), "{failure}");
    assert!(
        failure.message.ends_with("nothing was changed"),
        "{failure}"
    );
}

#[test]
fn without_a_terminal_nothing_is_removed_unless_yes_is_said() {
    // The test runner's standard input may be a terminal; then it would ask.
    if std::io::IsTerminal::is_terminal(&std::io::stdin()) {
        return;
    }
    let failure = run_with("apply", "", &[web()], |_| vec![]).failure();
    assert_eq!(failure.status, ExitStatus::Usage);
    assert_eq!(
        failure.message,
        "this would remove 1 service, and there is no terminal to ask on"
    );
    let outcome = run_with("apply --yes", "", &[web()], |n| vec![vec![ack(n)]]);
    assert_eq!(outcome.result, Ok(()));
    assert!(contains(
        &outcome.last,
        &[5, 0, 3, 0, command::DEL_SERVICE, 0, 0, 0]
    ));
}

#[test]
fn a_mistake_names_file_line_and_column_with_status_2() {
    let failure = run_with("apply", "[[service]]\nmark = -1\n", &[], |_| vec![]).failure();
    assert_eq!(failure.status, ExitStatus::Usage);
    assert!(
        failure.message.contains(".toml:2:8: 'mark' cannot be -1"),
        "{failure}"
    );
    let failure = run("rvsctl apply /nowhere.toml", vec![]).failure();
    assert_eq!(failure.status, ExitStatus::Usage);
    assert!(
        failure.message.contains("cannot read '/nowhere.toml'"),
        "{failure}"
    );
}

#[test]
fn a_module_without_transactions_says_so() {
    let info = crate::netlink::samples::info_body_without_generation();
    let file = File::new("none", WEB);
    let answers = vec![vec![reply(2, command::SET_INFO, &info), ack(2)]];
    let failure = run(&format!("rvsctl apply {}", file.0.display()), answers).failure();
    assert!(failure.message.contains("has no transactions"), "{failure}");
}

#[test]
fn an_export_lists_servers_in_the_order_in_which_they_were_added() {
    let info = |n| vec![reply(n, command::SET_INFO, &info_body(7)), ack(n)];
    let outcome = run(
        "rvsctl export",
        vec![
            info(2),
            everything(3, &["10.0.0.2:8080", "10.0.0.1:8080"]),
            info(4),
        ],
    );
    assert_eq!(outcome.result, Ok(()));
    let first = outcome.printed.find("10.0.0.1").unwrap();
    assert!(first < outcome.printed.find("10.0.0.2").unwrap());
    assert!(crate::declaration::read(&outcome.printed, &[]).is_ok());
}

#[test]
fn a_name_that_nobody_has_is_answered_with_the_most_similar_one() {
    let mut present = crate::netlink::decode::service(&web()).unwrap();
    present.identity.name = Some("web".to_string());
    let named = body_of_service(&present);
    let failure = run(
        "rvsctl service del wbe",
        vec![
            vec![capped_error(2, ESRCH, &[])],
            vec![reply(3, command::NEW_SERVICE, &named), done(3, 0, 0)],
        ],
    )
    .failure();
    assert_eq!(failure.status, ExitStatus::NotFound);
    assert_eq!(
        failure.to_string(),
        "there is no service called 'wbe'\n  tip: a similar name exists: 'web'"
    );
    let outcome = run(
        "rvsctl service del web",
        vec![
            vec![reply(2, command::NEW_SERVICE, &named), ack(2)],
            vec![ack(3)],
        ],
    );
    assert_eq!(
        outcome.requests,
        [command::GET_SERVICE, command::DEL_SERVICE]
    );
}
