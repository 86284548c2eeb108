// SPDX-License-Identifier: GPL-2.0-only
//! What people call things: names and labels.

use crate::model::Labels;

/// Most bytes of a name, of a label's key and of its value, as the kernel takes them.
const TEXT: usize = 63;

/// Most labels of a service or a server.
const LABELS: usize = 16;

/// Words that begin the address of a service on the command line, so that no service can be called
/// so.
const RESERVED: [&str; 5] = ["tcp", "udp", "sctp", "mark", "fwmark"];

/// Whether a text has the form of a name.
pub fn is_name(text: &str) -> bool {
    text.len() <= TEXT
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(is_plain)
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')
}

/// Reads the name of a service or a server.
pub fn name(text: &str) -> Result<String, String> {
    if RESERVED.contains(&text) {
        return Err(format!("'{text}' begins an address and cannot be a name"));
    }
    if is_name(text) {
        return Ok(text.to_string());
    }
    Err(format!(
        "'{text}' is not a name: a name is a letter and up to 62 letters, digits, '.', '_' or '-'"
    ))
}

/// As [`name`]; the empty text stands for no name.
pub fn name_or_none(text: &str) -> Result<String, String> {
    match text {
        "" => Ok(String::new()),
        text => name(text),
    }
}

/// Reads a label, `key=value`.
pub fn label(text: &str) -> Result<(String, String), String> {
    let (key, value) = text
        .split_once('=')
        .ok_or_else(|| format!("'{text}' is not a label, such as tier=front"))?;
    let key = label_key(key)?;
    let is_value = value.len() <= TEXT
        && value
            .bytes()
            .all(|byte| is_plain(byte) || matches!(byte, b'/' | b':' | b'@' | b'+'));
    if !is_value {
        return Err(format!(
            "'{value}' is not a label's value: up to 63 letters, digits, '.', '_', '-', '/', ':', '@' \
             or '+'"
        ));
    }
    Ok((key, value.to_string()))
}

/// Reads the key of a label.
pub fn label_key(text: &str) -> Result<String, String> {
    let is_key = text.len() <= TEXT
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|byte| is_plain(byte) || byte == b'/');
    if is_key {
        return Ok(text.to_string());
    }
    Err(format!(
        "'{text}' is not a label's key: a letter and up to 62 letters, digits, '.', '_', '-' or '/'"
    ))
}

/// Checks that there are no more labels than the kernel takes.
pub fn label_count(labels: &Labels) -> Result<(), String> {
    match labels.len() {
        0..=LABELS => Ok(()),
        more => Err(format!("there are {more} labels; {LABELS} is the most")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_such_that_no_address_and_no_keyword_is_one() {
        for text in ["web", "a.b_c-9", &"x".repeat(63)] {
            assert_eq!(name(text).as_deref(), Ok(text));
        }
        for text in [
            "",
            "9web",
            "192.0.2.1",
            "we b",
            "ä",
            "tcp",
            "mark",
            &"x".repeat(64),
        ] {
            assert!(name(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn labels_are_keys_with_values() {
        assert_eq!(
            label("k8s.io/app=a:b@c+d"),
            Ok(("k8s.io/app".into(), "a:b@c+d".into()))
        );
        assert_eq!(label("empty="), Ok(("empty".into(), String::new())));
        for text in ["", "tier", "=x", "9=x", "a b=c", "a=b c", "a=b=c"] {
            assert!(label(text).is_err(), "{text:?}");
        }
    }
}
