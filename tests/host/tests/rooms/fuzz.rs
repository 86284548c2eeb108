// SPDX-License-Identifier: GPL-2.0-only

//! The fuzz targets' bodies over random bytes, the same in every run.

use std::panic::catch_unwind;

use rvs_host_tests::fuzz::TARGETS;

/// Inputs per target.
const INPUTS: u64 = 50_000;

/// SplitMix64 (Steele, Lea, Flood, 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mix = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mix = (mix ^ (mix >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mix ^ (mix >> 31)
    }

    fn bytes(&mut self) -> Vec<u8> {
        let len = (self.next() % 128) as usize;
        // Zeros and ones in abundance now and then: carries and limits hide there.
        let kind = self.next() % 4;
        (0..len)
            .map(|_| match (kind, self.next()) {
                (0, random) if random & 0x300 != 0 => [0x00, 0xff][random as usize & 1],
                (_, random) => random as u8,
            })
            .collect()
    }
}

fn run(name: &str) {
    let (_, body) = TARGETS
        .into_iter()
        .find(|(target, _)| *target == name)
        .expect("a fuzz target");
    let mut random = Random(u64::from_le_bytes(*b"rvs fuzz"));
    for _ in 0..INPUTS {
        let input = random.bytes();
        if let Err(panic) = catch_unwind(|| body(&input)) {
            eprintln!("fuzz target {name} fails on {input:02x?}");
            std::panic::resume_unwind(panic);
        }
    }
}

macro_rules! tests {
    ($($target:ident: $behaviour:ident,)*) => {
        $(
            #[test]
            fn $behaviour() {
                run(stringify!($target));
            }
        )*

        #[test]
        fn every_fuzz_target_is_run_here() {
            assert_eq!(TARGETS.map(|(name, _)| name), [$(stringify!($target)),*]);
        }
    };
}

tests! {
    attributes: any_attributes_lie_within_the_bytes_that_came,
    checksum_sum: any_bytes_have_the_checksum_of_the_textbook,
    flow_hash: any_flow_hashes_alike_in_both_directions,
    ftp_text: any_ftp_text_announces_what_it_says_or_nothing,
    icmp_quote: any_quote_is_rewritten_correctly_or_not_touched,
    ipv4_header: any_twenty_bytes_are_a_good_header_or_none,
    ipv6_header: any_ipv6_packet_is_followed_to_its_payload_or_given_up,
    scheduler: any_change_of_any_list_leaves_picks_available,
    sctp_packets: any_sctp_packets_lead_from_state_to_state,
    sip_call_id: any_sip_message_has_a_well_formed_call_id_or_none,
    tcp_segments: any_segments_lead_from_state_to_state,
    transport_rewrite: any_transport_header_is_rewritten_correctly_or_not_touched,
    tunnel_headers: any_tunnel_header_is_one_of_ours_or_none,
}
