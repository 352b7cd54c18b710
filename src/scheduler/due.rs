//! The due moments of a batch that have come, even if the clock was changed meanwhile. Pure.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::timetable::Timetable;

/// Number of due moments remembered as run: enough for an hourly batch after the clock is set back
/// by a day.
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

/// Returns the delay of a batch after its due moment: under a minute, and constant for one batch of
/// one installation (identified by the creation time of its store), so that not every installation
/// calls Mirakl in the same second.
pub fn jitter(created_at: Timestamp, command: &str) -> SignedDuration {
    let digest = Sha256::new().chain_update(created_at.as_nanosecond().to_be_bytes()).chain_update(command).finalize();
    let number = digest.iter().take(4).fold(0_i64, |number, byte| (number << 8) | i64::from(*byte));
    SignedDuration::from_millis(number.rem_euclid(55_000))
}

#[cfg(test)]
mod tests {
    use croner::parser::CronParser;
    use jiff::tz::TimeZone;
    use proptest::prelude::*;

    use super::*;

    const HOURLY: &str = "0 * * * *";
    const DAILY: &str = "0 2 * * *";

    fn schedule(expression: &str) -> Schedule {
        let cron = CronParser::new().parse(expression).unwrap();
        Schedule {
            expression: expression.to_owned(),
            time_zone: "Europe/Paris".to_owned(),
            timetable: Some(Timetable::new(cron, TimeZone::get("Europe/Paris").unwrap())),
            jitter: SignedDuration::from_secs(20),
        }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// A scheduler that checks the clock when its last decision asks for it, or when the clock
    /// jumps.
    struct Story {
        schedule: Schedule,
        remembered: Option<Remembered>,
        now: Timestamp,
        ran: Vec<Timestamp>,
    }

    impl Story {
        fn new(expression: &str, now: &str) -> Self {
            let mut story = Self { schedule: schedule(expression), remembered: None, now: at(now), ran: Vec::new() };
            story.look();
            story
        }

        fn look(&mut self) -> Option<Timestamp> {
            let decision = self.schedule.decide(self.remembered.as_ref(), self.now);
            self.ran.extend(decision.due);
            let settled = self.schedule.decide(Some(&decision.remembered), self.now);
            assert_eq!(settled.due, None, "a second look finds nothing new");
            self.remembered = Some(decision.remembered);
            assert!(decision.next.is_none_or(|next| next > self.now), "it would spin");
            decision.next
        }

        /// Sets the clock to `to`.
        fn turn(&mut self, to: Timestamp) {
            self.now = to;
            self.look();
        }

        /// Lets `span` pass.
        fn pass(&mut self, span: SignedDuration) {
            let end = self.now + span;
            while let Some(next) = self.look().filter(|next| *next <= end) {
                self.now = next;
            }
            self.now = end;
            self.look();
        }

        fn ran(&mut self) -> Vec<String> {
            std::mem::take(&mut self.ran).iter().map(ToString::to_string).collect()
        }
    }

    #[test]
    fn a_first_start_and_a_changed_expression_catch_nothing_up() {
        let mut story = Story::new(DAILY, "2026-11-21T12:00:00Z");
        assert_eq!(story.ran(), [""; 0]);
        story.now = at("2026-11-25T12:00:00Z");
        story.schedule = schedule("0 3 * * *");
        story.pass(SignedDuration::from_hours(24));
        assert_eq!(story.ran(), ["2026-11-26T02:00:00Z"]);
        story.schedule = Schedule { timetable: None, expression: String::new(), ..schedule(DAILY) };
        story.pass(SignedDuration::from_hours(72));
        story.schedule = schedule("0 3 * * *");
        story.pass(SignedDuration::from_hours(10));
        assert_eq!(story.ran(), [""; 0], "switched off and on again");
    }

    #[test]
    fn missed_moments_are_caught_up_once() {
        let mut story = Story::new(HOURLY, "2026-11-21T12:30:00Z");
        story.turn(at("2026-11-24T09:10:00Z"));
        assert_eq!(story.ran(), ["2026-11-24T09:00:00Z"]);
        story.pass(SignedDuration::from_hours(1));
        assert_eq!(story.ran(), ["2026-11-24T10:00:00Z"]);
    }

    #[test]
    fn a_clock_that_is_set_back_brings_no_moment_twice() {
        let hour = SignedDuration::from_hours(1);
        let mut story = Story::new(HOURLY, "2026-11-21T12:30:00Z");
        story.pass(hour * 3);
        assert_eq!(story.ran().len(), 3);
        story.turn(at("2026-11-21T14:10:00Z"));
        story.pass(hour * 2);
        assert_eq!(story.ran(), ["2026-11-21T16:00:00Z"], "15:00 had been dealt with");

        story.pass(hour * 24);
        assert_eq!(story.ran().len(), 24);
        story.turn(story.now - hour * 24);
        story.pass(hour * 25);
        assert_eq!(story.ran(), ["2026-11-22T17:00:00Z"]);
    }

    #[test]
    fn a_clock_that_jumped_far_ahead_and_comes_back_stops_nothing() {
        for (expression, most) in [(HOURLY, 1), (DAILY, 24)] {
            let mut story = Story::new(expression, "2026-11-21T12:30:00Z");
            story.turn(at("2031-06-01T00:00:00Z"));
            assert_eq!(story.ran().len(), 1, "caught up once");
            story.turn(at("2026-11-21T12:31:00Z"));
            story.pass(SignedDuration::from_hours(most));
            assert_eq!(story.ran().len(), 1, "{expression}");
        }
        // By less than a day: moments that were skipped come, those that were run do not.
        let mut story = Story::new(HOURLY, "2026-11-21T12:30:00Z");
        story.turn(at("2026-11-21T20:30:00Z"));
        assert_eq!(story.ran(), ["2026-11-21T20:00:00Z"]);
        story.turn(at("2026-11-21T12:31:00Z"));
        story.pass(SignedDuration::from_hours(9));
        assert_eq!(story.ran().len(), 8, "13:00 to 19:00, and 21:00");
    }

    #[test]
    fn the_jitter_is_short_and_stays_the_same() {
        let created = at("2026-11-21T12:30:00Z");
        let all =
            |created| ["vendor:process", "cashout:transfer", "cashout:withdraw"].map(|name| jitter(created, name));
        assert_eq!(all(created), all(created));
        assert_ne!(all(created), all(created + SignedDuration::from_nanos(1)));
        assert!(all(created).iter().all(|one| *one < SignedDuration::from_mins(1) && *one >= SignedDuration::ZERO));
    }

    #[derive(Debug, Clone)]
    enum Turn {
        Pass(i64),
        Jump(i64),
        Restart,
    }

    fn turns() -> impl Strategy<Value = Turn> {
        prop_oneof![
            5 => (1_i64..2_000).prop_map(Turn::Pass),
            3 => (-3_000_i64..3_000).prop_map(Turn::Jump),
            1 => Just(Turn::Jump(5_000_000)),
            1 => Just(Turn::Restart),
        ]
    }

    proptest! {
        /// Checks for any sequence of clock changes that no moment comes twice and that, once time
        /// passes steadily, every moment is run, except those run before.
        #[test]
        fn no_moment_twice_and_none_forgotten(
            turns in prop::collection::vec(turns(), 0..12),
            expression in prop::sample::select(vec![HOURLY, DAILY, "30 2,14 * * *", "*/20 * * * *"]),
        ) {
            let mut story = Story::new(expression, "2026-03-28T12:30:00Z");
            let all = |story: &mut Story| story.ran.clone();
            for turn in turns {
                match turn {
                    Turn::Pass(minutes) => story.pass(SignedDuration::from_mins(minutes)),
                    Turn::Jump(minutes) => story.turn(story.now + SignedDuration::from_mins(minutes)),
                    Turn::Restart => {
                        let written = serde_json::to_string(&story.remembered).unwrap();
                        story.remembered = serde_json::from_str(&written).unwrap();
                    }
                }
            }
            let before = all(&mut story);
            let begin = story.now - story.schedule.jitter;
            story.pass(SignedDuration::from_hours(30));
            let after = all(&mut story);
            let mut unique = after.clone();
            unique.sort_unstable();
            unique.dedup();
            // A moment handled so long ago that it is no longer remembered may come again.
            prop_assert!(unique.len() == after.len() || after.len() > MAX_KEPT);
            let timetable = story.schedule.timetable.clone().unwrap();
            let mut moment = begin;
            while let Some(next) = timetable.next_after(moment).filter(|next| *next <= story.now - story.schedule.jitter) {
                prop_assert!(after.contains(&next) || before.contains(&next), "{next} was forgotten");
                moment = next;
            }
        }
    }
}
