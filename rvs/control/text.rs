// SPDX-License-Identifier: GPL-2.0-only

//! Lines of the files below `/proc/net`, to the byte as `ipvsadm` and other
//! tools scan them (reference §9.1).

#![forbid(unsafe_code)]

use core::{
    fmt::{self, Write},
    net::IpAddr,
};

/// An address in hexadecimal: IPv4 as one number, IPv6 with all its digits.
#[derive(Clone, Copy)]
pub struct HexAddr(pub IpAddr);

impl fmt::Display for HexAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(addr) => write!(f, "{:08X}", addr.to_bits()),
            IpAddr::V6(addr) => {
                let mut separator = "";
                for group in addr.segments() {
                    write!(f, "{separator}{group:04x}")?;
                    separator = ":";
                }
                Ok(())
            }
        }
    }
}

/// Address and port as `ip_vs` has them.
struct Place(IpAddr, u16);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(addr, port) = *self;
        match addr {
            IpAddr::V4(_) => write!(f, "{}:{port:04X}", HexAddr(addr)),
            IpAddr::V6(_) => write!(f, "[{}]:{port:04X}", HexAddr(addr)),
        }
    }
}

/// The name of an IP protocol number.
#[derive(Clone, Copy)]
pub struct ProtocolName(pub u8);

impl fmt::Display for ProtocolName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match protocol_name(self.0) {
            Some(name) => f.pad(name),
            None => write!(f, "IP_{}", self.0),
        }
    }
}

/// The name of an IP protocol number, if it has one.
#[must_use]
pub const fn protocol_name(number: u8) -> Option<&'static str> {
    Some(match number {
        0 => "IP",
        1 => "ICMP",
        6 => "TCP",
        17 => "UDP",
        58 => "ICMPv6",
        132 => "SCTP",
        _ => return None,
    })
}

/// What a service is found by.
pub enum By {
    /// Packets to an address.
    Address {
        /// IP protocol number.
        protocol: u8,
        /// Virtual address.
        addr: IpAddr,
        /// Virtual port.
        port: u16,
    },
    /// Packets with a mark.
    Mark(u32),
}

/// The line of a service in `ip_vs`.
pub struct ServiceLine<'a> {
    /// What it is found by.
    pub by: By,
    /// The scheduler's name.
    pub scheduler: &'a str,
    /// Whether each packet is scheduled.
    pub is_one_packet: bool,
    /// Timeout in ticks and netmask, the first byte of the wire on top.
    pub persistence: Option<(u64, u32)>,
}

impl fmt::Display for ServiceLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheduler = self.scheduler;
        let one_packet = if self.is_one_packet { "ops " } else { "" };
        match self.by {
            By::Mark(mark) => write!(f, "FWM  {mark:08X} {scheduler} {one_packet}")?,
            By::Address {
                protocol,
                addr,
                port,
            } => {
                let (protocol, place) = (ProtocolName(protocol), Place(addr, port));
                write!(f, "{protocol}  {place} {scheduler} ")?;
                if addr.is_ipv4() {
                    write!(f, "{one_packet} ")?;
                }
            }
        }
        if let Some((timeout, netmask)) = self.persistence {
            write!(f, "persistent {timeout} {netmask:08X}")?;
        }
        f.write_char('\n')
    }
}

/// The line of a real server in `ip_vs`.
pub struct ServerLine {
    /// Its address.
    pub addr: IpAddr,
    /// Its port.
    pub port: u16,
    /// The forwarding method's number among the flags of connections.
    pub method: u32,
    /// Weight.
    pub weight: u32,
    /// Active connections.
    pub active: u32,
    /// Inactive connections.
    pub inactive: u32,
}

impl fmt::Display for ServerLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let method = match self.method {
            1 => "Local",
            2 => "Tunnel",
            3 => "Route",
            _ => "Masq",
        };
        writeln!(
            f,
            "  -> {}      {method:<7} {:<6} {:<10} {:<10}",
            Place(self.addr, self.port),
            self.weight,
            self.active,
            self.inactive
        )
    }
}

/// The line of a helper in `ip_vs_app`.
pub struct AppLine<'a> {
    /// IP protocol number.
    pub protocol: u8,
    /// The virtual port whose connections it helps.
    pub port: u16,
    /// How many connections it helps.
    pub users: u32,
    /// Its name.
    pub name: &'a str,
}

impl fmt::Display for AppLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (protocol, port) = (ProtocolName(self.protocol), self.port);
        let (users, name) = (self.users, self.name);
        writeln!(f, "{protocol:<3}  {port:<7} {users:<6} {name:<17}")
    }
}

/// Connections, packets in and out, bytes in and out: a row of the tables in `ip_vs_stats` and
/// `ip_vs_stats_percpu`.
pub struct Row(pub [u64; 5]);

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [conns, in_pkts, out_pkts, in_bytes, out_bytes] = self.0;
        writeln!(
            f,
            "{conns:8X} {in_pkts:8X} {out_pkts:8X} {in_bytes:16X} {out_bytes:16X}"
        )
    }
}
