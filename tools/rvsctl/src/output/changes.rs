// SPDX-License-Identifier: GPL-2.0-only
//! The differences between a file and what there is: a line for each service and server, with a
//! sign and a colour for what happens to it, and a sum.

use std::io::{self, Write};

use super::table::Style;
use crate::declaration::{Comparison, Kind};

/// Prints all differences; nothing if there are none.
pub fn print(out: &mut dyn Write, comparison: &Comparison, style: Style) -> io::Result<()> {
    for service in &comparison.services {
        let line = line(
            "",
            service.kind,
            &service.key,
            &service.name,
            &service.details,
        );
        writeln!(out, "{}", painted(service.kind, &line, style))?;
        for server in &service.servers {
            let line = self::line(
                "  ",
                server.kind,
                &server.endpoint,
                &server.name,
                &server.details,
            );
            writeln!(out, "{}", painted(server.kind, &line, style))?;
        }
    }
    match summary(comparison) {
        Some(summary) => writeln!(out, "\n{}", style.heading(&summary)),
        None => Ok(()),
    }
}

fn line(
    indent: &str,
    kind: Kind,
    what: &dyn std::fmt::Display,
    name: &Option<String>,
    details: &[String],
) -> String {
    let sign = match kind {
        Kind::Added => '+',
        Kind::Changed => '~',
        Kind::Removed => '-',
        Kind::Kept => ' ',
    };
    let mut line = format!("{indent}{sign} {what}");
    if let Some(name) = name {
        line.push_str(&format!(" ({name})"));
    }
    if !details.is_empty() {
        line.push_str(&format!(": {}", details.join(", ")));
    }
    line
}

fn painted(kind: Kind, line: &str, style: Style) -> String {
    match kind {
        Kind::Added => style.added(line),
        Kind::Changed => style.changed(line),
        Kind::Removed => style.removed(line),
        Kind::Kept => line.to_string(),
    }
}

/// `Add 1 service and 2 servers, change 1 server.`
fn summary(comparison: &Comparison) -> Option<String> {
    let parts: Vec<_> = [
        ("add", Kind::Added),
        ("change", Kind::Changed),
        ("remove", Kind::Removed),
    ]
    .into_iter()
    .filter_map(|(verb, kind)| {
        let (services, servers) = comparison.count(kind);
        Some(format!("{verb} {}", amounts(services, servers)?))
    })
    .collect();
    let text = parts.join(", ");
    let first = text.get(..1)?.to_uppercase();
    Some(format!("{first}{}.", &text[1..]))
}

/// `1 service and 2 servers`; nothing if there are none.
pub fn amounts(services: usize, servers: usize) -> Option<String> {
    let amount = |count, what| match count {
        0 => None,
        1 => Some(format!("1 {what}")),
        more => Some(format!("{more} {what}s")),
    };
    match (amount(services, "service"), amount(servers, "server")) {
        (Some(services), Some(servers)) => Some(format!("{services} and {servers}")),
        (services, servers) => services.or(servers),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::declaration::{ServerChange, ServiceChange};
    use crate::model::{Family, ServiceKey};
    use crate::output::samples::fits;
    use crate::parse;

    fn comparison() -> Comparison {
        let service = |kind, fwmark, details: &[&str], servers| ServiceChange {
            kind,
            key: ServiceKey::Fwmark {
                fwmark,
                family: Family::Ipv4,
            },
            name: (fwmark == 7).then(|| "web".to_string()),
            details: details.iter().map(|it| it.to_string()).collect(),
            servers,
            declared: None,
        };
        let server = |kind, endpoint, details: &[&str]| ServerChange {
            kind,
            endpoint: parse::endpoint(endpoint).unwrap(),
            name: None,
            details: details.iter().map(|it| it.to_string()).collect(),
            declared: None,
        };
        Comparison {
            services: vec![
                service(Kind::Added, 6, &["scheduler rr"], vec![]),
                service(
                    Kind::Kept,
                    7,
                    &[],
                    vec![
                        server(Kind::Changed, "10.0.0.1:80", &["weight 1 -> 5"]),
                        server(Kind::Removed, "10.0.0.2:80", &[]),
                    ],
                ),
                service(Kind::Removed, 8, &[], vec![]),
            ],
        }
    }

    fn printed(comparison: &Comparison, color: bool) -> String {
        let mut out = Vec::new();
        print(
            &mut out,
            comparison,
            Style {
                color,
                ..Style::PLAIN
            },
        )
        .unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn differences_are_a_line_each_and_a_sum() {
        let expected = "\
+ mark 6: scheduler rr
  mark 7 (web)
  ~ 10.0.0.1:80: weight 1 -> 5
  - 10.0.0.2:80
- mark 8

Add 1 service, change 1 server, remove 1 service and 1 server.
";
        let text = printed(&comparison(), false);
        assert_eq!(text, expected);
        fits(80, &text);
    }

    #[test]
    fn each_kind_has_its_colour() {
        let text = printed(&comparison(), true);
        for painted in [
            "\x1b[32m+ mark 6",
            "\x1b[33m  ~ 10.0.0.1:80",
            "\x1b[31m  - 10.0.0.2:80\x1b[0m\n",
            "\n  mark 7 (web)\n",
        ] {
            assert!(text.contains(painted), "{painted:?} in {text:?}");
        }
    }

    #[test]
    fn no_difference_prints_nothing() {
        assert_eq!(printed(&Comparison::default(), true), "");
    }
}
