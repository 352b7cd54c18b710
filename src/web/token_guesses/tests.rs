//! Tests of `web/token_guesses.rs`.

use super::*;

fn address(number: u8) -> IpAddr {
    IpAddr::from([192, 0, 2, number])
}

#[test]
fn who_guesses_waits_and_nobody_else_does() {
    let (guesses, now) = (Guesses::default(), Instant::now());
    let judged = |number: u8, at: Instant, is_right: bool| guesses.judged_at(address(number), "x", at, is_right);
    for _ in 0..MAX_WRONG {
        assert!(!judged(1, now, false).unwrap());
    }
    assert!(judged(1, now, false).is_err());
    // A client with the right token may share the address.
    assert!(judged(1, now, true).unwrap());
    assert!(!judged(2, now, false).unwrap());
    assert!(!judged(1, now + WINDOW, false).unwrap());
}

#[test]
fn no_more_addresses_are_remembered_than_fit() {
    let (guesses, now) = (Guesses::default(), Instant::now());
    for number in 0..10_000_u32 {
        let _ = guesses.judged_at(IpAddr::from(number.to_be_bytes()), "x", now, false);
    }
    assert_eq!(guesses.lock().len(), MAX_ADDRESSES);
}
