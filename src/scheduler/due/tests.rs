//! Tests of `scheduler/due.rs`.

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

/// A scheduler that checks the clock when its last decision asks for it, or when the clock jumps.
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
    let all = |created| ["vendor:process", "cashout:transfer", "cashout:withdraw"].map(|name| jitter(created, name));
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
        let before = story.ran.clone();
        let begin = story.now - story.schedule.jitter;
        story.pass(SignedDuration::from_hours(30));
        let after = story.ran.clone();
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
