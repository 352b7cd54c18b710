//! Notifications to the service manager, if one listens (`NOTIFY_SOCKET`).

use std::time::{Duration, Instant};

use sd_notify::NotifyState;

/// Extension of the start while a worker opens its store, and the interval of the extensions.
const MORE: Duration = Duration::from_secs(30);
const MORE_EVERY: Duration = Duration::from_secs(10);

/// Upper bound on the duration of a start; enough to open a store with years of data.
const START_WITHIN: Duration = Duration::from_mins(30);

/// Upper bound on the wait for the next look, if nothing else is due.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// The service manager, and what it was last sent.
pub(super) struct Manager {
    watchdog: Option<Duration>,
    fed_at: Option<Instant>,
    prolonged_at: Option<Instant>,
    began_at: Instant,
    is_ready: bool,
}

impl Manager {
    pub(super) fn new() -> Self {
        let watchdog = sd_notify::watchdog_enabled();
        Self { watchdog, fed_at: None, prolonged_at: None, began_at: Instant::now(), is_ready: false }
    }

    /// Reports that the service answers requests.
    pub(super) fn ready(&mut self) {
        self.is_ready = true;
        tell(&[NotifyState::Ready]);
    }

    /// Reports that the service stops.
    pub(super) fn stopping(&mut self) {
        self.is_ready = true;
        tell(&[NotifyState::Stopping]);
    }

    /// Feeds the watchdog, and extends the time of a start that takes longer.
    pub(super) fn look(&mut self, now: Instant, is_starting: bool) {
        if let Some(patience) = self.watchdog
            && self.fed_at.is_none_or(|fed| now.saturating_duration_since(fed) >= patience / 3)
        {
            self.fed_at = Some(now);
            tell(&[NotifyState::Watchdog]);
        }
        let may_take_longer = now.saturating_duration_since(self.began_at) < START_WITHIN;
        if is_starting
            && !self.is_ready
            && may_take_longer
            && self.prolonged_at.is_none_or(|then| now.saturating_duration_since(then) >= MORE_EVERY)
        {
            self.prolonged_at = Some(now);
            tell(&[NotifyState::ExtendTimeoutUsec(u32::try_from(MORE.as_micros()).unwrap_or(u32::MAX))]);
        }
    }

    /// Returns the time until the next notification is due.
    pub(super) fn patience(&self) -> Duration {
        self.watchdog.map_or(LOOK_EVERY, |patience| (patience / 3).min(LOOK_EVERY)).max(Duration::from_millis(50))
    }
}

/// Notifies the service manager. A manager that is missing or does not listen changes nothing.
fn tell(state: &[NotifyState<'_>]) {
    let _ = sd_notify::notify(state);
}
