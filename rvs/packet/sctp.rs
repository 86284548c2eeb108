// SPDX-License-Identifier: GPL-2.0-only

//! The SCTP common header and the chunks behind it (RFC 9260 §3), as far as a balancer reads them. The
//! ports are where those of TCP and UDP are. The checksum, CRC32c over header and chunks with the field
//! itself as zero (RFC 9260 §6.8, least significant byte first), covers no addresses; computing it is
//! left to the kernel, which has instructions for it.

/// Length of the common header, bytes. The first chunk follows.
pub const HEADER_LEN: usize = 12;

/// Length of the header that all chunks begin with, bytes.
pub const CHUNK_LEN: usize = 4;

/// Chunk type: opens an association.
pub const INIT: u8 = 1;
/// Chunk type: answers [`INIT`].
pub const INIT_ACK: u8 = 2;
/// Chunk type: ends the association at once.
pub const ABORT: u8 = 6;
/// Chunk type: the sender has no more data.
pub const SHUTDOWN: u8 = 7;
/// Chunk type: answers [`SHUTDOWN`].
pub const SHUTDOWN_ACK: u8 = 8;
/// Chunk type: reports an error.
pub const ERROR: u8 = 9;
/// Chunk type: gives back the cookie of [`INIT_ACK`].
pub const COOKIE_ECHO: u8 = 10;
/// Chunk type: answers [`COOKIE_ECHO`]; the association is established.
pub const COOKIE_ACK: u8 = 11;
/// Chunk type: answers [`SHUTDOWN_ACK`]; the association is over.
pub const SHUTDOWN_COMPLETE: u8 = 14;

/// The header of a chunk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Chunk {
    /// The chunk's type.
    pub kind: u8,
    /// Length of the chunk with this header and without padding, bytes. Less than [`CHUNK_LEN`] is
    /// wrong, but may be on the wire.
    pub len: u16,
}

impl Chunk {
    /// Reads a chunk's header.
    #[inline]
    #[must_use]
    pub fn parse(bytes: &[u8; CHUNK_LEN]) -> Chunk {
        let &[kind, _, len0, len1] = bytes;
        Chunk {
            kind,
            len: u16::from_be_bytes([len0, len1]),
        }
    }

    /// Length of the chunk with its padding, bytes; `None` if its length cannot be.
    #[inline]
    fn padded_len(self) -> Option<usize> {
        let len = usize::from(self.len);
        (len >= CHUNK_LEN).then_some(len.wrapping_add(3) & !3)
    }
}

/// The type of the chunk that tells what a packet means to its association: that of the first, except
/// that an [`ABORT`] right behind a cookie overrides it (RFC 9260 §3.3.7 lets control chunks precede an
/// ABORT; IPVS looks behind cookies only).
///
/// `read` gives the four bytes at an offset from the common header's beginning, `None` if the packet ends
/// before; it is called at most once, and only behind a cookie.
#[inline]
#[must_use]
pub fn decisive_kind(first: Chunk, read: impl FnOnce(usize) -> Option<[u8; CHUNK_LEN]>) -> u8 {
    if !matches!(first.kind, COOKIE_ECHO | COOKIE_ACK) {
        return first.kind;
    }
    let second = first
        .padded_len()
        .and_then(|len| read(HEADER_LEN.wrapping_add(len)))
        .map(|bytes| Chunk::parse(&bytes));
    match second {
        Some(Chunk { kind: ABORT, .. }) => ABORT,
        _ => first.kind,
    }
}
