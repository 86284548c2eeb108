// SPDX-License-Identifier: GPL-2.0-only

//! Masquerading: one side of a packet is given another address and port, and every checksum that
//! covers them is updated incrementally (RFC 1624), whatever the packet's length.
//!
//! The address in the packet's own IPv4 header is set by [`ipv4::set_source`] and
//! [`ipv4::set_destination`]; here is what follows behind that header.

use super::checksum::{adjust16, Delta};
use super::transport::PORTS_LEN;
use super::{icmp, ipv4, tcp, udp, Endpoint, IPPROTO_TCP, IPPROTO_UDP};

/// Which end of a flow is rewritten.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// Source address and port.
    Source,
    /// Destination address and port.
    Destination,
}

/// What the checksum field of a transport header holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ChecksumMode {
    /// The checksum of the whole packet.
    Complete,
    /// Only the pseudo-header's sum; hardware, or whoever segments the packet, adds the rest
    /// (`CHECKSUM_PARTIAL`).
    Partial,
}

/// The bytes end before the fields that are to be rewritten. Nothing was changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Truncated;

/// Rewrites a TCP or UDP header: replaces the port on `side`, and updates the checksum for the change of
/// address and port.
///
/// `from` is what the packet holds on that side now. A UDP checksum of 0 means "none" and stays 0; one
/// that comes out as 0 is written as `0xffff` (RFC 768). A header of another protocol has no port and
/// no checksum known here, and is left alone.
///
/// # Errors
///
/// [`Truncated`] if `header` ends before its checksum does.
#[inline]
pub fn transport(
    protocol: u8,
    header: &mut [u8],
    side: Side,
    from: Endpoint,
    to: Endpoint,
    mode: ChecksumMode,
) -> Result<(), Truncated> {
    let check_offset = match protocol {
        IPPROTO_TCP => tcp::CHECKSUM_OFFSET,
        IPPROTO_UDP => udp::CHECKSUM_OFFSET,
        _ => return Ok(()),
    };
    let (ports, rest) = header.split_first_chunk_mut().ok_or(Truncated)?;
    let check = field(rest, check_offset - PORTS_LEN).ok_or(Truncated)?;
    set_port(ports, side, to.port);

    let address = Delta::of32(ipv4::wire(from.addr), ipv4::wire(to.addr));
    let old = u16::from_ne_bytes(*check);
    let new = match mode {
        ChecksumMode::Partial => address.adjust_pseudo(old),
        ChecksumMode::Complete => {
            let both = address.and16(from.port.to_be(), to.port.to_be());
            match (protocol, old) {
                (IPPROTO_UDP, udp::NO_CHECKSUM) => udp::NO_CHECKSUM,
                (IPPROTO_UDP, _) => udp::never_zero(both.adjust(old)),
                _ => both.adjust(old),
            }
        }
    };
    *check = new.to_ne_bytes();
    Ok(())
}

/// Rewrites the packet that an ICMP error quotes: address and port on `side`, the quoted IPv4 header's
/// checksum, and the checksum of the ICMP message.
///
/// `icmp` begins at the ICMP header and may end anywhere behind the quoted ports. `from` is what the
/// quoted packet holds on that side now. A quoted fragment that is not the first has no ports, a quoted
/// packet of a protocol other than TCP and UDP none known here; there, only the address changes. The quoted
/// transport checksum is left alone: senders quote it only by chance and receivers cannot verify it
/// (RFC 5508 §4.2 asks for the quoted IP header and the ICMP checksum).
///
/// # Errors
///
/// [`Truncated`] if the quoted IPv4 header or the quoted ports are incomplete, or if the quoted
/// header is none of IPv4.
#[inline]
pub fn quoted(icmp: &mut [u8], side: Side, from: Endpoint, to: Endpoint) -> Result<(), Truncated> {
    let (message, quote) = icmp
        .split_first_chunk_mut::<{ icmp::HEADER_LEN }>()
        .ok_or(Truncated)?;
    let header = quote
        .first_chunk()
        .and_then(ipv4::Header::parse)
        .ok_or(Truncated)?;
    let has_ports =
        matches!(header.protocol, IPPROTO_TCP | IPPROTO_UDP) && header.fragment_offset == 0;
    if has_ports {
        let ports = field(quote, header.header_len).ok_or(Truncated)?;
        set_port(ports, side, to.port);
        // The quoted address and the quoted header checksum change by opposite amounts, so their sum
        // stays: of all that the ICMP checksum covers, only the port makes a difference to it.
        let check = field(message, icmp::CHECKSUM_OFFSET).ok_or(Truncated)?;
        let adjusted = adjust16(
            u16::from_ne_bytes(*check),
            from.port.to_be(),
            to.port.to_be(),
        );
        *check = adjusted.to_ne_bytes();
    }
    let header = quote.first_chunk_mut().ok_or(Truncated)?;
    match side {
        Side::Source => ipv4::set_source(header, to.addr),
        Side::Destination => ipv4::set_destination(header, to.addr),
    }
    Ok(())
}

/// The `N` bytes at `offset`, if `bytes` reaches that far.
#[inline]
fn field<const N: usize>(bytes: &mut [u8], offset: usize) -> Option<&mut [u8; N]> {
    bytes.get_mut(offset..)?.first_chunk_mut()
}

#[inline]
fn set_port(ports: &mut [u8; PORTS_LEN], side: Side, port: u16) {
    let [src0, src1, dst0, dst1] = ports;
    match side {
        Side::Source => [*src0, *src1] = port.to_be_bytes(),
        Side::Destination => [*dst0, *dst1] = port.to_be_bytes(),
    }
}
