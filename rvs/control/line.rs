// SPDX-License-Identifier: GPL-2.0-only

//! A line of text of limited length, put together faster than by `core::fmt`:
//! for files with a line for each of a million connections.

#![forbid(unsafe_code)]

use super::text::protocol_name;
use core::net::IpAddr;

const UPPER: &[u8; 16] = b"0123456789ABCDEF";
const LOWER: &[u8; 16] = b"0123456789abcdef";

/// Most bytes of a line: three ends of IPv6 and what else is said of a connection, and what its persistence engine goes
/// by.
const MAX: usize = 512;

/// A line. What does not fit into it is left out.
pub struct Line {
    bytes: [u8; MAX],
    len: usize,
}

impl Line {
    /// An empty one.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            bytes: [b' '; MAX],
            len: 0,
        }
    }

    /// Empties it.
    pub fn clear(&mut self) {
        self.len = 0;
    }

    /// Its text.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    /// The next so many bytes.
    #[inline]
    fn take(&mut self, len: usize) -> &mut [u8] {
        let end = self.len.saturating_add(len);
        match self.bytes.get_mut(self.len..end) {
            Some(bytes) => {
                self.len = end;
                bytes
            }
            None => &mut [],
        }
    }

    /// A text, filled up to a width with blanks behind it.
    #[inline]
    pub fn text(&mut self, text: &str, width: usize) {
        let place = self.take(text.len().max(width));
        if let Some((place, blanks)) = place.split_at_mut_checked(text.len()) {
            place.copy_from_slice(text.as_bytes());
            blanks.fill(b' ');
        }
    }

    /// A byte.
    #[inline]
    pub fn byte(&mut self, byte: u8) {
        self.take(1).fill(byte);
    }

    /// A number in hexadecimal, with all its digits.
    #[inline]
    fn hex<const DIGITS: usize>(&mut self, mut number: u32, digits: &[u8; 16]) {
        for digit in self.take(DIGITS).iter_mut().rev() {
            *digit = digits[(number & 15) as usize];
            number >>= 4;
        }
    }

    /// A decimal number, filled up to a width with blanks before it.
    #[inline]
    pub fn decimal(&mut self, mut number: u32, width: usize) {
        let mut digits = [b' '; 10];
        let mut len = 0usize;
        for digit in digits.iter_mut().rev() {
            *digit = b'0'.wrapping_add((number % 10) as u8);
            number /= 10;
            len = len.wrapping_add(1);
            if number == 0 {
                break;
            }
        }
        self.take(width.saturating_sub(len)).fill(b' ');
        let begin = digits.len().saturating_sub(len);
        if let Some(digits) = digits.get(begin..) {
            for (place, digit) in self.take(len).iter_mut().zip(digits) {
                *place = *digit;
            }
        }
    }

    /// The name of an IP protocol number, three letters wide at least.
    #[inline]
    pub fn protocol(&mut self, number: u8) {
        match protocol_name(number) {
            Some(name) => self.text(name, 3),
            None => {
                self.text("IP_", 3);
                self.decimal(number.into(), 0);
            }
        }
    }

    /// An address and a port in hexadecimal: IPv4 as one number, IPv6 with all its digits.
    #[inline]
    pub fn place(&mut self, addr: IpAddr, port: u16) {
        match addr {
            IpAddr::V4(addr) => self.hex::<8>(addr.to_bits(), UPPER),
            IpAddr::V6(addr) => {
                let [first, rest @ ..] = addr.segments();
                self.hex::<4>(first.into(), LOWER);
                for group in rest {
                    self.byte(b':');
                    self.hex::<4>(group.into(), LOWER);
                }
            }
        }
        self.byte(b' ');
        self.hex::<4>(port.into(), UPPER);
    }
}

impl Default for Line {
    fn default() -> Self {
        Self::new()
    }
}
