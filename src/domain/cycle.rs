//! Cycles: the days on which Mirakl settles, and the window of vouchers that belongs to each.
//!
//! Pure. Day numbers are 1 to 28, so that every month has them.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use thiserror::Error;

/// The settlement calendar (`cycle.*`).
#[derive(Debug, Clone)]
pub struct Calendar {
    /// Days of the month, 1 to 28.
    pub days: Vec<i8>,
    /// Hour of the day at which a cycle is cut.
    pub hour: i8,
    /// Minute of that hour.
    pub minute: i8,
    /// Time from the start of the window to the cut.
    pub before: SignedDuration,
    /// Time from the cut to the end of the window.
    pub after: SignedDuration,
    /// The zone of the calendar (`hipay.timezone`).
    pub time_zone: TimeZone,
}

/// A date at the very edge of what can be represented.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{0} is outside the calendar")]
pub struct OutOfCalendar(pub Date);

/// One cycle: its cut and the vouchers' window around it (UTC).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cycle {
    /// The cycle's day.
    pub date: Date,
    /// The cut.
    pub at: Timestamp,
    /// The first instant of the window.
    pub start: Timestamp,
    /// The last instant of the window.
    pub end: Timestamp,
}

impl Calendar {
    /// Returns the cycle of `date`. A cut in the hour that daylight saving skips is moved forward by the skipped time.
    pub fn cycle(&self, date: Date) -> Result<Cycle, OutOfCalendar> {
        let out = || OutOfCalendar(date);
        let at = date.at(self.hour, self.minute, 0, 0).to_zoned(self.time_zone.clone()).map_err(|_| out())?.timestamp();
        let start = at.checked_sub(self.before).map_err(|_| out())?;
        let end = at.checked_add(self.after).map_err(|_| out())?;
        Ok(Cycle { date, at, start, end })
    }

    /// Returns the day of `instant` in the calendar's zone.
    pub fn day_of(&self, instant: Timestamp) -> Date {
        instant.to_zoned(self.time_zone.clone()).date()
    }

    /// Returns every cycle day from `first` on and strictly before `execution`, oldest first. On the 11th the last of
    /// them is the 1st.
    pub fn days_between(&self, first: Date, execution: Date) -> Vec<Date> {
        // `series` counts from `first`, so an end before it yields nothing.
        first
            .series(jiff::Span::new().days(1))
            .take_while(|day| *day < execution)
            .filter(|day| self.days.contains(&day.day()))
            .collect()
    }

    /// Returns the first cycle from `earliest` on whose window contains `instant`, or `None` if it is outside every
    /// window.
    pub fn cycle_of(&self, instant: Timestamp, earliest: Date) -> Option<Cycle> {
        // One more day on both sides: the cut is at some hour of the day.
        let day = jiff::Span::new().days(1);
        let first = self.day_of(instant.checked_sub(self.after).ok()?).checked_sub(day).ok()?;
        let last = self.day_of(instant.checked_add(self.before).ok()?).checked_add(day).ok()?;
        let beyond = last.checked_add(day).ok()?;
        let cycles = self.days_between(first.max(earliest), beyond).into_iter().filter_map(|day| self.cycle(day).ok());
        cycles.into_iter().find(|cycle| cycle.start <= instant && instant <= cycle.end)
    }

    /// Returns the first cycle whose cut is after `instant`.
    pub fn next_after(&self, instant: Timestamp) -> Option<Cycle> {
        let first = self.day_of(instant);
        let beyond = first.checked_add(jiff::Span::new().days(32)).ok()?;
        let cycles = self.days_between(first, beyond).into_iter().filter_map(|day| self.cycle(day).ok());
        cycles.into_iter().find(|cycle| cycle.at > instant)
    }

    /// Returns the last cycle day strictly before `execution`.
    pub fn last_before(&self, execution: Date) -> Option<Date> {
        let earliest = execution.checked_sub(jiff::Span::new().days(31)).ok()?;
        self.days_between(earliest, execution).pop()
    }
}

#[cfg(test)]
mod tests {
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
}
