//! `cashout serve`: the appliance, until it is asked to stop.

use std::io::ErrorKind;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::signal::unix::{SignalKind, signal};

use super::output::notice;
use super::reach::{Reached, reach};
use super::{Exit, Failed, Global, configuration, owner};
use crate::config::{Config, Settings};
use crate::logs::Logs;
use crate::serve::{Appliance, STOP_WITHIN, ServeError};
use crate::store::{Store, StoreError};
use crate::sys;

impl From<ServeError> for Failed {
    fn from(error: ServeError) -> Self {
        match error {
            ServeError::Store(error) => error.into(),
            ServeError::Tls(error) => Self::new(Exit::Usage, error.to_string()),
            ServeError::Listener(error) => error.into(),
        }
    }
}

pub(super) fn run(global: &Global) -> Result<Exit, Failed> {
    owner::become_owner_of(&global.data)?;
    let config = configuration(global)?;
    let settings = Settings::new(&global.config, Arc::new(config.clone()));
    // Before the listening socket: a second service is told what it is, not that a port is taken.
    let context = match reach(global, &config)? {
        Reached::Store(context) => *context,
        Reached::Service(_) => {
            let data = global.data.display();
            let sentence = format!("a cashout service is at work on {data} already; stop that one first");
            return Err(Failed::new(Exit::Busy, sentence));
        }
    };
    let listener = listener(&config)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        // Before anything else: a signal during the start is not to kill us in the middle of it.
        let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let mut asked = async || {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        let mut hangup = signal(SignalKind::hangup())?;
        tokio::spawn(async move {
            while hangup.recv().await.is_some() {
                if let Some(logs) = Logs::current() {
                    logs.reopen();
                }
            }
        });
        let appliance = Appliance::start(context, settings, listener, global.data.clone()).await?;
        notice(&format!("cashout {} answers on {}", env!("CARGO_PKG_VERSION"), appliance.address()));
        tell(&[NotifyState::Ready]);
        let store = appliance.web().context.store.clone();
        let failed = tokio::select! {
            () = asked() => None,
            () = feed_watchdog(store.clone()) => None,
            error = store.failed() => Some(error),
        };
        if let Some(error) = failed {
            tracing::error!(severity = "CRITICAL", action = "serve", "the service ends, to be started anew: {error}");
            // Until then whoever sends a notification is told to come again.
            tokio::time::sleep(STORE_GIVEN_UP_AFTER).await;
            tell(&[NotifyState::Stopping]);
            return Err(Failed::from(error));
        }
        tell(&[NotifyState::Stopping]);
        notice("stopping as soon as what is in hand is safe; once more to stop at once");
        tokio::select! {
            stopped = appliance.stop() => {
                stopped?;
                Ok(Exit::Done)
            }
            () = asked() => Ok(Exit::Stopped),
            // Nothing is lost: every intent was committed before its request left.
            () = tokio::time::sleep(STOP_WITHIN) => {
                Err(Failed::new(Exit::Machine, format!("what was in hand did not end within {} s", STOP_WITHIN.as_secs())))
            }
        }
    })
}

/// How long the service goes on answering after the store has failed: only a new start opens it again.
const STORE_GIVEN_UP_AFTER: Duration = Duration::from_secs(10);

/// The socket that was handed in, or one of our own.
fn listener(config: &Config) -> Result<TcpListener, Failed> {
    let handed_in = sys::handed_in_listener().map_err(|error| {
        Failed::new(Exit::Machine, format!("the socket that was handed in cannot be used: {error}"))
    })?;
    if let Some(listener) = handed_in {
        return Ok(listener);
    }
    let address = config.server.listen;
    TcpListener::bind(address).map_err(|error| {
        let kind = error.kind();
        let mend = if kind == ErrorKind::AddrInUse {
            "another program has it; stop that one, or choose another port"
        } else if kind == ErrorKind::PermissionDenied {
            "ports below 1024 need a right of their own; choose another port"
        } else {
            "choose an address that this machine has"
        };
        Failed::new(Exit::Machine, format!("server.listen: {address} cannot be listened on ({error}): {mend}"))
    })
}

/// Tells systemd, where it listens.
fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(action = "serve", "the service manager cannot be told: {error}");
    }
}

/// Tells the watchdog that we live, as long as the store answers. Where there is none, it waits for
/// ever.
async fn feed_watchdog(store: Store) {
    let Some(patience) = sd_notify::watchdog_enabled() else { return std::future::pending().await };
    loop {
        match store.reading(|_| Ok(())).await {
            Ok(()) => tell(&[NotifyState::Watchdog]),
            Err(StoreError::Closed) => return std::future::pending().await,
            Err(error) => tracing::error!(action = "serve", "the store does not answer: {error}"),
        }
        tokio::time::sleep((patience / 3).max(Duration::from_millis(100))).await;
    }
}
