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

    /// Returns the cycle of `date` if the calendar has one on that day.
    pub fn cycle_on(&self, date: Date) -> Option<Cycle> {
        self.cycle(date).ok().filter(|cycle| self.days.contains(&cycle.date.day()))
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
mod tests;
