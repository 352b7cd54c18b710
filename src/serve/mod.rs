//! The appliance: one process that runs the batches, receives HiPay's notifications, and answers over HTTP, until it is
//! asked to stop.

pub mod guard_commands;
pub mod monitor;
pub mod socket;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use jiff::{SignedDuration, Timestamp};
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::monitor::Monitor;
use self::socket::CommandSocket;
use crate::admin::wiring::end_telemetry;
use crate::config::{NoticeLevel, Settings};
use crate::jobs::{self, Context};
use crate::logs::{self, Logs};
use crate::mail::Mailer;
use crate::platform::metrics;
use crate::remote::ClientPolicy;
use crate::scheduler::Scheduler;
use crate::store::StoreError;
use crate::text::message::{logged, msg};
use crate::update::worker::GuardLink;
use crate::update::{Installer, Updates};
use crate::web::{self, Certificate, Connections, Guesses, Limits, Passwords, Readiness, TlsError, Web};

/// Time limit of an orderly stop: requests finish, batches come to a safe point, the store is closed. After it the
/// process may be ended; nothing is lost by that either.
pub const STOP_TIMEOUT: Duration = Duration::from_secs(30);

/// Interval of the looks at notifications that wait in the inbox; new ones are handled as they arrive.
const INBOX_INTERVAL: SignedDuration = SignedDuration::from_secs(1);

/// Interval of the attempts to bind `server.metricsListen`.
const METRICS_RETRY_INTERVAL: Duration = Duration::from_secs(2);
/// Upper bound on the connections to the metrics' listener.
const MAX_METRICS_CONNECTIONS: usize = 32;
/// Interval at which the buffers of the metrics are emptied.
const METRICS_TIDY_INTERVAL: Duration = Duration::from_secs(5);
/// Interval at which data past its retention is removed.
const RETENTION_INTERVAL: SignedDuration = SignedDuration::from_hours(24);

