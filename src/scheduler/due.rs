//! The due moments of a batch that have come, even if the clock was changed meanwhile. Pure.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::timetable::Timetable;

/// Number of due moments remembered as run: enough for an hourly batch after the clock is set back by a day.
const MAX_KEPT: usize = 100;

/// Persisted state of a batch's schedule.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remembered {
    /// The cron expression; empty if the batch is switched off.
    pub expression: String,
    /// The time zone of the expression.
    pub time_zone: String,
    /// Time until which due moments have been handled (UTC). Moved back when the clock is set back.
    pub seen: Timestamp,
    /// Due moments that were handled (UTC), the most recently handled last. Of several missed
    /// moments one stands for all.
    pub done: Vec<Timestamp>,
    /// Fields written by a later release, kept unchanged.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

/// A batch's currently configured schedule.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// The cron expression as it was written; empty if the batch is switched off.
    pub expression: String,
    /// The time zone's name.
    pub time_zone: String,
    /// Its due moments; `None` if it is switched off.
    pub timetable: Option<Timetable>,
    /// Delay of the batch after its due moment, see [`jitter`].
    pub jitter: SignedDuration,
}

/// The decision on a batch at one point in time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// State to persist from now on.
    pub remembered: Remembered,
    /// The due moment that has come; the last of several, since they are caught up together.
    pub due: Option<Timestamp>,
    /// Start of the next run, with its jitter.
    pub next: Option<Timestamp>,
}

impl Schedule {
    /// Decides from the remembered state and the current time. Nothing is caught up for a batch
    /// that is new or whose expression has changed: it begins with the next due moment.
    pub fn decide(&self, remembered: Option<&Remembered>, now: Timestamp) -> Decision {
        // The jitter delays all moments, which is equivalent to a clock that is slow by the jitter.
        let now = now.checked_sub(self.jitter).unwrap_or(now);
        let known = remembered.filter(|known| known.expression == self.expression && known.time_zone == self.time_zone);
        let mut remembered = known.cloned().unwrap_or_else(|| Remembered {
            expression: self.expression.clone(),
            time_zone: self.time_zone.clone(),
            seen: now,
            done: Vec::new(),
            unknown: remembered.map(|known| known.unknown.clone()).unwrap_or_default(),
        });
        // A clock that was ahead blocks nothing, by however much: only the moments that were
        // handled are skipped when they come again.
        remembered.seen = remembered.seen.min(now);
        let Some(timetable) = &self.timetable else { return Decision { remembered, due: None, next: None } };
        let due = last_open(timetable, &remembered, now);
        if let Some(due) = due {
            remembered.seen = now;
            remembered.done.push(due);
            let surplus = remembered.done.len().saturating_sub(MAX_KEPT);
            remembered.done.drain(..surplus);
        }
        let next = next_open(timetable, &remembered, now).and_then(|next| next.checked_add(self.jitter).ok());
        Decision { remembered, due, next }
    }
}

/// Returns the last due moment up to `now` that has not been handled.
fn last_open(timetable: &Timetable, remembered: &Remembered, now: Timestamp) -> Option<Timestamp> {
    let mut moment = timetable.last_until(now).filter(|moment| *moment > remembered.seen)?;
    while remembered.done.contains(&moment) {
        let before = moment.checked_sub(SignedDuration::from_nanos(1)).ok()?;
        moment = timetable.last_until(before).filter(|moment| *moment > remembered.seen)?;
    }
    Some(moment)
}

/// Returns the first due moment after `now` that has not been handled.
fn next_open(timetable: &Timetable, remembered: &Remembered, now: Timestamp) -> Option<Timestamp> {
    let mut moment = timetable.next_after(now)?;
    while remembered.done.contains(&moment) {
        moment = timetable.next_after(moment)?;
    }
    Some(moment)
}

/// Returns the delay of a batch after its due moment: under a minute, and constant for one batch of one installation
/// (identified by the creation time of its store), so that not every installation calls Mirakl in the same second.
pub fn jitter(created_at: Timestamp, command: &str) -> SignedDuration {
    let digest = Sha256::new().chain_update(created_at.as_nanosecond().to_be_bytes()).chain_update(command).finalize();
    let number = digest.iter().take(4).fold(0_i64, |number, byte| (number << 8) | i64::from(*byte));
    SignedDuration::from_millis(number.rem_euclid(55_000))
}

#[cfg(test)]
mod tests;
