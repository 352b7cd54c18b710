//! Tests of `domain/cycle.rs`.

use jiff::civil::date;
use proptest::prelude::*;

use super::*;

fn calendar() -> Calendar {
    Calendar {
        days: vec![1, 11, 21],
        hour: 0,
        minute: 0,
        before: SignedDuration::from_hours(12),
        after: SignedDuration::from_hours(12),
        time_zone: TimeZone::get("Europe/Paris").unwrap(),
    }
}

#[test]
fn the_last_cycle_day_is_strictly_before_the_execution() {
    for (execution, expected) in [
        (date(2026, 11, 11), date(2026, 11, 1)),
        (date(2026, 11, 12), date(2026, 11, 11)),
        (date(2026, 11, 1), date(2026, 10, 21)),
        (date(2026, 1, 1), date(2025, 12, 21)),
        (date(2026, 3, 1), date(2026, 2, 21)),
    ] {
        assert_eq!(calendar().last_before(execution), Some(expected), "{execution}");
    }
}

#[test]
fn downtime_loses_no_cycle() {
    let days = calendar().days_between(date(2025, 12, 11), date(2026, 1, 12));
    assert_eq!(days, [date(2025, 12, 11), date(2025, 12, 21), date(2026, 1, 1), date(2026, 1, 11)]);
    assert!(calendar().days_between(date(2026, 2, 1), date(2026, 1, 1)).is_empty());
}

#[test]
fn the_window_is_in_the_configured_zone_and_survives_daylight_saving() {
    let winter = calendar().cycle(date(2026, 1, 11)).unwrap();
    assert_eq!(winter.start.to_string(), "2026-01-10T11:00:00Z");
    assert_eq!(winter.end.to_string(), "2026-01-11T11:00:00Z");
    // On 2026-03-29 the hour from 2 to 3 does not exist in Paris.
    let mut spring = calendar();
    (spring.hour, spring.minute) = (2, 30);
    assert_eq!(spring.cycle(date(2026, 3, 29)).unwrap().at.to_string(), "2026-03-29T01:30:00Z");
}

#[test]
fn the_edge_of_time_is_an_error() {
    assert!(calendar().cycle(Date::MAX).is_err());
    assert!(calendar().cycle(Date::MIN).is_err());
    let _ = calendar().last_before(Date::MIN);
}

#[test]
fn an_instant_belongs_to_the_window_that_contains_it() {
    let first = date(2026, 1, 1);
    let of = |text: &str| calendar().cycle_of(text.parse().unwrap(), first).map(|cycle| cycle.date);
    assert_eq!(of("2026-11-10T11:00:00Z"), Some(date(2026, 11, 11)));
    assert_eq!(of("2026-11-11T11:00:00Z"), Some(date(2026, 11, 11)));
    assert_eq!(of("2026-11-11T11:00:01Z"), None);
    assert_eq!(of("2026-11-15T00:00:00Z"), None);
    assert_eq!(of("2025-12-21T00:00:00Z"), None, "before the first one");
    let next = calendar().next_after("2026-11-15T00:00:00Z".parse().unwrap());
    assert_eq!(next.map(|cycle| cycle.date), Some(date(2026, 11, 21)));
}

proptest! {
    /// Compares the cycle of an instant with the first in an exhaustive search whose window contains it.
    #[test]
    fn the_cycle_of_an_instant_is_the_first_that_contains_it(
        seconds in 0..60_000_000_i64,
        picked in prop::sample::subsequence((1..=28).collect::<Vec<i8>>(), 1..6),
        before in 0..90_i64,
        after in 0..900_i64,
    ) {
        let hours = SignedDuration::from_hours;
        let calendar = Calendar { days: picked, before: hours(before), after: hours(after), ..calendar() };
        let earliest = date(2025, 1, 1);
        let instant = Timestamp::from_second(1_767_225_600 + seconds).unwrap();
        let all = calendar.days_between(earliest, date(2029, 1, 1));
        let cycles = all.into_iter().map(|day| calendar.cycle(day).unwrap());
        let expected = cycles.into_iter().find(|cycle| cycle.start <= instant && instant <= cycle.end);
        prop_assert_eq!(calendar.cycle_of(instant, earliest), expected);
    }

    #[test]
    fn the_last_one_is_a_cycle_day_before_and_none_lies_between(days in 0..20_000_i32, picked in prop::sample::subsequence((1..=28).collect::<Vec<i8>>(), 1..6)) {
        let calendar = Calendar { days: picked, ..calendar() };
        let execution = date(2000, 1, 1) + jiff::Span::new().days(days);
        let last = calendar.last_before(execution).unwrap();
        prop_assert!(last < execution && calendar.days.contains(&last.day()));
        let next = last + jiff::Span::new().days(1);
        prop_assert!(calendar.days_between(next, execution).is_empty());
    }
}
