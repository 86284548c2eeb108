// SPDX-License-Identifier: GPL-2.0-only

//! SipHash-1-3.

use std::hash::Hasher;

use proptest::prelude::*;
use rvs_host_tests::siphash::Key;
use siphasher::sip::SipHasher13;

proptest! {
    #[test]
    fn hashes_are_those_of_the_reference(key: [u64; 2], words: [u64; 2], word: u32) {
        let [k0, k1] = key;
        let mut reference = SipHasher13::new_with_keys(k0, k1);
        reference.write(&words[0].to_le_bytes());
        reference.write(&words[1].to_le_bytes());
        prop_assert_eq!(Key::new(key).of_words(words), reference.finish());

        let mut reference = SipHasher13::new_with_keys(k0, k1);
        reference.write(&word.to_le_bytes());
        prop_assert_eq!(Key::new(key).of_u32(word), reference.finish());
    }
}
