//! What the service manager is told, where one listens (`NOTIFY_SOCKET`).

use std::time::{Duration, Instant};

use sd_notify::NotifyState;

/// How much more time a worker that opens its store is given at a time, and how often.
const MORE: Duration = Duration::from_secs(30);
const MORE_EVERY: Duration = Duration::from_secs(10);

/// How long a start may take altogether: the store of years is made ready within this.
const START_WITHIN: Duration = Duration::from_mins(30);

/// How long to wait at most before the next look, where nothing else is due.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// The service manager.
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

    /// The first worker answers requests.
    pub(super) fn ready(&mut self) {
        self.is_ready = true;
        tell(&[NotifyState::Ready]);
    }

    /// The end has begun.
    pub(super) fn stopping(&mut self) {
        self.is_ready = true;
        tell(&[NotifyState::Stopping]);
    }

    /// Says that we live, and that a start takes longer where it does.
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

    /// How long until it has to hear from us again.
    pub(super) fn patience(&self) -> Duration {
        self.watchdog.map_or(LOOK_EVERY, |patience| (patience / 3).min(LOOK_EVERY)).max(Duration::from_millis(50))
    }
}

/// Nobody to tell, or nobody who hears it, changes nothing for us.
fn tell(state: &[NotifyState<'_>]) {
    let _ = sd_notify::notify(state);
}
