//! Due moments of a batch, from its cron expression in a time zone.
//!
//! An expression that names hours refers to local time: if that moment does not exist on a day, it
//! is due at the next moment that does; if it exists twice, at the first. An expression that runs
//! in every hour refers to elapsed time: it is due in both of two repeated hours.

use croner::Cron;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp};

/// Upper bound on a step of local clocks, which is mostly an hour; the largest ever was a day, at the date line.
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

    /// Returns the first due moment after `instant`; `None` if there is none within thousands of years.
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

    /// Returns the first moment at which the local clock reads this, or the next moment after the gap that skips it.
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
mod tests;
