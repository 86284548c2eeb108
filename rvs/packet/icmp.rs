// SPDX-License-Identifier: GPL-2.0-only

//! The ICMP header (RFC 792) and which messages are errors about a flow.

/// Length of the header that all ICMP messages begin with, bytes. In an error the packet that it is
/// about follows.
pub const HEADER_LEN: usize = 8;

/// Where the checksum is in the header, bytes.
pub const CHECKSUM_OFFSET: usize = 2;

/// Type: the packet could not be delivered.
pub const DEST_UNREACHABLE: u8 = 3;
/// Type: slow down (deprecated by RFC 6633, but still an error about a flow).
pub const SOURCE_QUENCH: u8 = 4;
/// Type: the packet's time to live or reassembly time ran out.
pub const TIME_EXCEEDED: u8 = 11;

/// Code of [`DEST_UNREACHABLE`]: the host does not answer.
pub const HOST_UNREACHABLE: u8 = 1;
/// Code of [`DEST_UNREACHABLE`]: nobody listens on the port.
pub const PORT_UNREACHABLE: u8 = 3;
/// Code of [`DEST_UNREACHABLE`]: the packet is too long for a link and may not be fragmented (RFC 1191).
pub const FRAG_NEEDED: u8 = 4;

/// What kind of ICMP message a packet is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// The message's type.
    pub kind: u8,
    /// What the type is made more precise by.
    pub code: u8,
    /// In a [`FRAG_NEEDED`] message: the next hop's MTU in bytes, 0 from routers that do not tell
    /// (RFC 1191 §4). Without meaning in others.
    pub mtu: u16,
}

impl Header {
    /// Reads a header. Its checksum is not looked at.
    #[inline]
    #[must_use]
    pub fn parse(bytes: &[u8; HEADER_LEN]) -> Header {
        let &[kind, code, _, _, _, _, mtu0, mtu1] = bytes;
        Header {
            kind,
            code,
            mtu: u16::from_be_bytes([mtu0, mtu1]),
        }
    }
}

/// Is a message of this type an error that quotes the packet it is about, and belongs to that packet's
/// flow? (IPVS looks at exactly these three.)
#[inline]
#[must_use]
pub fn is_error(kind: u8) -> bool {
    matches!(kind, DEST_UNREACHABLE | SOURCE_QUENCH | TIME_EXCEEDED)
}
