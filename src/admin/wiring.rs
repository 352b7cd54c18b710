//! The only wiring: the store, the clients and the clock become the context of the batches.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry_otlp::ExporterBuildError;
use thiserror::Error;

use crate::config::Config;
use crate::jobs::{BatchRecord, Context, with_batches};
use crate::logs::LogLine;
use crate::mail::Mail;
use crate::platform::clock::Clock;
use crate::platform::os::User;
use crate::platform::telemetry::Telemetry;
use crate::remote::hipay::HiPay;
use crate::remote::mirakl::Mirakl;
use crate::remote::{ClientPolicy, TraceClient, Unusable};
use crate::schema::with_domain;
use crate::store::{Schema, Store, StoreError, StoreOptions};
use crate::text::message::{Message, logged, msg};
use crate::trouble::Aside;

/// Parameters of the wiring.
#[derive(Debug, Clone)]
pub struct Wiring {
    /// Clock of the program.
    pub clock: Clock,
    /// Time to wait for another process to release the store.
    pub store_wait: Duration,
    /// Policy of the calls to the remotes; the concurrency comes from the configuration.
    pub manners: ClientPolicy,
}

impl Default for Wiring {
    fn default() -> Self {
        Self { clock: Clock::system(), store_wait: Duration::ZERO, manners: ClientPolicy::default() }
    }
}

/// The reason why the parts cannot be wired.
#[derive(Debug, Error)]
pub enum AppError {
    /// Failure to open the store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Unusable address of a remote.
    #[error(transparent)]
    Remote(#[from] Unusable),
    /// Failure to set up the sending of traces.
    #[error("telemetry.otlp: no traces can be sent: {0}")]
    Traces(#[from] ExporterBuildError),
}

impl From<&AppError> for Message {
    fn from(error: &AppError) -> Self {
        match error {
            AppError::Store(error) => error.into(),
            AppError::Remote(_) | AppError::Traces(_) => Self::quoting(error.to_string()),
        }
    }
}

/// Returns all collections of the store.
pub fn schema() -> Schema {
    with_batches(with_domain(Schema::new())).with::<LogLine>().with::<Mail>()
}

/// Opens the store in `data` and connects everything. Blocks; must not be called on an async thread.
pub fn open(config: Config, data: &Path, wiring: &Wiring) -> Result<Context, AppError> {
    let (mirakl, hipay) = clients(&config, &wiring.manners)?;
    create_private_folder(data, None)?;
    let options = StoreOptions { clock: wiring.clock.clone(), ..StoreOptions::default() };
    let store = Store::open_waiting(data, &options, &schema(), wiring.store_wait)?;
    BatchRecord::close_interrupted(&store, wiring.clock.now())?;
    let telemetry = match &config.telemetry.otlp {
        Some(collector) => telemetry(collector, &config, wiring)?,
        None => Telemetry::default(),
    };
    let mut context = Context::new(store, mirakl, hipay, Arc::new(config), wiring.clock.clone());
    context.telemetry = telemetry;
    if let Err(error) = context.store.read(|reader| context.troubles.load(reader)) {
        logged!(warn, action = "serve", msg!("log-troubles-unknown", error = &error));
    }
    let aside = Aside::of(data);
    aside.prepare();
    context.troubles.note_aside(aside);
    Ok(context)
}

/// Sends the traces that are still queued, and logs it if some may not have been sent. Blocks for some seconds at most.
pub fn end_telemetry(telemetry: &Telemetry) {
    if let Some(error) = telemetry.end() {
        logged!(warn, action = "telemetry", msg!("log-traces-unsent", error));
    }
}

fn telemetry(collector: &str, config: &Config, wiring: &Wiring) -> Result<Telemetry, AppError> {
    let client = TraceClient::new(collector, &config.network)?;
    Ok(Telemetry::to_collector(collector, &config.mirakl.base_url, client, wiring.clock.clone())?)
}

/// Returns the clients of both remotes.
pub fn clients(config: &Config, manners: &ClientPolicy) -> Result<(Mirakl, HiPay), Unusable> {
    let (max_concurrency, network) = (config.hipay.max_concurrency, config.network.clone());
    let polite = ClientPolicy { max_concurrency, network, ..manners.clone() };
    Ok((Mirakl::new(&config.mirakl, polite.clone())?, HiPay::new(&config.hipay, polite)?))
}

/// Creates the data folder, into which only `user` may look, or our own user if none is given: it holds salts and
/// payments. An existing folder stays as it is.
pub(crate) fn create_private_folder(data: &Path, user: Option<User>) -> Result<(), StoreError> {
    use std::os::unix::fs::{DirBuilderExt, lchown};
    if data.is_dir() {
        return Ok(());
    }
    if data.exists() {
        return Err(StoreError::Machine(format!(
            "{} is in the place of the data folder and is no folder; move it away, or name a folder with --data",
            data.display()
        )));
    }
    let created = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(data);
    let created = created.and_then(|()| match user {
        // A link that somebody has put there since must not be followed.
        Some(user) => lchown(data, Some(user.id), Some(user.group)),
        None => Ok(()),
    });
    created.map_err(|error| {
        StoreError::Machine(format!(
            "the data folder {} cannot be created: {error}; create it, or name another with --data",
            data.display()
        ))
    })
}
