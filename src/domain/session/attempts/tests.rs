//! Tests of `domain/session/attempts.rs`.

use proptest::prelude::*;

use super::*;

fn at(seconds: i64) -> Timestamp {
    "2026-11-21T10:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_secs(seconds)
}

fn failed(times: u32) -> SignInAttempts {
    let mut attempts = SignInAttempts::none("address:203.0.113.9".to_owned(), at(0));
    (0..times).for_each(|_| attempts.count(at(0)));
    attempts
}

#[test]
fn the_wait_grows_from_the_fifth_failure_to_a_quarter_of_an_hour() {
    let waits = [(0, 0), (4, 0), (5, 1), (6, 2), (7, 4), (10, 32), (14, 512), (15, 900), (1_000, 900)];
    for (failures, seconds) in waits {
        assert_eq!(failed(failures).wait(at(0)).as_secs(), seconds, "{failures} failures");
    }
    assert_eq!(failed(7).wait(at(3)).as_secs(), 1);
    assert!(failed(7).wait(at(4)).is_zero());
}

#[test]
fn a_day_later_all_is_forgotten() {
    let mut attempts = failed(30);
    let later = at(24 * 60 * 60);
    assert!(attempts.wait(later).is_zero());
    attempts.count(later);
    assert_eq!(attempts.failures, 1);
}

#[test]
fn neighbours_in_ipv6_are_one_and_a_mapped_address_is_its_own() {
    let key = |address: &str| SignInAttempts::of_address(address.parse().unwrap());
    assert_eq!(key("2001:db8::1"), key("2001:db8::ffff:1"));
    assert_eq!(key("2001:db8::1"), "address:2001:db8::/64");
    assert_ne!(key("2001:db8::1"), key("2001:db8:0:1::1"));
    assert_eq!(key("::ffff:203.0.113.9"), key("203.0.113.9"));
    assert_eq!(SignInAttempts::of_account("Ann"), SignInAttempts::of_account("aNN"));
}

proptest! {
    #[test]
    fn a_wait_never_exceeds_its_bound_and_always_passes(failures in 0..u32::MAX, seconds in -1_000_000_i64..1_000_000) {
        let attempts = SignInAttempts { failures, ..failed(0) };
        let wait = attempts.wait(at(seconds));
        prop_assert!(!wait.is_negative() && wait <= MAX_WAIT);
        prop_assert!(attempts.wait(at(900)).is_zero());
        prop_assert!(failures < FREE_FAILURES || attempts.wait(at(0)) >= SignedDuration::from_secs(1));
    }
}
