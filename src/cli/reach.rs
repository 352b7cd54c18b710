//! How a command comes to the store: through the running service, or by itself.

use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;

use super::{Exit, Failed, Global, configuration, output, runtime};
use crate::app::{self, AppError, Wiring};
use crate::config::{Config, Draft, Settings, process_environment};
use crate::jobs::Context;
use crate::logs::Logs;
use crate::mail::Mailer;
use crate::socket;
use crate::store::StoreError;

/// How long a command waits for another one to be done with the store.
const STORE_WAIT: Duration = Duration::from_mins(1);
/// How long it waits before it looks whether a service has come up meanwhile.
const SLICE: Duration = Duration::from_millis(250);

/// The way to the store.
pub(super) enum Reached {
    /// The running service has it, and answers.
    Service(UnixStream),
    /// Nobody else has it.
    Store(Box<Context>),
}

/// The same for a command, by the configuration. What is missing in that may be among the credentials of
/// the running service: then it is enough that one answers.
pub(super) fn reach_configured(global: &Global) -> Result<Reached, Failed> {
    match socket::connect(&global.data) {
        Some(service) if is_unfinished(global) => Ok(Reached::Service(service)),
        Some(_) | None => reach(global, &configuration(global)?),
    }
}

/// Whether nothing is wrong with the configuration but that required settings are missing.
pub(super) fn is_unfinished(global: &Global) -> bool {
    Config::load(&global.config, process_environment()).is_err_and(|errors| errors.is_unfinished())
}

/// The zone of dates that are typed: the configured one.
pub(super) fn time_zone(global: &Global) -> Result<TimeZone, Failed> {
    let usage = |sentence: String| Failed::new(Exit::Usage, sentence);
    let draft = Draft::begin(&global.config, process_environment()).map_err(|errors| usage(errors.to_string()))?;
    let name = draft.known("hipay.timezone").value.unwrap_or_default();
    TimeZone::get(&name).map_err(|error| usage(format!("hipay.timezone: {error}")))
}

/// Goes to the service where one answers, else opens the store. Where another process has the store,
/// it says so before it waits: a command that is silent for a minute looks as if it hung.
pub(super) fn reach(global: &Global, config: &Config) -> Result<Reached, Failed> {
    reach_wired(global, config, &Wiring::default())
}

/// The same with this wiring.
pub(super) fn reach_wired(global: &Global, config: &Config, wiring: &Wiring) -> Result<Reached, Failed> {
    let deadline = Instant::now() + STORE_WAIT;
    let mut store_wait = Duration::ZERO;
    loop {
        if let Some(service) = socket::connect(&global.data) {
            return Ok(Reached::Service(service));
        }
        match app::open(config.clone(), &global.data, &Wiring { store_wait, ..wiring.clone() }) {
            Err(AppError::Store(StoreError::InUse { .. })) if !global.no_wait && Instant::now() < deadline => {
                if store_wait.is_zero() {
                    output::notice("another process has the store; waiting for it, a minute at most");
                    store_wait = SLICE;
                }
            }
            opened => {
                let context = opened?;
                if let Some(logs) = Logs::current() {
                    logs.follow(Settings::new(&global.config, Arc::new(config.clone())));
                    logs.keep_in(&context.store)?;
                }
                return Ok(Reached::Store(Box::new(context)));
            }
        }
    }
}

/// How long a command that is done stays for a mail server that does not answer.
const MAILED_WITHIN: Duration = Duration::from_secs(15);

/// Lets go of the store once what was logged is mailed and kept.
pub(super) fn leave(global: &Global, context: Context) -> Result<(), Failed> {
    let Context { store, config, clock, .. } = context;
    let logs = Logs::current();
    if config.mail.is_some() {
        let settings = Settings::new(&global.config, config);
        let mailer = Mailer::new(store.clone(), clock, settings, logs.clone()).with_patience(MAILED_WITHIN);
        runtime()?.block_on(mailer.once());
    }
    if let Some(logs) = logs {
        logs.let_go();
    }
    Ok(store.close()?)
}
