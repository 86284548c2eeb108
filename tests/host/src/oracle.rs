// SPDX-License-Identifier: GPL-2.0-only

//! Textbook versions of what the rooms do cleverly: slow, obvious, written from the RFCs.

use core::net::{Ipv4Addr, Ipv6Addr};

extern crate std;
use std::vec::Vec;

use crate::packet::extension::{Fragment, Upper};

/// The Internet checksum as RFC 1071 §1 describes it: to be stored in network byte order.
#[must_use]
pub fn checksum(bytes: &[u8]) -> u16 {
    let mut sum = 0u32;
    for pair in bytes.chunks(2) {
        let low = pair.get(1).copied().unwrap_or(0);
        sum += u32::from(pair[0]) * 256 + u32::from(low);
        if sum > 0xffff {
            sum -= 0xffff;
        }
    }
    !(sum as u16)
}

/// The pseudo-header that TCP and UDP checksums cover (RFC 9293 §3.1, RFC 768).
#[must_use]
pub fn pseudo_header(src: Ipv4Addr, dst: Ipv4Addr, protocol: u8, len: usize) -> Vec<u8> {
    let len = (len as u16).to_be_bytes();
    [&src.octets()[..], &dst.octets(), &[0, protocol], &len].concat()
}

/// The pseudo-header that checksums of TCP, UDP and ICMPv6 over IPv6 cover (RFC 8200 §8.1).
#[must_use]
pub fn pseudo_header_v6(src: Ipv6Addr, dst: Ipv6Addr, protocol: u8, len: usize) -> Vec<u8> {
    let len = (len as u32).to_be_bytes();
    [&src.octets()[..], &dst.octets(), &len, &[0, 0, 0, protocol]].concat()
}

/// The checksum of a TCP or UDP packet whose own checksum field is zero. (That UDP sends `0xffff` for
/// 0 is up to the caller.)
#[must_use]
pub fn transport_checksum(src: Ipv4Addr, dst: Ipv4Addr, protocol: u8, packet: &[u8]) -> u16 {
    let mut covered = pseudo_header(src, dst, protocol, packet.len());
    covered.extend_from_slice(packet);
    checksum(&covered)
}

/// `bytes` with the two at `offset` replaced by `value` in network byte order.
#[must_use]
pub fn with16(bytes: &[u8], offset: usize, value: u16) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[offset..offset + 2].copy_from_slice(&value.to_be_bytes());
    bytes
}

/// `bytes` with the checksum at `offset`, which covers all of them, made right.
#[must_use]
pub fn with_checksum(bytes: &[u8], offset: usize) -> Vec<u8> {
    let bytes = with16(bytes, offset, 0);
    with16(&bytes, offset, checksum(&bytes))
}

/// What the extension headers at the start of `bytes` lead to (RFC 8200 §4). `None` if the chain is broken
/// off, longer than 12 headers, or begins anew in a later fragment.
#[must_use]
pub fn upper_layer(first: u8, bytes: &[u8]) -> Option<Upper> {
    let is_extension = |number| [0, 43, 44, 51, 60].contains(&number);
    let (mut next, mut rest, mut fragment, mut headers) = (first, bytes, None, 0);
    while is_extension(next) {
        headers += 1;
        let len = match next {
            44 => 8,
            51 => 4 * (usize::from(*rest.get(1)?) + 2),
            _ => 8 * (usize::from(*rest.get(1)?) + 1),
        };
        if headers > 12 || len > rest.len() {
            return None;
        }
        let mut is_later = false;
        if next == 44 {
            let word = u16::from(rest[2]) * 256 + u16::from(rest[3]);
            fragment = Some(Fragment {
                offset: word / 8 * 8,
                more: word % 2 == 1,
            });
            is_later = word / 8 != 0;
        }
        next = rest[0];
        rest = &rest[len..];
        if is_later {
            if is_extension(next) {
                return None;
            }
            break;
        }
    }
    Some(Upper {
        protocol: next,
        offset: 40 + bytes.len() - rest.len(),
        fragment,
    })
}
