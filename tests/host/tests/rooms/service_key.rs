// SPDX-License-Identifier: GPL-2.0-only

//! Keys of services as words.

use proptest::prelude::*;
use rvs_host_tests::{
    packet::{Endpoint, Family},
    service::key::ServiceKey,
};
use std::net::IpAddr;

proptest! {
    #[test]
    fn a_key_is_what_its_words_say(
        protocol: u8, addr: IpAddr, port: u16, mark: u32, is_ipv6: bool, is_mark: bool,
    ) {
        let key = if is_mark {
            let family = if is_ipv6 { Family::V6 } else { Family::V4 };
            ServiceKey::Mark { family, mark }
        } else {
            ServiceKey::Address { protocol, endpoint: Endpoint { addr, port } }
        };
        prop_assert_eq!(ServiceKey::from_words(key.to_words()), key);
    }
}
