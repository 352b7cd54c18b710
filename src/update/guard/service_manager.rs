//! Notifications to the service manager, if one listens (`NOTIFY_SOCKET`).

use std::time::{Duration, Instant};

use sd_notify::NotifyState;

/// Extension of the start while a worker opens its store, and the interval of the extensions.
const START_EXTENSION: Duration = Duration::from_secs(30);
const START_EXTENSION_INTERVAL: Duration = Duration::from_secs(10);

/// Upper bound on the duration of a start; enough to open a store with years of data.
const START_TIMEOUT: Duration = Duration::from_mins(30);

/// Upper bound on the wait for the next event, if nothing else is due.
const CHECK_INTERVAL: Duration = Duration::from_secs(5);

/// The service manager, and the notifications that it was sent.
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
        notify(&[NotifyState::Ready]);
    }

    /// Reports that the service stops.
    pub(super) fn stopping(&mut self) {
        self.is_ready = true;
        notify(&[NotifyState::Stopping]);
    }

    /// Feeds the watchdog, and extends the time of a start that takes longer.
    pub(super) fn notify_alive(&mut self, now: Instant, is_starting: bool) {
        if let Some(patience) = self.watchdog
            && self.fed_at.is_none_or(|fed| now.saturating_duration_since(fed) >= patience / 3)
        {
            self.fed_at = Some(now);
            notify(&[NotifyState::Watchdog]);
        }
        let may_take_longer = now.saturating_duration_since(self.began_at) < START_TIMEOUT;
        if is_starting
            && !self.is_ready
            && may_take_longer
            && self.prolonged_at.is_none_or(|then| now.saturating_duration_since(then) >= START_EXTENSION_INTERVAL)
        {
            self.prolonged_at = Some(now);
            notify(&[NotifyState::ExtendTimeoutUsec(u32::try_from(START_EXTENSION.as_micros()).unwrap_or(u32::MAX))]);
        }
    }

    /// Returns the time until the next notification is due.
    pub(super) fn time_to_next(&self) -> Duration {
        self.watchdog
            .map_or(CHECK_INTERVAL, |patience| (patience / 3).min(CHECK_INTERVAL))
            .max(Duration::from_millis(50))
    }
}

/// Notifies the service manager. A manager that is missing or does not listen changes nothing.
fn notify(state: &[NotifyState<'_>]) {
    let _ = sd_notify::notify(state);
}
