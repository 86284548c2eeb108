// SPDX-License-Identifier: GPL-2.0-only

//! FTP control connections (RFC 959, RFC 2428): the commands and replies that announce a data connection,
//! and the text that puts the virtual service's address in the place of the real server's.
//!
//! As in IPVS, what announces a data connection is complete in one segment, keywords may be in any
//! case, and there is at most one of them per segment.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::str;

/// The address family that a control connection uses at the client's side. Data connections use the
/// same.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// How a client asked the server to listen for the data connection, hence which reply announces it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Passive {
    /// By `PASV`; the reply is a 227 and names address and port. IPv4 only.
    Plain,
    /// By `EPSV`; the reply is a 229 and names the port, seldom the address.
    Extended,
}

/// A command that concerns a data connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Command {
    /// The server shall listen. What it says next may announce where.
    Passive(Passive),
    /// `PORT` or `EPRT`: the client listens here.
    Active(SocketAddr),
}

/// A reply that announces a data connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reply {
    /// Where the server listens; `None` if it did not say, which means its address on the control
    /// connection.
    pub addr: Option<IpAddr>,
    /// The port it listens on, not 0.
    pub port: u16,
    /// Where the text that names address and port begins in the segment's payload, bytes.
    pub offset: usize,
    /// Length of that text, bytes.
    pub len: usize,
}

/// Finds the command in what a client says. `payload` is that of one segment.
///
/// `PASV` and `EPSV` are recognised anywhere in it, `PORT` and `EPRT` at its beginning.
#[must_use]
pub fn command(payload: &[u8], family: Family) -> Option<Command> {
    let mut text = payload;
    while let Some((_, behind)) = text.split_first() {
        if family == Family::V4 && keyword(text, b"PASV\r\n").is_some() {
            return Some(Command::Passive(Passive::Plain));
        }
        match keyword(text, b"EPSV") {
            Some([b'\r', _, ..]) => return Some(Command::Passive(Passive::Extended)),
            Some([b' ', protocol, b'\r', ..]) if *protocol == number_of(family) => {
                return Some(Command::Passive(Passive::Extended));
            }
            // The other family, or all commands to come: not for us.
            Some([b' ', ..]) => return None,
            _ => text = behind,
        }
    }
    let (addr, port) = match keyword(payload, b"PORT") {
        Some(arguments) if family == Family::V4 => {
            let (addr, port, _) = host_port(behind_spaces(arguments)?)?;
            (addr.into(), port)
        }
        _ => {
            let arguments = keyword(payload, b"EPRT")?;
            let (addr, port, _) = delimited(behind_spaces(arguments)?, family)?;
            (addr?, port)
        }
    };
    Some(Command::Active(SocketAddr::new(addr, port)))
}

/// Reads the reply to a passive command from what a real server says. `payload` is that of one segment,
/// the reply is at its beginning.
#[must_use]
pub fn reply(payload: &[u8], passive: Passive, family: Family) -> Option<Reply> {
    let (text, (addr, port, behind)) = match passive {
        Passive::Plain => {
            let text = keyword(payload, b"227 ")?;
            // The parentheses are customary, not required.
            let text = from_first(text, |byte| byte == b'(' || byte.is_ascii_digit())?;
            let text = behind_all(text, b'(');
            let (addr, port, behind) = host_port(text)?;
            (text, (Some(addr.into()), port, behind))
        }
        Passive::Extended => {
            let text = from_first(keyword(payload, b"229 ")?, |byte| byte == b'(')?;
            let text = behind_all(text, b'(');
            (text, delimited(text, family)?)
        }
    };
    Some(Reply {
        addr,
        port,
        offset: payload.len().saturating_sub(text.len()),
        len: text.len().saturating_sub(behind.len()),
    })
}

/// The longest text that [`plain_text`] writes, bytes.
pub const PLAIN_LEN: usize = "255,255,255,255,255,255".len();

/// The longest text that [`extended_text`] writes, bytes.
pub const EXTENDED_LEN: usize = "|||65535|".len();

/// Writes address and port as a 227 has them: `192,0,2,1,156,64`.
#[must_use]
pub fn plain_text(buffer: &mut [u8; PLAIN_LEN], addr: Ipv4Addr, port: u16) -> &[u8] {
    let [a, b, c, d] = addr.octets();
    let [high, low] = port.to_be_bytes();
    let mut len = put_decimal(buffer, 0, a.into());
    for number in [b, c, d, high, low] {
        len = put(buffer, len, b',');
        len = put_decimal(buffer, len, number.into());
    }
    buffer.get(..len).unwrap_or_default()
}

/// Writes a port as a 229 has it: `|||40000|`.
#[must_use]
pub fn extended_text(buffer: &mut [u8; EXTENDED_LEN], port: u16) -> &[u8] {
    let mut len = 0;
    for _ in 0..3 {
        len = put(buffer, len, b'|');
    }
    len = put_decimal(buffer, len, port);
    len = put(buffer, len, b'|');
    buffer.get(..len).unwrap_or_default()
}

