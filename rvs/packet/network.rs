// SPDX-License-Identifier: GPL-2.0-only

//! What IPv4 and IPv6 have in common: addresses, endpoints, flows, and what the network header of a
//! packet says. Whatever is done alike for both families is written once, for any [`Address`].

use super::{checksum::Delta, extension, icmp, icmpv6, ipv4, ipv6, IPPROTO_ICMP, IPPROTO_ICMPV6};
use core::{
    fmt::Debug,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

/// A family of network addresses.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Family {
    /// IPv4 (RFC 791).
    V4,
    /// IPv6 (RFC 8200).
    V6,
}

impl Family {
    /// The family of an address.
    #[inline]
    #[must_use]
    pub const fn of(addr: IpAddr) -> Self {
        match addr {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }

    /// The IP protocol number of its control messages.
    #[inline]
    #[must_use]
    pub const fn icmp(self) -> u8 {
        match self {
            Self::V4 => IPPROTO_ICMP,
            Self::V6 => IPPROTO_ICMPV6,
        }
    }

    /// Whether a control message of this type is an error about a flow, which quotes a packet of it.
    #[inline]
    #[must_use]
    pub fn is_icmp_error(self, kind: u8) -> bool {
        match self {
            Self::V4 => icmp::is_error(kind),
            Self::V6 => icmpv6::is_error(kind),
        }
    }

    /// The length of a network header without options and extensions, bytes.
    #[inline]
    #[must_use]
    pub const fn header_len(self) -> usize {
        match self {
            Self::V4 => ipv4::HEADER_LEN,
            Self::V6 => ipv6::HEADER_LEN,
        }
    }
}

/// What the sender of a packet is told about its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Complaint {
    /// It made too many hops.
    TimeExceeded,
    /// Nobody serves its destination.
    PortUnreachable,
    /// Its destination is out of reach.
    Unreachable,
    /// It may have this many bytes at most.
    TooBig(u32),
}

impl Complaint {
    /// Type, code and the word behind the checksum of the message that says so.
    #[must_use]
    pub const fn message(self, family: Family) -> (u8, u8, u32) {
        match (family, self) {
            (Family::V4, Self::TimeExceeded) => (icmp::TIME_EXCEEDED, 0, 0),
            (Family::V4, Self::PortUnreachable) => {
                (icmp::DEST_UNREACHABLE, icmp::PORT_UNREACHABLE, 0)
            }
            (Family::V4, Self::Unreachable) => (icmp::DEST_UNREACHABLE, icmp::HOST_UNREACHABLE, 0),
            (Family::V4, Self::TooBig(mtu)) => (icmp::DEST_UNREACHABLE, icmp::FRAG_NEEDED, mtu),
            (Family::V6, Self::TimeExceeded) => {
                (icmpv6::TIME_EXCEEDED, icmpv6::HOP_LIMIT_EXCEEDED, 0)
            }
            (Family::V6, Self::PortUnreachable) => {
                (icmpv6::DEST_UNREACHABLE, icmpv6::PORT_UNREACHABLE, 0)
            }
            (Family::V6, Self::Unreachable) => {
                (icmpv6::DEST_UNREACHABLE, icmpv6::ADDRESS_UNREACHABLE, 0)
            }
            (Family::V6, Self::TooBig(mtu)) => (icmpv6::PACKET_TOO_BIG, 0, mtu),
        }
    }
}

/// A network address: [`Ipv4Addr`] or [`Ipv6Addr`].
pub trait Address: Copy + Eq + Debug + Send + Sync + 'static {
    /// Its family.
    const FAMILY: Family;
    /// All zeros.
    const UNSPECIFIED: Self;

    /// The same as an address of either family.
    fn ip(self) -> IpAddr;

    /// The address, if it is one of this family.
    fn from_ip(ip: IpAddr) -> Option<Self>;

    /// The address as it is on the wire, as two little-endian words; the second is 0 for IPv4.
    fn words(self) -> [u64; 2];

    /// The address without what lies behind the first `prefix` bits.
    #[must_use]
    fn masked(self, mask: Mask) -> Self;

    /// The address that holds `mark` where services by firewall mark have theirs.
    fn from_mark(mark: u32) -> Self;

    /// Whether it never leaves its host.
    fn is_loopback(self) -> bool;

    /// What replacing `self` by `to` does to the checksums that cover it.
    fn delta(self, to: Self) -> Delta;

    /// Reads the network header that `bytes` begins with, extension headers included.
    ///
    /// # Errors
    ///
    /// See [`Unread`].
    fn read_header(bytes: &[u8]) -> Result<Header<Self>, Unread>;

    /// Replaces the source address in a header, and keeps the header's checksum right if there is one.
    /// `None` if `header` is too short.
    #[must_use]
    fn set_source(header: &mut [u8], addr: Self) -> Option<()>;

    /// As [`Address::set_source`], for the destination.
    #[must_use]
    fn set_destination(header: &mut [u8], addr: Self) -> Option<()>;

    /// Says that the packet, from its network header on, is `len` bytes long. `None` if `header` is too short,
    /// or no packet can have that length.
    #[must_use]
    fn set_len(header: &mut [u8], len: usize) -> Option<()>;

    /// Takes a hop off the time to live, as [`ipv4::decrement_ttl`]. `None` if `header` is too short.
    #[must_use]
    fn take_hop(header: &mut [u8]) -> Option<()>;
}

