//! The only "now". Everything that needs the time is handed a [`Clock`], so that tests, the
//! sandbox and the demo can turn it by hand.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

/// A source of the present instant (UTC). Cloning shares it.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    turned: Option<Arc<Mutex<Timestamp>>>,
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self { turned: None }
    }

    /// A clock that stands still at `at` until it is turned by [`Clock::set`] or [`Clock::advance`].
    pub fn turned_by_hand(at: Timestamp) -> Self {
        Self { turned: Some(Arc::new(Mutex::new(at))) }
    }

    /// The present instant.
    pub fn now(&self) -> Timestamp {
        match &self.turned {
            Some(hand) => *hand.lock().unwrap_or_else(PoisonError::into_inner),
            #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the time")]
            None => Timestamp::now(),
        }
    }

    /// Turns the clock to `at`. The machine's clock cannot be turned and stays as it is.
    pub fn set(&self, at: Timestamp) {
        if let Some(hand) = &self.turned {
            *hand.lock().unwrap_or_else(PoisonError::into_inner) = at;
        }
    }

    /// Turns the clock on by `by`, at most to the end of representable time.
    pub fn advance(&self, by: SignedDuration) {
        self.set(self.now().checked_add(by).unwrap_or(Timestamp::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turned_clock_moves_only_by_hand_and_for_all_who_share_it() {
        let start: Timestamp = "2026-11-21T10:00:00Z".parse().unwrap();
        let clock = Clock::turned_by_hand(start);
        let shared = clock.clone();
        clock.advance(SignedDuration::from_hours(2));
        assert_eq!(shared.now().to_string(), "2026-11-21T12:00:00Z");
        assert_eq!(shared.now(), clock.now());
    }
}