/// Writes a byte at `len`, and gives the length of what is written then.
fn put(buffer: &mut [u8], len: usize, byte: u8) -> usize {
    match buffer.get_mut(len) {
        Some(place) => {
            *place = byte;
            len.wrapping_add(1)
        }
        None => len,
    }
}

/// Writes a number at `len`, and gives the length of what is written then.
fn put_decimal(buffer: &mut [u8], len: usize, number: u16) -> usize {
    let digits = [
        number / 10_000,
        number / 1_000 % 10,
        number / 100 % 10,
        number / 10 % 10,
        number % 10,
    ];
    let mut digits = &digits[..];
    while let [0, behind @ ..] = digits {
        if behind.is_empty() {
            break;
        }
        digits = behind;
    }
    let mut end = len;
    for digit in digits {
        end = put(buffer, end, b'0'.wrapping_add(*digit as u8));
    }
    end
}

/// The number of a family in extended commands (RFC 2428 §2).
fn number_of(family: Family) -> u8 {
    match family {
        Family::V4 => b'1',
        Family::V6 => b'2',
    }
}

/// What follows `word`, in any case, at the beginning of `text`.
fn keyword<'a>(text: &'a [u8], word: &[u8]) -> Option<&'a [u8]> {
    let (start, behind) = text.split_at_checked(word.len())?;
    start.eq_ignore_ascii_case(word).then_some(behind)
}

/// What follows the spaces, one at least, at the beginning of `text`.
fn behind_spaces(text: &[u8]) -> Option<&[u8]> {
    Some(behind_all(text.strip_prefix(b" ")?, b' '))
}

/// What follows all `byte`s at the beginning of `text`.
fn behind_all(mut text: &[u8], byte: u8) -> &[u8] {
    while let Some((first, behind)) = text.split_first() {
        if *first != byte {
            break;
        }
        text = behind;
    }
    text
}

/// `text` from the first byte on that is `wanted`.
fn from_first(mut text: &[u8], wanted: impl Fn(u8) -> bool) -> Option<&[u8]> {
    loop {
        let (first, behind) = text.split_first()?;
        if wanted(*first) {
            return Some(text);
        }
        text = behind;
    }
}

/// A decimal number of at most `max` at the beginning of `text`, and what follows, which must be
/// something: else digits may be missing.
fn number(mut text: &[u8], max: u16) -> Option<(u16, &[u8])> {
    let mut value = None;
    while let Some((digit @ b'0'..=b'9', behind)) = text.split_first() {
        let digit = digit.wrapping_sub(b'0').into();
        let next = value.unwrap_or(0u16).checked_mul(10)?.checked_add(digit)?;
        value = Some(next).filter(|next| *next <= max);
        value?;
        text = behind;
    }
    if text.is_empty() {
        return None;
    }
    Some((value?, text))
}

/// A port in a range that can be used.
fn some_port(port: u16) -> Option<u16> {
    (port != 0).then_some(port)
}

/// Address and port as six numbers (RFC 959 §4.1.2), and what follows.
fn host_port(text: &[u8]) -> Option<(Ipv4Addr, u16, &[u8])> {
    let mut numbers = [0; 6];
    let mut behind = text;
    let mut is_first = true;
    for byte in &mut numbers {
        if !is_first {
            behind = behind.strip_prefix(b",")?;
        }
        is_first = false;
        let value;
        (value, behind) = number(behind, 255)?;
        *byte = value as u8;
    }
    let [a, b, c, d, high, low] = numbers;
    let port = some_port(u16::from_be_bytes([high, low]))?;
    Some((Ipv4Addr::new(a, b, c, d), port, behind))
}

/// Family, address and port between delimiters (RFC 2428 §2 and §3), and what follows. Family and address
/// may be left out together.
fn delimited(text: &[u8], family: Family) -> Option<(Option<IpAddr>, u16, &[u8])> {
    let (delimiter, behind) = text.split_first()?;
    if !delimiter.is_ascii_graphic() {
        return None;
    }
    let (protocol, behind) = until(behind, *delimiter)?;
    let (addr, behind) = until(behind, *delimiter)?;
    let addr = match protocol {
        [] if addr.is_empty() => None,
        [protocol] if *protocol == number_of(family) => Some(address(addr, family)?),
        _ => return None,
    };
    let (port, behind) = number(behind, u16::MAX)?;
    let behind = behind.strip_prefix(&[*delimiter])?;
    Some((addr, some_port(port)?, behind))
}

/// What comes before the first `delimiter`, and what follows it.
fn until(text: &[u8], delimiter: u8) -> Option<(&[u8], &[u8])> {
    let behind = from_first(text, |byte| byte == delimiter)?;
    let (before, _) = text.split_at_checked(text.len().saturating_sub(behind.len()))?;
    Some((before, behind.strip_prefix(&[delimiter])?))
}

/// An address in its usual notation.
fn address(text: &[u8], family: Family) -> Option<IpAddr> {
    let text = str::from_utf8(text).ok()?;
    match family {
        Family::V4 => text.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
        Family::V6 => text.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
    }
}
