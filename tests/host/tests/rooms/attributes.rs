// SPDX-License-Identifier: GPL-2.0-only

//! Reading netlink attributes.

use proptest::prelude::*;

use rvs_host_tests::control::attr::{Attrs, Malformed};

/// An attribute as netlink writes it, padded to four bytes.
fn attribute(kind: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(
        u16::try_from(payload.len() + 4)
            .expect("a length")
            .to_ne_bytes(),
    );
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(payload);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

proptest! {
    #[test]
    fn attributes_are_read_as_they_were_written(
        written in prop::collection::vec((1u16..0x3fff, prop::collection::vec(any::<u8>(), 0..40)), 0..8)
    ) {
        let bytes: Vec<u8> = written.iter().flat_map(|(kind, payload)| attribute(*kind, payload)).collect();
        let attrs = Attrs::parse(&bytes).expect("well-formed attributes");
        let read: Vec<_> = attrs.iter().map(|attr| (attr.kind, attr.payload.to_vec())).collect();
        prop_assert_eq!(read, written);
    }
}

#[test]
fn a_later_attribute_replaces_an_earlier_one() {
    let bytes = [attribute(7, &[1]), attribute(8, &[2]), attribute(7, &[3])].concat();
    let attrs = Attrs::parse(&bytes).expect("well-formed attributes");
    assert_eq!(attrs.get(7).and_then(|attr| attr.u8()), Some(3));
    assert!(attrs.get(9).is_none());
}

#[test]
fn the_flags_of_a_type_do_not_change_its_kind() {
    let bytes = attribute(0x8000 | 5, &[1, 0, 0, 0]);
    let attrs = Attrs::parse(&bytes).expect("well-formed attributes");
    assert_eq!(attrs.get(5).and_then(|attr| attr.u32()), Some(1u32.to_le()));
}

#[test]
fn an_attribute_longer_than_what_came_or_shorter_than_its_header_is_malformed() {
    let mut long = attribute(1, &[0; 4]);
    long.truncate(6);
    assert_eq!(Attrs::parse(&long).err(), Some(Malformed));
    let short = [3u16.to_ne_bytes(), 1u16.to_ne_bytes()].concat();
    assert_eq!(Attrs::parse(&short).err(), Some(Malformed));
}

#[test]
fn numbers_shorter_than_their_type_are_none() {
    let bytes = attribute(1, &[1]);
    let attr = Attrs::parse(&bytes)
        .expect("well-formed")
        .get(1)
        .expect("there");
    assert_eq!((attr.u8(), attr.u16(), attr.u32()), (Some(1), None, None));
}

#[test]
fn a_text_ends_at_its_zero_and_may_not_be_too_long() {
    let bytes = attribute(1, b"wlc\0rest");
    let attr = Attrs::parse(&bytes)
        .expect("well-formed")
        .get(1)
        .expect("there");
    assert_eq!(attr.text(15), Some(&b"wlc"[..]));
    assert_eq!(attr.text(2), None);
}

#[test]
fn short_addresses_are_filled_up_and_long_ones_refused() {
    let bytes = attribute(1, &[192, 0, 2, 1]);
    let attr = Attrs::parse(&bytes)
        .expect("well-formed")
        .get(1)
        .expect("there");
    assert_eq!(attr.padded(), Some([192, 0, 2, 1, 0, 0, 0, 0]));
    assert_eq!(attr.padded::<3>(), None);
}
