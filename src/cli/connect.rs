//! Access of a command to the store: through the running service, or directly.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::Method;
use jiff::tz::TimeZone;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::service_client::ServiceClient;
use super::{Exit, Failed, Global, accepted, output, owner, runtime};
use crate::admin::wiring::{self, AppError, Wiring};
use crate::config::{Config, ConfigDraft, ConfigErrors, Settings, process_environment};
use crate::jobs::{Context, JobError};
use crate::logs::Logs;
use crate::mail::Mailer;
use crate::store::StoreError;

/// Maximum wait for another process to release the store.
const STORE_WAIT: Duration = Duration::from_mins(1);
/// Interval between checks whether a service has come up meanwhile.
const SLICE: Duration = Duration::from_millis(250);

/// The access to the store.
pub(super) enum Reached {
    /// The running service, which has the store and answers.
    Service(ServiceClient),
    /// The store itself, which no other process has.
    Store(Box<Context>),
}

/// The settings that are available to a command.
pub(super) enum Settled {
    /// All settings.
    Here(Box<Config>),
    /// The running service, which has settings that the file lacks from elsewhere, such as its credentials.
    WithTheService(ServiceClient),
}

/// Reads the settings, as far as a command needs them.
pub(super) fn read_settings(global: &Global) -> Result<Settled, Failed> {
    let loaded = Config::load(&global.config, process_environment());
    if loaded.as_ref().is_err_and(ConfigErrors::is_unfinished)
        && let Some(service) = ServiceClient::find(global)
    {
        return Ok(Settled::WithTheService(service));
    }
    Ok(Settled::Here(Box::new(accepted(global, loaded)?)))
}

impl Settled {
    /// Returns the time zone of typed dates: the configured one.
    pub(super) fn time_zone(&self, global: &Global) -> Result<TimeZone, Failed> {
        if let Self::Here(config) = self {
            return Ok(config.hipay.time_zone.clone());
        }
        let usage = |sentence: String| Failed::new(Exit::Usage, sentence);
        let draft = ConfigDraft::begin(&global.config, process_environment());
        let draft = draft.map_err(|errors| usage(errors.to_string()))?;
        let name = draft.known().remove("hipay.timezone").and_then(|known| known.value).unwrap_or_default();
        TimeZone::get(&name).map_err(|error| usage(format!("hipay.timezone: {error}")))
    }

    /// Gets access to the store.
    pub(super) fn connect(self, global: &Global) -> Result<Reached, Failed> {
        match self {
            Self::Here(config) => connect(global, &config, &Wiring::default()),
            Self::WithTheService(service) => Ok(Reached::Service(service)),
        }
    }
}

/// Carries out a person's choice: through the running service, by a POST of `body` to `path`, or directly by `choose`.
/// Returns what the choice concerns, as it is afterwards.
pub(super) fn carry_out<Thing: DeserializeOwned, Chosen: Into<Thing>>(
    global: &Global,
    path: &str,
    body: &Value,
    choose: impl AsyncFnOnce(&Context) -> Result<Chosen, JobError>,
) -> Result<Thing, Failed> {
    owner::become_owner_of(&global.data)?;
    match read_settings(global)?.connect(global)? {
        Reached::Service(service) => runtime()?.block_on(service.call(Method::POST, path, Some(body))),
        Reached::Store(context) => {
            let outcome = runtime()?.block_on(choose(&context));
            let closed = close(global, *context);
            let chosen = outcome?;
            closed?;
            Ok(chosen.into())
        }
    }
}

/// Connects to the service if one answers, otherwise opens the store. If another process has the store, it
/// prints that before it waits: a command that is silent for a minute looks hung.
pub(super) fn connect(global: &Global, config: &Config, wiring: &Wiring) -> Result<Reached, Failed> {
    let deadline = Instant::now() + STORE_WAIT;
    let mut store_wait = Duration::ZERO;
    loop {
        if let Some(service) = ServiceClient::find(global) {
            return Ok(Reached::Service(service));
        }
        match wiring::open(config.clone(), &global.data, &Wiring { store_wait, ..wiring.clone() }) {
            Err(AppError::Store(StoreError::InUse { .. })) if !global.no_wait && Instant::now() < deadline => {
                if store_wait.is_zero() {
                    output::notice("another process uses the store; waiting for it, a minute at most");
                    store_wait = SLICE;
                }
            }
            opened => {
                let context = opened?;
                if let Some(logs) = Logs::current() {
                    logs.follow(Settings::new(&global.config, Arc::new(config.clone())));
                    logs.store_in(&context.store)?;
                }
                return Ok(Reached::Store(Box::new(context)));
            }
        }
    }
}

/// Time limit for a mail server that does not answer at the end of a command.
const MAIL_TIMEOUT: Duration = Duration::from_secs(15);

/// Releases the store once the logged lines are mailed and stored.
pub(super) fn close(global: &Global, context: Context) -> Result<(), Failed> {
    let Context { store, config, clock, troubles, telemetry, .. } = context;
    let flushed = std::thread::spawn(move || wiring::end_telemetry(&telemetry));
    let logs = Logs::current();
    let settings = Settings::new(&global.config, config);
    let mailer = Mailer::new(store.clone(), clock, settings, logs.clone(), troubles).with_patience(MAIL_TIMEOUT);
    runtime()?.block_on(mailer.once());
    if let Some(logs) = logs {
        logs.release_store();
    }
    let closed = store.close();
    // Only a panicked thread would be an error here.
    let _ = flushed.join();
    Ok(closed?)
}
