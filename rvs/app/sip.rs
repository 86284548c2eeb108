// SPDX-License-Identifier: GPL-2.0-only

//! The Call-ID of a SIP message (RFC 3261 §20.8), by which all messages of a call can go to one real server,
//! whichever client or proxy sends them.
//!
//! Header fields begin on any line but the first and may be continued on lines that begin with white
//! space. Lines end as in RFC 3261 with CR LF, or as in RFC 2543 with either of them.

/// The longest Call-ID that connections are told apart by, bytes.
pub const MAX_CALL_ID: usize = 255;

/// Finds the Call-ID of a message. `None` if there is none that is well-formed, is at most
/// [`MAX_CALL_ID`] bytes long, and is followed by the end of its line. Letter case matters in it.
///
/// The field's name is `Call-ID` or, in the compact form, `i` (RFC 3261 §7.3.3), in any case.
#[must_use]
pub fn call_id(message: &[u8]) -> Option<&[u8]> {
    let mut text = message;
    loop {
        text = next_line(text)?;
        let found = value(text).and_then(identifier);
        if let Some((call_id, behind)) = found {
            let is_last = matches!(behind.first(), Some(b'\r' | b'\n'));
            return (call_id.len() <= MAX_CALL_ID && is_last).then_some(call_id);
        }
    }
}

/// What follows the first end of a line.
fn next_line(mut text: &[u8]) -> Option<&[u8]> {
    loop {
        match text {
            [b'\r', b'\n', behind @ ..] | [b'\r' | b'\n', behind @ ..] => return Some(behind),
            [_, behind @ ..] => text = behind,
            [] => return None,
        }
    }
}

/// The value of the header field at the beginning of `line`, with all that follows it, if that is a
/// Call-ID's.
fn value(line: &[u8]) -> Option<&[u8]> {
    let behind = match line {
        [b'C' | b'c', ..] => {
            let (name, behind) = line.split_at_checked(b"Call-ID".len())?;
            name.eq_ignore_ascii_case(b"Call-ID").then_some(behind)?
        }
        [b'I' | b'i', behind @ ..] => behind,
        _ => return None,
    };
    Some(behind_space(behind_space(behind).strip_prefix(b":")?))
}

/// What follows the white space at the beginning of `text`, continuation lines included.
fn behind_space(mut text: &[u8]) -> &[u8] {
    loop {
        text = match text {
            [b' ' | b'\t', behind @ ..]
            | [b'\r', b'\n', b' ' | b'\t', behind @ ..]
            | [b'\r' | b'\n', b' ' | b'\t', behind @ ..] => behind,
            _ => return text,
        };
    }
}

/// The identifier at the beginning of `text`, `word` or `word@word`, and what follows it.
fn identifier(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let behind = behind_word(text)?;
    let behind = match behind {
        [b'@', domain @ ..] => behind_word(domain)?,
        _ => behind,
    };
    text.split_at_checked(text.len().saturating_sub(behind.len()))
}

/// What follows the word (RFC 3261 §25.1) at the beginning of `text`.
fn behind_word(text: &[u8]) -> Option<&[u8]> {
    let mut behind = text;
    while let Some((byte, rest)) = behind.split_first() {
        let is_of_word =
            byte.is_ascii_alphanumeric() || b"-.!%*_+`'~()<>:\\\"/[]?{}".contains(byte);
        if !is_of_word {
            break;
        }
        behind = rest;
    }
    (behind.len() < text.len()).then_some(behind)
}
