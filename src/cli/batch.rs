//! Running one batch from the command line.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::connect::{Reached, close, read_settings};
use super::{Exit, Failed, Global, output, owner, progress, runtime};
use crate::jobs::{self, BatchEnd, BatchState, Command};
use crate::platform::clock::Clock;
use crate::web::BatchDetail;

/// Runs the batch that `command` makes, through the running service if there is one, and prints its outcome.
pub(super) fn run(
    global: &Global,
    command: impl FnOnce(&TimeZone, Timestamp) -> Result<Command, Failed>,
) -> Result<Exit, Failed> {
    owner::become_owner_of(&global.data)?;
    let settled = read_settings(global)?;
    let command = command(&settled.time_zone(global)?, Clock::system().now())?;
    match settled.connect(global)? {
        Reached::Service(service) => match runtime()?.block_on(service.run_batch(global, &command))? {
            Some((batch, failure)) => print_end(global, &batch, failure),
            None => Ok(Exit::Stopped),
        },
        Reached::Store(context) => {
            let progress = progress::choose(global.json);
            let ended = runtime()?.block_on(async {
                let stop = CancellationToken::new();
                listen(stop.clone());
                jobs::run_now(&context, &command, "command line", progress, stop).await
            });
            let closed = close(global, *context);
            let BatchEnd { record, error } = ended?;
            if error.is_none() {
                closed?;
            }
            print_end(global, &record.into(), error.map(Failed::from))
        }
    }
}

fn print_end(global: &Global, batch: &BatchDetail, failure: Option<Failed>) -> Result<Exit, Failed> {
    if let Some(failed) = failure {
        // The part that was done before the batch broke off is reported as well; in JSON it is one object.
        if global.json {
            output::ended_early(batch, &failed)?;
            return Ok(failed.exit);
        }
        if batch.item.total > 0 {
            output::summary(batch, false)?;
        }
        return Err(failed);
    }
    output::summary(batch, global.json)?;
    Ok(match batch.item.state {
        BatchState::Interrupted => Exit::Stopped,
        _ if batch.item.failed > 0 => Exit::Failures,
        BatchState::Done
        | BatchState::Partly
        | BatchState::Queued
        | BatchState::Running
        | BatchState::Failed
        | BatchState::Unknown => Exit::Done,
    })
}

/// Listens for signals: the first Ctrl-C (or SIGTERM) ends the batch at a safe point, the second one at once.
pub(super) fn listen(stop: CancellationToken) {
    let mut signals = StopSignals::listen();
    tokio::spawn(async move {
        signals.next().await;
        output::notice("stopping at the next safe point; repeat to stop at once");
        stop.cancel();
        signals.next().await;
        // No data is lost: every intent was committed before its request left.
        std::process::exit(i32::from(Exit::Stopped.code()));
    });
}

/// Receivers of Ctrl-C and SIGTERM.
pub(super) struct StopSignals {
    interrupt: Option<Signal>,
    terminate: Option<Signal>,
}

impl StopSignals {
    /// Starts listening; from then on neither signal ends the process.
    pub(super) fn listen() -> Self {
        Self { interrupt: signal(SignalKind::interrupt()).ok(), terminate: signal(SignalKind::terminate()).ok() }
    }

    /// Waits for the next signal.
    pub(super) async fn next(&mut self) {
        let each = async |signal: &mut Option<Signal>| match signal {
            Some(signal) => signal.recv().await,
            None => std::future::pending().await,
        };
        tokio::select! {
            _ = each(&mut self.interrupt) => {}
            _ = each(&mut self.terminate) => {}
        }
    }
}
