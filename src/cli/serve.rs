//! The worker of `cashout serve`: the appliance, until it is asked to stop.

use std::io::Read;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::connect::{Reached, connect};
use super::output::notice;
use super::{Exit, Failed, Global, accepted, demo, runtime};
use crate::admin::setup::{self, FirstRun};
use crate::admin::wiring::Wiring;
use crate::config::{Config, ConfigWriter, LogLevel, Settings, process_environment};
use crate::jobs::Context;
use crate::logs::Logs;
use crate::mail;
use crate::platform::clock::Clock;
use crate::platform::release;
use crate::platform::testing::{InjectedFault, has_fault};
use crate::serve::guard_commands::Duty;
use crate::serve::{Appliance, STOP_TIMEOUT, ServeError};
use crate::store::{Store, StoreError};
use crate::text::message::{logged, msg};
use crate::trouble::{self, Aside, Noticed, Trouble};
use crate::update::channel::{GuardMessage, WorkerMessage};
use crate::update::reserve;
use crate::update::worker::{AttachError, GuardLink, Guarded, Voice};
use crate::web::{self, Connections, Limits};

impl From<AttachError> for Failed {
    fn from(error: AttachError) -> Self {
        let exit = match &error {
            AttachError::NoGuard => Exit::Usage,
            AttachError::Gone | AttachError::Machine(_) => Exit::Machine,
        };
        Self::new(exit, error.to_string())
    }
}

/// Returns the message for a second service on one store.
pub(super) fn second_service_message(data: &Path) -> String {
    format!("a cashout service is already running on {}; stop it first", data.display())
}

impl From<ServeError> for Failed {
    fn from(error: ServeError) -> Self {
        match error {
            ServeError::Store(error) => error.into(),
            ServeError::Tls(error) => Self::new(Exit::Usage, error.to_string()),
            ServeError::Listener(error) => error.into(),
        }
    }
}

/// Runs the worker of the process `guard`; in the folder `demo` if it belongs to a demo.
pub(super) fn run(global: &Global, guard: u32, demo: Option<PathBuf>, wiring: &Wiring) -> Result<Exit, Failed> {
    let Guarded { listener, voice, trial, known, keeps_settings } = Guarded::attach(guard)?;
    inject_fault_at_start();
    if !trial {
        // A release on trial may have filled the disk.
        reserve::free(&global.data)?;
    }
    let scribe = if keeps_settings {
        let voice = voice.clone();
        ConfigWriter::new(move |text| voice.configure(text))
    } else {
        ConfigWriter::default()
    };
    let loaded = Config::load(&global.config, process_environment());
    if let Err(errors) = &loaded
        && setup::is_wanted(errors, &global.data)
    {
        notice(&errors.to_string());
        return set_up(global, listener, &voice, scribe);
    }
    let config = accepted(global, loaded)?;
    let settings = Settings::new(&global.config, Arc::new(config.clone())).written_by(scribe);
    let context = store(global, &config, wiring).inspect_err(|failed| {
        if !trial {
            mail_store_failure(global, &config, failed);
        }
    })?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut told = voice.listen()?;
        if let Some(folder) = demo {
            tokio::spawn(demo::follow(context.clock.clone(), folder));
        }
        // A terminal's Ctrl-C reaches both processes: the guard handles it. A TERM sent only to this one is an
        // orderly stop.
        let (mut terminate, _interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        reopen_logs_on_hangup()?;
        if trial {
            logged!(info, action = "update", msg!("log-trial-waits"));
            context.gate.close();
        }
        let link = GuardLink::new(known, voice.clone());
        let appliance = Appliance::start_guarded(context, settings, listener, global.data.clone(), link).await?;
        notice(&format!("cashout {} answers on {}", release::version(), appliance.address()));
        inject_fault_later(&global.data);
        let store = appliance.web().context.store.clone();
        let (web, address) = (appliance.web().clone(), appliance.address());
        let duty = Duty { web, voice: voice.clone(), address, data: global.data.clone() };
        let failed = tokio::select! {
            _ = terminate.recv() => None,
            () = duty.run_until_stopped(&mut told) => None,
            () = send_heartbeats(&voice, store.clone()) => None,
            error = store.failed() => Some(error),
        };
        if let Some(error) = failed {
            return Err(end_without_store(&duty, &mut told, error).await);
        }
        // It holds parts that the appliance has to release.
        drop(duty);
        notice("stopping at the next safe point; repeat to stop at once");
        stop(appliance, &mut told).await
    })
}

/// Reopens the file of the log whenever this process is sent a HUP.
fn reopen_logs_on_hangup() -> std::io::Result<()> {
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            if let Some(logs) = Logs::current() {
                logs.reopen();
            }
        }
    });
    Ok(())
}

/// Reports that the store has failed, and answers for a while without it. Returns the reason to exit.
async fn end_without_store(duty: &Duty, told: &mut mpsc::UnboundedReceiver<GuardMessage>, error: StoreError) -> Failed {
    let context = &duty.web.context;
    let noticed = Noticed { action: "serve", batch: None, at: context.clock.now() };
    let message = msg!("trouble-store", error = &error);
    context.troubles.report(trouble::STORE, LogLevel::Critical, message, noticed);
    logged!(warn, action = "serve", msg!("log-service-ends", error = &error));
    // Until then, senders of notifications are asked to retry, and the guard learns our state.
    tokio::select! {
        () = tokio::time::sleep(STORE_TIMEOUT) => {}
        () = duty.run_until_stopped(told) => {}
    }
    Failed::from(error)
}