/// Which part of a client's address tells it apart from others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mask {
    /// The bits that are set, most significant first, of an IPv4 address; they need not be in one piece.
    V4(u32),
    /// The first so many bits of an IPv6 address.
    V6(u32),
}

/// Why a network header was not read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unread {
    /// It goes on behind the given bytes: this many are needed to read further.
    Short(usize),
    /// It is none of this family, or its extensions can't be followed: what it carries is unknown.
    Unknown,
}

/// What the network header of a packet says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header<A> {
    /// Source address.
    pub src: A,
    /// Destination address.
    pub dst: A,
    /// IP protocol number of the payload, behind all extension headers.
    pub protocol: u8,
    /// Where the payload begins, bytes from the start of the network header.
    pub len: usize,
    /// Time to live or hop limit, hops.
    pub ttl: u8,
    /// Type of service or traffic class: DSCP and ECN.
    pub tos: u8,
    /// Routers may not fragment this packet; always so for IPv6.
    pub dont_fragment: bool,
    /// Whether this is all of a packet.
    pub fragment: Fragment,
}

impl<A: Copy> Header<A> {
    /// The flow of a packet with these ports, the source's first. Its protocol is `protocol`, which may be one that
    /// carries the packet's own.
    #[inline]
    #[must_use]
    pub fn flow(&self, protocol: u8, (src_port, dst_port): (u16, u16)) -> FlowKey<A> {
        FlowKey {
            protocol,
            src: Endpoint {
                addr: self.src,
                port: src_port,
            },
            dst: Endpoint {
                addr: self.dst,
                port: dst_port,
            },
        }
    }
}

/// Which part of a packet this is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fragment {
    /// All of it.
    Whole,
    /// The first part, with the transport header or its begin.
    First,
    /// Another part, without.
    Later,
}

/// One end of a flow.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Endpoint<A> {
    /// Network address.
    pub addr: A,
    /// Transport port, host byte order.
    pub port: u16,
}

impl<A: Address> Endpoint<A> {
    /// The same with an address of either family.
    #[inline]
    #[must_use]
    pub fn ip(self) -> Endpoint<IpAddr> {
        Endpoint {
            addr: self.addr.ip(),
            port: self.port,
        }
    }

    /// The same as other code names it.
    #[must_use]
    pub fn socket_addr(self) -> SocketAddr {
        SocketAddr::new(self.addr.ip(), self.port)
    }
}

/// What identifies a flow in one direction: protocol, source, destination.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FlowKey<A> {
    /// IP protocol number.
    pub protocol: u8,
    /// Where the packet comes from.
    pub src: Endpoint<A>,
    /// Where the packet goes.
    pub dst: Endpoint<A>,
}

impl<A> FlowKey<A> {
    /// The key of the same flow seen in the other direction.
    #[inline]
    #[must_use]
    pub fn reversed(self) -> FlowKey<A> {
        FlowKey {
            protocol: self.protocol,
            src: self.dst,
            dst: self.src,
        }
    }
}

impl Address for Ipv4Addr {
    const FAMILY: Family = Family::V4;
    const UNSPECIFIED: Self = Ipv4Addr::UNSPECIFIED;

    #[inline]
    fn ip(self) -> IpAddr {
        IpAddr::V4(self)
    }

    #[inline]
    fn from_ip(ip: IpAddr) -> Option<Self> {
        match ip {
            IpAddr::V4(addr) => Some(addr),
            IpAddr::V6(_) => None,
        }
    }

    #[inline]
    fn words(self) -> [u64; 2] {
        [u64::from(u32::from_le_bytes(self.octets())), 0]
    }

    fn masked(self, mask: Mask) -> Self {
        match mask {
            Mask::V4(bits) => Ipv4Addr::from_bits(self.to_bits() & bits),
            Mask::V6(_) => self,
        }
    }

    fn from_mark(mark: u32) -> Self {
        Ipv4Addr::from_bits(mark)
    }

    #[inline]
    fn is_loopback(self) -> bool {
        Ipv4Addr::is_loopback(&self)
    }

    #[inline]
    fn delta(self, to: Self) -> Delta {
        Delta::of32(ipv4::wire(self), ipv4::wire(to))
    }

