//! Tests of `scheduler/timetable.rs`.

use croner::parser::{CronParser, Seconds, Year};
use proptest::prelude::*;

use super::*;

fn timetable(expression: &str, zone: &str) -> Timetable {
    let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
    Timetable::new(parser.parse(expression).unwrap(), TimeZone::get(zone).unwrap())
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Returns the due moments after `from` up to and including `to`; checks both directions.
fn due(timetable: &Timetable, from: &str, to: &str) -> Vec<String> {
    let (from, to) = (at(from), at(to));
    let mut forwards = Vec::new();
    let mut moment = from;
    while let Some(next) = timetable.next_after(moment).filter(|next| *next <= to) {
        forwards.push(next);
        moment = next;
    }
    let mut backwards = Vec::new();
    let mut moment = to;
    while let Some(last) = timetable.last_until(moment).filter(|last| *last > from) {
        backwards.push(last);
        moment = last - SignedDuration::from_nanos(1);
    }
    backwards.reverse();
    assert_eq!(forwards, backwards);
    forwards.iter().map(ToString::to_string).collect()
}

#[test]
fn a_moment_that_does_not_exist_is_due_at_the_next_one_that_does() {
    let day = ("2026-03-28T14:00:00Z", "2026-03-29T11:00:00Z");
    for expression in ["30 2 * * *", "0 2 * * *", "30 2,14 * * *", "15,30 2 * * *"] {
        let due = due(&timetable(expression, "Europe/Paris"), day.0, day.1);
        assert_eq!(due, ["2026-03-29T01:00:00Z"], "{expression}");
    }
    // Half an hour is skipped, in the other half of the year.
    let howe = timetable("15 2 * * *", "Australia/Lord_Howe");
    assert_eq!(due(&howe, "2026-10-03T00:00:00Z", "2026-10-04T00:00:00Z"), ["2026-10-03T15:30:00Z"]);
}

#[test]
fn a_moment_that_exists_twice_is_due_at_the_first() {
    let day = ("2026-10-24T14:00:00Z", "2026-10-25T12:00:00Z");
    for expression in ["30 2 * * *", "30 2,14 * * *"] {
        let due = due(&timetable(expression, "Europe/Paris"), day.0, day.1);
        assert_eq!(due, ["2026-10-25T00:30:00Z"], "{expression}");
    }
}

#[test]
fn what_runs_every_hour_runs_every_hour_on_those_days_too() {
    let hourly = timetable("0 * * * *", "Europe/Paris");
    let hour = SignedDuration::from_hours(1);
    for day in ["2026-03-29T00:00:00+01:00", "2026-10-25T00:00:00+02:00"] {
        let mut moment = at(day);
        for _ in 0..26 {
            let next = hourly.next_after(moment).unwrap();
            assert_eq!(next, moment + hour);
            assert_eq!(hourly.last_until(next + hour - SignedDuration::from_secs(1)), Some(next));
            moment = next;
        }
    }
}

#[test]
fn every_other_hour_goes_by_the_clock_on_the_wall() {
    let other = timetable("0 */2 * * *", "Europe/Paris");
    let spring = due(&other, "2026-03-28T23:30:00Z", "2026-03-29T03:00:00Z");
    assert_eq!(spring, ["2026-03-29T01:00:00Z", "2026-03-29T02:00:00Z"]);
    let autumn = due(&other, "2026-10-24T22:30:00Z", "2026-10-25T03:00:00Z");
    assert_eq!(autumn, ["2026-10-25T00:00:00Z", "2026-10-25T03:00:00Z"]);
}

#[test]
fn what_never_comes_is_never_due() {
    let never = timetable("0 0 30 2 *", "Europe/Paris");
    assert_eq!(
        (never.next_after(at("2026-01-01T00:00:00Z")), never.last_until(at("2026-01-01T00:00:00Z"))),
        (None, None)
    );
}

proptest! {
    /// Checks that the forward and backward searches agree from every moment and stay on their side.
    #[test]
    fn forwards_and_backwards_agree(
        second in 1_735_689_600_i64..1_830_297_600,
        minute in 0_u32..60,
        hours in prop::sample::select(vec!["*", "2", "2,14", "*/2", "1-3", "0", "23"]),
        zone in prop::sample::select(vec![
            "UTC", "Europe/Paris", "America/New_York", "Australia/Lord_Howe", "America/Santiago", "Asia/Tehran",
        ]),
    ) {
        let timetable = timetable(&format!("{minute} {hours} * * *"), zone);
        let now = Timestamp::from_second(second).unwrap();
        let next = timetable.next_after(now).unwrap();
        prop_assert!(next > now && next.duration_since(now) <= SignedDuration::from_hours(25));
        prop_assert_eq!(timetable.last_until(next), Some(next));
        let before = timetable.last_until(next - SignedDuration::from_nanos(1)).unwrap();
        prop_assert!(before <= now);
        prop_assert_eq!(timetable.next_after(before), Some(next));
    }
}
