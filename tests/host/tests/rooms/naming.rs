// SPDX-License-Identifier: GPL-2.0-only

//! What can be a name or a label.

use proptest::prelude::*;
use rvs_host_tests::service::naming::{is_name, split_label, TEXT_MAX};

#[test]
fn a_name_is_a_letter_and_then_letters_digits_dots_lines_and_dashes() {
    for name in ["w", "Web", "web-1.example_2"] {
        assert!(is_name(name.as_bytes()), "{name}");
    }
    for text in [
        "", "1web", "-web", "10.0.0.1", "we b", "web/1", "web:80", "w\u{e4}b", "web\0",
    ] {
        assert!(!is_name(text.as_bytes()), "{text:?}");
    }
    assert!(is_name(&[b'x'; TEXT_MAX]));
    assert!(!is_name(&[b'x'; TEXT_MAX + 1]));
}

#[test]
fn a_label_has_a_key_and_a_value_that_may_be_empty() {
    let label = |text: &'static str| split_label(text.as_bytes());
    assert_eq!(label("tier=front"), Some((&b"tier"[..], &b"front"[..])));
    assert_eq!(label("k8s.io/app="), Some((&b"k8s.io/app"[..], &b""[..])));
    assert_eq!(label("a=9:@+/-"), Some((&b"a"[..], &b"9:@+/-"[..])));
    for text in [
        "", "tier", "=front", "9=front", "a b=c", "a=b c", "a=b=c", "a=\"b\"", "a=b\0",
    ] {
        assert_eq!(label(text), None, "{text:?}");
    }
    let long = |key: usize, value: usize| [vec![b'k'; key], vec![b'='], vec![b'v'; value]].concat();
    assert!(split_label(&long(TEXT_MAX, TEXT_MAX)).is_some());
    assert!(split_label(&long(TEXT_MAX + 1, 1)).is_none());
    assert!(split_label(&long(1, TEXT_MAX + 1)).is_none());
}

proptest! {
    #[test]
    fn no_name_and_no_label_needs_to_be_quoted_anywhere(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        let is_quoted = |byte: &u8| !byte.is_ascii_graphic() || b"\"\\\'`$,;{}()[]<>|&*?!#~=".contains(byte);
        if is_name(&bytes) {
            prop_assert!(!bytes.iter().any(is_quoted));
        }
        if let Some((key, value)) = split_label(&bytes) {
            prop_assert!(!key.iter().chain(value).any(is_quoted));
        }
    }
}
