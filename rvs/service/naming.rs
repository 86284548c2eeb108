// SPDX-License-Identifier: GPL-2.0-only

//! What names and labels of services and real servers may look like. Where
//! they are kept is not known here.

/// Most bytes of a name, and of a label's key and of its value.
pub const TEXT_MAX: usize = 63;
/// Most labels of one service or real server.
pub const LABELS_MAX: usize = 16;

/// Whether a text can be a name: a letter, then letters, digits, `.`, `_` and `-`. So no name reads as an
/// address, and none has to be quoted anywhere.
#[must_use]
pub fn is_name(text: &[u8]) -> bool {
    begins_with_letter(text) && text.iter().all(|byte| is_plain(*byte))
}

/// The key and the value of a label, written `key=value`. A key is like a name and may have `/` too; a value
/// may be empty, begin with anything and have `/`, `:`, `@` and `+` too.
#[must_use]
pub fn split_label(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = text.iter().position(|byte| *byte == b'=')?;
    let (key, value) = (text.get(..at)?, text.get(at.wrapping_add(1)..)?);
    let is_key = begins_with_letter(key) && key.iter().all(|it| is_plain(*it) || *it == b'/');
    let is_value = value.len() <= TEXT_MAX
        && value
            .iter()
            .all(|it| is_plain(*it) || matches!(*it, b'/' | b':' | b'@' | b'+'));
    (is_key && is_value).then_some((key, value))
}

fn begins_with_letter(text: &[u8]) -> bool {
    text.len() <= TEXT_MAX && text.first().is_some_and(u8::is_ascii_alphabetic)
}

const fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')
}