    #[inline]
    fn read_header(bytes: &[u8]) -> Result<Header<Self>, Unread> {
        let bytes = bytes.first_chunk().ok_or(Unread::Short(ipv4::HEADER_LEN))?;
        let header = ipv4::Header::parse(bytes).ok_or(Unread::Unknown)?;
        Ok(Header {
            src: header.src,
            dst: header.dst,
            protocol: header.protocol,
            len: header.header_len,
            ttl: header.ttl,
            tos: header.tos,
            dont_fragment: header.dont_fragment,
            fragment: match (header.fragment_offset, header.more_fragments) {
                (0, false) => Fragment::Whole,
                (0, true) => Fragment::First,
                _ => Fragment::Later,
            },
        })
    }

    #[inline]
    fn set_source(header: &mut [u8], addr: Self) -> Option<()> {
        ipv4::set_source(header.first_chunk_mut()?, addr);
        Some(())
    }

    #[inline]
    fn set_destination(header: &mut [u8], addr: Self) -> Option<()> {
        ipv4::set_destination(header.first_chunk_mut()?, addr);
        Some(())
    }

    fn set_len(header: &mut [u8], len: usize) -> Option<()> {
        ipv4::set_total_len(header.first_chunk_mut()?, u16::try_from(len).ok()?);
        Some(())
    }

    #[inline]
    fn take_hop(header: &mut [u8]) -> Option<()> {
        ipv4::decrement_ttl(header.first_chunk_mut()?);
        Some(())
    }
}

impl Address for Ipv6Addr {
    const FAMILY: Family = Family::V6;
    const UNSPECIFIED: Self = Ipv6Addr::UNSPECIFIED;

    #[inline]
    fn ip(self) -> IpAddr {
        IpAddr::V6(self)
    }

    #[inline]
    fn from_ip(ip: IpAddr) -> Option<Self> {
        match ip {
            IpAddr::V4(_) => None,
            IpAddr::V6(addr) => Some(addr),
        }
    }

    #[inline]
    fn words(self) -> [u64; 2] {
        let both = u128::from_le_bytes(self.octets());
        [both as u64, (both >> 64) as u64]
    }

    fn masked(self, mask: Mask) -> Self {
        match mask {
            Mask::V4(_) => self,
            Mask::V6(prefix) => {
                let behind = u128::MAX.checked_shr(prefix).unwrap_or(0);
                Ipv6Addr::from_bits(self.to_bits() & !behind)
            }
        }
    }

    fn from_mark(mark: u32) -> Self {
        Ipv6Addr::from_bits(u128::from(mark) << 96)
    }

    #[inline]
    fn is_loopback(self) -> bool {
        Ipv6Addr::is_loopback(&self)
    }

    #[inline]
    fn delta(self, to: Self) -> Delta {
        Delta::of128(ipv6::wire(self), ipv6::wire(to))
    }

    #[inline]
    fn read_header(bytes: &[u8]) -> Result<Header<Self>, Unread> {
        let (fixed, behind) = bytes
            .split_first_chunk()
            .ok_or(Unread::Short(ipv6::HEADER_LEN))?;
        let header = ipv6::Header::parse(fixed).ok_or(Unread::Unknown)?;
        let upper = match extension::walk(header.next_header, behind) {
            extension::Walk::Complete(upper) => upper,
            extension::Walk::Needs(more) => {
                return Err(Unread::Short(ipv6::HEADER_LEN.saturating_add(more)));
            }
            extension::Walk::Unparsable => return Err(Unread::Unknown),
        };
        Ok(Header {
            src: header.src,
            dst: header.dst,
            protocol: upper.protocol,
            len: upper.offset,
            ttl: header.hop_limit,
            tos: header.traffic_class,
            dont_fragment: true,
            fragment: match upper.fragment {
                None => Fragment::Whole,
                Some(fragment) if !fragment.is_first() => Fragment::Later,
                Some(fragment) if fragment.more => Fragment::First,
                Some(_) => Fragment::Whole,
            },
        })
    }

    #[inline]
    fn set_source(header: &mut [u8], addr: Self) -> Option<()> {
        ipv6::set_source(header.first_chunk_mut()?, addr);
        Some(())
    }

    #[inline]
    fn set_destination(header: &mut [u8], addr: Self) -> Option<()> {
        ipv6::set_destination(header.first_chunk_mut()?, addr);
        Some(())
    }

    fn set_len(header: &mut [u8], len: usize) -> Option<()> {
        ipv6::set_payload_len(
            header.first_chunk_mut()?,
            u16::try_from(len.checked_sub(ipv6::HEADER_LEN)?).ok()?,
        );
        Some(())
    }

    #[inline]
    fn take_hop(header: &mut [u8]) -> Option<()> {
        ipv6::decrement_hop_limit(header.first_chunk_mut()?);
        Some(())
    }
}
