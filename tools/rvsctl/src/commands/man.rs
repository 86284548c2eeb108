// SPDX-License-Identifier: GPL-2.0-only
//! `rvsctl man`: the manual page, from the same declaration as `--help`.

use std::io::{self, Write};

use clap::{Command, CommandFactory};
use clap_mangen::roff::{bold, roman, Roff};
use clap_mangen::Man;

use crate::cli::{self, Cli};
use crate::error::Error;

/// Columns that preformatted lines may take, and the indentation where they are short enough.
const COLUMNS: usize = 78;
const INDENTATION: usize = 7;

/// What `--help` does not say.
const ENVIRONMENT: [(&str, &str); 3] = [
    ("NO_COLOR", "If it is set, nothing is coloured unless --color always says so."),
    ("TZ", "The time zone of the times that watch and top show."),
    (
        "RVSCTL_FAMILY",
        "The generic netlink family to speak to instead of RVS. IPVS, that of ip_vs, has the same commands as \
         far as it goes.",
    ),
];
const FILES: [(&str, &str); 2] = [
    (
        "/etc/rvs/rvs.toml",
        "What the systemd unit rvs.service applies at boot, and again on reload.",
    ),
    (
        "/run/netns/NAME",
        "The network namespace that --netns NAME means.",
    ),
];
const SEE_ALSO: &str = "rvs(4), ip-netns(8), ipvsadm(8), keepalived(8)";

/// What everything that is rendered begins with; a page needs it once.
const PREAMBLE: &str = ".ie \\n(.g .ds Aq \\(aq\n.el .ds Aq '\n";

/// Prints the page as troff source.
pub fn print(out: &mut dyn Write) -> Result<(), Error> {
    let mut page = Vec::new();
    render(&mut page)?;
    let page = String::from_utf8_lossy(&page).replace(PREAMBLE, "");
    write!(out, "{PREAMBLE}{page}")?;
    Ok(out.flush()?)
}

fn render(out: &mut dyn Write) -> io::Result<()> {
    let command = Cli::command();
    let mut built = command.clone();
    built.build();
    let man = Man::new(command.clone())
        .title("rvsctl")
        .section("8")
        .source(format!("rvs {}", env!("CARGO_PKG_VERSION")))
        .manual("rvs");
    man.render_title(out)?;
    man.render_name_section(out)?;
    section(out, "SYNOPSIS")?;
    let mut synopsis = Roff::default();
    synopsis.text([
        bold("rvsctl"),
        roman(" [--netns NAME] [--color WHEN] COMMAND ..."),
    ]);
    synopsis.to_writer(out)?;
    man.render_description_section(out)?;
    section(out, "OPTIONS OF EVERY COMMAND")?;
    options(out, &command)?;
    section(out, "COMMANDS")?;
    for (plain, built) in leaves(&command, &built) {
        subsection(out, plain, built)?;
    }
    let (examples, statuses) = cli::general_help();
    section(out, "EXIT STATUS")?;
    preformatted(out, statuses)?;
    section(out, "ENVIRONMENT")?;
    definitions(out, &ENVIRONMENT)?;
    section(out, "FILES")?;
    definitions(out, &FILES)?;
    section(out, "EXAMPLES")?;
    preformatted(out, examples)?;
    section(out, "SEE ALSO")?;
    let mut see_also = Roff::default();
    see_also.text([roman(SEE_ALSO)]);
    see_also.to_writer(out)
}

/// The commands that do something, as they are declared and as they are built. The options that
/// every command takes are in the latter alone.
fn leaves<'a>(plain: &'a Command, built: &'a Command) -> Vec<(&'a Command, &'a Command)> {
    let mut found = Vec::new();
    for plain in plain
        .get_subcommands()
        .filter(|command| !command.is_hide_set())
    {
        let Some(built) = built.find_subcommand(plain.get_name()) else {
            continue;
        };
        match plain.has_subcommands() {
            true => found.extend(leaves(plain, built)),
            false => found.push((plain, built)),
        }
    }
    found
}

