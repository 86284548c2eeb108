// SPDX-License-Identifier: GPL-2.0-only

//! Reading netlink attributes: bytes from user space in, checked values out.
//! Nothing here knows what an attribute means.

#![forbid(unsafe_code)]

/// Bytes of an attribute's header: length and type, each 16 bits in host order.
const HEADER: usize = 4;
/// The bits of the type that tell the kind.
const KIND: u16 = 0x3fff;

/// One attribute.
#[derive(Clone, Copy, Debug)]
pub struct Attr<'a> {
    /// Its kind, without flags.
    pub kind: u16,
    /// All of it, header included.
    pub whole: &'a [u8],
    /// What it holds.
    pub payload: &'a [u8],
}

/// The attributes are not what netlink allows: one is shorter than its header, or longer than
/// what came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Malformed;

/// A sequence of attributes.
#[derive(Clone, Copy, Default, Debug)]
pub struct Attrs<'a>(&'a [u8]);

impl<'a> Attrs<'a> {
    /// Those in `bytes`, if they are well-formed to the end.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let attrs = Self(bytes);
        let mut iter = attrs.iter();
        while iter.next().is_some() {}
        // Up to three bytes of padding are nobody's.
        if iter.0.len() < HEADER {
            Ok(attrs)
        } else {
            Err(Malformed)
        }
    }

    /// Each attribute in order.
    pub fn iter(self) -> Iter<'a> {
        Iter(self.0)
    }

    /// The last attribute of a kind: as everywhere in netlink, a later one replaces an earlier one.
    pub fn get(self, kind: u16) -> Option<Attr<'a>> {
        self.iter().filter(|attr| attr.kind == kind).last()
    }
}

/// Goes through attributes, and stops where they are malformed.
#[derive(Clone, Debug)]
pub struct Iter<'a>(&'a [u8]);

impl<'a> Iterator for Iter<'a> {
    type Item = Attr<'a>;

    fn next(&mut self) -> Option<Attr<'a>> {
        let ([len0, len1, kind0, kind1], _) = self.0.split_first_chunk::<HEADER>()?;
        let len = usize::from(u16::from_ne_bytes([*len0, *len1]));
        let whole = self.0.get(..len)?;
        let payload = whole.get(HEADER..)?;
        let padded = len.next_multiple_of(4).min(self.0.len());
        self.0 = self.0.get(padded..)?;
        Some(Attr {
            kind: u16::from_ne_bytes([*kind0, *kind1]) & KIND,
            whole,
            payload,
        })
    }
}

impl<'a> Attr<'a> {
    /// An 8-bit number; longer payloads are allowed, as in netlink of old.
    pub fn u8(self) -> Option<u8> {
        self.payload.first().copied()
    }

    /// A 16-bit number in host order.
    pub fn u16(self) -> Option<u16> {
        self.payload.first_chunk().copied().map(u16::from_ne_bytes)
    }

    /// A 16-bit number in network order.
    pub fn be16(self) -> Option<u16> {
        self.payload.first_chunk().copied().map(u16::from_be_bytes)
    }

    /// A 32-bit number in host order.
    pub fn u32(self) -> Option<u32> {
        self.payload.first_chunk().copied().map(u32::from_ne_bytes)
    }

    /// A 64-bit number in host order.
    pub fn u64(self) -> Option<u64> {
        self.payload.first_chunk().copied().map(u64::from_ne_bytes)
    }

    /// So many 64-bit numbers in host order, and nothing else.
    pub fn words<const N: usize>(self) -> Option<[u64; N]> {
        let mut numbers = self.payload.chunks_exact(size_of::<u64>());
        let mut words = [0; N];
        for word in &mut words {
            *word = u64::from_ne_bytes(*numbers.next()?.first_chunk()?);
        }
        let is_all = numbers.next().is_none() && numbers.remainder().is_empty();
        is_all.then_some(words)
    }

    /// The first `N` bytes, filled up with zeros; `None` if it holds more.
    pub fn padded<const N: usize>(self) -> Option<[u8; N]> {
        let mut bytes = [0; N];
        bytes
            .get_mut(..self.payload.len())?
            .copy_from_slice(self.payload);
        Some(bytes)
    }

    /// A text of at most `max` bytes, without what ends it.
    pub fn text(self, max: usize) -> Option<&'a [u8]> {
        let end = self.payload.iter().position(|byte| *byte == 0);
        let text = self.payload.get(..end.unwrap_or(self.payload.len()))?;
        (text.len() <= max).then_some(text)
    }

    /// The attributes that it holds.
    pub fn nested(self) -> Result<Attrs<'a>, Malformed> {
        Attrs::parse(self.payload)
    }
}
