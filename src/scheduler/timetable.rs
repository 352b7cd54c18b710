//! Due moments of a batch, from its cron expression in a time zone.
//!
//! An expression that names hours refers to local time: if that moment does not exist on a day, it
//! is due at the next moment that does; if it exists twice, at the first. An expression that runs
//! in every hour refers to elapsed time: it is due in both of two repeated hours.

use croner::Cron;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp};

/// Upper bound on a step of local clocks, which is mostly an hour; the largest ever was a day, at
/// the date line.
const MAX_STEP: SignedDuration = SignedDuration::from_hours(25);

/// The due moments of one batch.
#[derive(Debug, Clone)]
pub struct Timetable {
    cron: Cron,
    zone: TimeZone,
}

impl Timetable {
    /// Creates a timetable from `cron`, whose fields are read in `zone`.
    pub fn new(cron: Cron, zone: TimeZone) -> Self {
        Self { cron, zone }
    }

    /// Returns the first due moment after `instant`; `None` if there is none within thousands of
    /// years.
    pub fn next_after(&self, instant: Timestamp) -> Option<Timestamp> {
        let instant = whole_second(instant);
        if self.is_hourly() {
            let from = instant.to_zoned(self.zone.clone());
            return self.cron.find_next_occurrence(&from, false).ok().map(|next| next.timestamp());
        }
        let mut reading = self.zone.to_datetime(instant);
        loop {
            reading = self.cron.find_next_occurrence(&reading, false).ok()?;
            // In the second of two repeated hours the following readings may be those of the first.
            match self.instant_of(reading)? {
                due if due > instant => return Some(due),
                _ => {}
            }
        }
    }

    /// Returns the last due moment that is not after `instant`.
    pub fn last_until(&self, instant: Timestamp) -> Option<Timestamp> {
        let instant = whole_second(instant);
        if self.is_hourly() {
            let from = instant.to_zoned(self.zone.clone());
            return self.cron.find_previous_occurrence(&from, true).ok().map(|last| last.timestamp());
        }
        // In the second of two repeated hours a reading that is ahead may have passed already.
        let ahead = self.zone.to_datetime(instant.checked_add(MAX_STEP).ok()?);
        let mut reading = self.cron.find_previous_occurrence(&ahead, true).ok()?;
        loop {
            match self.instant_of(reading)? {
                due if due <= instant => return Some(due),
                _ => reading = self.cron.find_previous_occurrence(&reading, false).ok()?,
            }
        }
    }

    /// Returns true for an expression that runs in every hour of a day.
    fn is_hourly(&self) -> bool {
        self.cron.pattern.hours.values().len() == 24
    }

    /// Returns the first moment at which the local clock reads this, or the next moment after the
    /// gap that skips it.
    fn instant_of(&self, reading: DateTime) -> Option<Timestamp> {
        let ambiguous = self.zone.to_ambiguous_timestamp(reading);
        if matches!(ambiguous.offset(), AmbiguousOffset::Gap { .. }) {
            // By the offset that follows, the reading is before the step.
            let before = ambiguous.earlier().ok()?;
            return self.zone.following(before).next().map(|step| step.timestamp());
        }
        ambiguous.earlier().ok()
    }
}

fn whole_second(instant: Timestamp) -> Timestamp {
    Timestamp::from_second(instant.as_second()).unwrap_or(instant)
}

#[cfg(test)]
mod tests {
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
        /// Checks that the forward and backward searches agree from every moment and stay on their
        /// side.
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
}
