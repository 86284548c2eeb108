// SPDX-License-Identifier: GPL-2.0-only

//! Masquerading: one side of a packet is given another address and port, and every checksum that
//! covers them is updated incrementally (RFC 1624), whatever the packet's length.
//!
//! The address in the packet's own network header is set by [`Address::set_source`] and
//! [`Address::set_destination`]; here is what follows behind that header.

use super::checksum::Delta;
use super::transport::{self, PORTS_LEN};
use super::{icmp, tcp, udp, Address, Endpoint, Family, Fragment, IPPROTO_TCP, IPPROTO_UDP};

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

/// Rewrites a transport header: replaces the port on `side`, and updates the checksum of TCP and UDP for
/// the change of address and port.
///
/// `from` is what the packet holds on that side now. A UDP checksum of 0 means "none" and stays 0; one
/// that comes out as 0 is written as `0xffff` (RFC 768). SCTP's checksum is for the caller to make: it does
/// not cover addresses, and can't be updated. A header without ports is left alone.
///
/// # Errors
///
/// [`Truncated`] if `header` ends before its checksum does.
#[inline]
pub fn transport<A: Address>(
    protocol: u8,
    header: &mut [u8],
    side: Side,
    from: Endpoint<A>,
    to: Endpoint<A>,
    mode: ChecksumMode,
) -> Result<(), Truncated> {
    let check_offset = match protocol {
        IPPROTO_TCP => tcp::CHECKSUM_OFFSET,
        IPPROTO_UDP => udp::CHECKSUM_OFFSET,
        _ if transport::has_ports(protocol) => {
            let ports = header.first_chunk_mut().ok_or(Truncated)?;
            set_port(ports, side, to.port);
            return Ok(());
        }
        _ => return Ok(()),
    };
    let (ports, rest) = header.split_first_chunk_mut().ok_or(Truncated)?;
    let check = field(rest, check_offset - PORTS_LEN).ok_or(Truncated)?;
    set_port(ports, side, to.port);

    let address = from.addr.delta(to.addr);
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
/// quoted packet holds on that side now; `own` are the addresses before and after of the side of the message's own
/// network header that the caller changes, which ICMPv6's checksum covers. A quoted fragment that is not
/// the first has no ports, nor have packets of some protocols; there, only the address changes. The
/// quoted transport checksum is left alone: senders quote it only by chance and receivers cannot
/// verify it (RFC 5508 §4.2 asks for the quoted IP header and the ICMP checksum).
///
/// # Errors
///
/// [`Truncated`] if the quoted network header or the quoted ports are incomplete, or if the quoted
/// header is none of this family.
#[inline]
pub fn quoted<A: Address>(
    icmp: &mut [u8],
    side: Side,
    from: Endpoint<A>,
    to: Endpoint<A>,
    own: (A, A),
) -> Result<(), Truncated> {
    let (message, quote) = icmp
        .split_first_chunk_mut::<{ icmp::HEADER_LEN }>()
        .ok_or(Truncated)?;
    let header = A::read_header(quote).map_err(|_| Truncated)?;
    // The quoted IPv4 address and the quoted header's checksum change by opposite amounts, so their sum
    // stays. IPv6 has no such checksum, and a pseudo-header.
    let mut change = match A::FAMILY {
        Family::V4 => Delta::NONE,
        Family::V6 => from.addr.delta(to.addr).plus(own.0.delta(own.1)),
    };
    if transport::has_ports(header.protocol) && header.fragment != Fragment::Later {
        let ports = field(quote, header.len).ok_or(Truncated)?;
        set_port(ports, side, to.port);
        change = change.and16(from.port.to_be(), to.port.to_be());
    }
    let check = field(message, icmp::CHECKSUM_OFFSET).ok_or(Truncated)?;
    *check = change.adjust(u16::from_ne_bytes(*check)).to_ne_bytes();
    match side {
        Side::Source => A::set_source(quote, to.addr),
        Side::Destination => A::set_destination(quote, to.addr),
    }
    .ok_or(Truncated)
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
