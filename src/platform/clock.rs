//! The only source of the current time. Code that needs the time receives a [`Clock`], so that tests, the sandbox and
//! the demo can set it by hand.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;

/// A source of the current instant (UTC). Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    turned: Option<Arc<ManualClock>>,
}

#[derive(Debug)]
struct ManualClock {
    at: Mutex<Timestamp>,
    turned: Notify,
    /// Speed as a multiple of the machine's clock; `None` for a clock that does not run.
    speed: Option<u32>,
}

/// Real time between two steps of a clock that runs fast: long enough that waiting for it does not spin.
const STEP_INTERVAL: Duration = Duration::from_millis(100);

/// Time after which a wait checks the machine's clock again, which may have jumped, or stood still while the machine
/// slept.
const RECHECK_INTERVAL: Duration = Duration::from_secs(5);

impl Clock {
    /// Returns the machine's clock.
    pub fn system() -> Self {
        Self { turned: None }
    }

    /// Makes a clock that stands still at `at` until [`Clock::set`] or [`Clock::advance`] moves it.
    pub fn manual(at: Timestamp) -> Self {
        Self::hand(at, None)
    }

    /// Makes a clock that can be set by hand too, and runs `speed` times as fast as the machine's while [`Clock::run`]
    /// is awaited. It begins now.
    pub fn fast(speed: u32) -> Self {
        Self::hand(Self::system().now(), Some(speed))
    }

    fn hand(at: Timestamp, speed: Option<u32>) -> Self {
        Self { turned: Some(Arc::new(ManualClock { at: Mutex::new(at), turned: Notify::new(), speed })) }
    }

    /// Returns the speed of a clock that runs fast, as a multiple of the machine's clock.
    pub fn speed(&self) -> Option<u32> {
        self.turned.as_ref().and_then(|hand| hand.speed)
    }

    /// Returns the instant for limits that concern people: the duration of a session, the wait after a wrong password.
    /// It is [`Clock::now`], except for a clock that runs fast: then it is the machine's, because people do not run
    /// fast.
    pub fn wall_now(&self) -> Timestamp {
        if self.speed().is_some() { Self::system().now() } else { self.now() }
    }

    /// Advances a clock that runs fast, steadily and forever. Any other clock stays as it is.
    pub async fn run(&self) {
        let Some(speed) = self.speed() else { return std::future::pending().await };
        let step = SignedDuration::try_from(STEP_INTERVAL.saturating_mul(speed)).unwrap_or(SignedDuration::MAX);
        let mut turns = tokio::time::interval(STEP_INTERVAL);
        turns.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            turns.tick().await;
            self.advance(step);
        }
    }

    /// Returns the current instant.
    pub fn now(&self) -> Timestamp {
        match &self.turned {
            Some(hand) => *hand.at.lock().unwrap_or_else(PoisonError::into_inner),
            #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the time")]
            None => Timestamp::now(),
        }
    }

    /// Sets the clock to `at`. The machine's clock cannot be set and stays as it is.
    pub fn set(&self, at: Timestamp) {
        if let Some(hand) = &self.turned {
            *hand.at.lock().unwrap_or_else(PoisonError::into_inner) = at;
            hand.turned.notify_waiters();
        }
    }

    /// Advances the clock by `by`, at most to the end of representable time.
    pub fn advance(&self, by: SignedDuration) {
        self.set(self.now().checked_add(by).unwrap_or(Timestamp::MAX));
    }

    /// Waits until the clock reaches `at`. A clock that is set to or past it ends the wait at once; a jump of the
    /// machine's clock ends it within some seconds.
    pub async fn until(&self, at: Timestamp) {
        self.until_or_set_back(at, Timestamp::MIN).await;
    }

    /// Waits until the clock reaches `at`, or is set back before `seen`, the time of the waiter's last look: the
    /// awaited event may then be further off, or nearer, than expected.
    pub async fn until_or_set_back(&self, at: Timestamp, seen: Timestamp) {
        let over = || {
            let now = self.now();
            now >= at || now < seen
        };
        loop {
            if let Some(hand) = &self.turned {
                let turned = hand.turned.notified();
                tokio::pin!(turned);
                // Registered before the check, so that a change in between is not missed.
                turned.as_mut().enable();
                if over() {
                    return;
                }
                turned.await;
            } else {
                if over() {
                    return;
                }
                let left = Duration::try_from(at.duration_since(self.now())).unwrap_or_default();
                tokio::time::sleep(left.min(RECHECK_INTERVAL)).await;
            }
        }
    }

    /// Waits for `span` from now on, as [`Clock::until`] does.
    pub async fn sleep(&self, span: SignedDuration) {
        self.until(self.now().checked_add(span).unwrap_or(Timestamp::MAX)).await;
    }
}

#[cfg(test)]
mod tests;