/// Stops the appliance in good order, unless the guard asks once more or the time is up.
async fn stop(appliance: Appliance, told: &mut mpsc::UnboundedReceiver<GuardMessage>) -> Result<Exit, Failed> {
    tokio::select! {
        stopped = appliance.stop() => {
            stopped?;
            Ok(Exit::Done)
        }
        () = wait_for_stop(told) => Ok(Exit::Stopped),
        // No data is lost: every intent was committed before its request left.
        () = tokio::time::sleep(STOP_TIMEOUT) => {
            Err(Failed::new(Exit::Machine, format!("work in progress did not end within {} s", STOP_TIMEOUT.as_secs())))
        }
    }
}

/// Asks for the missing settings, on this machine only, until they are written.
fn set_up(global: &Global, listener: TcpListener, voice: &Voice, scribe: ConfigWriter) -> Result<Exit, Failed> {
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let paths = [global.config.clone(), global.data.clone()];
    let setup = FirstRun::begin(paths, process_environment(), scribe, address, |sentence| {
        notice(&format!("cashout: {sentence}"));
    });
    let setup = setup.map_err(|error| Failed::new(Exit::Machine, error.to_string()))?;
    runtime()?.block_on(async {
        let mut told = voice.listen()?;
        let (mut terminate, _interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let stop = CancellationToken::new();
        let connections = Connections::new(web::setup_router(&setup), None, Limits::of_this_process());
        let serving = tokio::spawn(connections.serve(tokio::net::TcpListener::from_std(listener)?, stop.clone()));
        voice.send(&WorkerMessage::Ready { version: release::version().to_owned() });
        tokio::select! {
            () = setup.done().cancelled() => {}
            _ = terminate.recv() => {}
            () = wait_for_stop(&mut told) => {}
            () = async { loop { voice.send(&WorkerMessage::Alive); tokio::time::sleep(HEARTBEAT_INTERVAL).await; } } => {}
        }
        stop.cancel();
        // The last answer reports success and must arrive.
        let _ = tokio::time::timeout(STOP_TIMEOUT, serving).await;
        Ok(Exit::Done)
    })
}

/// Opens the store, as soon as no other process has it. Our guard has made sure that no other service uses it:
/// one that still answers is the worker of a killed guard, and about to end.
fn store(global: &Global, config: &Config, wiring: &Wiring) -> Result<Context, Failed> {
    let begun = Instant::now();
    loop {
        match connect(global, config, wiring)? {
            Reached::Store(context) => return Ok(*context),
            Reached::Service(_) if begun.elapsed() < EXIT_TIMEOUT => {
                std::thread::park_timeout(Duration::from_millis(50));
            }
            Reached::Service(_) => return Err(Failed::new(Exit::Busy, second_service_message(&global.data))),
        }
    }
}

/// Mails that the store cannot be opened, without a place to record that.
fn mail_store_failure(global: &Global, config: &Config, failed: &Failed) {
    if !failed.is_of_disk {
        return;
    }
    let trouble = Trouble::of_store(&failed.sentence, Clock::system().now());
    if let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() {
        runtime.block_on(mail::tell_without_store(config, &trouble, &Aside::of(&global.data)));
    }
}

/// Simulates a fault at the start if a test asks for one; has no effect in a release build.
fn inject_fault_at_start() {
    if has_fault(InjectedFault::WorkerExits) {
        std::process::exit(7);
    }
    if has_fault(InjectedFault::Hangs) {
        std::thread::park_timeout(Duration::from_hours(1));
    }
}

/// Simulates a fault some time after requests are answered, if a test asks for one.
fn inject_fault_later(data: &Path) {
    let filler = data.join("filler");
    if has_fault(InjectedFault::Crashes) {
        std::thread::spawn(|| {
            std::thread::park_timeout(Duration::from_secs(5));
            std::process::abort();
        });
    }
    if has_fault(InjectedFault::FillsDisk) {
        std::thread::spawn(move || {
            std::thread::park_timeout(Duration::from_secs(2));
            // As far as possible, but not the whole disk of a person who runs this by mistake.
            std::fs::File::create(filler)
                .and_then(|mut file| std::io::copy(&mut std::io::repeat(b'x').take(1024 * 1024 * 1024), &mut file))
        });
    }
}

/// Time during which the service still answers after the store has failed; only a restart reopens the store.
const STORE_TIMEOUT: Duration = Duration::from_secs(15);

/// Time limit for the worker of a killed guard to end.
const EXIT_TIMEOUT: Duration = Duration::from_secs(5);

/// Interval of the signs of life to the guard.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(5);

/// Waits for the guard's next stop request. Without one, it waits for ever.
async fn wait_for_stop(told: &mut mpsc::UnboundedReceiver<GuardMessage>) {
    loop {
        match told.recv().await {
            Some(GuardMessage::Stop { .. }) => return,
            Some(_) => {}
            None => return std::future::pending().await,
        }
    }
}

/// Sends signs of life to the guard while the store answers.
async fn send_heartbeats(voice: &Voice, store: Store) {
    loop {
        match store.reading(|_| Ok(())).await {
            Ok(()) => voice.send(&WorkerMessage::Alive),
            Err(StoreError::Closed) => return std::future::pending().await,
            Err(error) => logged!(error, action = "serve", msg!("log-store-silent", error = &error)),
        }
        tokio::time::sleep(HEARTBEAT_INTERVAL).await;
    }
}
