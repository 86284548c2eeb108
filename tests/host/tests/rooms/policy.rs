// SPDX-License-Identifier: GPL-2.0-only

//! What the payloads of attributes must be like.

use rvs_host_tests::control::{
    attr::Attrs,
    policy::{check, Breach, Rule, SERVICE},
    uapi::svc,
};

/// What comes of one attribute with this payload under a rule for its kind.
fn verdict(rule: Rule, payload: &[u8]) -> Result<(), Breach> {
    let mut bytes = u16::try_from(payload.len() + 4)
        .expect("a length")
        .to_ne_bytes()
        .to_vec();
    bytes.extend(7u16.to_ne_bytes());
    bytes.extend(payload);
    let attrs = Attrs::parse(&bytes).expect("well-formed attributes");
    check(attrs, &[(6, Rule::Number(100)), (7, rule)]).map_err(|(attr, breach)| {
        assert_eq!((attr.kind, attr.payload), (7, payload));
        breach
    })
}

#[test]
fn numbers_may_be_longer_than_their_type_and_not_shorter() {
    assert_eq!(verdict(Rule::Number(4), &[1; 3]), Err(Breach::Length));
    assert_eq!(verdict(Rule::Number(4), &[1; 4]), Ok(()));
    assert_eq!(verdict(Rule::Number(4), &[1; 20]), Ok(()));
}

#[test]
fn bytes_may_be_fewer_than_their_most_and_not_more() {
    assert_eq!(verdict(Rule::Bytes(16), &[]), Ok(()));
    assert_eq!(verdict(Rule::Bytes(16), &[1; 16]), Ok(()));
    assert_eq!(verdict(Rule::Bytes(16), &[1; 17]), Err(Breach::Length));
}

#[test]
fn a_nest_is_empty_or_has_room_for_an_attribute() {
    assert_eq!(verdict(Rule::Nest, &[]), Ok(()));
    assert_eq!(verdict(Rule::Nest, &[0; 3]), Err(Breach::Length));
    assert_eq!(verdict(Rule::Nest, &[4, 0, 1, 0]), Ok(()));
}

#[test]
fn a_text_ends_with_a_zero_within_its_most() {
    assert_eq!(verdict(Rule::Text(3), b""), Err(Breach::Unended));
    assert_eq!(verdict(Rule::Text(3), b"\0"), Ok(()));
    assert_eq!(verdict(Rule::Text(3), b"abc\0"), Ok(()));
    assert_eq!(verdict(Rule::Text(3), b"abc"), Err(Breach::Unended));
    assert_eq!(verdict(Rule::Text(3), b"abcd\0"), Err(Breach::Unended));
    assert_eq!(verdict(Rule::Text(3), b"a\0bcd"), Err(Breach::Length));
    assert_eq!(verdict(Rule::Text(3), b"a\0b\0"), Ok(()));
}

#[test]
fn kinds_without_a_rule_may_be_anything() {
    let bytes = [6u16.to_ne_bytes(), 99u16.to_ne_bytes(), [1, 2]].concat();
    let attrs = Attrs::parse(&bytes).expect("well-formed attributes");
    assert!(check(attrs, SERVICE).is_ok());
    let bytes = [6u16.to_ne_bytes(), svc::TIMEOUT.to_ne_bytes(), [1, 2]].concat();
    let attrs = Attrs::parse(&bytes).expect("well-formed attributes");
    assert!(check(attrs, SERVICE).is_err());
}