/// The reason why the appliance does not start, by the part to fix.
#[derive(Debug, Error)]
pub enum ServeError {
    /// Failure of the certificate's files.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Failure of the listening socket.
    #[error("the listening socket cannot be used: {0}")]
    Listener(#[from] std::io::Error),
    /// Failure of the store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A running appliance.
pub struct Appliance {
    web: Web,
    address: SocketAddr,
    /// Signal to stop: no connection and no batch begins after it.
    stop: CancellationToken,
    tasks: TaskTracker,
    /// Log of this process; `None` if nothing is logged, as in some tests.
    logs: Option<Logs>,
}

impl Appliance {
    /// Starts everything on an open store; requests are answered on `listener`. `data` is the folder of the store.
    pub async fn start(
        context: Context,
        settings: Settings,
        listener: std::net::TcpListener,
        data: PathBuf,
    ) -> Result<Self, ServeError> {
        Self::start_guarded(context, settings, listener, data, GuardLink::default()).await
    }

    /// Starts everything as [`Appliance::start`] does, as the worker of the guard that `guard` leads to.
    pub async fn start_guarded(
        context: Context,
        settings: Settings,
        listener: std::net::TcpListener,
        data: PathBuf,
        guard: GuardLink,
    ) -> Result<Self, ServeError> {
        metrics::start();
        web::begin_metrics();
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        let address = listener.local_addr()?;
        let certificate = certificate(&settings).await?;
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let logs = start_logs(&context, &settings)?;
        spawn_mailing(&context, &settings, logs.as_ref(), &tasks, &stop);
        let inbox = Arc::clone(&context.inbox);
        let scheduler = Scheduler::new(context.clone(), settings.clone());
        scheduler.catch_up().await?;
        let (started_at, stopping) = (context.clock.now(), stop.clone());
        let (store, clock) = (context.store.clone(), context.clock.clone());
        let updates = Updates::new(store, clock, settings.clone(), data.clone(), ClientPolicy::default());
        tasks.spawn(stop.clone().run_until_cancelled_owned(updates.clone().run()));
        let installer = Installer::new(updates.clone(), guard.clone(), settings.clone());
        tasks.spawn(stop.clone().run_until_cancelled_owned(installer.clone().run()));
        let web = Web {
            context,
            settings,
            readiness: Readiness::waiting_for(msg!("problem-starting")),
            inbox,
            scheduler,
            updates,
            passwords: Passwords::default(),
            guesses: Guesses::default(),
            started_at,
            stopping,
            guard,
            installer,
        };
        spawn_work(&web, certificate.clone(), &tasks, &stop);
        let router = web::router(web.clone());
        if let Some(socket) = CommandSocket::bind(data).await {
            tasks.spawn(socket.serve(router.clone(), stop.clone()));
        }
        spawn_connections(&web, router, certificate, listener, &tasks, &stop);
        web.readiness.ready();
        // The guard is notified first: a reader of the log line may end this process at once, and relies on the guard
        // to start it again.
        web.guard.ready();
        logged!(info, action = "serve", msg!("log-answers", address = address.to_string()));
        Ok(Self { web, address, stop, tasks, logs })
    }

    /// Returns the address at which requests are answered.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the parts that the handlers work with.
    pub fn web(&self) -> &Web {
        &self.web
    }

    /// Stops in good order: nothing new begins, requests finish, batches come to a safe point, and the store is closed.
    /// Returns when that is done.
    pub async fn stop(self) -> Result<(), StoreError> {
        self.web.readiness.mark_unready(msg!("problem-ending"));
        if let Err(error) = monitor::end(&self.web.context).await {
            logged!(warn, action = "serve", msg!("log-stop-not-kept", error = &error));
        }
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        let Web { context, settings, .. } = &self.web;
        let mailer =
            Mailer::new(context.store.clone(), context.clock.clone(), settings.clone(), None, context.troubles.clone());
        mailer.keep().await;
        logged!(info, action = "serve", msg!("log-stops"));
        let (store, telemetry, logs) = (context.store.clone(), context.telemetry.clone(), self.logs);
        drop(self.web);
        // Runs concurrently with the closing of the store, which does not wait for a collector.
        let flushed = tokio::task::spawn_blocking(move || end_telemetry(&telemetry));
        let closed = tokio::task::spawn_blocking(move || {
            // Keeps the last lines while there is a store for them.
            if let Some(logs) = logs {
                logs.release_store();
            }
            store.close()
        });
        let closed = closed.await.unwrap_or(Err(StoreError::Closed));
        let _ = flushed.await;
        closed
    }
}

async fn certificate(settings: &Settings) -> Result<Option<Certificate>, ServeError> {
    let Some(files) = settings.get().server.tls.clone() else { return Ok(None) };
    let read = tokio::task::spawn_blocking(move || Certificate::read(&files)).await;
    Ok(Some(read.map_err(|_| StoreError::Closed)??))
}

/// Has the log of this process follow the settings and keep its lines in the store, and logs what was noticed about the
/// settings. Returns that log; `None` if nothing is logged.
fn start_logs(context: &Context, settings: &Settings) -> Result<Option<Logs>, StoreError> {
    let logs = Logs::current();
    if let Some(logs) = &logs {
        logs.follow(settings.clone());
        logs.store_in(&context.store)?;
    }
    for notice in &settings.get().notices {
        match notice.level {
            NoticeLevel::Warning => logged!(warn, action = "configuration", notice.text),
            NoticeLevel::Info => logged!(info, action = "configuration", notice.text),
        }
    }
    Ok(logs)
}

/// Spawns the tasks that remove old lines of the log and that send mails.
fn spawn_mailing(
    context: &Context,
    settings: &Settings,
    logs: Option<&Logs>,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) {
    let (store, clock) = (context.store.clone(), context.clock.clone());
    tasks.spawn(logs::retain(store.clone(), clock.clone(), settings.clone(), stop.clone()));
    let mailer = Mailer::new(store, clock, settings.clone(), logs.cloned(), context.troubles.clone())
        .behind(context.gate.clone());
    tasks.spawn(mailer.run(stop.clone()));
    tasks.spawn(jobs::make_digests(context.clone(), settings.clone(), stop.clone()));
}

/// Spawns the tasks that work on the store and the remotes by themselves.
fn spawn_work(web: &Web, certificate: Option<Certificate>, tasks: &TaskTracker, stop: &CancellationToken) {
    let monitor = Monitor::new(web.context.clone(), web.settings.clone(), certificate);
    tasks.spawn(monitor.run(stop.clone()));
    tasks.spawn(stop.clone().run_until_cancelled_owned(tidy_metrics()));
    tasks.spawn(stop.clone().run_until_cancelled_owned(drain_inbox_for_ever(web.clone())));
    tasks.spawn(stop.clone().run_until_cancelled_owned(read_salts(web.clone())));
    tasks.spawn(stop.clone().run_until_cancelled_owned(keep_retention(web.clone())));
    tasks.spawn(web.scheduler.clone().work(stop.clone()));
}

/// Spawns the tasks that answer requests on `listener`, and those for metrics on their own listener if there is one.
fn spawn_connections(
    web: &Web,
    router: Router,
    certificate: Option<Certificate>,
    listener: TcpListener,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) {
    let settings = web.settings.clone();
    let connections = Connections::new(router, certificate, Limits::of_this_process())
        .close_while(web.context.gate.clone())
        .lift_bound_for(move |address| settings.get().server.is_trusted_proxy(address));
    tasks.spawn(connections.serve(listener, stop.clone()));
    if let Some(address) = web.settings.get().server.metrics_listen {
        tasks.spawn(show_metrics(web.clone(), address, stop.clone()));
    }
}

/// Serves the metrics on a listener of their own, as soon as the address is free: the previous process may still hold
/// it.
async fn show_metrics(web: Web, address: SocketAddr, stop: CancellationToken) {
    let mut told = false;
    let listener = loop {
        match TcpListener::bind(address).await {
            Ok(listener) => break listener,
            Err(error) if !told => {
                told = true;
                let (address, error) = (address.to_string(), error.to_string());
                logged!(warn, action = "metrics", msg!("log-metrics-address-in-use", address, error));
            }
            Err(_) => {}
        }
        if stop.run_until_cancelled(tokio::time::sleep(METRICS_RETRY_INTERVAL)).await.is_none() {
            return;
        }
    };
    let limits =
        Limits { connections: MAX_METRICS_CONNECTIONS, of_address: MAX_METRICS_CONNECTIONS, ..Limits::default() };
    Connections::new(web::metrics_router(web, address), None, limits).serve(listener, stop).await;
}

/// Reads the salts with which notifications about our own accounts are checked.
async fn read_salts(web: Web) {
    jobs::read_own_callback_salts(&web.context).await;
}

/// Handles notifications as they arrive, and again those that wait. Notifications about vendors sometimes wait for
/// remotes: they have a loop of their own, which nothing else waits for.
async fn drain_inbox_for_ever(web: Web) {
    let (vendors, clock) = (Notify::new(), &web.context.clock);
    let payments = async {
        loop {
            let stored = web.inbox.notified();
            // Computed before the look, so that what becomes due during it is looked at in time.
            let look_again = clock.now().checked_add(INBOX_INTERVAL).unwrap_or(Timestamp::MAX);
            if let Err(error) = jobs::drain_inbox(&web.context).await {
                logged!(error, action = "inbox", msg!("log-notifications-wait", error = &error));
            }
            vendors.notify_one();
            tokio::select! {
                () = stored => {}
                () = clock.until(look_again) => {}
            }
        }
    };
    let about_vendors = async {
        loop {
            vendors.notified().await;
            // The handling may request a look at something, and writes its findings to Mirakl.
            web.context.gate.opened().await;
            if let Err(error) = jobs::drain_vendor_notices(&web.context).await {
                logged!(error, action = "inbox", msg!("log-vendor-notifications-wait", error = &error));
            }
        }
    };
    tokio::join!(payments, about_vendors);
}

/// Empties the buffers in which times gather, even if the metrics are never read.
async fn tidy_metrics() {
    loop {
        tokio::time::sleep(METRICS_TIDY_INTERVAL).await;
        metrics::tidy();
    }
}

/// Removes data past its retention, at the start and daily.
async fn keep_retention(web: Web) {
    loop {
        if let Err(error) = jobs::retention(&web.context).await {
            logged!(error, action = "retention", msg!("log-removal-waits", error = &error));
        }
        web.context.clock.sleep(RETENTION_INTERVAL).await;
    }
}
