//! Running one batch from the command line.

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::{Exit, Failed, Global, close, configuration, open, output, owner, progress, runtime};
use crate::clock::Clock;
use crate::config::Config;
use crate::jobs::{self, BatchRecord, BatchState, Command, Ended};

/// Opens the store, runs the batch that `command` makes, and tells what came of it.
pub(super) fn run(
    global: &Global,
    command: impl FnOnce(&Config, Timestamp) -> Result<Command, Failed>,
) -> Result<Exit, Failed> {
    owner::become_owner_of(&global.data)?;
    let config = configuration(global)?;
    let command = command(&config, Clock::system().now())?;
    let context = open(global, config)?;
    let progress = progress::choose(global.json);
    let outcome = runtime()?.block_on(async {
        let stop = CancellationToken::new();
        listen(stop.clone());
        jobs::run_at_once(&context, &command, "command line", progress, stop).await
    });
    let closed = close(global, context);
    let Ended { record, error } = outcome?;
    if let Some(error) = error {
        // What was done before the batch broke off is told as well.
        if record.total > 0 && !global.json {
            output::summary(&record, false)?;
        }
        return Err(error.into());
    }
    closed?;
    output::summary(&record, global.json)?;
    Ok(exit(&record))
}

/// What a batch's record means to a script.
pub(super) fn exit(record: &BatchRecord) -> Exit {
    match record.state {
        BatchState::Interrupted => Exit::Stopped,
        _ if record.failed > 0 => Exit::Failures,
        BatchState::Done | BatchState::Queued | BatchState::Running | BatchState::Failed | BatchState::Unknown => {
            Exit::Done
        }
    }
}

/// The first Ctrl-C (or SIGTERM) ends the batch at a safe point, the second one at once.
pub(super) fn listen(stop: CancellationToken) {
    tokio::spawn(async move {
        let mut terminated = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).ok();
        let mut signalled = async || {
            let terminate = async {
                match terminated.as_mut() {
                    Some(terminated) => terminated.recv().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate => {}
            }
        };
        signalled().await;
        output::notice("stopping as soon as what is in hand is safe; once more to stop at once");
        stop.cancel();
        signalled().await;
        // Nothing is lost: every intent was committed before its request left.
        std::process::exit(i32::from(Exit::Stopped.code()));
    });
}
