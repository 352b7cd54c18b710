//! Tests of `trouble.rs`.

use super::*;

fn at(minutes: i64) -> Noticed<'static> {
    let begun: Timestamp = "2026-11-21T10:00:00Z".parse().unwrap();
    Noticed { action: "test", batch: None, at: begun + SignedDuration::from_mins(minutes) }
}

fn message() -> Message {
    Message::quoting("something is wrong")
}

/// Returns, for each notice, true if it is of an end.
fn told(troubles: &Troubles) -> Vec<bool> {
    troubles.take().into_iter().map(|trouble| trouble.resolved_at.is_some()).collect()
}

#[test]
fn a_trouble_is_told_once_again_daily_and_at_its_end() {
    let troubles = Troubles::default();
    assert!(troubles.report("hipay", LogLevel::Error, message(), at(0)));
    for minute in 1..1_200 {
        assert!(!troubles.report("hipay", LogLevel::Error, message(), at(minute)), "{minute}");
    }
    assert!(troubles.report("hipay", LogLevel::Error, message(), at(1_439)), "a daily batch that ends a minute early");
    assert!(troubles.resolve("hipay", at(1_500)) && !troubles.resolve("hipay", at(1_501)));
    assert_eq!(told(&troubles), [false, false, true]);
}

#[test]
fn a_new_cause_and_a_worse_level_are_told_at_once_and_the_end_to_all_who_know() {
    let troubles = Troubles::default();
    let report = |level, causes: &[&str], minute| troubles.report_causes("batch", level, message(), causes, at(minute));
    assert!(report(LogLevel::Error, &["refused"], 0));
    assert!(!report(LogLevel::Error, &["refused"], 1));
    assert!(report(LogLevel::Error, &["refused", "insufficient funds"], 2));
    assert!(report(LogLevel::Critical, &["refused"], 3));
    // A day later it is less severe.
    assert!(report(LogLevel::Warning, &["refused"], 1_500));
    troubles.resolve("batch", at(1_600));
    let last = troubles.take().pop().unwrap();
    assert_eq!((last.level, last.resolved_at.is_some()), (LogLevel::Critical.number(), true));
}

#[test]
fn what_comes_and_goes_is_told_twice_a_quarter_of_an_hour_over_any_number_of_restarts() {
    let mut troubles = Troubles::default();
    let mut messages = 0;
    for minute in 0..60 {
        troubles.report("service", LogLevel::Error, message(), at(minute));
        troubles.resolve("service", at(minute));
        messages += told(&troubles).len();
        // A new process knows only what was stored.
        let stored = troubles.unsaved().unwrap_or_default();
        troubles = Troubles::default();
        for (key, trouble) in stored {
            let mut state = troubles.lock();
            let side = if trouble.resolved_at.is_some() { &mut state.over } else { &mut state.open };
            side.insert(key, trouble);
        }
    }
    assert!((2..=10).contains(&messages), "{messages}");
}
