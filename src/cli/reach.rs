//! How a command comes to the store: through the running service, or by itself.

use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Failed, Global, output, runtime};
use crate::app::{self, AppError, Wiring};
use crate::config::{Config, Settings};
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

/// Goes to the service where one answers, else opens the store. Where another process has the store,
/// it says so before it waits: a command that is silent for a minute looks as if it hung.
pub(super) fn reach(global: &Global, config: &Config) -> Result<Reached, Failed> {
    let deadline = Instant::now() + STORE_WAIT;
    let mut store_wait = Duration::ZERO;
    loop {
        if let Some(service) = socket::connect(&global.data) {
            return Ok(Reached::Service(service));
        }
        match app::open(config.clone(), &global.data, &Wiring { store_wait, ..Wiring::default() }) {
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
