// SPDX-License-Identifier: GPL-2.0-only

//! Settings of a namespace: defaults and ranges of reference §9.2.

use proptest::prelude::*;
use rvs_host_tests::settings::{ConnMax, OutOfRange, Settings, Surroundings};
use std::sync::atomic::Ordering;

fn surroundings() -> Surroundings {
    Surroundings {
        is_initial: true,
        conn_max: ConnMax::MAX,
        free_buffer_pages: 32_000,
    }
}

fn settings() -> Settings {
    Settings::new(surroundings())
}

#[test]
fn switches_are_off_but_four() {
    let settings = settings();
    let on = [
        &settings.snat_reroute,
        &settings.pmtu_disc,
        &settings.conn_reuse_mode,
        &settings.run_estimation,
    ];
    assert!(on.iter().all(|switch| switch.get() == 1));
    let off = [
        &settings.conntrack,
        &settings.cache_bypass,
        &settings.expire_nodest_conn,
        &settings.expire_quiescent_template,
        &settings.sloppy_tcp,
        &settings.sloppy_sctp,
        &settings.nat_icmp_send,
        &settings.backup_only,
        &settings.schedule_icmp,
        &settings.ignore_tunneled,
        &settings.sync_persist_mode,
        &settings.sync_sock_size,
    ];
    assert!(off.iter().all(|switch| !switch.is_on()));
}

#[test]
fn numbers_start_as_documented() {
    let settings = settings();
    assert_eq!(settings.amemthresh.get(), 1024);
    assert_eq!(settings.am_droprate.get(), 10);
    assert_eq!(settings.conn_max.get(), 1 << 30);
    assert_eq!(settings.sync_version.get(), 1);
    assert_eq!(settings.sync_ports.get(), 1);
    assert_eq!(settings.sync_qlen_max.load(Ordering::Relaxed), 1000);
    assert_eq!(settings.sync_threshold.get(), [3, 50]);
    assert_eq!(settings.lblc_expiration.get(), 86_400);
    assert_eq!(settings.lblcr_expiration.get(), 86_400);
}

#[test]
fn load_factors_start_lower_in_the_initial_namespace() {
    let other = Settings::new(Surroundings {
        is_initial: false,
        ..surroundings()
    });
    let initial = settings();
    assert_eq!(
        (initial.conn_lfactor.get(), initial.svc_lfactor.get()),
        (-4, -3)
    );
    assert_eq!(
        (other.conn_lfactor.get(), other.svc_lfactor.get()),
        (-2, -2)
    );
}

#[test]
fn a_value_beyond_its_range_is_refused_and_changes_nothing() {
    let settings = settings();
    for beyond in [-1, 4, i32::MIN, i32::MAX] {
        assert_eq!(settings.drop_entry.set(beyond), Err(OutOfRange));
        assert_eq!(settings.sync_retries.set(beyond), Err(OutOfRange));
    }
    assert_eq!(settings.drop_entry.get(), 0);
    assert_eq!(settings.sync_version.set(2), Err(OutOfRange));
    assert_eq!(settings.est_nice.set(-21), Err(OutOfRange));
    assert_eq!(settings.est_nice.set(20), Err(OutOfRange));
    assert_eq!(settings.conn_lfactor.set(9), Err(OutOfRange));
    assert_eq!(settings.svc_lfactor.set(-9), Err(OutOfRange));
}

#[test]
fn the_ends_of_a_range_belong_to_it() {
    let settings = settings();
    assert_eq!(settings.drop_packet.set(3), Ok(()));
    assert_eq!(settings.est_nice.set(-20), Ok(()));
    assert_eq!(settings.est_nice.set(19), Ok(()));
    assert_eq!(settings.conn_lfactor.set(-8), Ok(()));
    assert_eq!(settings.svc_lfactor.set(8), Ok(()));
    assert_eq!(settings.amemthresh.set(i32::MIN), Ok(()));
}

#[test]
fn seconds_fit_into_an_int_of_ticks() {
    let settings = settings();
    let most = i32::MAX / 250;
    assert_eq!(settings.sync_refresh_period.set(most), Ok(()));
    assert_eq!(settings.sync_refresh_period.set(most + 1), Err(OutOfRange));
    assert_eq!(settings.lblc_expiration.set(-most), Ok(()));
    assert_eq!(settings.lblc_expiration.set(-most - 1), Err(OutOfRange));
}

#[test]
fn an_owner_of_the_namespace_raises_conn_max_no_further_than_the_machines_administrator_did() {
    let conn_max = settings().conn_max;
    assert_eq!(conn_max.set(1000, true), Ok(()));
    assert_eq!(conn_max.set(10, false), Ok(()));
    assert_eq!(conn_max.set(1000, false), Ok(()));
    assert_eq!(conn_max.set(1001, false), Err(OutOfRange));
    assert_eq!(conn_max.get(), 1000);
    assert_eq!(conn_max.set(2000, true), Ok(()));
    assert_eq!(conn_max.set(1001, false), Ok(()));
}

#[test]
fn nobody_raises_conn_max_beyond_what_can_be_counted() {
    let conn_max = settings().conn_max;
    assert_eq!(conn_max.set(ConnMax::MAX, true), Ok(()));
    assert_eq!(conn_max.set(ConnMax::MAX + 1, true), Err(OutOfRange));
    assert_eq!(conn_max.set(-1, true), Err(OutOfRange));
    assert_eq!(conn_max.get(), ConnMax::MAX);
}

#[test]
fn a_namespace_starts_with_the_initial_ones_conn_max_as_its_bound() {
    let conn_max = Settings::new(Surroundings {
        conn_max: 500,
        ..surroundings()
    })
    .conn_max;
    assert_eq!(conn_max.get(), 500);
    assert_eq!(conn_max.set(501, false), Err(OutOfRange));
}

proptest! {
    #[test]
    fn the_threshold_stays_below_its_period_unless_that_is_0(first: i32, period: i32) {
        let threshold = settings().sync_threshold;
        let is_legal = first >= 0 && period >= 0 && (period == 0 || first < period);
        prop_assert_eq!(threshold.set([first, period]).is_ok(), is_legal);
        prop_assert_eq!(threshold.get(), if is_legal { [first, period] } else { [3, 50] });
    }

    #[test]
    fn sync_ports_are_powers_of_two(value: i32) {
        let ports = settings().sync_ports;
        prop_assert_eq!(ports.set(value).is_ok(), value > 0 && value.count_ones() == 1);
    }

    #[test]
    fn seconds_have_no_other_limit(value in -8_589_934..=8_589_934) {
        let settings = settings();
        prop_assert_eq!(settings.lblcr_expiration.set(value), Ok(()));
        prop_assert_eq!(settings.lblcr_expiration.get(), value);
    }
}

#[test]
fn a_threshold_that_is_its_period_is_refused() {
    let threshold = settings().sync_threshold;
    assert_eq!(threshold.set([50, 50]), Err(OutOfRange));
    assert_eq!(threshold.set([49, 50]), Ok(()));
    assert_eq!(threshold.set([50, 0]), Ok(()));
}

#[test]
fn sync_ports_take_every_power_of_two() {
    let ports = settings().sync_ports;
    for bit in 0..31 {
        assert_eq!(ports.set(1 << bit), Ok(()));
    }
    assert_eq!(ports.set(i32::MIN), Err(OutOfRange));
}