fn section(out: &mut dyn Write, title: &str) -> io::Result<()> {
    let mut roff = Roff::default();
    roff.control("SH", [title]);
    roff.to_writer(out)
}

fn subsection(out: &mut dyn Write, plain: &Command, built: &Command) -> io::Result<()> {
    let usage = built.clone().render_usage().to_string();
    let mut usages = usage.trim_start_matches("Usage: ").lines().map(str::trim);
    let mut roff = Roff::default();
    roff.control("SS", usages.next());
    for other in usages {
        roff.text([bold(other)]).control("PP", []);
    }
    let about = plain.get_long_about().or_else(|| plain.get_about());
    for line in about.map(ToString::to_string).unwrap_or_default().lines() {
        match line.trim() {
            "" => _ = roff.control("PP", []),
            line => _ = roff.text([roman(line)]),
        }
    }
    roff.to_writer(out)?;
    options(out, plain)?;
    match plain.get_after_help() {
        Some(help) => preformatted(out, &help.to_string()),
        None => Ok(()),
    }
}

/// Arguments and options of a command, without a heading of their own.
fn options(out: &mut dyn Write, command: &Command) -> io::Result<()> {
    let command = command
        .clone()
        .disable_help_flag(true)
        .disable_version_flag(true);
    let mut section = Vec::new();
    Man::new(command).render_options_section(&mut section)?;
    for line in String::from_utf8_lossy(&section).lines() {
        if ![".SH", ".ie", ".el"]
            .iter()
            .any(|start| line.starts_with(start))
        {
            writeln!(out, "{line}")?;
        }
    }
    Ok(())
}

fn definitions(out: &mut dyn Write, definitions: &[(&str, &str)]) -> io::Result<()> {
    let mut roff = Roff::default();
    for (term, meaning) in definitions {
        roff.control("TP", []);
        roff.text([bold(*term)]);
        roff.text([roman(*meaning)]);
    }
    roff.to_writer(out)
}

/// Lines as they are, indented as far as there is room.
fn preformatted(out: &mut dyn Write, text: &str) -> io::Result<()> {
    let longest = text.lines().map(|line| line.chars().count()).max();
    let indentation = COLUMNS
        .saturating_sub(longest.unwrap_or(0))
        .min(INDENTATION);
    let mut roff = Roff::default();
    roff.control("PP", []);
    roff.control("in", [format!("{indentation}n").as_str()]);
    roff.control("nf", []);
    for line in text.lines() {
        roff.text([roman(line)]);
    }
    roff.control("fi", []);
    roff.control("in", []);
    roff.to_writer(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page() -> String {
        let mut out = Vec::new();
        print(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_command_has_its_part_with_its_options_and_examples() {
        let page = page();
        for line in [
            ".TH rvsctl 8",
            ".SH NAME",
            ".SS \"rvsctl service add [OPTIONS] <PROTOCOL> <ADDRESS:PORT>\"",
            ".SS \"rvsctl watch [OPTIONS]\"",
            ".SH \"EXIT STATUS\"",
            "  7  the time given was over before what was waited for came",
        ] {
            assert!(page.contains(line), "{line} is not in\n{page}");
        }
        for option in ["only", "limit", "scheduler", "interval", "netns"] {
            assert!(page.contains(&format!("\\-\\-{option}")), "{option}");
        }
        assert_eq!(page.matches("Work in this network namespace").count(), 1);
        assert_eq!(page.matches(".ds Aq").count(), 2, "the preamble comes once");
    }

    #[test]
    fn no_line_of_text_is_taken_for_a_request() {
        const REQUESTS: [&str; 13] = [
            ".TH", ".SH", ".SS", ".PP", ".TP", ".IP", ".RS", ".RE", ".br", ".nf", ".fi", ".in",
            ".ie",
        ];
        for line in page().lines().filter(|line| line.starts_with(['.', '\''])) {
            let is_known = REQUESTS.iter().any(|request| line.starts_with(request));
            assert!(is_known || line.starts_with(".el"), "{line}");
        }
    }
}
